#ifndef CAPTURE_BATCH_H
#define CAPTURE_BATCH_H

/*
 * What a worker hands to the log at once. The batch owns the frames' own bytes; their bodies are
 * the slices of the receive, held until the log is done with the batch. The worker makes the batch;
 * the log numbers its frames, writes them and sets its state; then the batch is the worker's again.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/list.h"

struct feed;

enum batch_state {
	BATCH_OPEN, /* the worker's */
	BATCH_OUT,  /* the log's */
	BATCH_DURABLE,
	BATCH_LATE,   /* durable in the log, but the follower that was waited for is late */
	BATCH_FAILED, /* not durable; not in the log either, unless `in_log` */
};

struct batch {
	/* with the log: the batch pushed before this one; later, the one behind it */
	struct batch *next;
	struct feed *feed;
	_Atomic uint8_t state; /* enum batch_state */
	bool pressed;	       /* the worker needs its memory soon */
	bool in_log; /* failed, and what was written could not be cut off: it may be in the log */
	bool urgent; /* somebody waits for it */
	unsigned waits_n;  /* number of waiters, or more if some have cancelled */
	struct list link;  /* the worker's: in feed->out or feed->idle */
	struct list waits; /* the worker's: struct feed_wait */
	struct chain held; /* the worker's */
	char *bytes;	   /* owned */
	size_t byte_n, byte_room;
	uint64_t log_bytes;  /* bytes of all its frames in the log */
	uint64_t sequence;   /* the log's: of its last frame */
	uint64_t durable_ns; /* the log's: since when it is durable */
	struct iovec vectors[BATCH_VECTORS];
	unsigned vector_n;
	uint32_t frames[BATCH_FRAMES]; /* offsets of the frames' heads in `bytes` */
	unsigned frame_n;
	unsigned gap_n; /* how many of the frames are gaps */
};

#endif
