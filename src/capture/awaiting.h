#ifndef CAPTURE_AWAITING_H
#define CAPTURE_AWAITING_H

/*
 * Batches that are durable on the disk and for which somebody waits until a follower has them too
 * (capture.durable_at). Nobody waits long: when the follower is late, all are told so, and nobody
 * is waited with any more until it is less than KAFKA_LATE_MS behind again.
 */

#include "capture/batch.h"

struct awaiting {
	/* The last sequence that the follower has; NULL: nobody waits for one. */
	uint64_t (*acknowledged)(void *world);
	void *world;
	struct batch *first, *last; /* in the order of the log */
	atomic_bool late;
	/* While it is: what it must have to be in time again, and since when that is asked. */
	uint64_t mark_sequence, mark_ns;
};

/* Whether the batch, which is durable, stays here; else it is to be given back as `*became`. */
bool awaiting_takes(struct awaiting *a, struct batch *b, uint64_t now_ns, enum batch_state *became);

/*
 * The next one whose wait is over, with what became of it; NULL: none is. `durable_sequence` is the
 * log's.
 */
struct batch *awaiting_next(struct awaiting *a, uint64_t durable_sequence, uint64_t now_ns,
			    enum batch_state *became);
/* All that is here, when the log is over. */
struct batch *awaiting_give_up(struct awaiting *a);

/* When to look again, if nothing happens before; UINT64_MAX: never. */
uint64_t awaiting_deadline_ns(const struct awaiting *a, uint64_t now_ns);

#endif
