#ifndef TESTS_UNIT_PROXY_KIT_H
#define TESTS_UNIT_PROXY_KIT_H

/* A plan of one worker with the three listeners and a few nodes, which a test changes to its needs.
 */

#include "unit/ends/stage.h"

#include "proxy/counters.h"
#include "proxy/plan.h"

#define SAMPLE_NODES 4

enum { WEIGHTED, SOURCE, TARGET, SAMPLE_LISTENERS };

struct sample_states {
	struct node_state nodes[ARMS][SAMPLE_NODES];
};

struct sample {
	struct plan plan;
	struct plan_pins pins[1];
	struct listener listeners[SAMPLE_LISTENERS];
	struct node nodes[ARMS][SAMPLE_NODES];
};

static inline struct addr sample_address(enum arm arm, unsigned node)
{
	char host[24];
	snprintf(host, sizeof host, "10.%u.0.%u", arm + 1, node + 1);
	return address_of(host, 9200);
}

/* What its name stands for from now on: workers see it when they are told. */
static inline void state_know(struct node_state *s, const struct addr *at, unsigned n)
{
	struct node_addresses a = { .n = n };
	for (unsigned i = 0; i < n; i++)
		a.list[i] = at[i];
	node_state_set_addresses(s, &a);
}

static inline void sample_states_init(struct sample_states *s)
{
	for (uint32_t i = 0; i < ARMS * SAMPLE_NODES; i++) {
		struct node_state *state = &s->nodes[i / SAMPLE_NODES][i % SAMPLE_NODES];
		state->number = i;
		atomic_store(&state->healthy, true);
		struct addr at = sample_address((enum arm)(i / SAMPLE_NODES), i % SAMPLE_NODES);
		state_know(state, &at, 1);
	}
}

static inline void sample_cluster(struct sample *s, struct sample_states *states, enum arm arm)
{
	static const char *const names[ARMS][SAMPLE_NODES] = {
		{ "s0:9200", "s1:9200", "s2:9200", "s3:9200" },
		{ "t0:9200", "t1:9200", "t2:9200", "t3:9200" },
	};
	for (unsigned i = 0; i < SAMPLE_NODES; i++) {
		s->nodes[arm][i] = (struct node){
			.state = &states->nodes[arm][i],
			.name = names[arm][i],
		};
	}
	s->plan.clusters[arm] = (struct cluster){
		.name = arm == ARM_SOURCE ? "source" : "target",
		.arm = arm,
		.nodes = s->nodes[arm],
		.node_n = 1,
		.policy = back_policy,
		.response_timeouts = { .response_ms = IDLE_MS },
	};
}

/* One node for each cluster, and no limit on bodies. */
static inline void sample_init(struct sample *s, struct sample_states *states, uint64_t number)
{
	static const char *const names[] = { "weighted", "source", "target" };
	memset(s, 0, sizeof *s);
	s->plan.number = number;
	s->plan.worker_n = 1;
	s->plan.accepting_n = 1;
	s->plan.memory_max = MEMORY_BYTES;
	s->plan.pins = s->pins;
	s->plan.listeners = s->listeners;
	s->plan.listener_n = SAMPLE_LISTENERS;
	for (uint32_t i = 0; i < SAMPLE_LISTENERS; i++)
		s->listeners[i] = (struct listener){
			.number = i,
			.name = names[i],
			.route = { i == WEIGHTED, i == TARGET ? ARM_TARGET : ARM_SOURCE },
			.policy = { .head_ms = 10000,
				    .idle_ms = IDLE_MS,
				    .keep_alive_ms = 3600000,
				    .tunnel_idle_ms = TUNNEL_IDLE_MS },
			.forwarded = FORWARDED_PRESERVE,
			.trace = TRACE_KEEP,
			.port = 443,
			.section = i,
		};
	sample_cluster(s, states, ARM_SOURCE);
	sample_cluster(s, states, ARM_TARGET);
}

static inline unsigned sample_pins(const struct sample *s)
{
	return atomic_load(&s->pins[0].n);
}

#endif
