#ifndef BASE_ARENA_H
#define BASE_ARENA_H

/*
 * Memory that lives as long as one exchange: taken piece by piece, given back all at once. Small
 * pieces come out of chunks of one slab; a piece too large for a chunk is a block of its own.
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

/* `chunks` holds objects of at least 512 bytes. Nothing is taken yet. */
void arena_open(struct arena *a, struct slab *chunks);
void arena_close(struct arena *a);

/* Not zeroed, aligned to 8 bytes, never NULL. */
void *arena_take(struct arena *a, size_t bytes);

/*
 * Makes the piece `old` of `old_bytes` (NULL, 0 at first) at least `bytes` large and returns where
 * it is now. Grows in place when it is the newest piece and there is room.
 */
void *arena_grow(struct arena *a, void *old, size_t old_bytes, size_t bytes);

#endif
