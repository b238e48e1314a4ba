#ifndef PROXY_HOP_H
#define PROXY_HOP_H

/*
 * X-Crossfade-Hop: the balancers that a request has passed, each by its id (board.h). A request
 * that comes to the same balancer again is in a loop, and would never leave it.
 */

#include <stdint.h>

#include "http/msg.h"

#define HOP_NAME "x-crossfade-hop"
#define HOP_ID_DIGITS 16

/* The field line that this balancer adds to a request, made once. */
struct hop {
	char line[sizeof HOP_NAME - 1 + 2 + HOP_ID_DIGITS + 2];
};

struct hop hop_of(uint64_t id);

static inline struct span hop_line(const struct hop *h)
{
	return (struct span){ h->line, sizeof h->line };
}

static inline struct span hop_id(const struct hop *h)
{
	return (struct span){ h->line + sizeof HOP_NAME - 1 + 2, HOP_ID_DIGITS };
}

/* Whether the request has been here before, or has passed more than HOPS_MAX balancers. */
bool hop_goes_round(const struct msg *request, const struct hop *own);

#endif
