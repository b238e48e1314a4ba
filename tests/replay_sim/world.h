#ifndef TESTS_REPLAY_SIM_WORLD_H
#define TESTS_REPLAY_SIM_WORLD_H

/*
 * The world of one seed: a balancer that replays, between clients that write and two clusters with
 * documents, on the simulated network and disk.
 */

#include "base/wheel.h"
#include "io/sim.h"
#include "replay_sim/balancer.h"
#include "replay_sim/document_cluster.h"
#include "replay_sim/histories.h"
#include "replay_sim/judge.h"
#include "replay_sim/plot.h"
#include "replay_sim/writer_client.h"
#include "sim/dice.h"

/* What is uncertain may act for so long. */
#define WORLD_RESPONSE_MS 100000

struct world {
	uint64_t seed;
	bool verbose;
	struct plot plot;
	struct dice dice, cluster_dice, trouble_dice;
	struct sim *sim;
	struct wheel wheel;
	struct sim_store *store;
	struct log_mirror mirror;
	struct board board;
	struct plan plan;
	struct listener listeners[1], internal[ARMS];
	struct node nodes[ARMS][CLUSTER_NODES_MAX];
	struct node_state node_states[ARMS][CLUSTER_NODES_MAX];
	struct plan_pins pins[BALANCER_WORKERS];
	struct capture_policy policy;
	struct addr listener;
	struct document_cluster clusters[ARMS];
	struct bufs clients_bufs;
	struct io *clients_io; /* owned */
	struct writer_client clients[PLOT_CLIENTS_MAX];
	struct balancer balancer;
	struct timer trouble, restart;
	unsigned restarts; /* of the balancer */
	bool hands_over;   /* another process begins when the balancer has stopped */
	int first_fd;	   /* descriptors from here on are the balancer's */
	uint64_t calm_wall_ns;
	uint64_t order; /* to replay: the last one's number */
	uint64_t document_n;
	struct judge judge;
	struct histories histories;
};

/*
 * Runs a seed from beginning to end. What breaks the promise ends the process. Returns a
 * fingerprint of the run.
 */
uint64_t world_run(uint64_t seed, bool verbose, const struct plot_wishes *wishes);

uint64_t world_now_ms(const struct world *w);
uint64_t world_wall_ns(const struct world *w);
const char *world_arm_name(enum arm arm);
/* With -v: prints one line. */
__attribute__((format(printf, 2, 3))) void world_tell(const struct world *w, const char *format,
						      ...);
void world_tell_text(const struct world *w, const char *what, struct span text);

#endif
