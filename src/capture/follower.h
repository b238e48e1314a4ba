#ifndef CAPTURE_FOLLOWER_H
#define CAPTURE_FOLLOWER_H

/*
 * Who reads the log in his own time and must not lose any of it: a name, and a durable position in
 * the capture directory. Retention takes nothing away that a registered follower has not passed. A
 * follower stays registered until it is dropped; one process at a time is it.
 */

#include "capture/position.h"

#define FOLLOWER_NAME_BYTES 33
/* The balancer's own, of capture.kafka. */
#define FOLLOWER_KAFKA "kafka"

struct follower {
	int directory, lock; /* owned */
	char name[FOLLOWER_NAME_BYTES];
	struct position position; /* as it was saved last */
	bool damaged;		  /* its file was: it has passed nothing */
};

enum follower_verdict {
	FOLLOWER_OPEN,
	FOLLOWER_BUSY,	/* another process is it */
	FOLLOWER_ERROR, /* errno */
};

/* 1 to 32 of a-z, 0-9, - and _. */
bool follower_name_is_good(const char *name);

/* Registers it where it is not, with nothing passed. */
bool follower_register(int directory, const char *name);
/* Registers it where it is not, takes its place, and reads its position. */
enum follower_verdict follower_open(struct follower *f, const char *directory, const char *name);
/* The position lasts, whatever happens after this returns. False with errno: the old one does. */
bool follower_save(struct follower *f, const struct position *p);
void follower_close(struct follower *f);
/* It is registered no more. FOLLOWER_ERROR with ENOENT: it was not. */
enum follower_verdict follower_drop(const char *directory, const char *name);

/* --- all of them --- */

struct follower_seen {
	char name[FOLLOWER_NAME_BYTES];
	struct position position;
	bool damaged;
};

struct followers {
	struct follower_seen *list; /* owned, by name */
	size_t n;
};

/* False with errno: the directory cannot be read. */
bool followers_look(struct followers *all, int directory);
void followers_free(struct followers *all);
/* Whether there is one in that directory. */
bool followers_any(const char *directory);

#endif
