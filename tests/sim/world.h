#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

/*
 * A whole world of one seed: workers as they are, on a simulated network, between scripted clients
 * and scripted nodes, under an operator who changes things while they run.
 */

#include "base/wheel.h"
#include "io/sim.h"
#include "proxy/worker.h"
#include "sim/client.h"
#include "sim/dice.h"
#include "sim/judge.h"
#include "sim/ledger.h"
#include "sim/mishaps.h"
#include "sim/operator.h"
#include "sim/plans.h"
#include "sim/scribe.h"
#include "sim/server.h"
#include "sim/tally.h"
#include "sim/temper.h"
#include "sim/watch.h"
#include "sim/weather.h"

#define SIM_LISTENERS 3
#define SIM_HANDS_MAX (SIM_WORKERS_MAX * SIM_PROCESSES_MAX)

/* One worker and what is its own. */
struct hand {
	unsigned process, number; /* of it in that */
	struct bufs bufs;
	struct io *io;
	struct worker *worker; /* NULL once it has stopped */
	struct board_slot *slot;
	struct worker_door door;
	struct counters counters;
	struct watch watch;
	bool stalled;
	uint64_t went_on_ms;	/* after it stood still */
	uint64_t clientless_ms; /* stopping, it has had no client since; 0: it has some */
	/* After its last turn. */
	uint64_t clients[SIM_LISTENERS];
	unsigned at_node[ARMS * SIM_NODES_MAX];
};

struct world {
	uint64_t seed;
	bool verbose;
	struct temper temper;
	struct dice dice;
	struct sim *sim;
	struct wheel wheel; /* of scripts */
	struct board board;
	struct plans plans;
	struct operator operator;
	struct judge judge;
	struct mishaps mishaps;
	struct dice scribal;	 /* of what concerns the log */
	struct sim_store *store; /* NULL: there is no log */
	struct scribe scribes[SIM_PROCESSES_MAX];
	struct ledger ledger;
	struct weather weather;
	uint64_t seen;			      /* tally.h, as it happens */
	struct addr listeners[SIM_LISTENERS]; /* weighted, source, target */
	struct hand hands[SIM_HANDS_MAX];
	unsigned hand_n;    /* of all processes so far */
	unsigned process_n; /* the last of them serves, the others have retired */
	struct server servers[ARMS][SIM_NODES_MAX];
	struct bufs town_bufs;
	struct io *town; /* of all clients */
	struct client clients[SIM_CLIENTS_MAX];
	unsigned clients_over;
	bool stopping, aborting;
	bool dismissed; /* the process that had retired was told to stop */
	uint64_t stopping_ms, aborting_ms, planned_ms; /* since when; the last plan's */
};

/* Runs a seed from beginning to end. A broken invariant ends the process. Gives a fingerprint of
 * the run, and what has happened in it (tally.h). */
uint64_t world_run(uint64_t seed, bool verbose, const struct deceit *deceit, uint64_t *seen);
/* Whether processes crash in it: what they had is never given back. */
bool world_leaks(uint64_t seed);

uint64_t world_now_ms(const struct world *w);
/* How a new connection is to behave. */
struct pace world_pace(struct world *w);
/* NULL: nobody has asked that. */
struct ask *world_ask(struct world *w, uint64_t id);
/* Another process serves beside the present one, on the same board. */
void world_hand_over(struct world *w);
/* All processes end at once, with `power` the disk too; and then the machine starts. */
void world_crash(struct world *w, bool power);
void world_reboot(struct world *w);
/* All but the newest process accept no more, and end behind their last client; `stop`: at once. */
void world_retire(struct world *w, bool stop);
/* Whether it has no worker left, or will soon have none. */
bool world_is_retired(const struct hand *h);
/* No worker accepts any more. */
void world_stop(struct world *w);
/* Workers cut what is left. */
void world_abort(struct world *w);
/* As control does after a change. */
void world_wake(struct world *w);

/* With -v: one line of what happens. */
__attribute__((format(printf, 2, 3))) void world_tell(const struct world *w, const char *format,
						      ...);

#endif
