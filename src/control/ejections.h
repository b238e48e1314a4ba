#ifndef CONTROL_EJECTIONS_H
#define CONTROL_EJECTIONS_H

/*
 * Says which nodes the workers have ejected, and which are back: a line for each change, however
 * many workers and however often, once a second at most. Workers themselves write no log.
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

/* Of one node, over all workers. */
struct ejected {
	uint64_t total;	  /* ejections so far */
	unsigned workers; /* that leave it alone now */
	enum err why;	  /* one of their reasons */
};
struct ejected ejected_now(const struct counters *counters, unsigned worker_n,
			   const struct node_record *n);

void ejections_open(struct ejections *e, const struct nodes *nodes, const struct counters *counters,
		    unsigned worker_n, struct wheel *wheel);
void ejections_close(struct ejections *e);

#endif
