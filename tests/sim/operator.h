#ifndef TESTS_SIM_OPERATOR_H
#define TESTS_SIM_OPERATOR_H

/*
 * The operator changes things while traffic flows: weights, plans, the health of nodes. It also
 * makes workers stall, and nodes crash and come back. At the end it stops all of that.
 */

#include "base/wheel.h"
#include "proxy/board.h"
#include "sim/hold.h"
#include "sim/scenario.h"

struct world;

struct operator
{
	struct world *world;
	struct timer next;
	struct timer end;      /* of an early stop */
	struct timer names;    /* all names are looked up by then */
	struct timer handover; /* the next step of an upgrade */
	unsigned steps;	       /* steps of the upgrade so far */
	struct timer revive;   /* ends all stalls and crashes */
	unsigned changes_left;
	uint64_t interval_ms;
	struct board_values values; /* as published last */
	struct hold hold;
};

/* Publishes the first weights. */
void operator_open(struct operator* o, struct world *w);
/* Called in each round, while workers are busy. */
void operator_round(struct operator* o);
/* No more changes; all that is stalled or down goes on. */
void operator_rest(struct operator* o);

#endif
