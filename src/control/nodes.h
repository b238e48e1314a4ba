#ifndef CONTROL_NODES_H
#define CONTROL_NODES_H

/*
 * The nodes of both clusters as control knows them: where they are, whether they are well. A node
 * keeps its identity over plans and configurations: same cluster, scheme, host and port.
 */

#include "control/config.h"
#include "proxy/plan.h"

/* Addresses of one name: a managed cluster's has a handful. */
#define NODE_ADDRESSES_MAX 64

#define NODE_CHECK_BYTES 96

struct node_record {
	struct node_state state; /* shared with the workers, through plans */
	enum arm arm;
	char *name; /* as in Host; owned, like host */
	char *host;
	uint16_t port;
	bool tls, literal;
	struct addr addresses[NODE_ADDRESSES_MAX]; /* as last resolved, in order */
	size_t address_n;
	bool awaited;		      /* its name was not looked up yet */
	char check[NODE_CHECK_BYTES]; /* what the last check found, in words */
};

struct nodes {
	struct node_record **list; /* owned: those of the configuration, and behind them */
	size_t n;
	size_t gone_n; /* those that it no longer has and earlier plans may still name */
};

/* One record for each node of the configuration. All count as healthy. */
void nodes_open(struct nodes *s, const struct config *c);
void nodes_close(struct nodes *s);

/*
 * A change of the configuration: those of `c` that are not there yet are added, and all others
 * stay. False, when too many that are gone are still in use; those that were added stay until
 * nodes_retire().
 */
bool nodes_add(struct nodes *s, const struct config *c);
/* Those that `c` does not have are gone from the list. */
void nodes_retire(struct nodes *s, const struct config *c);
/* Frees of those that are gone whose number is not in `named`. */
void nodes_sweep(struct nodes *s, const bool named[NODES_MAX]);

struct node_record *nodes_find(const struct nodes *s, enum arm arm, const struct config_node *n);

/*
 * Takes what a name was resolved to; the port is set here. True when that differs from before; the
 * order does not count. What is more than NODE_ADDRESSES_MAX is left out.
 */
bool node_take_addresses(struct node_record *n, const struct addr *addresses, size_t address_n);

static inline bool node_is_healthy(const struct node_record *n)
{
	return atomic_load_explicit(&n->state.healthy, memory_order_relaxed);
}

#endif
