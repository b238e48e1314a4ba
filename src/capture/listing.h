#ifndef CAPTURE_LISTING_H
#define CAPTURE_LISTING_H

/* The segments of a capture directory by their names, oldest first. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct listed {
	uint64_t generation, index;
	uint64_t bytes;	  /* on the disk */
	uint64_t last_ns; /* wall time of the last write */
};

struct listing {
	struct listed *list; /* owned */
	size_t n, room;
};

/* False with errno: the directory cannot be read, and nothing is owned. */
bool listing_read(struct listing *l, int directory);
void listing_free(struct listing *l);

/* Which one is older: below 0, 0, above 0. */
int listed_compare(const struct listed *a, const struct listed *b);

#endif
