#ifndef IO_BLOCK_RING_H
#define IO_BLOCK_RING_H

/*
 * Blocks of one class that wait at the kernel's side for receives: it picks one when bytes are
 * there, so an idle connection holds none. Each that comes back filled is replaced at once, hence
 * the ring is whole between any two turns.
 */

#include <liburing.h>

#include "base/bug.h"
#include "base/buf.h"

struct block_ring {
	struct bufs *bufs;		/* borrowed */
	struct io_uring_buf_ring *ring; /* owned; shared with the kernel */
	struct block **blocks;		/* owned; by the ids that the kernel names them with */
	unsigned n;			/* a power of 2 */
	enum block_class class;		/* its group, too */
};

/* 0 or -errno. Once it was called, block_ring_close() must be too. */
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

/* The block that the kernel has filled, moved out. */
static inline struct block *block_ring_exchange(struct block_ring *r, unsigned id)
{
	must(id < r->n);
	struct block *k = r->blocks[id];
	block_ring_offer(r, id);
	return k;
}

#endif
