#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

/*
 * The world of one seed: real workers on a simulated network, between scripted clients and scripted
 * nodes, with an operator who changes things while they run.
 */

#include "base/wheel.h"
#include "io/sim.h"
#include "proxy/worker.h"
#include "sim/client.h"
#include "sim/dice.h"
#include "sim/judge.h"
#include "sim/ledger.h"
#include "sim/network_faults.h"
#include "sim/operator.h"
#include "sim/plans.h"
#include "sim/log_process.h"
#include "sim/server.h"
#include "sim/tally.h"
#include "sim/scenario.h"
#include "sim/watch.h"
#include "sim/disk_faults.h"

#define SIM_LISTENERS 3
#define SIM_ALL_WORKERS_MAX (SIM_WORKERS_MAX * SIM_PROCESSES_MAX)

/* One worker and its resources. */
struct sim_worker {
	unsigned process, number; /* the process, and the worker's number in it */
	struct bufs bufs;
	struct io *io;
	struct worker *worker; /* NULL once it has stopped */
	struct board_slot *slot;
	struct worker_mailbox mailbox;
	struct counters counters;
	struct watch watch;
	bool stalled;
	uint64_t went_on_ms;	/* when its last stall ended */
	uint64_t clientless_ms; /* while stopping: since when it has had no client; 0: it has
				   clients */
	/* As of its last turn. */
	uint64_t clients[SIM_LISTENERS];
	unsigned at_node[ARMS * SIM_NODES_MAX];
};

struct world {
	uint64_t seed;
	bool verbose;
	struct scenario scenario;
	struct dice dice;
	struct sim *sim;
	struct wheel wheel; /* of scripts */
	struct board board;
	struct plans plans;
	struct operator operator;
	struct judge judge;
	struct network_faults network_faults;
	struct dice log_dice;	 /* for the capture log */
	struct sim_store *store; /* NULL: no capture log */
	struct log_process log_processes[SIM_PROCESSES_MAX];
	struct ledger ledger;
	struct disk_faults disk_faults;
	uint64_t seen;			      /* events so far (tally.h) */
	struct addr listeners[SIM_LISTENERS]; /* weighted, source, target */
	struct sim_worker workers[SIM_ALL_WORKERS_MAX];
	unsigned worker_n;  /* workers of all processes so far */
	unsigned process_n; /* the last of them serves, the others have retired */
	struct server servers[ARMS][SIM_NODES_MAX];
	struct bufs clients_bufs;
	struct io *clients_io; /* the clients' io */
	struct client clients[SIM_CLIENTS_MAX];
	unsigned clients_over;
	bool stopping, aborting;
	bool retired_is_stopped; /* a retired process was told to stop */
	/* When each began, and when the last plan was published. */
	uint64_t stopping_ms, aborting_ms, planned_ms;
};

/*
 * Runs a seed from beginning to end. A broken invariant ends the process. Returns a fingerprint of
 * the run, and the events in it (tally.h).
 */
uint64_t world_run(uint64_t seed, bool verbose, const struct deceit *deceit, uint64_t *seen);
/* Whether processes crash in that world: their memory is never freed. */
bool world_leaks(uint64_t seed);

uint64_t world_now_ms(const struct world *w);
/* The pace of a new connection. */
struct pace world_pace(struct world *w);
/* NULL: no request has that id. */
struct ask *world_ask(struct world *w, uint64_t id);
/* Another process starts to serve beside the present one, on the same board. */
void world_hand_over(struct world *w);
/*
 * All processes end at once; with `power` the disk loses its power too. world_reboot() starts the
 * machine again.
 */
void world_crash(struct world *w, bool power);
void world_reboot(struct world *w);
/*
 * All processes but the newest accept no more, and end after their last client; `stop`: they close
 * idle clients at once.
 */
void world_retire(struct world *w, bool stop);
/* Whether the worker was told to retire. */
bool sim_worker_is_retired(const struct sim_worker *h);
/* All workers accept no more, and drain. */
void world_stop(struct world *w);
/* Workers cut what is left. */
void world_abort(struct world *w);
/* Wakes all workers, as control does after a change. */
void world_wake(struct world *w);

/* With -v: prints one line. */
__attribute__((format(printf, 2, 3))) void world_tell(const struct world *w, const char *format,
						      ...);

#endif
