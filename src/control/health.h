#ifndef CONTROL_HEALTH_H
#define CONTROL_HEALTH_H

/*
 * Asks each address of each node now and then whether it is well, off the hot path: a request on a
 * connection of its own. One that fails a few times in a row is taken out, one that passes a few
 * times is taken back; a new one counts as well until then. A node is well while any of its
 * addresses is. Checks of many nodes are spread over time.
 */

#include "control/loop.h"
#include "control/pattern.h"
#include "control/publish.h"
#include "proxy/hop.h"

struct probe;

struct health {
	struct loop *loop;		   /* borrowed */
	const struct config *config;	   /* borrowed */
	const struct publisher *publisher; /* borrowed: TLS contexts are the plan's */
	struct hop hop;			   /* this balancer's */
	struct list probes;		   /* owned: one for each address of a node */
	struct pattern *patterns[ARMS];	   /* owned: of bodies; NULL: any will do */
	struct slab chunks;
	struct list ended; /* of this turn */
	struct loop_sweep sweep;
};

/* The first checks begin at once. */
void health_open(struct health *h, struct loop *loop, const struct config *config,
		 const struct nodes *nodes, const struct publisher *publisher, uint64_t id);
/*
 * The configuration has changed, and `nodes` with it: nodes that are new are asked at once, those
 * that are gone no more, and the others as the configuration now says. Not inside a loop's turn.
 */
void health_renew(struct health *h, const struct config *config, const struct nodes *nodes);
/* Nodes have other addresses. Not inside a loop's turn. */
void health_follow(struct health *h, const struct nodes *nodes);
/* Breaks off what is under way; some turns later the loop is quiet. */
void health_stop(struct health *h);
void health_close(struct health *h);

#endif
