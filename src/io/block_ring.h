#ifndef IO_BLOCK_RING_H
#define IO_BLOCK_RING_H

/*
 * Blocks of one class that the kernel holds ready for receives. It takes one when bytes arrive, so
 * an idle connection holds none. Each block that comes back filled is replaced at once, so the ring
 * is full between two turns.
 */

#include <liburing.h>

#include "base/bug.h"
#include "base/buf.h"

struct block_ring {
	struct bufs *bufs;		/* borrowed */
	struct io_uring_buf_ring *ring; /* owned; shared with the kernel */
	struct block **blocks;		/* owned; indexed by the buffer ids that the kernel uses */
	unsigned n;			/* a power of 2 */
	enum block_class class;		/* also the id of its buffer group */
};

/* 0 or -errno. After a call, block_ring_close() must be called even if it failed. */
int block_ring_open(struct block_ring *r, struct io_uring *uring, struct bufs *bufs,
		    enum block_class class, unsigned n);
/* No receive may be under way. */
void block_ring_close(struct block_ring *r, struct io_uring *uring);

static inline void block_ring_offer(struct block_ring *r, unsigned id)
{
	struct block *k = block_take(r->bufs, r->class, NULL);
	r->blocks[id] = k;
	io_uring_buf_ring_add(r->ring, k->data, k->size, (unsigned short)id, (int)r->n - 1, 0);
	io_uring_buf_ring_advance(r->ring, 1);
}

/* Returns the block that the kernel has filled, moved out, and replaces it. */
static inline struct block *block_ring_exchange(struct block_ring *r, unsigned id)
{
	must(id < r->n);
	struct block *k = r->blocks[id];
	block_ring_offer(r, id);
	return k;
}

#endif
