#ifndef CAPTURE_FOLLOWER_H
#define CAPTURE_FOLLOWER_H

/*
 * A follower reads the log at its own speed and must not lose any of it. It has a name, and a
 * durable position in the capture directory. Retention removes nothing that a registered follower
 * has not passed. A follower stays registered until it is dropped. One process at a time can be a
 * given follower.
 */

#include "capture/position.h"

#define FOLLOWER_NAME_BYTES 33
/* The balancer's own follower, of capture.kafka. */
#define FOLLOWER_KAFKA "kafka"

struct follower {
	int directory, lock; /* owned */
	char name[FOLLOWER_NAME_BYTES];
	struct position position; /* as last saved */
	bool damaged;		  /* its file was damaged: the position is empty */
};

enum follower_verdict {
	FOLLOWER_OPEN,
	FOLLOWER_BUSY,	/* another process is this follower */
	FOLLOWER_ERROR, /* errno */
};

/* 1 to 32 of a-z, 0-9, - and _. */
bool follower_name_is_good(const char *name);

/* Registers the follower with an empty position, unless it is registered already. */
bool follower_register(int directory, const char *name);
/*
 * Registers the follower if it is not registered, locks it for this process, and reads its
 * position.
 */
enum follower_verdict follower_open(struct follower *f, const char *directory, const char *name);
/* True: the position is durable. False with errno: the old position still holds. */
bool follower_save(struct follower *f, const struct position *p);
void follower_close(struct follower *f);
/* Removes the registration. FOLLOWER_ERROR with ENOENT: there was none. */
enum follower_verdict follower_drop(const char *directory, const char *name);

/* --- all followers --- */

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
/* Whether a follower is registered in that directory. */
bool followers_any(const char *directory);

#endif
