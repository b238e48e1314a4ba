#ifndef PROXY_GATE_H
#define PROXY_GATE_H

/*
 * Who may come in. A connection is asked for before a byte of it is read; one that is turned away
 * costs a look-up in two lists and a reset, so that a flood of them takes nothing from the others.
 */

#include "proxy/counters.h"
#include "proxy/plan.h"

/* Of one worker. */
struct gate {
	unsigned worker;
	struct counters *counters; /* borrowed */
	uint64_t quiet_until_ms;   /* no line in the log before then */
	uint64_t unsaid;	   /* turned away since the last line */
};

/*
 * Whether a connection from `peer` may be served: `allow` (or `trust`, where a PROXY header is
 * still to name the client), this worker's share of `connections`, and what this
 * worker may have in all, of which `client_n` are there. ERR_NONE, or why not.
 */
enum err gate_ask(const struct gate *g, const struct plan *p, const struct listener *l,
		  const struct addr *peer, size_t client_n);

/*
 * Whether a client may stay, now that its PROXY header has come (or is none: p->err) and `client`
 * is whom it names: the proxy's own connections may, and whomever `allow` holds. ERR_NONE, or why
 * it was turned away.
 */
enum err gate_admit(struct gate *g, const struct listener *l, const struct preface *p,
		    const struct addr *client, uint64_t now_ms);

/* An accept has failed for a want of ours; those who wait stay in the kernel's queue. Said
 * likewise. */
void gate_is_stuck(struct gate *g, const struct listener *l, int error, uint64_t now_ms);

/* A connection that has asked nothing was closed for another. Counted, and said likewise. */
void gate_makes_room(struct gate *g, const struct listener *l, uint64_t now_ms);

/* It is turned away: counted, and said in the log at most once a second. */
void gate_turn_away(struct gate *g, const struct listener *l, const struct addr *peer, enum err why,
		    uint64_t now_ms);

#endif
