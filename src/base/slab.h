#ifndef BASE_SLAB_H
#define BASE_SLAB_H

/*
 * Objects of one size, reused last-in first-out so that the next one is still in the CPU cache. One
 * thread. Memory comes from the system in runs. A few objects are kept ready; further ones go back
 * to their run. slab_trim() gives runs that are complete again back to the system. An object that
 * is not taken is poisoned under AddressSanitizer.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/list.h"

struct slab_object;

struct slab {
	size_t object_bytes;
	size_t run_objects, run_bytes;
	struct slab_object *idle; /* ready to be taken */
	size_t idle_n, idle_max;
	struct list partial; /* runs with some objects back and others still out */
	struct list whole;   /* runs with all objects back */
	size_t taken;	     /* objects in use; 0 before slab_close() */
};

/* A run has at least `run_objects`. The struct must not move in memory. */
void slab_open(struct slab *s, size_t object_bytes, size_t run_objects);
/* Every object must have been given back. */
void slab_close(struct slab *s);

/*
 * Takes an object: not zeroed, never NULL (without memory the process ends), aligned to 16 bytes.
 */
void *slab_take(struct slab *s);
void slab_give(struct slab *s, void *object /* moved in */);

/*
 * Gives complete runs back to the system, except one, and at most `runs`, which limits the time in
 * a turn. True while there are more.
 */
bool slab_trim(struct slab *s, size_t runs);

void slab_check(const struct slab *s);

#endif
