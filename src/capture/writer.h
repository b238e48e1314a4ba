#ifndef CAPTURE_WRITER_H
#define CAPTURE_WRITER_H

/* The journal's own thread: turns it, and does what it asks of the disk with blocking calls. */

#include <pthread.h>

#include "capture/feed.h"
#include "capture/journal.h"
#include "capture/mark.h"
#include "capture/unrecorded.h"
#include "io/waker.h"

struct writer {
	struct journal *journal; /* owned */
	struct disk *disk;	 /* owned */
	const char *directory;	 /* borrowed */
	uint64_t generation;
	struct mark mark;
	void (*durable)(void *user);
	void *user;
	struct unrecorded *unrecorded; /* borrowed */
	bool keeps_badly;	       /* the last time it failed */
	bool unmarked;		       /* there is no directory for it */
	uint64_t marked_segments;      /* how many there were when it was looked for the mark */
	struct waker waker;
	pthread_t thread;
	atomic_bool stop;
};

/* What a writer is told. */
struct writer_config {
	const char *directory; /* exists; borrowed until the end */
	int refuses;	     /* errno of using it: the log is unavailable for good; 0: it is used */
	uint64_t generation; /* series_next() */
	uint64_t commit_ns, segment_bytes, queue_bytes;
	/* Who waits, waits for the follower's acknowledgment too. */
	bool acknowledged;
	/* From its thread: more is durable. May be NULL. */
	void (*durable)(void *user);
	void *user;
	struct unrecorded *unrecorded;	     /* borrowed: what gaps tell of; NULL: nothing */
	const struct record_damage *damages; /* borrowed for the call, as journal_config's */
	unsigned damage_n;
};

/* False with errno: the directory cannot be used. The feeds may push from here on. */
bool writer_open(struct writer *w, const struct writer_config *c);
/* From any thread: the mark says more than before. */
void writer_wake(struct writer *w);
/* Nobody pushes any more: writes what is there, seals the series and ends the thread. */
void writer_stop(struct writer *w);
/* Nobody wakes it any more. */
void writer_close(struct writer *w);

#endif
