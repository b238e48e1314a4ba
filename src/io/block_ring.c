#include "io/block_ring.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

int block_ring_open(struct block_ring *r, struct io_uring *uring, struct bufs *bufs,
		    enum block_class class, unsigned n)
{
	/* The kernel needs whole pages. */
	void *at = mmap(NULL, n * sizeof(struct io_uring_buf), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		return -errno;
	*r = (struct block_ring){ .bufs = bufs, .ring = at, .n = n, .class = class };
	r->blocks = calloc(n, sizeof(struct block *));
	must(r->blocks);
	struct io_uring_buf_reg reg = { .ring_addr = (uintptr_t)at,
					.ring_entries = n,
					.bgid = class };
	int err = io_uring_register_buf_ring(uring, &reg, 0);
	if (err)
		return err;
	io_uring_buf_ring_init(r->ring);
	for (unsigned id = 0; id < n; id++)
		block_ring_offer(r, id);
	return 0;
}

void block_ring_close(struct block_ring *r, struct io_uring *uring)
{
	if (!r->ring)
		return;
	io_uring_unregister_buf_ring(uring, r->class);
	for (unsigned id = 0; id < r->n; id++)
		if (r->blocks[id])
			block_drop(r->blocks[id]);
	free(r->blocks);
	munmap(r->ring, r->n * sizeof(struct io_uring_buf));
}
