#ifndef BASE_RING_H
#define BASE_RING_H

/*
 * Passes bytes from one thread to another without a lock and without waiting. One thread puts whole
 * pieces in, the other takes the bytes out in order. A piece without room is refused; no thread
 * blocks.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct ring {
	/* Bytes put and taken since ring_open(). Each counter has its own cache line. */
	_Alignas(64) _Atomic uint64_t put;
	char *bytes; /* owned */
	size_t size; /* a power of two */
	_Alignas(64) _Atomic uint64_t taken;
};

/* The system provides the memory page by page as it is used. */
void ring_open(struct ring *r, size_t size);
void ring_close(struct ring *r);

/* --- the writing thread --- */

/* Puts the whole piece in, or nothing: false. */
bool ring_put(struct ring *r, struct span piece);
/* The number of bytes that were not taken yet. Either thread may call it. */
size_t ring_used(const struct ring *r);

/* --- the reading thread --- */

/*
 * Sets `runs` to the bytes in the ring: one run, or two where they wrap around the end. Returns the
 * number of runs.
 */
unsigned ring_look(const struct ring *r, struct span runs[2]);
void ring_take(struct ring *r, size_t n);

#endif
