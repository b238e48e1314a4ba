#ifndef TESTS_REPLAY_SIM_BALANCER_H
#define TESTS_REPLAY_SIM_BALANCER_H

/*
 * One process of the balancer: a worker for clients, the capture log on the simulated disk, and
 * replay with its worker. All of it is the product's code; the world calls it in place of threads.
 */

#include "capture/tap.h"
#include "capture/writer_lease.h"
#include "proxy/worker.h"
#include "replay/replay.h"
#include "replay_sim/log_mirror.h"

struct world;

#define BALANCER_WORKERS 2 /* for clients, for replay */

struct balancer_worker {
	struct bufs bufs;
	struct io *io; /* owned */
	struct worker *worker;
	struct board_slot *slot;
	struct worker_mailbox mailbox;
	struct counters counters;
};

struct balancer {
	struct world *world;
	bool lives, stopping;
	uint64_t generation;
	struct taps taps;
	struct unrecorded_process counted;
	struct mirrored_disk disk;
	struct journal *journal; /* owned; NULL: it is over */
	struct writer_lease lease;
	bool woken;
	uint64_t beat_ns; /* when the lease is looked at next */
	struct balancer_worker workers[BALANCER_WORKERS];
	struct replay *replay; /* owned; NULL: it is over */
	struct replay_mailbox replay_mailbox;
	uint64_t read_ns;      /* when the reading step comes next */
	uint64_t read_durable; /* what was durable when that was decided */
};

void balancer_start(struct balancer *b, struct world *w, uint64_t generation);
/* True: the log or its reader had something to do. */
bool balancer_turn(struct balancer *b);
uint64_t balancer_deadline_ns(const struct balancer *b);
/* As SIGKILL: of its memory and descriptors nobody knows any more. */
void balancer_crash(struct balancer *b);
void balancer_stop(struct balancer *b);
bool balancer_is_over(const struct balancer *b);

#endif
