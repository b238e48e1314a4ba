#ifndef PROXY_EJECT_H
#define PROXY_EJECT_H

/*
 * Passive ejection: a node where connecting fails a few times in a row, or whose new connections
 * are reset before an answer, is left alone for a while. Each worker sees and decides for itself:
 * there is nothing to share, and a fault between one worker and a node is that worker's.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/wheel.h"

struct eject_policy {
	uint32_t failures; /* in a row; 0: nobody is ejected */
	uint32_t pause_ms; /* the first time; each time in a row it is twice as long */
};

/* Of one node, as one worker has it. */
struct ejection {
	bool out;
	enum err why;	   /* the last failure */
	unsigned failures; /* in a row, since `first_ms` */
	unsigned times;	   /* in a row */
	uint64_t first_ms;
	uint32_t recoveries; /* of the node, when it was ejected */
	struct timer back;   /* when it is over */
};

void ejection_init(struct ejection *e, void (*back)(struct timer *t));

/* Whether this is a fault that a node is ejected for. `fresh`: the connection carried nothing
 * before. */
bool ejection_counts(enum err why, bool fresh);

/* Such a fault. True when it is one too many: eject it, unless that would leave too few. */
bool ejection_failed(struct ejection *e, const struct eject_policy *p, enum err why,
		     uint64_t now_ms);
/* It is out from now on; for so long. */
uint32_t ejection_begin(struct ejection *e, const struct eject_policy *p);
/* It is back: one more failure is enough to be out again, an answer makes all good. */
void ejection_end(struct ejection *e);

/* It has answered. */
static inline void ejection_answered(struct ejection *e)
{
	if (e->failures && !e->out)
		e->failures = e->times = 0;
}

#endif
