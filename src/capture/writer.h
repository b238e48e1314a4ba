#ifndef CAPTURE_WRITER_H
#define CAPTURE_WRITER_H

/* The journal's own thread: turns it, and does what it asks of the disk with blocking calls. */

#include <pthread.h>

#include "capture/feed.h"
#include "capture/journal.h"
#include "io/waker.h"

struct writer {
	struct journal *journal; /* owned */
	struct disk *disk;	 /* owned */
	struct waker waker;
	pthread_t thread;
	atomic_bool stop;
};

/* What a writer is told. */
struct writer_config {
	const char *directory; /* exists */
	uint64_t generation;   /* series_next() */
	uint64_t commit_ns, segment_bytes, queue_bytes;
	struct feed *const *feeds; /* borrowed, as journal_config's */
	unsigned feed_n;
};

/* False with errno: the directory cannot be used. The feeds may push from here on. */
bool writer_open(struct writer *w, const struct writer_config *c);
/* Nobody pushes any more: writes what is there, seals the series and ends the thread. */
void writer_close(struct writer *w);

#endif
