#ifndef PROXY_WORKER_H
#define PROXY_WORKER_H

/*
 * All that one core owns: its loop, its wires, its pools of connections to the clusters, its share
 * of the split, its counters. Workers share nothing but the plan and the board, both of which they
 * only read. Threads are app's business: a worker is turned by whoever owns its thread, which in
 * the simulator is the test.
 */

#include <stdatomic.h>

#include "io/io.h"
#include "proxy/board.h"
#include "proxy/counters.h"
#include "proxy/plan.h"

struct worker;

/* Where control and one worker meet. Shared; each member has the one writer that it names. */
struct worker_door {
	_Atomic(const struct plan *) plan;    /* control: what is to be used */
	_Atomic(const struct plan *) adopted; /* worker: what new exchanges use */
	_Atomic uint32_t duties;	/* control: counts changes of nodes' duties and addresses */
	_Atomic uint32_t duties_heeded; /* worker: up to this one */
	atomic_bool leaving;		/* control: health paths say 503 */
	atomic_bool retiring;		/* control: accept no more, another process does */
	atomic_bool stopping;		/* control: drain, accept no more */
	atomic_bool drained;		/* worker: no connection is left */
	atomic_bool aborting;		/* control: cut what is left */
};

struct worker_config {
	unsigned number;		    /* 0 .. plan->worker_n - 1 */
	struct io *io;			    /* borrowed */
	struct bufs *bufs;		    /* borrowed: the io's */
	const struct board *board;	    /* borrowed */
	struct board_slot *slot;	    /* borrowed */
	struct worker_door *door;	    /* borrowed; door->plan is set */
	struct counters *counters;	    /* borrowed, zeroed */
	struct access *access;		    /* borrowed; NULL: there is no access log */
	struct taps *taps;		    /* borrowed; NULL: there is no capture log */
	uint64_t seed;			    /* of chance: trace ids */
	const struct stream_tracer *tracer; /* borrowed; hears all that streams say; or NULL */
};

struct worker *worker_open(const struct worker_config *c);

/*
 * Accepts from a listening socket (adopted into this worker's io, moved in) for the listener of
 * that number of the plan. At any time on the worker's own thread.
 */
void worker_listen(struct worker *w, struct sock *listening, uint32_t listener);

/* One turn: waits at most until `deadline_ns`, then does all that is to do. */
void worker_turn(struct worker *w, uint64_t deadline_ns);

/* True when it was told to stop and nothing is left: all connections and operations have ended. */
bool worker_is_over(const struct worker *w);

/* Frees it; it must be over. */
void worker_close(struct worker *w);

#endif
