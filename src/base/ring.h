#ifndef BASE_RING_H
#define BASE_RING_H

/*
 * Bytes from one thread to another without a lock and without waiting: one thread puts whole pieces
 * in, the other takes them out in order. A piece that finds no room is refused; nobody blocks.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct ring {
	/* Bytes put and taken since it was opened, each on the cache line of the one that writes
	 * it. */
	_Alignas(64) _Atomic uint64_t put;
	char *bytes; /* owned */
	size_t size; /* a power of two */
	_Alignas(64) _Atomic uint64_t taken;
};

/* The memory is the system's until bytes go through it. */
void ring_open(struct ring *r, size_t size);
void ring_close(struct ring *r);

/* --- the thread that puts --- */

/* All of it, or nothing: false. */
bool ring_put(struct ring *r, struct span piece);
/* Bytes that were not taken yet. Either thread may ask. */
size_t ring_used(const struct ring *r);

/* --- the thread that takes --- */

/* What is there: one run of bytes, or two where they go over the end. The number of runs. */
unsigned ring_look(const struct ring *r, struct span runs[2]);
void ring_take(struct ring *r, size_t n);

#endif
