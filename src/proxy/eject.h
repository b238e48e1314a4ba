#ifndef PROXY_EJECT_H
#define PROXY_EJECT_H

/*
 * Passive ejection: a node gets no requests for a while if connecting to it fails a few times in a
 * row, or its new connections are reset before a response. Each worker decides for itself: nothing
 * is shared, and a fault between one worker and a node affects only that worker.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/wheel.h"

struct eject_policy {
	uint32_t failures; /* in a row; 0: no node is ejected */
	uint32_t pause_ms; /* the first pause; each further one in a row is twice as long */
};

/* One worker's state of one node. */
struct ejection {
	bool out;
	enum err why;	   /* the last failure */
	unsigned failures; /* in a row, since `first_ms` */
	unsigned times;	   /* ejections in a row */
	uint64_t first_ms;
	uint32_t recoveries; /* the node's `recoveries` when it was ejected */
	struct timer back;   /* runs when the ejection ends */
};

void ejection_init(struct ejection *e, void (*back)(struct timer *t));

/* Whether a failure counts towards ejection. `fresh`: the connection had carried nothing before. */
bool ejection_counts(enum err why, bool fresh);

/*
 * Counts such a failure. True: the limit is reached, and the caller ejects the node, unless too few
 * would be left.
 */
bool ejection_failed(struct ejection *e, const struct eject_policy *p, enum err why,
		     uint64_t now_ms);
/* Begins an ejection and returns its length in ms. */
uint32_t ejection_begin(struct ejection *e, const struct eject_policy *p);
/* The ejection is over. One more failure ejects the node again; a response resets all counts. */
void ejection_end(struct ejection *e);

/* The node has responded. */
static inline void ejection_responded(struct ejection *e)
{
	if (e->failures && !e->out)
		e->failures = e->times = 0;
}

#endif
