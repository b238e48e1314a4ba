#ifndef TESTS_SIM_PLANS_H
#define TESTS_SIM_PLANS_H

/*
 * Configurations as control would make them, one after the other. An old one is given up as soon as
 * the contract of proxy/plan.h allows it, and then it is poisoned: whoever still looks at it shows.
 */

#include "proxy/plan.h"
#include "sim/temper.h"

struct world;
struct plan_page;
struct hand;

#define SIM_PLANS_MAX 64

/* A node as it is at present. */
struct plan_node {
	struct node_state state;
	bool listed;	      /* it is in the plan */
	bool known;	      /* its addresses are */
	uint32_t duty_change; /* the number of the last change of its duty */
	unsigned doors;	      /* as the newest look-up has them: a bit each */
	unsigned spare;	      /* as only earlier ones had them */
};

struct plans {
	struct plan_node nodes[ARMS][SIM_NODES_MAX];
	char names[ARMS][SIM_NODES_MAX][32];
	uint32_t duties; /* changes so far */
	/* As the next plan has them. */
	uint32_t clients_max;	/* of each listener; 0: any number */
	unsigned share, ejects; /* of clusters */
	struct capture_policy policy;
	bool turns; /* nodes take turns; else the least busy one is next */
	struct plan_page *pages[SIM_PLANS_MAX]; /* owned */
	unsigned page_n;
};

/* The first plan. */
void plans_open(struct world *w);
/* The newest plan, to a worker that is about to begin. */
void plans_introduce(struct world *w, struct hand *h);
/* Changes something, and publishes the plan that follows to the workers of the newest process. */
void plans_shift(struct world *w);
/* Drains a node, cuts it, or takes it back; a cluster keeps one that is ready, unless it may lose
 * all. */
void plans_change_duty(struct world *w);
/* An address dies, or is well again: those who connect find out, and maybe checks. */
void plans_change_door(struct world *w);
/* The node that this is the state of. */
const struct plan_node *plans_node_of(const struct plans *p, const struct node_state *state);
/* No name is unknown any more: before requests have waited for one too long. */
void plans_know_names(struct world *w);
/* All nodes are there. */
void plans_settle(struct world *w);
/* Whether the node is known by this address. */
bool plans_name_door(const struct plans *p, enum arm arm, unsigned node, unsigned door);
/* As plans have it: "source-0.example:9200". */
const char *plans_name_of(const struct plans *p, enum arm arm, unsigned node);
/* All processes have crashed: nothing of theirs holds a plan. */
void plans_forget_pins(struct world *w);
/* Poisons what is in nobody's hands any more. */
void plans_sweep(struct world *w);
/* All but the newest must be poisoned, and nothing was written there since. */
void plans_close(struct world *w);

#endif
