#ifndef PROXY_EXCHANGE_H
#define PROXY_EXCHANGE_H

/*
 * One request and its answer: it stands between a client's stream and a cluster's, decides which
 * cluster and node, and passes on what each side says. It ends when both sides have no more to say.
 */

#include "ends/front.h"
#include "ends/reply.h"
#include "proxy/access.h"
#include "proxy/desk.h"
#include "proxy/recording.h"
#include "proxy/retry.h"

enum exchange_state {
	EXCHANGE_REQUEST,  /* its head has not come */
	EXCHANGE_STALLED,  /* the log has no room for it: nothing is recorded or decided */
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
	struct list stall_link;		 /* in desk->stalled */
	struct retry retry;		 /* the request's body */
	struct arena arena;
	struct msg *request;
	struct msg *trailers; /* of the request; NULL: they have not come, or there are none */
	struct reply reply;
	struct recording recording;
	uint64_t connection; /* its number */
	uint32_t ordinal;    /* of the request on it */
	bool tls;
	struct addr peer;   /* who is connected to us */
	struct addr client; /* whom the request comes from: the peer, or who it says; none where
				that is not known */
	bool trusted;	    /* the peer's word on that counts */
	bool unnamed;	    /* the peer is a proxy that does not say for whom it speaks */
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
	bool counted;	  /* in in_flight_now or in_flight_before */
	bool unconnected; /* the last attempt found no connection: nobody had work of it */
	bool stale;	  /* an idle connection failed: further attempts have one of their own */
	bool unknown;	  /* an attempt was sent and not answered: it may have been applied */
	uint64_t orphaned_ns; /* when the client of a write went that is seen through; else 0 */
};

/*
 * A request begins on a listener of that plan, which it pins: joins `front` and gives the arena for
 * it (struct front_user's open()).
 */
struct arena *exchange_open(struct desk *d, const struct plan *plan, const struct listener *l,
			    const struct front_facts *facts, struct stream *front);

/*
 * Whether the exchange whose end that is ends with a client that has finished (struct front_user's
 * finished()): a read whose listener says so, while a node works on it or is awaited.
 */
bool exchange_ends_with_client(struct stream *front);

/* --- for the files that an exchange's functions stand in --- */

/* By hundreds; 0: there is none. From 600 on there are no meanings: RFC 9110, 15. */
static inline unsigned exchange_status_class(const struct exchange *ex)
{
	unsigned class = ex->status / 100;
	return class < STATUS_CLASSES ? class : STATUS_CLASSES - 1;
}

/* Its arm is chosen: it is recorded and gets a node, or an answer; or waits for one of these. */
void exchange_go_on(struct exchange *ex);
/* Nothing more comes from the client. */
bool exchange_is_whole(const struct exchange *ex);
/* When nobody has more to say: counts, logs, and frees it at the end of the turn. */
void exchange_end_if_over(struct exchange *ex);
/* An answer made here. The cluster's side is over, and no answer has begun. */
void exchange_answer(struct exchange *ex, enum err why);
/* One with status 200 and that body; as above. */
void exchange_answer_text(struct exchange *ex, struct span type, struct span body);
/* The same to an OPTIONS that ends here: no body, but Allow. */
void exchange_answer_options(struct exchange *ex);
/* The client need not send the rest of a request that is answered already. */
void exchange_stop_request(struct exchange *ex);
/*
 * The request breaks off. When the client is still there (what it sent is no HTTP, or comes too
 * slowly) it is told so; an answer that has begun goes on to its end.
 */
void exchange_request_broke(struct exchange *ex, enum err why);

#endif
