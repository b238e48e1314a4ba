#ifndef TESTS_SIM_SHELF_H
#define TESTS_SIM_SHELF_H

/*
 * The simulated disk's files as real ones, in a directory that is there for a moment: the product's
 * own recovery and reader read the kernel's files.
 */

#include <stdint.h>

#include "capture/story.h"
#include "io/sim_disk.h"

/* Recovery, as a process does it when it starts; what it makes of the files goes back. Gives the
 * generation of a new series. */
uint64_t shelf_recover(struct sim_store *s);

struct shelf_user {
	void *user;
	/* Each exchange, whole or not; the reader's. */
	void (*story)(void *user, const struct story *s);
	/* Each gap record of that series. */
	void (*gap)(void *user, uint64_t generation, const struct record_gap *g);
	/* Sequences are missing where all had been durable. */
	void (*damage)(void *user, uint64_t generation, uint64_t first, uint64_t last);
};

/* All that a reader finds. */
void shelf_read(struct sim_store *s, const struct shelf_user *u);

#endif
