#ifndef PROXY_DESK_H
#define PROXY_DESK_H

/* What the exchanges of one worker share, and what is done with all of them. */

#include "base/buf.h"
#include "capture/tap.h"
#include "proxy/access.h"
#include "proxy/board.h"
#include "proxy/cluster.h"
#include "proxy/counters.h"
#include "proxy/forward.h"
#include "proxy/hop.h"
#include "proxy/retry.h"
#include "proxy/split.h"
#include "proxy/telling.h"

/* The worker owns it all. */
struct desk {
	struct io *io;
	struct bufs *bufs;
	const struct wires *wires; /* what they say of what broke */
	unsigned worker;
	const struct plan *plan;    /* what new exchanges use */
	struct board_values values; /* of this turn */
	struct hop hop;		    /* this balancer's */
	bool draining;		    /* no new clients are wanted */
	bool sniffing_said;	    /* the log has that clients do it */
	bool loop_said;		    /* and that requests come back */
	struct telling telling;
	struct split split;
	struct live_cluster clusters[ARMS];
	struct retry_budget budgets[ARMS];
	struct counters *counters;
	const struct stream_tracer *tracer; /* NULL: nobody listens */
	struct chance chance;
	struct access *access; /* NULL: nobody takes lines */
	struct taps *taps;     /* NULL: there is no capture log */
	struct slab exchanges, chunks;
	struct list open;    /* all exchanges */
	struct list waiting; /* decided later */
	struct queue {
		struct list
			list; /* decided when a node has a connection for them, in their order */
		unsigned n;
		bool freed; /* one may have, since it was looked at last */
	} queues[ARMS];
	struct list stalled; /* the log has no room for what comes of them */
	struct list held;    /* their bodies are held until a byte of them is sent */
	struct list ended;   /* freed at the end of the turn */
	/* Weighted requests under way, decided under the present epoch and under earlier ones. */
	uint64_t in_flight_now, in_flight_before;
};

void desk_open(struct desk *d);
void desk_close(struct desk *d);

/* New values or a new plan: those that wait decide again. */
void desk_decide_waiting(struct desk *d);
/* Gives connections that have become free to those that wait for them. Each turn. */
void desk_serve_queues(struct desk *d);
/* Whether anybody waits for anything. */
bool desk_has_waiting(const struct desk *d);
/* Whether desk_serve_queues() has something to give. */
bool desk_is_freed(const struct desk *d);
/* Those that have waited too long are answered. Called each turn that has any. */
void desk_time_waiting(struct desk *d);
/* Requests whose node is to be cut are tried elsewhere, where that may be, or end with 502. */
void desk_cut(struct desk *d);
/*
 * Clients have gone from writes that are with a node: their answers are awaited, for as long as the
 * cluster's timeout allows, so that it is known what became of them. Now they no longer are.
 */
void desk_abandon_orphans(struct desk *d);
/* The epoch has moved on: what is under way counts as decided before. */
void desk_new_epoch(struct desk *d);
/* As bufs_trim(). */
bool desk_trim(struct desk *d);
/* The end of a turn: frees what has ended. */
void desk_sweep(struct desk *d);

#endif
