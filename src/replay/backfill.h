#ifndef REPLAY_BACKFILL_H
#define REPLAY_BACKFILL_H

/*
 * The copy of all documents of the owner's indices, beside live writes: their keys are added to
 * those of the log, few at a time. An index after the other, shard by shard in the order of
 * sequence numbers. Up to where all keys of a shard are copied is kept in the marks, so that it
 * goes on there after a start. What was deleted at the owner before is not looked at.
 */

#include "replay/id_pages.h"
#include "replay/index_filter.h"
#include "replay/kept_marks.h"
#include "replay/keys.h"
#include "replay/orders.h"

struct backfill;

struct backfill_config {
	struct subrequests *subrequests;   /* borrowed */
	struct keys *keys;		   /* borrowed */
	struct kept_marks *kept;	   /* borrowed */
	const struct index_filter *filter; /* borrowed: of the indices that are replayed */
	enum arm owner;
	/* A key that cannot be copied: the index is not exact. */
	void (*lost)(void *user, struct span index, const char *why);
	void *user;
};

struct backfill *backfill_open(const struct backfill_config *c);
/* backfill_is_quiet() only. */
void backfill_close(struct backfill *b);

/*
 * Of the kinds ORDER_BACKFILL...: what became of it. `indices` is moved out of the order. Once the
 * marks were loaded.
 */
void backfill_order(struct backfill *b, struct replay_order *one, struct order_outcome *to);

/*
 * Each turn in which copies are made; `time_ns` is that of its keys: no later write is older. 0:
 * not known, nothing is added. While `keys_max` keys wait or are in flight, few are added.
 */
void backfill_turn(struct backfill *b, uint64_t time_ns, size_t keys_max);
/* The loop's milliseconds; UINT64_MAX: nothing is due. */
uint64_t backfill_due_ms(const struct backfill *b);
void backfill_stop(struct backfill *b);
bool backfill_is_quiet(const struct backfill *b);

/* For keys_config.back. False: the tag is another's. */
bool backfill_tag_back(struct backfill *b, uintptr_t tag);

/* For status: a new reference, without the places. NULL: there was none. */
json_t *backfill_json(const struct backfill *b);

#endif
