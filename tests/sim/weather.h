#ifndef TESTS_SIM_WEATHER_H
#define TESTS_SIM_WEATHER_H

/* What befalls the disk of the capture log, and the machine: all of its processes at once. */

#include "base/wheel.h"
#include "io/sim_disk.h"
#include "sim/dice.h"

struct world;

struct weather {
	struct world *world;
	struct timer turns, crash;
	unsigned reboots_left;
	bool is_fine; /* the disk, since: */
	uint64_t fine_ms;
	bool down; /* between a crash and the next start */
	bool over; /* nothing befalls anybody any more */
};

void weather_open(struct weather *t, struct world *w);
/* The disk is well from now on, and the machine goes on. */
void weather_rest(struct weather *t);
void weather_close(struct weather *t);

#endif
