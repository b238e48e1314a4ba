#ifndef CONTROL_WRITES_H
#define CONTROL_WRITES_H

/*
 * What a change of the weights means for writes: what one cluster has taken the other does not
 * have. Nothing here knows what became of a write, only where it was sent.
 */

#include <jansson.h>

#include "control/weights.h"
#include "proxy/counters.h"

struct writes {
	const struct counters *counters; /* borrowed */
	unsigned worker_n;
	/* What each cluster had been given when weights last began to give it traffic, or the
	 * process started with such; and when that was. */
	uint64_t before[ARMS], since_wall_ns[ARMS];
};

void writes_open(struct writes *w, const struct counters *counters, unsigned worker_n,
		 uint64_t wall_ns);

/* Writes that have been sent to it since then, over all listeners. */
uint64_t writes_taken(const struct writes *w, enum arm arm);

/* A change of the weights stands: what it means is logged. */
void writes_heed(struct writes *w, const struct weights_change *c);
/* The same for who has asked for the change: sentences; mostly there are none. */
json_t *writes_warnings(const struct writes *w, const struct weights_change *c);

#endif
