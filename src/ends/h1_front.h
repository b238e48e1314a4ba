#ifndef ENDS_H1_FRONT_H
#define ENDS_H1_FRONT_H

/*
 * A client's HTTP/1 connection: requests in, responses out, one exchange at a time. Pipelined
 * requests wait in the wire. The user (the proxy, the admin API) sees only streams.
 */

#include "base/arena.h"
#include "base/wheel.h"
#include "ends/front.h"
#include "http/h1_body.h"
#include "http/stream.h"
#include "net/wire.h"

/* What the client connections of one thread share. */
struct h1_fronts {
	struct wires *wires;
	struct wheel *wheel;
	struct slab slab;
	struct slab rests, chunks; /* slabs of struct h1_rest, and of chunks for their arenas */
	struct list open;	   /* all client connections */
	struct list strangers;	   /* have not sent a whole head yet; the oldest first */
	size_t open_n;
	uint64_t opened; /* number of connections since the start */
	bool stopping;	 /* responses say Connection: close */
};

enum h1_front_state {
	FRONT_IDLE, /* between requests */
	FRONT_HEAD, /* inside a request head */
	FRONT_BODY, /* inside a request body */
	FRONT_DROP, /* inside a request body that is read and dropped */
	FRONT_WAIT, /* the request is whole, its response is not */
	FRONT_TUNNEL,
	FRONT_LINGER, /* all is sent; reads and drops bytes until the client's FIN */
	FRONT_OVER,
};

/* A request that is being received; it lives in the exchange's arena. */
struct h1_request {
	struct msg msg;
	struct h1_parser parser;
	struct h1_body body;
};

/*
 * The rest of a request whose exchange is already over: it is read only to find the request's end.
 */
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
	struct list stranger; /* in fronts->strangers until the first head is whole */
	struct timer timer;
	uint64_t deadline_ms; /* deadline of the current wait; the timer may fire before it */
	uint64_t opened_ms;
	struct arena *arena;	    /* of the exchange; NULL when idle */
	struct h1_request *request; /* in `arena` */
	struct h1_rest *rest;	    /* owned; in FRONT_DROP */
	uint8_t state;		    /* enum h1_front_state */
	bool stepping;		    /* inside front_go_on(): a nested call returns at once */
	bool response_over;
	bool response_chunked; /* the response's body goes out chunked; otherwise unchanged */
	bool closes;	       /* no further request on this connection */
	bool lingers;	       /* the client may still be sending when the connection closes */
};

void h1_fronts_open(struct h1_fronts *s, struct wires *wires, struct wheel *wheel);
/* All connections must be gone. */
void h1_fronts_close(struct h1_fronts *s);

/* As bufs_trim(). */
bool h1_fronts_trim(struct h1_fronts *s);

/* Serves an accepted connection until it ends. `tls` NULL: in the clear. */
struct h1_front *h1_front_open(struct h1_fronts *s, const struct front_user *user,
			       const struct front_policy *policy, void *listener,
			       struct sock *sock /* moved in */, struct tls_context *tls,
			       struct budget *budget);

/* All open connections get this user from now on. It must use the same facts as the user before. */
void h1_fronts_use(struct h1_fronts *s, const struct front_user *user);

/* Counts the TLS handshake in `counts`. Call it right after h1_front_open(). */
void h1_front_count_handshake(struct h1_front *f, struct handshake_counts *counts /* borrowed */);
/*
 * Expects a PROXY header first, within policy->head_ms; see admit(). Call it right after
 * h1_front_open().
 */
void h1_front_expect_proxy_header(struct h1_front *f);

/*
 * From now on the last response of each connection says Connection: close. No connection is closed
 * before it has said so: a client that reuses an idle connection at this moment would find it
 * closed.
 */
void h1_fronts_retire(struct h1_fronts *s);
/*
 * Closes idle connections now, and the others after their response. Streams that are under way go
 * on.
 */
void h1_fronts_stop(struct h1_fronts *s);
/*
 * Resets the oldest connection for which may() returns true, that is at least `age_ms` old and has
 * not sent a whole request head. False: none of the first STRANGERS_LOOKED_AT connections
 * qualifies.
 */
bool h1_fronts_spare_stranger(struct h1_fronts *s, uint64_t age_ms,
			      bool (*may)(const struct front_facts *facts, const void *how),
			      const void *how);
/*
 * Aborts the oldest connection for which may() returns true and that has passed no whole request to
 * its user (FRONT_IDLE or FRONT_HEAD). False: there is none.
 */
bool h1_fronts_spare_one(struct h1_fronts *s,
			 bool (*may)(const struct front_facts *facts, const void *how),
			 const void *how);
/* Aborts all connections. */
void h1_fronts_abort(struct h1_fronts *s);

void h1_front_check(const struct h1_front *f);

#endif
