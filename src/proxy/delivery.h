#ifndef PROXY_DELIVERY_H
#define PROXY_DELIVERY_H

/*
 * A delivery brings a request to a node of its cluster, and the response back: the queue, the
 * choice of a node, the attempt, further attempts. It is a stage between the client's side and a
 * node, and is in the request's arena.
 *
 * The stage before it receives the response's heads and body as they came, and one kind of failure:
 * a STREAM_RESET of the response with the reason, once, when no further attempt is made. The facts
 * about the attempts can be read until the arena is closed.
 */

#include "proxy/exchanges.h"
#include "proxy/request.h"
#include "proxy/retry.h"

enum delivery_state {
	DELIVERY_IDLE,	  /* the request's head has not come */
	DELIVERY_WAITING, /* for a node, or for a connection to one */
	DELIVERY_PASSING, /* between the stage before it and a node */
	DELIVERY_OVER,	  /* it has failed, or was given up */
};

struct delivery {
	struct stream front; /* its peer is the stage before it */
	struct stream back;  /* its peer is a node's stream, while joined */
	struct exchanges *exchanges;
	struct request *request; /* borrowed */
	struct list wait_link;	 /* in exchanges->waiting or in a queue */
	struct list held_link;	 /* in exchanges->held */
	struct retry retry;	 /* the request's body */
	struct msg *trailers;	 /* of the request; NULL: not come, or none */
	struct live_node *node;	 /* of the present attempt; counted in the node's `outstanding` */
	struct live_node *tried[CONNECT_ATTEMPTS_MAX];
	uint64_t queued_ns;
	uint64_t asked_ns;     /* when the present attempt's request could go to the node */
	uint64_t responded_ns; /* when the response's final head came; 0: it has not */
	uint16_t status;       /* of the node's response; 0: none has come */
	uint16_t last_failure; /* enum err of the last attempt */
	uint8_t state;	       /* enum delivery_state */
	uint8_t tried_n, attempt_n;
	bool queued;	  /* in its arm's queue, since queued_ns */
	bool unconnected; /* the last attempt got no connection: no node has worked on it */
	bool stale;	  /* an idle connection failed: further attempts open new ones */
	bool unknown;	  /* an attempt was sent and got no response: it may have been applied */
};

/* In the request's arena. The caller joins its `front`. `tracer`: for its streams, or NULL. */
struct delivery *delivery_open(struct exchanges *d, struct request *r,
			       const struct stream_tracer *tracer);
/* Nothing more will pass, and no node has the request. */
bool delivery_is_over(const struct delivery *d);
/* At the request's end: drops what was kept for another attempt. */
void delivery_close(struct delivery *d);

/* A byte of the request may have reached the present node, and no response has come. */
bool delivery_is_unanswered(const struct delivery *d);
/* NULL: there is no node now, or no plan has it any more. */
const char *delivery_node_name(const struct delivery *d);
/* If its node is DUTY_CUT: tries another node where that is allowed, or fails. */
void delivery_cut(struct delivery *d);

/*
 * Checks the relations between its members at the end of each verb (base/checks.h):
 * proxy/stage_check.c.
 */
void delivery_check(const struct delivery *d);

/* --- for deliveries.h --- */

/* Chooses a node, now or later. The arm was chosen before, and stays. */
void delivery_choose(struct delivery *d);
/* Ends the delivery for the stage before it, with the reason `why`. */
void delivery_fail(struct delivery *d, enum err why);

#endif
