#ifndef PROXY_CLUSTER_H
#define PROXY_CLUSTER_H

/*
 * A cluster as one worker lives with it: its nodes, the connections and requests that this worker
 * has there, and the choice among them. Nodes outlive plans: what is known of one carries over.
 */

#include "base/bug.h"
#include "ends/pool.h"
#include "proxy/counters.h"
#include "proxy/plan.h"

struct live_node {
	const struct node *node; /* of the adopted plan; NULL: it is no longer in it */
	const struct cluster *cluster;
	struct pool pool;
	uint32_t number;      /* of its state */
	unsigned outstanding; /* live_node_take(), live_node_give() */
	enum node_duty duty;  /* of its state, as last looked at */
	uint32_t changes;     /* likewise: of its addresses */
	struct ejection ejection;
	struct live_nodes *all; /* borrowed */
	struct list leaving;	/* in all->leaving: no plan has it, and somebody uses it */
};

struct live_cluster {
	const struct cluster *cluster; /* of the adopted plan */
	struct live_node **nodes;      /* owned array of borrowed nodes */
	size_t node_n;
	unsigned share; /* of a node's connections, this worker's; 0: any number */
	size_t turn;	/* where the next choice begins, < node_n */
	unsigned least; /* requests that each node that may be chosen has at least */
	struct budget budget;
	struct pool_counts counts;
};

/* All nodes of one worker, by the number of their state. */
struct live_nodes {
	struct live_node *by_number[NODES_MAX]; /* owned */
	struct h1_backs *backs;			/* borrowed */
	struct node_counters *counters;		/* borrowed, by number; NULL: nobody counts */
	struct wheel *wheel;			/* borrowed: ejections end by it */
	struct list leaving;
};

void live_nodes_open(struct live_nodes *all, struct h1_backs *backs, struct node_counters *counters,
		     struct wheel *wheel);

void live_cluster_open(struct live_cluster *c);
/* Takes over what a new plan says. Nodes that are no longer in it keep their running requests. */
void live_cluster_adopt(struct live_cluster *c, struct live_nodes *all,
			const struct cluster *cluster, unsigned worker);
void live_cluster_close(struct live_cluster *c);

/* After all clusters have adopted a plan: lets go of nodes that no plan names and nobody uses. */
void live_nodes_sweep(struct live_nodes *all, const struct plan *plan);
/* The same for those that somebody has used until now: each turn. */
void live_nodes_let_go(struct live_nodes *all);
/* Looks at what is wanted of each node, and where it is. */
void live_nodes_heed(struct live_nodes *all);
/*
 * The node has failed an exchange, or has answered one. Of the nodes that serve at most half are
 * ejected, and never the last.
 */
void live_node_failed(struct live_cluster *c, struct live_node *n, enum err why, bool fresh);
static inline void live_node_answered(struct live_node *n)
{
	ejection_answered(&n->ejection);
}

/* A request is on its way to the node; it is over. */
static inline void live_node_take(struct live_node *n)
{
	n->outstanding++;
}
static inline void live_node_give(struct live_cluster *c, struct live_node *n)
{
	must(n->outstanding > 0);
	if (--n->outstanding < c->least)
		c->least = n->outstanding;
}

/*
 * Closes an idle connection to make room for another: of whichever node, or, with `of`, of that
 * cluster. False: none is idle.
 */
bool live_nodes_spare_one(struct live_nodes *all, const struct pool_counts *of);
/* Closes idle connections everywhere, and each that becomes idle. Who still comes is served. */
void live_nodes_close_idle(struct live_nodes *all);
/* Every connection must be gone. */
void live_nodes_close(struct live_nodes *all);

enum choice {
	CHOICE_NODE,  /* this one */
	CHOICE_LATER, /* none now, but one is awaited: its name is being looked up */
	CHOICE_NONE,
	CHOICE_FULL,	/* none now: those that would do have as many requests as they may */
	CHOICE_DRAINED, /* none, for all of them are drained */
};

/*
 * Chooses a node for one request, but for the `tried_n` in `tried` and those that are drained.
 * Healthy ones that are not ejected come first; when there is none all are tried, and *fail_open
 * says so. That they are busy is no reason to try others.
 */
enum choice live_cluster_choose(struct live_cluster *c, struct live_node *const *tried,
				unsigned tried_n, struct live_node **chosen, bool *fail_open);

#endif
