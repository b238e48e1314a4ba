#ifndef BASE_SLAB_H
#define BASE_SLAB_H

/*
 * Objects of one size, reused last-in first-out so that the next one is warm. One thread. Memory is
 * taken from the system in runs and goes back to it when the slab is closed. An object that is not
 * taken is poisoned under AddressSanitizer.
 */

#include <stddef.h>

struct slab_object;
struct slab_run;

struct slab {
	size_t object_bytes;
	size_t run_objects;
	struct slab_object *idle;
	struct slab_run *runs; /* owned */
	size_t taken;	       /* objects out now: 0 before slab_close() */
};

void slab_open(struct slab *s, size_t object_bytes, size_t run_objects);
/* Every object must have been given back. */
void slab_close(struct slab *s);

/* Not zeroed. Never NULL: running out of memory ends the process. Aligned to 16 bytes. */
void *slab_take(struct slab *s);
void slab_give(struct slab *s, void *object /* moved in */);

#endif
