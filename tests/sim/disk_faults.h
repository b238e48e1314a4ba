#ifndef TESTS_SIM_DISK_FAULTS_H
#define TESTS_SIM_DISK_FAULTS_H

/* Faults of the capture log's disk, and crashes of the machine, which end all processes at once. */

#include "base/wheel.h"
#include "io/sim_disk.h"
#include "sim/dice.h"

struct world;

struct disk_faults {
	struct world *world;
	struct timer turns, crash;
	unsigned reboots_left;
	bool is_fine; /* the disk has no fault, since `fine_ms` */
	uint64_t fine_ms;
	bool down; /* between a crash and the next start */
	bool over; /* no more faults */
};

void disk_faults_open(struct disk_faults *t, struct world *w);
/* The disk works from now on, and the machine stays up. */
void disk_faults_rest(struct disk_faults *t);
void disk_faults_close(struct disk_faults *t);

#endif
