#ifndef TESTS_SIM_OPERATOR_H
#define TESTS_SIM_OPERATOR_H

/*
 * Whoever changes things while traffic flows: weights, plans, the health of nodes; and what befalls
 * machines: workers that stand still, nodes that crash and come back. At last it lets the world
 * come to rest.
 */

#include "base/wheel.h"
#include "proxy/board.h"
#include "sim/temper.h"

struct world;

struct operator
{
	struct world *world;
	struct timer next;
	struct timer end;      /* of a stop in the midst */
	struct timer names;    /* all are looked up by then */
	struct timer handover; /* the next step of it */
	unsigned steps;	       /* of it so far */
	struct timer revive;   /* of all that was stalled or down */
	unsigned changes_left;
	uint64_t interval_ms;
	struct board_values values; /* as published last */
};

/* Publishes the first weights. */
void operator_open(struct operator* o, struct world *w);
/* Called while workers are busy. */
void operator_round(struct operator* o);
/* Nothing changes any more, and all that stood still or was down goes on. */
void operator_rest(struct operator* o);

#endif
