#ifndef APP_DEMO_STAGE_H
#define APP_DEMO_STAGE_H

/*
 * What the demo plays on: a directory of its own, two sample clusters, a certificate, and a
 * balancer, all on this machine and all gone afterwards. The processes die with the one that set it
 * up.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proxy/plan.h"

enum demo_port { DEMO_WEIGHTED, DEMO_SOURCE, DEMO_TARGET, DEMO_ADMIN, DEMO_PORTS };

struct demo_stage {
	char directory[64];
	char certificate[96], config[96], log[96], socket[96]; /* in it */
	char balancer_program[512];			       /* as it is to be typed */
	uint16_t ports[DEMO_PORTS];
	pid_t clusters[ARMS], balancer; /* 0: not started */
};

/*
 * `port_base` 0: 8443, 9201, 9202, 9280 where they are free, else what is; otherwise that port and
 * those behind it. False after a complaint; then nothing is left either.
 */
bool demo_stage_set(struct demo_stage *s, unsigned port_base);
void demo_stage_strike(struct demo_stage *s);

/* False when the balancer has ended by itself. */
bool demo_stage_stands(struct demo_stage *s);

#endif
