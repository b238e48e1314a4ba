#ifndef PROXY_PRESSURE_H
#define PROXY_PRESSURE_H

/* One budget of a worker as an operator sees it: counted, and told while connections wait. */

#include "base/budget.h"
#include "base/counter.h"

struct pressure {
	counter bytes;	 /* of blocks that are out */
	counter waiting; /* connections that wait for memory */
	counter waits;	 /* how often one began to */
	uint64_t quiet_until_ns;
};

/* What pressure_look() does while anybody waits, and when the last one does no more. */
void pressure_tell(struct pressure *p, const struct budget *b, unsigned worker, const char *whose,
		   uint64_t now_ns);

/*
 * Each turn. `whose` is for a line in the process's log, at most one in MEMORY_LOG_MS: "clients",
 * "source", "target".
 */
static inline void pressure_look(struct pressure *p, const struct budget *b, unsigned worker,
				 const char *whose, uint64_t now_ns)
{
	counter_set(&p->bytes, b->used);
	if (__builtin_expect(b->waits != p->waits || counter_read(&p->waiting), 0))
		pressure_tell(p, b, worker, whose, now_ns);
}

#endif
