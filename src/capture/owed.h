#ifndef CAPTURE_OWED_H
#define CAPTURE_OWED_H

/*
 * Outcomes that the log lost when it failed, and must have when it is back. An exchange whose
 * request is in the log without an outcome would be open for as long as its process lives, and hold
 * up every follower. There are at most as many as exchanges were under way when the log failed, for
 * none is recorded while it is away.
 *
 * Used on the journal's thread.
 */

#include <stdbool.h>
#include <stdint.h>

#include "capture/batch.h"
#include "capture/bytes.h"
#include "capture/frame.h"

struct owed_name {
	uint16_t worker;
	uint32_t ordinal;
	uint64_t connection;
};

struct owed {
	struct bytes frames; /* whole frames, with their padding */
	/* Exchanges whose request is not in the log: they are owed nothing. Sorted. */
	struct owed_name *unwritten; /* owned */
	size_t unwritten_n, unwritten_room;
};

/*
 * The batches from `first` on have failed. `in_log`: some of their frames could not be cut off, and
 * may be in the log.
 */
void owed_note(struct owed *o, const struct batch *first, bool in_log);
/*
 * Sets the times of each owed frame, as it is written now; `number` gives it a sequence and a
 * checksum.
 */
void owed_each(struct owed *o, uint64_t mono_ns, uint64_t wall_ns,
	       void (*number)(void *user, struct frame *f), void *user);
/* All owed frames are durable: they are dropped. */
void owed_paid(struct owed *o);
void owed_free(struct owed *o);

#endif
