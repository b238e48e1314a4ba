#ifndef CAPTURE_BATCH_H
#define CAPTURE_BATCH_H

/*
 * What a worker hands to the log at once: frames whose own bytes stand in the batch, and whose
 * bodies are the slices of the receive, held until the log is done with it. The worker makes it,
 * the log numbers its frames, writes it and says what became of it, then it is the worker's again.
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
	BATCH_LATE,   /* it is durable in the log, and the follower that was waited for is late */
	BATCH_FAILED, /* no byte of it is in the log */
};

struct batch {
	struct batch *next; /* while it is out: the one pushed before it; then, the one behind it */
	struct feed *feed;
	_Atomic uint8_t state; /* enum batch_state */
	bool pressed;	       /* its memory is needed soon */
	bool urgent;	       /* somebody waits for it: */
	unsigned waits_n;      /* so many, or more before some went */
	struct list link;      /* the worker's: in feed->out or feed->idle */
	struct list waits;     /* the worker's: struct feed_wait */
	struct chain held;     /* the worker's */
	char *bytes;	       /* owned */
	size_t byte_n, byte_room;
	uint64_t log_bytes;  /* all that it takes in the log */
	uint64_t sequence;   /* the log's: of its last frame, */
	uint64_t durable_ns; /* and since when it is */
	struct iovec vectors[BATCH_VECTORS];
	unsigned vector_n;
	uint32_t frames[BATCH_FRAMES]; /* where their heads stand in `bytes` */
	unsigned frame_n;
	unsigned gap_n; /* of which so many are gap records */
};

#endif
