#ifndef TESTS_SIM_HOLD_H
#define TESTS_SIM_HOLD_H

/*
 * Writes are held for a moment, as before a change of their owner, and then go on. The invariant
 * "held": no write gets an arm while its worker knows of the hold; held writes get their arms in
 * order, and before newer ones; and no write is sent whose client was seen to leave. The usual
 * invariants apply too: no write gets an error because of a hold, and each connection gets its
 * responses in order.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/wheel.h"
#include "sim/client.h"
#include "sim/dice.h"

/* Whether holds happen: 0 for a version of the workers that cannot hold writes. */
#define SIM_HOLDS 1

#define SIM_HOLDS_MAX 3 /* in one world */
#define HOLD_MS 300

struct world;
struct watch;
struct exchange;

/* The operator's state. */
struct hold {
	struct world *world;
	struct dice dice; /* its own, so that everything else happens as without holds */
	struct timer begins, leaves, ends;
	unsigned left_n;
	bool on;
	uint64_t ended_ms; /* the last hold */
};

void hold_open(struct hold *h, struct world *w);
/* Ends the hold; no other follows. */
void hold_rest(struct hold *h);
/* Called when nothing more happens at this point of time. */
void hold_instant(struct world *w);

/* Held writes of one worker, in their order: at most one per client. */
struct held {
	uint64_t ids[SIM_CLIENTS_MAX];
	unsigned n;
};

/* The request's head has come, and the request has no arm. */
void held_add(struct watch *t, const struct exchange *ex);
/* The request got its arm at once. */
void held_pass(const struct watch *t, const struct exchange *ex);
/* Judges the writes that have got an arm, and removes those that are over. */
void held_settle(struct watch *t);

#endif
