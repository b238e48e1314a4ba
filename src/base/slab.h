#ifndef BASE_SLAB_H
#define BASE_SLAB_H

/*
 * Objects of one size, reused last-in first-out so that the next one is warm. One thread. Memory is
 * taken from the system in runs. A few objects are kept at hand; what is given beyond that goes
 * home to its run, and runs that are whole again go back to the system when slab_trim() is called.
 * An object that is not taken is poisoned under AddressSanitizer.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/list.h"

struct slab_object;

struct slab {
	size_t object_bytes;
	size_t run_objects, run_bytes;
	struct slab_object *idle; /* at hand */
	size_t idle_n, idle_max;
	struct list partial; /* runs that have objects at home, and others that are out */
	struct list whole;   /* runs that have all at home */
	size_t taken;	     /* objects out now: 0 before slab_close() */
};

/* A run has at least `run_objects`. The slab stays where it is. */
void slab_open(struct slab *s, size_t object_bytes, size_t run_objects);
/* Every object must have been given back. */
void slab_close(struct slab *s);

/* Not zeroed. Never NULL: running out of memory ends the process. Aligned to 16 bytes. */
void *slab_take(struct slab *s);
void slab_give(struct slab *s, void *object /* moved in */);

/*
 * Gives whole runs back to the system, but one, and at most `runs`: a bounded share of a turn. True
 * while there are more.
 */
bool slab_trim(struct slab *s, size_t runs);

#endif
