#include "base/ring.h"

#include <stdlib.h>

#include "base/bug.h"

void ring_open(struct ring *r, size_t size)
{
	must(size && (size & (size - 1)) == 0);
	*r = (struct ring){ .bytes = calloc(1, size), .size = size };
	must(r->bytes);
}

void ring_close(struct ring *r)
{
	free(r->bytes);
	r->bytes = NULL;
}

size_t ring_used(const struct ring *r)
{
	uint64_t taken = atomic_load_explicit(&r->taken, memory_order_acquire);
	return (size_t)(atomic_load_explicit(&r->put, memory_order_acquire) - taken);
}

bool ring_put(struct ring *r, struct span piece)
{
	uint64_t put = atomic_load_explicit(&r->put, memory_order_relaxed);
	if (piece.n > r->size - ring_used(r))
		return false;
	size_t at = (size_t)put & (r->size - 1);
	size_t first = piece.n < r->size - at ? piece.n : r->size - at;
	memcpy(r->bytes + at, piece.at, first);
	memcpy(r->bytes, piece.at + first, piece.n - first);
	atomic_store_explicit(&r->put, put + piece.n, memory_order_release);
	return true;
}

unsigned ring_look(const struct ring *r, struct span runs[2])
{
	size_t used = ring_used(r);
	size_t at = (size_t)atomic_load_explicit(&r->taken, memory_order_relaxed) & (r->size - 1);
	size_t first = used < r->size - at ? used : r->size - at;
	runs[0] = (struct span){ r->bytes + at, first };
	runs[1] = (struct span){ r->bytes, used - first };
	return used == 0 ? 0 : used == first ? 1 : 2;
}

void ring_take(struct ring *r, size_t n)
{
	must(n <= ring_used(r));
	uint64_t taken = atomic_load_explicit(&r->taken, memory_order_relaxed);
	atomic_store_explicit(&r->taken, taken + n, memory_order_release);
}
