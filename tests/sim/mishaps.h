#ifndef TESTS_SIM_MISHAPS_H
#define TESTS_SIM_MISHAPS_H

/*
 * What has befallen connections of workers to nodes by chance. So the judge can tell what befell a
 * request from what befalls others in its world.
 */

#include <stddef.h>
#include <stdint.h>

#include "io/sim.h"

struct ask;
struct world;

struct mishap {
	uint64_t at_ns;
	unsigned hand;
	uint32_t node; /* its number in the plan's */
	enum sim_mishap what;
};

struct mishaps {
	struct mishap *list; /* owned; oldest first */
	size_t n, room;
};

void mishaps_open(struct mishaps *m, struct world *w);
void mishaps_close(struct mishaps *m);
/* That its worker met, at a node that it was given to, since it was given to one. */
unsigned mishaps_of(const struct mishaps *m, const struct ask *a, enum sim_mishap what);

#endif
