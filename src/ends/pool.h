#ifndef ENDS_POOL_H
#define ENDS_POOL_H

/*
 * One worker's connections to one node of a cluster, whatever version of HTTP they speak: idle ones
 * are taken last-in first-out, so that the warmest serves next and the others grow old and are
 * closed. Those that rest (h1_back.h) are not taken, and beyond RESTING_WIRES_MAX closed.
 *
 * A node may have several addresses. They take turns; one that does not connect, or fails an
 * exchange, is left alone for a while where there are others, and one that checks find ill as long
 * as they do. When all are in trouble all are tried.
 */

#include "ends/h1_back.h"

/* May be shared by the pools of a cluster. */
struct pool_counts {
	uint64_t connects, connects_failed, open;
	uint64_t open_max; /* as h1_backs_full(), of these; 0: any number */
	struct handshake_counts handshakes;
};

/* An address of the node. */
struct pool_place {
	struct addr at;		 /* AF_UNSPEC: the place is free */
	uint64_t alone_until_ms; /* 0: it is not left alone */
	uint64_t missed_ms;	 /* when it was missed, the last time that counted */
	uint8_t times;		 /* it was missed, in a row */
};

struct pool {
	struct h1_backs *backs; /* borrowed */
	struct budget *budget;	/* borrowed */
	struct back_policy policy;
	struct tls_context *tls;   /* one reference; NULL: in the clear */
	const char *server_name;   /* borrowed: the plan's, until the next pool_renew() */
	struct pool_place *places; /* owned: of the node's addresses */
	unsigned place_n;
	size_t address_n;      /* of these: addresses */
	uint64_t taken, spare; /* places with an address; those of them that are second choice */
	uint64_t v6;	       /* places with one of IPv6 */
	const _Atomic uint64_t *ill; /* borrowed: places that fail their checks; NULL: none */
	unsigned turn;		     /* the place where the next choice begins */
	unsigned share;		     /* connections that there should be at most; 0: any number */
	bool drained;		     /* no connection is kept for a next request */
	struct list idle;	     /* the next to take first; those that rest stand last */
	unsigned idle_n, open_n;
	struct pool_counts *counts; /* borrowed */
};

/* What a pool takes from the plan; all borrowed until the next pool_renew(). */
struct pool_terms {
	struct back_policy policy;
	struct tls_context *tls;
	const char *server_name;
	const _Atomic uint64_t *ill; /* of its addresses, by their places; NULL: none */
	unsigned share;
};

void pool_open(struct pool *p, struct h1_backs *backs, struct budget *budget,
	       struct pool_counts *counts);
void pool_renew(struct pool *p, const struct pool_terms *terms);
/*
 * The node's addresses, by their places, are these from now on: copied. Idle connections to others
 * are closed. What is known of those that stay carries over.
 */
void pool_know(struct pool *p, const struct addr *at, unsigned n, uint64_t spare);
/* Forgets all addresses, and closes all idle connections; those in use are closed when their
 * exchange is over. */
void pool_close_idle(struct pool *p);
/* From now on connections are closed behind their exchange, the idle ones at once; or no more. */
void pool_drain(struct pool *p, bool drained);
/* When no connection is left. */
void pool_close(struct pool *p);

/*
 * Begins an exchange with the node: joins `peer` to an end and returns that. It may still have to
 * connect. The pool must have an address.
 */
struct stream *pool_take(struct pool *p, struct stream *peer, struct arena *arena);

/*
 * Whether there may be a connection for one more exchange: an idle one, unless it is to be a new
 * one, or a new one, of which the worker, and the pools of a cluster, may have so many.
 */
bool pool_has_room(const struct pool *p, bool new);
/* Whether it is the cluster that has as many as it may. */
static inline bool pool_counts_full(const struct pool_counts *c)
{
	return c->open_max && c->open >= c->open_max;
}
/* Closes the connection that has been idle for longest, to make room elsewhere. False: none is. */
bool pool_spare_one(struct pool *p);

/* Whether the exchange at this end is the first of its connection. */
bool pool_is_fresh(struct stream *end);
/* The same on a connection that has served nobody before. */
struct stream *pool_connect(struct pool *p, struct stream *peer, struct arena *arena);

/* Right after these: how long the head of its answer may take. */
void pool_wait(struct stream *end, uint32_t response_ms);

/* What became of the exchange at an end that was got from one of them. */
struct pool_attempt {
	bool connected; /* there is, or was, a connection */
	bool reused;	/* its connection was idle before, and may have been closed in good order */
	bool sent;	/* a byte of the request may have reached the node */
	bool surely_sent; /* and that will not turn out otherwise any more */
	bool heard;	  /* a byte of the answer has come */
};

struct pool_attempt pool_look(struct stream *end);
/* While it is told that it broke: what there is to say beyond `why`, as wires_said(). */
const char *pool_said(struct stream *end, enum err why);
/* When the connection of that end was there, by the io's clock; 0: it is not yet. */
uint64_t pool_ready_ns(struct stream *end);
/* Where it leads, or where it tried first; valid as long as the end. */
const struct addr *pool_address(struct stream *end);
/* It was connected, and its address is at fault for what has failed: it is left alone. */
void pool_blame(struct stream *end);
/* Another attempt would go to an address that nothing is held against. */
bool pool_has_another(const struct pool *p);

#endif
