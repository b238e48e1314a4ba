#ifndef PROXY_CLUSTER_H
#define PROXY_CLUSTER_H

/*
 * One worker's view of a cluster: its nodes, the worker's connections and requests to them, and the
 * choice of a node. Nodes outlive plans: what is known of a node carries over to the next plan.
 */

#include "base/bug.h"
#include "ends/pool.h"
#include "proxy/counters.h"
#include "proxy/plan.h"

struct live_node {
	const struct node *node; /* of the adopted plan; NULL: it no longer has the node */
	const struct cluster *cluster;
	struct pool pool;
	uint32_t number;      /* node_state's number */
	unsigned outstanding; /* live_node_take(), live_node_give() */
	enum node_duty duty;  /* from its state, as last read */
	uint32_t changes;     /* likewise: the count of address changes */
	struct ejection ejection;
	struct live_nodes *all; /* borrowed */
	struct list leaving;	/* in all->leaving: no plan has the node, and it is still in use */
};

struct live_cluster {
	const struct cluster *cluster; /* of the adopted plan */
	struct live_node **nodes;      /* owned array of borrowed nodes */
	size_t node_n;
	unsigned share; /* this worker's share of a node's connections; 0: no limit */
	size_t turn;	/* where the next choice begins, < node_n */
	unsigned least; /* no eligible node has fewer requests than this */
	struct budget budget;
	struct pool_counts counts;
};

/* All nodes of one worker, by node_state's number. */
struct live_nodes {
	struct live_node *by_number[NODES_MAX]; /* owned */
	struct h1_backs *backs;			/* borrowed */
	struct node_counters *counters;		/* borrowed, by number; NULL: nothing is counted */
	struct wheel *wheel;			/* borrowed: its timers end ejections */
	struct list leaving;
};

void live_nodes_open(struct live_nodes *all, struct h1_backs *backs, struct node_counters *counters,
		     struct wheel *wheel);

void live_cluster_open(struct live_cluster *c);
/*
 * Adopts a new plan's settings. Nodes that are no longer in the plan keep their running requests.
 */
void live_cluster_adopt(struct live_cluster *c, struct live_nodes *all,
			const struct cluster *cluster, unsigned worker);
void live_cluster_close(struct live_cluster *c);

void live_cluster_check(const struct live_cluster *c);

/*
 * Called after all clusters have adopted a plan: frees the nodes that no plan names and nothing
 * uses.
 */
void live_nodes_sweep(struct live_nodes *all, const struct plan *plan);
/* The same for nodes that were still in use then. Called each turn. */
void live_nodes_let_go(struct live_nodes *all);
/* Reads the duty and the addresses of each node. */
void live_nodes_follow_admin(struct live_nodes *all);
/*
 * The node has failed an exchange, or has responded. At most half of the serving nodes are ejected,
 * and never the last one.
 */
void live_node_failed(struct live_cluster *c, struct live_node *n, enum err why, bool fresh);
static inline void live_node_responded(struct live_node *n)
{
	ejection_responded(&n->ejection);
}

/* A request begins at the node; it is over. */
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
 * Closes an idle connection to make room for another one: of any node, or, with `of`, of that
 * cluster. False: no connection is idle.
 */
bool live_nodes_spare_one(struct live_nodes *all, const struct pool_counts *of);
/*
 * Closes all idle connections, and later each one that becomes idle. New requests are still served.
 */
void live_nodes_close_idle(struct live_nodes *all);
/* No connection may be left. */
void live_nodes_close(struct live_nodes *all);

enum choice {
	CHOICE_NODE,  /* *chosen is set */
	CHOICE_LATER, /* none now, but a node's name is being looked up */
	CHOICE_NONE,
	CHOICE_FULL,	/* none now: the eligible nodes have as many requests as they may */
	CHOICE_DRAINED, /* none: all of them are drained */
};

/*
 * Chooses a node for one request, except the `tried_n` nodes in `tried` and drained nodes. Healthy
 * nodes that are not ejected come first. If there is none, any node may be chosen, and *fail_open
 * is true. Busy nodes (CHOICE_FULL) do not make the choice fall back to unhealthy ones.
 */
enum choice live_cluster_choose(struct live_cluster *c, struct live_node *const *tried,
				unsigned tried_n, struct live_node **chosen, bool *fail_open);

#endif
