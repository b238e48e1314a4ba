#ifndef CONTROL_EJECTIONS_H
#define CONTROL_EJECTIONS_H

/*
 * Logs which nodes the workers have ejected, and which are back. There is one line for each change,
 * for all workers together, and one a second at most. The workers themselves write no log.
 */

#include "base/wheel.h"
#include "control/nodes.h"
#include "proxy/counters.h"

struct ejections {
	const struct nodes *nodes;	 /* borrowed */
	const struct counters *counters; /* borrowed: one for each worker */
	unsigned worker_n;
	struct wheel *wheel; /* borrowed */
	struct timer look;
};

/* The ejections of one node, over all workers. */
struct ejected {
	uint64_t total;	  /* ejections so far */
	unsigned workers; /* workers that have ejected it now */
	enum err why;	  /* the reason of one of them */
};
struct ejected ejected_now(const struct counters *counters, unsigned worker_n,
			   const struct node_record *n);

void ejections_open(struct ejections *e, const struct nodes *nodes, const struct counters *counters,
		    unsigned worker_n, struct wheel *wheel);
void ejections_close(struct ejections *e);

#endif
