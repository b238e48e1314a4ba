#ifndef PROXY_REQUEST_H
#define PROXY_REQUEST_H

/*
 * What is known of a request, for all stages between its client and a node. The client's side
 * (exchange.h) writes it, the other stages read it; only the head's fields change on the way.
 */

#include "proxy/counters.h"
#include "proxy/plan.h"

struct access_notes;

struct request {
	struct msg *head;		 /* in the arena; NULL: not come yet */
	struct arena *arena;		 /* lives as long as the request and its response */
	const struct plan *plan;	 /* pinned */
	const struct listener *listener; /* of the plan */
	struct access_notes *notes;	 /* in the arena; NULL: no access log */
	uint64_t connection;		 /* number of the client's connection */
	uint64_t began_ns;		 /* when its first byte came, by the io's clock */
	uint64_t epoch;			 /* of the board when the arm was chosen; 0: not chosen */
	uint64_t orphaned_ns; /* when the client left a write that goes on without it; else 0 */
	uint32_t ordinal;     /* index on its connection, from 1 */
	struct addr peer;     /* the other end of the client's connection */
	struct addr client;   /* the peer, or the client that a trusted peer names; unset where that
				 is not known */
	struct classed class; /* once the head has come */
	uint8_t arm;	      /* enum arm, or ARM_NONE before it is chosen */
	bool tls;
	bool trusted; /* what the peer says of the client counts */
	bool unnamed; /* the peer is a proxy that does not name its client */
};

static inline bool request_is_write(const struct request *r)
{
	return r->class.class == CLASS_WRITE;
}

#endif
