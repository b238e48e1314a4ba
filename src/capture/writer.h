#ifndef CAPTURE_WRITER_H
#define CAPTURE_WRITER_H

/*
 * The journal's own thread: it calls journal_turn(), and does the disk's operations with blocking
 * calls.
 */

#include <pthread.h>

#include "capture/feed.h"
#include "capture/journal.h"
#include "capture/writer_lease.h"
#include "capture/unrecorded.h"
#include "io/waker.h"

struct writer {
	struct journal *journal; /* owned */
	struct disk *disk;	 /* owned */
	const char *directory;	 /* borrowed */
	uint64_t generation;
	struct writer_lease writer_lease;
	void (*durable)(void *user);
	void *user;
	struct unrecorded *unrecorded; /* borrowed */
	bool keep_failed;	       /* the last attempt to save `unrecorded` failed */
	bool without_lease;	       /* the directory is not used: there is no lease */
	uint64_t leased_segments; /* how many segments there were when the lease was checked last */
	struct waker waker;
	pthread_t thread;
	atomic_bool stop;
};

/* The configuration of a writer. */
struct writer_config {
	const char *directory; /* exists; borrowed until the end */
	int refuses;	     /* errno of using it: the log is unavailable for good; 0: it is used */
	uint64_t generation; /* from series_next() */
	uint64_t commit_ns, segment_bytes, queue_bytes;
	/* Waiters wait for the follower's acknowledgment, too. */
	bool acknowledged;
	/* Called on its thread: more is durable. May be NULL. */
	void (*durable)(void *user);
	void *user;
	struct unrecorded *unrecorded;	     /* borrowed: the losses that gaps report; NULL: none */
	const struct record_damage *damages; /* borrowed for the call, as in journal_config */
	unsigned damage_n;
};

/* False with errno: the directory cannot be used. Feeds may push from here on. */
bool writer_open(struct writer *w, const struct writer_config *c);
/* From any thread: a follower has acknowledged more in the lease. */
void writer_wake(struct writer *w);
/* No feed pushes any more: writes what is there, seals the series and ends the thread. */
void writer_stop(struct writer *w);
/* No thread calls writer_wake() any more. */
void writer_close(struct writer *w);

#endif
