#ifndef BASE_ARENA_H
#define BASE_ARENA_H

/*
 * Memory that lives as long as one exchange: taken in pieces, freed all at once. Small pieces come
 * from chunks of a slab; a piece too large for a chunk gets a block of its own.
 */

#include <stddef.h>

#include "base/slab.h"

struct arena_large;
struct arena_chunk;

struct arena {
	struct slab *chunks; /* borrowed */
	char *at, *end;	     /* the free part of the newest chunk */
	struct arena_chunk *newest;
	struct arena_large *large;
	size_t large_bytes;
};

/* The objects of `chunks` have at least 512 bytes. Takes no memory yet. */
void arena_open(struct arena *a, struct slab *chunks);
void arena_close(struct arena *a);

/* Not zeroed, aligned to 8 bytes, never NULL. */
void *arena_take(struct arena *a, size_t bytes);

/*
 * Enlarges the piece `old` of `old_bytes` (NULL, 0 at first) to at least `bytes` and returns its
 * new place. It grows in place when it is the newest piece and there is room.
 */
void *arena_grow(struct arena *a, void *old, size_t old_bytes, size_t bytes);

void arena_check(const struct arena *a);

#endif
