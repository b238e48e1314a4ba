#ifndef BASE_BUDGET_H
#define BASE_BUDGET_H

/*
 * Who holds how much memory. A *budget* is what one party's connections may hold together: all
 * clients of a worker, or all nodes of a cluster. Each of them has an *account* in it, to which the
 * blocks of what it has sent are charged until the last reference to them goes, whoever has that.
 *
 * A connection may receive while its account is small (ACCOUNT_FLOOR_BYTES), whatever others hold;
 * beyond that while its budget has room, up to ACCOUNT_MAX_BYTES. So who does not keep up waits
 * alone, and all of a budget is its maximum and the floor of each connection, at most.
 *
 * An account outlives its owner for as long as blocks are charged to it. One thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/list.h"
#include "base/slab.h"

struct block;

struct budget {
	size_t used, max;    /* bytes of blocks that are out */
	struct list waiting; /* accounts that go on when it has room, in their order */
	struct list fed;     /* accounts that waited and may go on */
	struct list link;    /* its user's own, while anybody waits */
	unsigned waiting_n;  /* accounts that wait, for room or for their own owner's peer */
	uint64_t waits;	     /* how often one began to */
};

struct account {
	struct budget *budget; /* borrowed */
	struct slab *home;     /* where it goes back to */
	void *owner;	       /* borrowed; NULL: gone */
	size_t used;	       /* bytes of blocks that are out */
	size_t spared; /* of which so many do not count: the owner cannot go on without more */
	struct block *packed; /* being filled with small pieces: one reference; NULL: none is */
	size_t packed_n;      /* bytes of it that are filled */
	struct list link;     /* in one of the budget's lists */
	bool waits;	      /* its owner wants to receive, and must wait */
	bool is_watched;      /* it waits, or its owner has gone: account_look() at each change */
};

void budget_open(struct budget *b, size_t max);
/* Nothing may be charged to it any more. */
void budget_close(struct budget *b);

static inline bool budget_has_room(const struct budget *b)
{
	return b->used < b->max;
}

struct account *account_open(struct slab *home, struct budget *b /* borrowed */, void *owner);
/* Its owner goes. What is charged to it stays so until it is dropped. */
void account_close(struct account *a /* moved in */);

/* Whether its owner may receive. */
static inline bool account_may_receive(const struct account *a)
{
	if (budget_has_room(a->budget))
		return a->used < ACCOUNT_MAX_BYTES;
	return a->used < a->spared + ACCOUNT_FLOOR_BYTES;
}

/* Its owner waits until it may; then budget_feed() gives it. */
void account_wait(struct account *a);
/* It does not wait any more. Does nothing when it did not. */
void account_wait_not(struct account *a);

/* Whether budget_feed() has somebody. */
bool budget_feeds(const struct budget *b);
/* The next that waited and may receive; NULL: there is none. */
struct account *budget_feed(struct budget *b);

/* For account_give(). */
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
