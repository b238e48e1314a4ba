#ifndef CONTROL_HEALTH_H
#define CONTROL_HEALTH_H

/*
 * Checks each address of each node periodically: one request, on a connection of its own, outside
 * the path of traffic. An address that fails `failures` checks in a row is ill; an ill one that
 * passes `passes` checks in a row is well again. An address that was never checked counts as well,
 * unless it came to others that are well: then it counts after its first passed check. A node is
 * healthy while any of its addresses is. The checks of many nodes are spread over time.
 */

#include "control/pattern.h"
#include "control/publish.h"
#include "ends/call_out.h"
#include "proxy/hop.h"

struct probe;

struct health {
	struct loop *loop;		   /* borrowed */
	const struct config *config;	   /* borrowed */
	const struct publisher *publisher; /* borrowed: the newest plan has the TLS contexts */
	struct hop hop;			   /* the id of this balancer */
	struct list probes;		   /* owned: one for each address of a node */
	struct pattern *patterns[ARMS];	   /* owned: for response bodies; NULL: any body will do */
	struct call_outs calls;
	struct pool_counts counts; /* of the checks' connections; nothing reads them */
};

/* The first checks begin at once. */
void health_open(struct health *h, struct loop *loop, const struct config *config,
		 const struct nodes *nodes, const struct publisher *publisher, uint64_t id);
/*
 * The configuration and `nodes` have changed. New nodes are checked at once, removed ones no
 * longer, and the others as the new configuration says. Do not call it inside a turn of the loop.
 */
void health_renew(struct health *h, const struct config *config, const struct nodes *nodes);
/* Nodes have other addresses. Do not call it inside a turn of the loop. */
void health_follow(struct health *h, const struct nodes *nodes);
/* Ends the checks that are under way. Some turns later nothing of them is left on the loop. */
void health_stop(struct health *h);
void health_close(struct health *h);

#endif
