#ifndef ENDS_POOL_H
#define ENDS_POOL_H

/*
 * One worker's connections to one node of a cluster, whatever version of HTTP they speak: idle ones
 * are taken last-in first-out, so that the warmest serves next and the others grow old and are
 * closed. Those that rest (h1_back.h) are taken only when there are many, the longest quiet first.
 */

#include "ends/h1_back.h"

/* May be shared by the pools of a cluster. */
struct pool_counts {
	uint64_t connects, connects_failed, open;
	struct handshake_counts handshakes;
};

struct pool {
	struct h1_backs *backs; /* borrowed */
	struct budget *budget;	/* borrowed */
	struct back_policy policy;
	struct tls_context *tls;      /* one reference; NULL: in the clear */
	const char *server_name;      /* borrowed: the plan's, until the next pool_renew() */
	const struct addr *addresses; /* likewise */
	size_t address_n;
	size_t next_address;
	unsigned share;	  /* connections that there should be at most; 0: any number */
	bool drained;	  /* no connection is kept for a next request */
	struct list idle; /* the next to take first; those that rest stand last */
	unsigned idle_n, open_n;
	struct pool_counts *counts; /* borrowed */
};

/* What a pool takes from the plan; all borrowed until the next pool_renew(). */
struct pool_terms {
	struct back_policy policy;
	struct tls_context *tls;
	const char *server_name;
	const struct addr *addresses;
	size_t address_n;
	unsigned share;
};

void pool_open(struct pool *p, struct h1_backs *backs, struct budget *budget,
	       struct pool_counts *counts);
/* New terms: idle connections to addresses that are no longer the node's are closed. */
void pool_renew(struct pool *p, const struct pool_terms *terms);
/* Closes all idle connections; those in use are closed when their exchange is over. */
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

/* Whether the exchange at this end is the first of its connection. */
bool pool_is_fresh(struct stream *end);
/* The same on a connection that has served nobody before. */
struct stream *pool_connect(struct pool *p, struct stream *peer, struct arena *arena);

/* What became of the exchange at an end that was got from one of them. */
struct pool_attempt {
	bool reused; /* its connection was idle before, and may have been closed in good order */
	bool sent;   /* a byte of the request may have reached the node */
	bool surely_sent; /* and that will not turn out otherwise any more */
	bool heard;	  /* a byte of the answer has come */
};

struct pool_attempt pool_look(struct stream *end);
/* When the connection of that end was there, by the io's clock; 0: it is not yet. */
uint64_t pool_ready_ns(struct stream *end);
/* Where it leads; valid as long as the end. */
const struct addr *pool_address(struct stream *end);

#endif
