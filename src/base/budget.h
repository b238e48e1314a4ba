#ifndef BASE_BUDGET_H
#define BASE_BUDGET_H

/*
 * How much memory connections hold. A *budget* is what the connections of one party may hold
 * together: all clients of a worker, or all nodes of a cluster. Each connection has an *account* in
 * it. The blocks that it has sent are charged to its account until the last reference to them is
 * dropped, whoever holds it.
 *
 * A connection may receive while its account is small (ACCOUNT_FLOOR_BYTES), whatever others hold.
 * Beyond that it may receive while the budget has room, up to ACCOUNT_MAX_BYTES. So a connection
 * that does not keep up waits alone, and a budget never exceeds its maximum plus the floor of each
 * connection.
 *
 * An account outlives its owner while blocks are charged to it. One thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/list.h"
#include "base/slab.h"

struct block;

struct budget {
	size_t used, max;    /* bytes of blocks in use */
	struct list waiting; /* accounts that may go on when the budget has room, in order */
	struct list fed;     /* accounts that waited and may go on */
	struct list link;    /* its user's own; in use while an account waits */
	unsigned waiting_n;  /* accounts that wait for room, or for their owner's peer */
	uint64_t waits;	     /* how often an account has begun to wait */
};

struct account {
	struct budget *budget; /* borrowed */
	struct slab *home;     /* the slab it is given back to */
	void *owner;	       /* borrowed; NULL: the owner has gone */
	size_t used;	       /* bytes of blocks in use */
	size_t spared;	      /* bytes of `used` that do not count: the owner needs more to go on */
	struct block *packed; /* one reference; it is being filled with small pieces; NULL: none */
	size_t packed_n;      /* bytes of `packed` that are filled */
	struct list link;     /* in one of the budget's lists */
	bool waits;	      /* the owner wants to receive, and must wait */
	bool is_watched;      /* account_give() must call account_look(): waits, or no owner */
};

void budget_open(struct budget *b, size_t max);
/* No block may be charged to the budget any more. */
void budget_close(struct budget *b);

static inline bool budget_has_room(const struct budget *b)
{
	return b->used < b->max;
}

struct account *account_open(struct slab *home, struct budget *b /* borrowed */, void *owner);
/* The owner goes. Blocks stay charged to the account until they are dropped. */
void account_close(struct account *a /* moved in */);

/* True when the owner may receive. */
static inline bool account_may_receive(const struct account *a)
{
	if (budget_has_room(a->budget))
		return a->used < ACCOUNT_MAX_BYTES;
	return a->used < a->spared + ACCOUNT_FLOOR_BYTES;
}

/* The owner waits until it may receive; budget_feed() then returns the account. */
void account_wait(struct account *a);
/* Ends the wait. Does nothing when the account does not wait. */
void account_stop_waiting(struct account *a);

/* True when budget_feed() would return an account. */
bool budget_feeds(const struct budget *b);
/* Takes the next account that waited and may receive; NULL: there is none. */
struct account *budget_feed(struct budget *b);

/* Private to account_give(). */
void account_look(struct account *a);

static inline void account_take(struct account *a, size_t bytes)
{
	a->used += bytes;
	a->budget->used += bytes;
}

static inline void account_give(struct account *a, size_t bytes)
{
	a->used -= bytes;
	a->budget->used -= bytes;
	if (__builtin_expect(a->is_watched, 0))
		account_look(a);
}

#endif
