#ifndef TESTS_SIM_PLANS_H
#define TESTS_SIM_PLANS_H

/*
 * Plans as control would make them, one after the other. An old plan is given up as soon as the
 * contract of proxy/plan.h allows it. Then its memory is overwritten, so that a later use is
 * noticed.
 */

#include "proxy/plan.h"
#include "sim/scenario.h"

struct world;
struct plan_page;
struct sim_worker;

#define SIM_PLANS_MAX 64

/* The present state of a node. */
struct plan_node {
	struct node_state state;
	bool listed;		    /* the plan has the node */
	bool known;		    /* its addresses are known */
	uint32_t node_admin_change; /* node_admin at the last change of its duty */
	unsigned ports;		    /* ports in the newest look-up, one bit each */
	unsigned spare;		    /* ports only in earlier look-ups */
};

struct plans {
	struct plan_node nodes[ARMS][SIM_NODES_MAX];
	char names[ARMS][SIM_NODES_MAX][32];
	uint32_t node_admin; /* count of changes */
	/* For the next plan. */
	uint32_t clients_max;	/* limit of each listener; 0: none */
	unsigned share, ejects; /* limits of clusters */
	struct capture_policy policy;
	bool turns; /* BALANCE_ROUND_ROBIN; otherwise the node with the fewest requests is next */
	struct plan_page *pages[SIM_PLANS_MAX]; /* owned */
	unsigned page_n;
};

/* Makes the first plan. */
void plans_open(struct world *w);
/* Gives the newest plan to a worker that is about to open. */
void plans_introduce(struct world *w, struct sim_worker *h);
/* Changes something, and publishes the new plan to the workers of the newest process. */
void plans_shift(struct world *w);
/*
 * Drains a node, cuts it, or takes it back. A cluster keeps one ready node, unless the scenario
 * lets it lose all.
 */
void plans_change_duty(struct world *w);
/*
 * An address dies, or works again: workers notice it when they connect, and the checks may notice
 * it.
 */
void plans_change_port(struct world *w);
/* The node with that state. */
const struct plan_node *plans_node_of(const struct plans *p, const struct node_state *state);
/* All names are looked up, before a request has waited too long for one. */
void plans_know_names(struct world *w);
/* All nodes are listed and ready, and their names are known. */
void plans_settle(struct world *w);
/* Whether the node is known at this address. */
bool plans_name_port(const struct plans *p, enum arm arm, unsigned node, unsigned port);
/* The node's name in plans: "source-0.example:9200". */
const char *plans_name_of(const struct plans *p, enum arm arm, unsigned node);
/* All processes have crashed: their pins no longer count. */
void plans_forget_pins(struct world *w);
/* Overwrites the plans that are no longer used. */
void plans_sweep(struct world *w);
/* All plans except the newest must be overwritten, and unchanged since. */
void plans_close(struct world *w);

#endif
