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

/*
 * `whose` is for a line in the process's log while any wait, at most one in MEMORY_LOG_MS:
 * "clients", "source", "target".
 */
void pressure_look(struct pressure *p, const struct budget *b, unsigned worker, const char *whose,
		   uint64_t now_ns);

#endif
