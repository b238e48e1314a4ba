#ifndef PROXY_EXCHANGE_H
#define PROXY_EXCHANGE_H

/*
 * One request and its answer: it stands between a client's stream and a cluster's, decides which
 * cluster and node, and passes on what each side says. It ends when both sides have no more to say.
 */

#include "ends/front.h"
#include "ends/reply.h"
#include "proxy/access.h"
#include "proxy/board.h"
#include "proxy/cluster.h"
#include "proxy/counters.h"
#include "proxy/forward.h"
#include "proxy/recording.h"
#include "proxy/retry.h"
#include "proxy/split.h"

struct exchange;

/* What the exchanges of one worker share; the worker owns it all. */
struct desk {
	struct io *io;
	struct bufs *bufs;
	unsigned worker;
	const struct plan *plan;    /* what new exchanges use */
	struct board_values values; /* of this turn */
	bool draining;		    /* no new clients are wanted */
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
	struct list held;  /* their bodies are held until a byte of them is sent */
	struct list ended; /* freed at the end of the turn */
	/* Weighted requests under way, decided under the present epoch and under earlier ones. */
	uint64_t in_flight_now, in_flight_before;
};

enum exchange_state {
	EXCHANGE_REQUEST,  /* its head has not come */
	EXCHANGE_HELD,	   /* it comes, and is recorded, before anything is decided */
	EXCHANGE_WAITING,  /* no decision yet */
	EXCHANGE_PASSING,  /* between the client and a node */
	EXCHANGE_ORPHANED, /* the client has gone from a write, which is seen through */
	EXCHANGE_REPLYING, /* the answer is made here */
	EXCHANGE_ENDED,
};

struct exchange {
	struct stream front; /* the client's stream is its peer */
	struct stream back;  /* a node's stream is its peer, while it is joined */
	struct desk *desk;
	const struct plan *plan;	 /* pinned */
	const struct listener *listener; /* of the plan */
	struct list link;		 /* in desk->open or desk->ended */
	struct list wait_link;		 /* in desk->waiting or in a queue */
	struct list held_link;		 /* in desk->held */
	struct retry retry;		 /* the request's body */
	struct arena arena;
	struct msg *request;
	struct msg *trailers; /* of the request; NULL: they have not come, or there are none */
	struct reply reply;
	struct recording recording;
	uint64_t connection; /* its number */
	uint32_t ordinal;    /* of the request on it */
	bool tls;
	struct addr peer;	    /* who is connected to us */
	struct addr client;	    /* whom the request comes from: the peer, or who it says */
	bool trusted;		    /* the peer's word on that counts */
	struct access_notes *notes; /* in the arena; NULL: it is not logged */
	struct live_node *node;	    /* the present attempt's; counted in its `outstanding` */
	struct live_node *tried[CONNECT_ATTEMPTS_MAX];
	uint64_t began_ns, epoch;
	uint64_t asked_ns;    /* when the present attempt's request could go to the node */
	uint64_t answered_ns; /* when its answer's last head came; 0: none has */
	uint64_t request_bytes, answer_bytes;
	struct classed class; /* of the request, once it has come */
	uint16_t status;      /* of the answer; 0: none yet */
	uint8_t state;	      /* enum exchange_state */
	uint8_t arm;	      /* enum arm, or ARM_NONE before the decision */
	uint8_t tried_n, attempt_n;
	uint16_t last_failure; /* enum err, of the last node tried */
	uint16_t why;	       /* enum err: what went wrong with all of it */
	bool queued;	       /* in its arm's queue, since: */
	uint64_t queued_ns;
	bool counted; /* in in_flight_now or in_flight_before */
	bool stale;   /* an idle connection failed: further attempts have one of their own */
	bool unknown; /* an attempt was sent and not answered: it may have been applied */
	uint64_t orphaned_ns; /* when the client of a write went that is seen through; else 0 */
};

void desk_open(struct desk *d);
void desk_close(struct desk *d);

/*
 * A request begins on a listener of that plan, which it pins: joins `front` and gives the arena for
 * it (struct front_user's open()).
 */
struct arena *exchange_open(struct desk *d, const struct plan *plan, const struct listener *l,
			    const struct front_facts *facts, struct stream *front);

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
