#ifndef BASE_BUF_H
#define BASE_BUF_H

/*
 * Bytes on their way through a worker. A *block* is memory that one receive fills; *slices* are
 * counted references to parts of blocks; a *chain* is a queue of slices. Moving a body from one
 * wire to another moves slices: no byte is copied. Everything belongs to one worker and its single
 * thread.
 *
 * A block is charged to an *account* while it is in use (base/budget.h), so that the stalled bytes
 * of one party cannot use up the memory of all. When bytes are copied into a block without an
 * account, the block is charged to the account of those bytes.
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
	struct bufs *bufs;	 /* where it is given back to */
	struct account *account; /* borrowed; NULL: no account is charged */
	uint32_t refs;
	uint32_t size; /* bytes at data */
	uint8_t class;
	bool packing; /* its account is filling it, and holds a reference */
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
	size_t bytes_out; /* the size of all blocks in use */
};

void bufs_open(struct bufs *b);
/* All blocks, slices and accounts must be back. */
void bufs_close(struct bufs *b);

/* Gives unused memory back to the system, a limited amount per call. True while there is more. */
bool bufs_trim(struct bufs *b);

/*
 * Takes a block with one reference. `account` may be NULL. Whether it is full is for the caller to
 * check.
 */
struct block *block_take(struct bufs *b, enum block_class class, struct account *account);
/*
 * Charges `account` instead of the account before; for a ring's block, once it is filled. The new
 * account is charged first: an account whose owner has gone is freed with its last block.
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

/*
 * Appends the `n` bytes at `at`, inside `k`, whose one reference is moved in. n = 0 only drops it.
 */
void chain_add(struct chain *c, struct block *k, uint8_t *at, size_t n);
/*
 * Appends a copy. Uses the free end of the last block if no other slice uses the block; otherwise
 * takes blocks.
 */
void chain_copy_in(struct chain *c, struct bufs *b, const void *from, size_t n);
/*
 * Returns room for at least `least` contiguous bytes after the last slice. Write there, then call
 * chain_extend().
 */
uint8_t *chain_room(struct chain *c, struct bufs *b, size_t least, size_t *room);
void chain_extend(struct chain *c, size_t n);
/*
 * Appends all of `from` and empties it. Up to BYTES_COPIED bytes are copied into the free end of
 * the last block, as by chain_copy_in(): a peer that sends byte by byte must not hold a block for
 * each byte.
 */
void chain_move(struct chain *to, struct chain *from);
/* Appends the first `n` bytes of `from`. The slice at the border is shared, not copied. */
void chain_move_some(struct chain *to, struct chain *from, size_t n);
/*
 * The same for a piece of a body whose framing before it was skipped and is not used any more. Up
 * to BYTES_COPIED bytes are moved down to the piece before them in their block: a body in chunks of
 * one byte must not become a slice for each byte.
 */
void chain_gather(struct chain *to, struct chain *from, size_t n);
/*
 * Copies each slice that fills less than 1/PACK_SHARE of its block into a block of the account that
 * many slices fill. Peers that send little at a time must not hold a block for each receive.
 * chain_pack() does so only if the account holds much.
 */
void chain_pack_all(struct chain *c, struct account *a);
static inline void chain_pack(struct chain *c, struct account *a)
{
	if (a->used >= PACK_FROM_BYTES && c->first)
		chain_pack_all(c, a);
}
/* Appends all of `from`, which stays unchanged: the slices refer to the same bytes. */
void chain_refer(struct chain *to, const struct chain *from);
/* Drops the first `n` bytes; n <= c->bytes. */
void chain_skip(struct chain *c, size_t n);
void chain_drop(struct chain *c);
/* Makes the first `n` bytes contiguous and returns them; n <= c->bytes, n <= BLOCK_LARGE_BYTES. */
uint8_t *chain_pull(struct chain *c, size_t n);
/* The bytes of the first slice; empty when the chain is empty. */
static inline struct span chain_front(const struct chain *c)
{
	return c->first ? (struct span){ (const char *)c->first->at, c->first->n }
			: (struct span){ NULL, 0 };
}
void chain_check(const struct chain *c);
/* Copies the first n bytes to `to`, n <= c->bytes. The chain is unchanged. */
void chain_peek(const struct chain *c, void *to, size_t n);

#endif
