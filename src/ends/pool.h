#ifndef ENDS_POOL_H
#define ENDS_POOL_H

/*
 * One worker's connections to one node of a cluster, for any version of HTTP. Idle connections are
 * taken last-in first-out: the most recently used one serves next, and the others age until they
 * are closed. A connection with `rests` set (h1_back.h) is not taken; beyond RESTING_WIRES_MAX such
 * connections are closed.
 *
 * A node may have several addresses, which are used in turn. An address that fails to connect, or
 * fails an exchange, is not used for a while if the node has others. An address that fails its
 * health checks is not used until they succeed. If all addresses have trouble, all are tried.
 */

#include "ends/h1_back.h"

/* May be shared by the pools of a cluster. */
struct pool_counts {
	uint64_t connects, connects_failed, open;
	uint64_t open_max; /* limit of `open`, as h1_backs_full(); 0: no limit */
	struct handshake_counts handshakes;
};

/* The place of one address of the node. */
struct pool_place {
	struct addr at;		  /* AF_UNSPEC: the place is free */
	uint64_t paused_until_ms; /* until then the address is not used; 0: it is in use */
	uint64_t missed_ms;	  /* when the last failure was counted */
	uint8_t times;		  /* number of failures in a row */
};

struct pool {
	struct h1_backs *backs; /* borrowed */
	struct budget *budget;	/* borrowed */
	struct back_policy policy;
	struct tls_context *tls;   /* one reference; NULL: in the clear */
	const char *server_name;   /* borrowed: the plan's, until the next pool_renew() */
	struct pool_place *places; /* owned: the places of the node's addresses */
	unsigned place_n;
	size_t address_n;	     /* number of places that have an address */
	uint64_t taken, spare;	     /* bits: places with an address; second choices among them */
	uint64_t v6;		     /* bits: places with an IPv6 address */
	const _Atomic uint64_t *ill; /* borrowed; bits: places that fail their checks; NULL: none */
	unsigned turn;		     /* the place where the next choice begins */
	unsigned share;		     /* the most connections that there should be; 0: no limit */
	bool drained;		     /* no connection is kept for a later request */
	struct list idle; /* the next one to take is first; connections with `rests` are last */
	unsigned idle_n, open_n;
	struct pool_counts *counts; /* borrowed */
};

/* What a pool takes from the plan; all borrowed until the next pool_renew(). */
struct pool_terms {
	struct back_policy policy;
	struct tls_context *tls;
	const char *server_name;
	const _Atomic uint64_t *ill; /* bits of the places that fail their checks; NULL: none */
	unsigned share;
};

void pool_open(struct pool *p, struct h1_backs *backs, struct budget *budget,
	       struct pool_counts *counts);
void pool_renew(struct pool *p, const struct pool_terms *terms);
/*
 * Sets the node's addresses, by their places; they are copied. Closes idle connections to other
 * addresses. An address that stays keeps its record of failures.
 */
void pool_know(struct pool *p, const struct addr *at, unsigned n, uint64_t spare);
/*
 * Removes all addresses and closes all idle connections. A connection in use closes when its
 * exchange is over.
 */
void pool_close_idle(struct pool *p);
/*
 * With `drained`, idle connections close at once and the others after their exchange. Without it,
 * connections are kept again.
 */
void pool_drain(struct pool *p, bool drained);
/* No connection may be left. */
void pool_close(struct pool *p);

void pool_check(const struct pool *p);

/*
 * Begins an exchange with the node: joins `peer` to an end and returns that end. The connection may
 * still have to be made. The pool must have an address.
 */
struct stream *pool_take(struct pool *p, struct stream *peer, struct arena *arena);

/*
 * True when one more exchange may have a connection. Unless `new` is set that may be an idle one. A
 * new one must fit into the worker's limit and the cluster's.
 */
bool pool_has_room(const struct pool *p, bool new);
/* True when the cluster has reached its limit of connections. */
static inline bool pool_counts_full(const struct pool_counts *c)
{
	return c->open_max && c->open >= c->open_max;
}
/*
 * Closes the connection that has been idle for the longest time, to make room for another pool.
 * False: none is idle.
 */
bool pool_spare_one(struct pool *p);

/* True when the exchange at this end is the first one on its connection. */
bool pool_is_fresh(struct stream *end);
/* As pool_take(), always on a new connection. */
struct stream *pool_connect(struct pool *p, struct stream *peer, struct arena *arena);

/* Sets the timeout of the response's head. Call it right after pool_take() or pool_connect(). */
void pool_wait(struct stream *end, uint32_t response_ms);

/* What became of the exchange at an end that pool_take() or pool_connect() returned. */
struct pool_attempt {
	bool connected;	  /* the connection is, or was, established */
	bool reused;	  /* it was idle before: the node may have closed it in good order */
	bool sent;	  /* a byte of the request may have reached the node */
	bool surely_sent; /* that byte was sent for certain: this stays true */
	bool heard;	  /* a byte of the response has come */
};

struct pool_attempt pool_look(struct stream *end);
/* While the failure is being reported to the peer: the details beyond `why`, as wires_said(). */
const char *pool_said(struct stream *end, enum err why);
/* When the connection was ready, by the io's clock; 0: not yet. */
uint64_t pool_ready_ns(struct stream *end);
/* The user gives up waiting. Returns the error that says what the exchange was waiting for. */
enum err pool_is_late(struct stream *end);
/* The address it is connected to, or the first one that was tried. Valid as long as the end. */
const struct addr *pool_address(struct stream *end);
/*
 * The exchange failed and the address is to blame, if it was connected: the address is not used for
 * a while.
 */
void pool_blame(struct stream *end);
/* True when another attempt would go to an address without failures. */
bool pool_has_another(const struct pool *p);

#endif
