#ifndef PROXY_PRESSURE_H
#define PROXY_PRESSURE_H

/*
 * One memory budget of a worker, for the operator: counters, and log lines while connections wait.
 */

#include "base/budget.h"
#include "base/counter.h"

struct pressure {
	counter bytes;	 /* of blocks in use */
	counter waiting; /* connections that wait for memory */
	counter waits;	 /* how often a connection began to wait */
	uint64_t quiet_until_ns;
};

/*
 * While any connection waits for memory, logs a line, at most one in MEMORY_LOG_MS. `whose` names
 * the memory in that line: "clients", "source", "target".
 */
void pressure_look(struct pressure *p, const struct budget *b, unsigned worker, const char *whose,
		   uint64_t now_ns);

#endif
