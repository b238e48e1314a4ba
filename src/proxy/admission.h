#ifndef PROXY_ADMISSION_H
#define PROXY_ADMISSION_H

/*
 * Which connections are accepted. The check comes before a byte of the connection is read. A
 * connection that is turned away costs a look-up in two lists and a reset, so that a flood of them
 * takes nothing from the others.
 */

#include "proxy/counters.h"
#include "proxy/plan.h"

/* One worker's. */
struct admission {
	unsigned worker;
	struct counters *counters; /* borrowed */
	uint64_t quiet_until_ms;   /* no log line before then */
	uint64_t unlogged;	   /* events since the last log line */
};

/*
 * Whether a connection from `peer` may be served. Checks `allow` (or `trust`, where a PROXY header
 * will name the client), this worker's share of `connections`, and the connections that this worker
 * may have in all; `client_n` is how many it has. ERR_NONE, or the reason for a refusal.
 */
enum err admission_ask(const struct admission *g, const struct plan *p, const struct listener *l,
		       const struct addr *peer, size_t client_n);

/*
 * Whether a client may stay, now that its PROXY header has come (or is invalid: p->err). `client`
 * is the address that the header names. The proxy's own connections (PROXY_HEADER_LOCAL) may stay,
 * and every client that `allow` contains. ERR_NONE, or the reason for which it was turned away.
 */
enum err admission_admit(struct admission *g, const struct listener *l,
			 const struct proxy_header *p, const struct addr *client, uint64_t now_ms);

/*
 * Counts an accept that failed for lack of our resources, and logs it under the same limit as
 * admission_turn_away(). Connections that wait stay in the kernel's queue.
 */
void admission_is_stuck(struct admission *g, const struct listener *l, int error, uint64_t now_ms);

/*
 * Counts a connection that was closed for a new one because it had sent no request, and logs it
 * under the same limit.
 */
void admission_makes_room(struct admission *g, const struct listener *l, uint64_t now_ms);

/* Counts a connection that is turned away, and logs it, at most one line a second. */
void admission_turn_away(struct admission *g, const struct listener *l, const struct addr *peer,
			 enum err why, uint64_t now_ms);

#endif
