#ifndef PROXY_WORKER_H
#define PROXY_WORKER_H

/*
 * A worker is everything that belongs to one core: its loop, its wires, its pools of connections to
 * the clusters, its share of the split, its counters. Workers share only the plan and the board,
 * and only read them. A worker starts no thread: the owner of its thread calls worker_turn(), which
 * in the simulator is the test.
 */

#include <stdatomic.h>

#include "ends/loop.h"
#include "io/io.h"
#include "proxy/board.h"
#include "proxy/counters.h"
#include "proxy/plan.h"
#include "proxy/tracing.h"

struct worker;

/* Shared by control and one worker. Each member has one writer, named with it. */
struct worker_mailbox {
	_Atomic(const struct plan *) plan;    /* control: the plan to adopt */
	_Atomic(const struct plan *) adopted; /* worker: the plan of new exchanges */
	_Atomic uint32_t node_admin; /* control: counts changes of nodes' duties and addresses, and
					of the traced clients */
	_Atomic uint32_t node_admin_acknowledged; /* worker: the last value that it has applied */
	atomic_bool leaving;			  /* control: health paths say 503 */
	atomic_bool retiring; /* control: accept no more connections, another process does */
	atomic_bool stopping; /* control: drain, accept no more connections */
	atomic_bool drained;  /* worker: no connection is left */
	atomic_bool aborting; /* control: cut the connections that are left */
};

struct worker_config {
	unsigned number;		    /* 0 .. plan->worker_n - 1 */
	struct io *io;			    /* borrowed */
	struct bufs *bufs;		    /* borrowed: the io's */
	const struct board *board;	    /* borrowed */
	struct board_slot *slot;	    /* borrowed */
	struct worker_mailbox *mailbox;	    /* borrowed; mailbox->plan is set */
	struct counters *counters;	    /* borrowed, zeroed */
	struct access *access;		    /* borrowed; NULL: there is no access log */
	struct taps *taps;		    /* borrowed; NULL: there is no capture log */
	uint64_t seed;			    /* of random numbers: the split, trace ids */
	const struct stream_tracer *tracer; /* borrowed; hears all calls between streams; or NULL */
	struct tracing *tracing;	    /* borrowed; NULL: no tracing */
};

struct worker *worker_open(const struct worker_config *c);

/*
 * Accepts connections from a listening socket (adopted into this worker's io, moved in) for the
 * plan's listener of that number. May be called at any time on the worker's own thread.
 */
void worker_listen(struct worker *w, struct sock *listening, uint32_t listener);

/* One turn: waits until `deadline_ns` at most, then does all work that is due. */
void worker_turn(struct worker *w, uint64_t deadline_ns);

/*
 * Begins a request that the balancer itself makes to the cluster `arm`: joins `front` to an
 * exchange of the plan's internal listener, and returns the arena for the request's message. NULL:
 * the plan has no internal listener. On the worker's own thread.
 */
struct arena *worker_request(struct worker *w, enum arm arm, const struct front_facts *facts,
			     struct stream *front);
/* The adopted plan; borrowed until the end of the turn. */
const struct plan *worker_plan(const struct worker *w);

/* What the worker's thread runs on. Borrowed. */
struct loop *worker_loop(struct worker *w);

/*
 * True when the worker was told to stop and nothing is left: all connections and operations have
 * ended.
 */
bool worker_is_over(const struct worker *w);

/* Frees the worker, which must be over. */
void worker_close(struct worker *w);

#endif
