#ifndef REPLAY_SUBREQUEST_H
#define REPLAY_SUBREQUEST_H

/*
 * A request of replay's own to one of the clusters. It goes through the data path as a client's
 * request does (proxy/exchange.h): nodes are chosen, retried and counted in the same way. One
 * thread: the one that turns the worker.
 *
 *     subrequest_init()
 *     subrequest_begin()      the request's head; its fields may be added
 *     subrequest_write() ...  its body, which is copied
 *     subrequest_send()       data() ..., over(), gone() follow
 */

#include "base/wheel.h"
#include "proxy/worker.h"

struct subrequest;
struct unheard;

struct subrequest_user {
	/*
	 * Bytes of the response's body, valid during this function alone. Returns how many were
	 * used: while fewer are the subrequest rests, until subrequest_resume(). May be NULL: the
	 * body is dropped.
	 */
	size_t (*data)(struct subrequest *c, struct span bytes);
	/*
	 * subrequest_send_on() is awaited: all that it was given before is sent. May be NULL where
	 * subrequest_send_head() is not used.
	 */
	void (*drained)(struct subrequest *c);
	/* ERR_NONE: the response is whole. Else there is no response, or it broke off. */
	void (*over)(struct subrequest *c, enum err why);
	/* The end of that turn: the subrequest is idle, and may begin again. May be NULL. */
	void (*gone)(struct subrequest *c);
};

enum subrequest_state {
	SUBREQUEST_IDLE,
	SUBREQUEST_WRITING, /* between subrequest_begin() and subrequest_send() */
	SUBREQUEST_SENT,
	SUBREQUEST_ENDED, /* until gone() */
};

/* What the subrequests of one worker share. */
struct subrequests {
	struct worker *worker; /* borrowed */
	struct loop *loop;     /* borrowed: the worker's */
	struct list ended;
	struct loop_sweep sweep;
	struct unheard *unheard; /* borrowed; NULL: nothing is written (replay/unheard.h) */
	uint64_t numbers;	 /* of connections, from 1: each subrequest has one of its own */
	unsigned open_n;	 /* subrequests that are not idle */
};

struct subrequest {
	struct subrequests *of; /* borrowed */
	const struct subrequest_user *user;
	enum subrequest_state state;
	struct list link; /* in of->ended */
	struct timer late;
	struct stream stream;
	struct msg *request; /* in the exchange's arena */
	struct chain body;   /* of the request, not sent yet */
	struct chain held;   /* of the response, not used yet */
	size_t ungranted;    /* bytes that were used while it rested */
	bool rests;	     /* data() has not used all */
	bool more;	     /* more of the request's body follows what `body` has */
	bool asked;	     /* and drained() was called for it */
	bool whole;	     /* nothing follows what is held */
	uint16_t status;     /* of the response; 0: no head has come */
	enum err local;	     /* why the balancer responded itself; ERR_NONE: a node did */
	bool unknown;	     /* and it says that a node may act on the request */
};

void subrequests_open(struct subrequests *s, struct worker *w);
/* All subrequests must be idle. */
void subrequests_close(struct subrequests *s);

void subrequest_init(struct subrequest *c, struct subrequests *s,
		     const struct subrequest_user *user);
/*
 * An idle subrequest's next request, with Host and without a body. `target` begins with '/' and is
 * canonical. NULL: the plan has no internal listener.
 */
struct msg *subrequest_begin(struct subrequest *c, enum arm arm, struct span method,
			     struct span target);
/*
 * The same with a recorded head (replay/recorded_head.h), which can be read, and its fields. Where
 * the cluster's credential is known it takes the place of the client's.
 */
struct msg *subrequest_begin_recorded(struct subrequest *c, enum arm arm, struct span head);
/* Appends to the body. */
void subrequest_write(struct subrequest *c, const void *bytes, size_t n);
/* `type`: of the body, if there is one. The whole exchange may take so long. */
void subrequest_send(struct subrequest *c, struct span type, uint32_t timeout_ms);
/*
 * In place of subrequest_send(), for a body that comes in pieces and has `bytes` in all.
 * `has_length`: the head says that it has so many. If bytes > 0, subrequest_send_on() follows,
 * until `last`; it does nothing when the subrequest is over.
 */
void subrequest_send_head(struct subrequest *c, uint64_t bytes, bool has_length,
			  uint32_t timeout_ms);
void subrequest_send_on(struct subrequest *c, struct span bytes, bool last);
/* data() is called again with what was left. Never inside data(). */
void subrequest_resume(struct subrequest *c);
/* Breaks it off, if it is under way: over() does not follow, gone() does. */
void subrequest_stop(struct subrequest *c);

/*
 * In over() and until it begins anew: the cluster may have the request and has not said that it is
 * done with it. It may act still.
 */
bool subrequest_is_unheard(const struct subrequest *c, enum err why);

static inline bool subrequest_is_idle(const struct subrequest *c)
{
	return c->state == SUBREQUEST_IDLE;
}

#endif
