#ifndef PROXY_EXCHANGES_H
#define PROXY_EXCHANGES_H

/* What all requests of one worker share. The stages of a request use it. */

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
#include "proxy/peer_log.h"

/* The worker owns all of it. */
struct exchanges {
	struct io *io;
	struct bufs *bufs;
	const struct wires *wires; /* for details of connection errors */
	unsigned worker;
	const struct plan *plan;    /* the plan of new exchanges */
	struct board_values values; /* this turn's copy */
	struct hop hop;		    /* this balancer's */
	bool draining;		    /* new clients are not wanted */
	bool sniffing_said;	    /* the log has reported that clients sniff */
	bool loop_said;		    /* the log has reported a loop of requests */
	struct peer_log peer_log;
	struct split split;
	struct live_cluster clusters[ARMS];
	struct retry_budget budgets[ARMS];
	struct counters *counters;
	const struct stream_tracer *tracer; /* NULL: no tracing */
	struct rng rng;
	struct access *access; /* NULL: no access log */
	struct taps *taps;     /* NULL: there is no capture log */
	struct slab exchanges, chunks;
	struct list open;    /* exchanges that are in none of the next two lists */
	struct list parked;  /* exchanges: writes that are held before their arm is chosen */
	struct list closing; /* exchanges that are over, except for the stages behind */
	struct list waiting; /* deliveries that wait for a look-up */
	struct queue {
		struct list list; /* deliveries that wait for a connection, in order */
		unsigned n;
		bool freed; /* a connection may have become free since the last look */
	} queues[ARMS];
	struct list held;    /* deliveries whose bodies are held until a byte of them is sent */
	struct list stalled; /* capture gates that wait for room in the log */
	/*
	 * Weighted requests in flight that were decided in the present epoch, and in earlier ones.
	 */
	uint64_t in_flight_now, in_flight_before;
	uint64_t writes[ARMS]; /* in flight, as in board_counts */
};

void exchanges_open(struct exchanges *d);
void exchanges_close(struct exchanges *d);

/* The epoch has changed: all requests in flight now count as decided before. */
void exchanges_new_epoch(struct exchanges *d);
/* As bufs_trim(). */
bool exchanges_trim(struct exchanges *d);

#endif
