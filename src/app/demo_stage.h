#ifndef APP_DEMO_STAGE_H
#define APP_DEMO_STAGE_H

/*
 * Where the demo runs: a directory of its own, two sample clusters, a certificate, and a balancer.
 * All of it is on this machine and is removed afterwards. The processes die with the process that
 * called demo_stage_set().
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proxy/plan.h"

enum demo_port { DEMO_WEIGHTED, DEMO_SOURCE, DEMO_TARGET, DEMO_ADMIN, DEMO_PORTS };

struct demo_stage {
	char directory[64];
	char certificate[96], config[96], log[96], socket[96]; /* in the directory */
	char balancer_program[512];			       /* as a user types it */
	uint16_t ports[DEMO_PORTS];
	pid_t clusters[ARMS], balancer; /* 0: not started */
};

/*
 * `port_base` 0: listens on 8443, 9201, 9202 and 9280, or on a free port in place of one that is in
 * use. Otherwise on that port and those that follow. False after a diagnostic: then nothing is left
 * behind.
 */
bool demo_stage_set(struct demo_stage *s, unsigned port_base);
void demo_stage_strike(struct demo_stage *s);

/* False when the balancer has ended by itself. */
bool demo_stage_stands(struct demo_stage *s);

#endif
