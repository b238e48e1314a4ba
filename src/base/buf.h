#ifndef BASE_BUF_H
#define BASE_BUF_H

/*
 * Bytes on their way through a worker. A *block* is memory that a receive fills once; *slices* are
 * counted references to parts of blocks; a *chain* is a queue of slices. Moving a body from one
 * wire to the other moves slices: no byte of it is copied. Everything belongs to one worker and to
 * its one thread.
 *
 * A block is charged to an *account* while it is out (base/budget.h), so that one party's stalled
 * bytes cannot use up the memory of all. Bytes that are copied into a block of nobody's make it
 * theirs whose bytes they are.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/budget.h"
#include "base/slab.h"
#include "base/span.h"

enum block_class {
	BLOCK_SMALL, /* BLOCK_SMALL_BYTES: heads, small bodies */
	BLOCK_LARGE, /* BLOCK_LARGE_BYTES: transfers */
	BLOCK_CLASSES,
};

struct bufs;

struct block {
	struct bufs *bufs;	 /* where it goes back to */
	struct account *account; /* borrowed; NULL: charged to nobody */
	uint32_t refs;
	uint32_t size; /* bytes at data */
	uint8_t class;
	bool packing; /* its account fills it, and has a reference */
	uint8_t data[];
};

struct slice {
	struct slice *next;
	struct block *block; /* one reference, owned */
	uint8_t *at;
	uint32_t n; /* > 0 while it is in a chain */
};

struct chain {
	struct slice *first, *last;
	size_t bytes;
};

struct bufs {
	struct slab blocks[BLOCK_CLASSES];
	struct slab slices;
	struct slab accounts;
	size_t bytes_out; /* sizes of all blocks that are out */
};

void bufs_open(struct bufs *b);
/* All blocks, slices and accounts must be back. */
void bufs_close(struct bufs *b);

/* Gives memory that nobody uses back to the system, a bounded share. True while there is more. */
bool bufs_trim(struct bufs *b);

/* A block with one reference. `account` may be NULL; that it is full is the caller's business. */
struct block *block_take(struct bufs *b, enum block_class class, struct account *account);
/*
 * Charges `account` instead of who was charged before: a ring's block, once it is filled. The new
 * one first: an account whose owner has gone goes with its last block.
 */
static inline void block_charge(struct block *k, struct account *account)
{
	struct account *before = k->account;
	k->account = account;
	if (account)
		account_take(account, k->size);
	if (before)
		account_give(before, k->size);
}
void block_drop(struct block *k /* one reference moved in */);

static inline void block_hold(struct block *k)
{
	k->refs++;
}

static inline bool chain_empty(const struct chain *c)
{
	return !c->first;
}

/* Appends `n` bytes at `at`, inside `k`, whose one reference is moved in. n = 0 just drops it. */
void chain_add(struct chain *c, struct block *k, uint8_t *at, size_t n);
/* Appends a copy. The last block's free end is used when it is ours alone; else blocks are taken.
 */
void chain_copy_in(struct chain *c, struct bufs *b, const void *from, size_t n);
/* Room for at least `least` contiguous bytes behind the last slice: write there, then extend. */
uint8_t *chain_room(struct chain *c, struct bufs *b, size_t least, size_t *room);
void chain_extend(struct chain *c, size_t n);
/*
 * Appends all of `from`, which is empty afterwards. At most BYTES_COPIED are copied into the last
 * block's free end, as by chain_copy_in(): a peer that sends byte by byte must not hold a block for
 * each.
 */
void chain_move(struct chain *to, struct chain *from);
/* Appends the first `n` bytes of `from`; the slice at the border is shared, not copied. */
void chain_move_some(struct chain *to, struct chain *from, size_t n);
/*
 * The same of a body's piece, before which framing was skipped that nobody looks at any more. At
 * most BYTES_COPIED are moved down to the piece before them in their block: a body in chunks of one
 * byte must not become a slice for each.
 */
void chain_gather(struct chain *to, struct chain *from, size_t n);
/*
 * Copies what fills less than 1/PACK_SHARE of its block into blocks of the account's that are
 * filled by many, if that holds much: peers that send little at a time must not hold a block for
 * each.
 */
void chain_pack_all(struct chain *c, struct account *a);
static inline void chain_pack(struct chain *c, struct account *a)
{
	if (a->used >= PACK_FROM_BYTES && c->first)
		chain_pack_all(c, a);
}
/* Appends all of `from` and leaves it: the slices refer to the same bytes. */
void chain_refer(struct chain *to, const struct chain *from);
/* Drops the first `n` bytes; n <= c->bytes. */
void chain_skip(struct chain *c, size_t n);
void chain_drop(struct chain *c);
/* Makes the first `n` bytes contiguous and returns them; n <= c->bytes, n <= BLOCK_LARGE_BYTES. */
uint8_t *chain_pull(struct chain *c, size_t n);
/* The first slice's bytes; empty when the chain is. */
static inline struct span chain_front(const struct chain *c)
{
	return c->first ? (struct span){ (const char *)c->first->at, c->first->n }
			: (struct span){ NULL, 0 };
}
/* Copies the first n bytes out, n <= c->bytes; the chain stays as it is. */
void chain_peek(const struct chain *c, void *to, size_t n);

#endif
