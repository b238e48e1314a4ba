#ifndef TESTS_REPLAY_SIM_JUDGE_H
#define TESTS_REPLAY_SIM_JUDGE_H

/* Judges whether replay keeps its promise. What breaks it ends the process. */

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/span.h"
#include "http/msg.h"
#include "proxy/plan.h"

struct world;

struct judge {
	json_t *aside; /* owned: while it judges, what was set aside: INDEX/SHARD/ID */
	uint64_t requests[ARMS];
};

/* A request has come to a cluster; `ours`: no client has sent it. */
void judge_request(struct world *w, enum arm arm, bool ours, enum method method,
		   struct span target);
/*
 * All is at rest: both clusters are equal, but for documents that the replica refuses: these are
 * set aside, and nothing else is.
 */
void judge_rest(struct world *w);
__attribute__((format(printf, 3, 4), noreturn)) void
judge_fail(const struct world *w, const char *promise, const char *format, ...);

#endif
