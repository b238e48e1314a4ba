#ifndef PROXY_HOP_H
#define PROXY_HOP_H

/*
 * X-Crossfade-Hop: the balancers that a request has passed, each by its id (board.h). One that
 * comes to us again goes round, and would for ever.
 */

#include <stdint.h>

#include "http/msg.h"

#define HOP_NAME "x-crossfade-hop"
#define HOP_ID_DIGITS 16

/* What a request gets here, made once: the whole line of the field. */
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

/* Whether it has been here before, or has passed more balancers than anybody has in a row. */
bool hop_goes_round(const struct msg *request, const struct hop *own);

#endif
