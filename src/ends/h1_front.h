#ifndef ENDS_H1_FRONT_H
#define ENDS_H1_FRONT_H

/*
 * A client's HTTP/1 connection: requests in, answers out, one exchange at a time. Pipelined
 * requests wait in the wire. Whoever stands behind it (the proxy, the admin API) sees streams only.
 */

#include "base/arena.h"
#include "base/wheel.h"
#include "ends/front.h"
#include "http/h1_body.h"
#include "http/stream.h"
#include "net/wire.h"

/* What the fronts of one thread share. */
struct h1_fronts {
	struct wires *wires;
	struct wheel *wheel;
	struct slab slab;
	struct slab rests, chunks; /* of struct h1_rest, and for their arenas */
	struct list open;	   /* all fronts */
	struct list strangers;	   /* of these, who has asked nothing yet: the oldest first */
	size_t open_n;
	uint64_t opened; /* since the beginning */
	bool stopping;	 /* answers say Connection: close */
};

enum h1_front_state {
	FRONT_IDLE, /* between requests */
	FRONT_HEAD, /* in a head */
	FRONT_BODY, /* in a body */
	FRONT_DROP, /* in a body that nobody wants any more */
	FRONT_WAIT, /* the request is whole, its answer is not */
	FRONT_TUNNEL,
	FRONT_LINGER, /* all is sent; reads and drops until the client's FIN */
	FRONT_OVER,
};

/* A request that is coming in; it stands in the exchange's arena. */
struct h1_request {
	struct msg msg;
	struct h1_parser parser;
	struct h1_body body;
};

/* The rest of a request whose exchange is over already: it is read only to find its end. */
struct h1_rest {
	struct h1_body body;
	struct arena arena; /* for its trailers */
	uint64_t bytes;
};

struct h1_front {
	struct wire wire;
	struct stream stream;
	struct h1_fronts *fronts;
	const struct front_user *user;
	const struct front_policy *policy;
	struct front_facts facts;
	struct list link;     /* in fronts->open */
	struct list stranger; /* in fronts->strangers, until the first head is whole */
	struct timer timer;
	uint64_t deadline_ms; /* of what is waited for now; the timer may fire before it */
	uint64_t opened_ms;
	struct arena *arena;	    /* of the exchange; NULL when idle */
	struct h1_request *request; /* in that arena */
	struct h1_rest *rest;	    /* owned; in FRONT_DROP */
	uint8_t state;		    /* enum h1_front_state */
	bool stepping;		    /* inside go_on(): what changes is seen by its loop */
	bool answer_over;
	bool answer_chunked; /* how the answer's body goes; else as it is */
	bool closes;	     /* no further request on this connection */
	bool lingers;	     /* the client may still be sending when we close */
};

void h1_fronts_open(struct h1_fronts *s, struct wires *wires, struct wheel *wheel);
/* All fronts must be gone. */
void h1_fronts_close(struct h1_fronts *s);

/* As bufs_trim(). */
bool h1_fronts_trim(struct h1_fronts *s);

/* Serves an accepted connection until it ends. `tls` NULL: in the clear. */
struct h1_front *h1_front_open(struct h1_fronts *s, const struct front_user *user,
			       const struct front_policy *policy, void *listener,
			       struct sock *sock /* moved in */, struct tls_context *tls,
			       struct budget *budget);

/* Right after that: its handshake is counted there. */
void h1_front_count_handshake(struct h1_front *f, struct handshake_counts *counts /* borrowed */);
/* Right after that: a PROXY header comes first, within policy->head_ms; see admit(). */
void h1_front_expect_preface(struct h1_front *f);

/*
 * The last answer of each says Connection: close, and none is closed without having said so: a
 * client that reuses an idle connection at this very moment would find it gone.
 */
void h1_fronts_retire(struct h1_fronts *s);
/* Idle ones are closed now, the others behind their answer. Streams in the midst go on. */
void h1_fronts_stop(struct h1_fronts *s);
/*
 * Resets, of those that `may` go, who came at least `age_ms` ago and has asked nothing since: the
 * oldest. False: nobody was found among the first STRANGERS_LOOKED_AT.
 */
bool h1_fronts_spare_stranger(struct h1_fronts *s, uint64_t age_ms,
			      bool (*may)(const struct front_facts *facts, const void *how),
			      const void *how);
/*
 * Of those that `may` go, aborts the one that has been there for longest and has no whole request
 * with its user. False: there is none.
 */
bool h1_fronts_spare_one(struct h1_fronts *s,
			 bool (*may)(const struct front_facts *facts, const void *how),
			 const void *how);
/* All are aborted. */
void h1_fronts_abort(struct h1_fronts *s);

#endif
