#ifndef TESTS_SIM_NETWORK_FAULTS_H
#define TESTS_SIM_NETWORK_FAULTS_H

/*
 * The random faults of workers' connections to nodes. With them the judge knows which faults
 * concern a request, and which concern others of its world.
 */

#include <stddef.h>
#include <stdint.h>

#include "io/sim.h"

struct ask;
struct world;

struct network_fault {
	uint64_t at_ns;
	unsigned worker;
	uint32_t node; /* node_state's number */
	enum sim_mishap what;
};

struct network_faults {
	struct network_fault *list; /* owned; oldest first */
	size_t n, room;
};

void network_faults_open(struct network_faults *m, struct world *w);
void network_faults_close(struct network_faults *m);
/*
 * The faults of one kind that may concern a request: of its worker, at a node of one of its
 * attempts, since the first attempt.
 */
unsigned network_faults_of(const struct network_faults *m, const struct ask *a,
			   enum sim_mishap what);

#endif
