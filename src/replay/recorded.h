#ifndef REPLAY_RECORDED_H
#define REPLAY_RECORDED_H

/*
 * A recorded request that is sent once more, and its body. A small body comes along. Of a larger
 * one the sending thread asks for a piece when it has sent the piece before; the reading thread
 * reads it from the log. So no more than one piece of a body is held here, however long the body
 * is.
 *
 * A request is with one thread at a time: it goes to the reading thread with recorded_feed_want()
 * and is back with recorded_feed_take().
 */

#include <pthread.h>

#include "capture/assembly.h"
#include "http/msg.h"
#include "io/waker.h"
#include "replay/verbatim.h"

/* "POST /a/path", for people. */
#define RECORDED_NAME_BYTES 160

enum recorded_came {
	RECORDED_PIECE,
	RECORDED_LAST, /* the body ends with this piece */
	RECORDED_LOST, /* the log does not have it any more */
};

struct recorded {
	struct verbatim_item order;
	struct list link;  /* of the feed */
	struct bytes head; /* owned: text */
	char name[RECORDED_NAME_BYTES];
	enum method method;
	uint64_t generation, sequence; /* of its head in the log: its name over a start */
	uint64_t wall_ns;	       /* when it was over */
	uintptr_t tag;
	bool certain;	 /* the owner has accepted it; else nobody knows what it has done there */
	bool whole;	 /* the log has all of it */
	bool has_length; /* it was sent with the length of its body */
	uint64_t body_n;
	struct bytes piece; /* owned: the body if it came along, else a piece of it */
	enum recorded_came came;
	struct assembly *assembly;	/* owned; NULL: the body came along */
	struct assembly_cursor *cursor; /* owned; NULL: the next piece is the first one */
	uint64_t read_n;		/* of the body, so far */
};

/* On the reading thread; `a` is moved in. */
struct recorded *recorded_make(struct assembly *a, int directory, uint64_t wall_ns);
void recorded_free(struct recorded *r);
size_t recorded_bytes(const struct recorded *r);
/* It asks for its body, piece by piece. */
static inline bool recorded_is_fed(const struct recorded *r)
{
	return r->assembly;
}

/* --- pieces of bodies, between the two threads --- */

struct recorded_feed {
	pthread_mutex_t lock;
	struct list wanted, come;
	const char *path;	  /* borrowed: the directory of the log */
	int directory;		  /* the reading thread's; -1: not open */
	struct waker *waker;	  /* borrowed: the reading thread's */
	void (*wake)(void *user); /* the sending thread */
	void *user;
};

void recorded_feed_open(struct recorded_feed *f, const char *path, struct waker *waker,
			void (*wake)(void *user), void *user);
/* Nothing must be on its way. */
void recorded_feed_close(struct recorded_feed *f);

/* The sending thread: the next piece is wanted; `anew`: the first one. */
void recorded_feed_want(struct recorded_feed *f, struct recorded *r, bool anew);
/* One whose piece has come: see `came`. NULL: none is there. */
struct recorded *recorded_feed_take(struct recorded_feed *f);

/* The reading thread: reads a piece for each that wants one. */
void recorded_feed_turn(struct recorded_feed *f);

#endif
