#ifndef CAPTURE_AWAITING_H
#define CAPTURE_AWAITING_H

/*
 * Batches that are durable on the disk, but whose waiters wait until a follower has acknowledged
 * them too (capture.durable_at). When the follower is late by KAFKA_LATE_MS, all of them are given
 * back as BATCH_LATE, and no batch waits for the follower until it is less than KAFKA_LATE_MS
 * behind again.
 */

#include "capture/batch.h"

struct awaiting {
	/*
	 * The last sequence that the follower has acknowledged; NULL: no batch waits for a
	 * follower.
	 */
	uint64_t (*acknowledged)(void *world);
	void *world;
	struct batch *first, *last; /* in the order of the log */
	atomic_bool late;
	/*
	 * While `late`: the follower is in time again if it acknowledges this sequence within
	 * KAFKA_LATE_MS after that time.
	 */
	uint64_t catch_up_sequence, catch_up_since_ns;
};

/* Whether the batch, which is durable, stays here. False: the caller gives it back as `*became`. */
bool awaiting_takes(struct awaiting *a, struct batch *b, uint64_t now_ns, enum batch_state *became);

/*
 * The next batch whose wait is over, and its state; NULL: there is none. `durable_sequence` is the
 * log's.
 */
struct batch *awaiting_next(struct awaiting *a, uint64_t durable_sequence, uint64_t now_ns,
			    enum batch_state *became);
/* Takes out the next batch when the log is over; NULL: none is left. */
struct batch *awaiting_give_up(struct awaiting *a);

/* When to call awaiting_next() again if nothing happens before; UINT64_MAX: never. */
uint64_t awaiting_deadline_ns(const struct awaiting *a, uint64_t now_ns);

#endif
