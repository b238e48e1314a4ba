#ifndef CONTROL_WRITES_H
#define CONTROL_WRITES_H

/*
 * What a change of the weights means for writes: a write that one cluster has taken is not in the
 * other one. This code does not know the outcome of a write, only which cluster it was sent to.
 */

#include <jansson.h>

#include "control/weights.h"
#include "proxy/counters.h"

struct writes {
	const struct counters *counters; /* borrowed */
	unsigned worker_n;
	/*
	 * The number of writes sent to each cluster when it last began to get traffic, or when the
	 * process started with such weights; and that time.
	 */
	uint64_t before[ARMS], since_wall_ns[ARMS];
};

void writes_open(struct writes *w, const struct counters *counters, unsigned worker_n,
		 uint64_t wall_ns);

/* Writes sent to the cluster since then, over all listeners. */
uint64_t writes_taken(const struct writes *w, enum arm arm);

/* A change of the weights is in force: logs what it means for writes. */
void writes_follow(struct writes *w, const struct state_values *from,
		   const struct state_values *to);
/* The same for the caller that asked for the change: a list of sentences, usually empty. */
json_t *writes_warnings(const struct writes *w, const struct weights_change *c);

#endif
