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
/* "source/", a host's name of 253 characters, its port. */
#define NODE_NAME_BYTES 272
/* Who drained it and why. */
#define NODE_TEXT_BYTES 256

struct node_record {
	struct node_state state; /* shared with the workers, through plans */
	enum arm arm;
	char *name; /* as in Host; owned, like host */
	char *host;
	uint16_t port;
	bool tls, literal;
	struct addr addresses[NODE_ADDRESSES_MAX]; /* as last resolved, in order */
	size_t address_n;
	bool awaited;  /* its name was not looked up yet */
	bool unproven; /* it came to others that serve, and has passed no check yet */
	char check[NODE_CHECK_BYTES]; /* what the last check found, in words */
	uint64_t checks_passed, checks_failed;
	uint64_t checks_not_made; /* for trouble of our own */
	uint64_t ejections_said;  /* by ejections.h, like the next */
	bool ejected_said;
	/* While it is drained: since when, when it is cut (by the loop's clock), by whom and why.
	 */
	uint64_t drained_wall_ns, cut_at_ms;
	char drained_by[NODE_TEXT_BYTES], drained_why[NODE_TEXT_BYTES];
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
 * stay. Those that come to nodes that serve count as well only after their first check. False, when
 * too many that are gone are still in use; those that were added stay until nodes_retire().
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

/* "source/es-1:9200", with the port always: no other node is called so. */
const char *node_full_name(const struct node_record *n, char name[NODE_NAME_BYTES]);

/* Nodes that a person may mean: by its name or with its port, with the cluster before it or not. */
struct node_search {
	unsigned n;
	struct node_record *node; /* the first of them */
};
struct node_search nodes_search(const struct nodes *s, const char *name);

/* Takes it out of service; the texts are copied. Workers must be told: publisher_change_duties().
 */
void node_drain(struct node_record *n, enum node_duty duty, uint64_t wall_ns, const char *by,
		const char *why);

static inline void node_set_duty(struct node_record *n, enum node_duty duty)
{
	atomic_store_explicit(&n->state.duty, (uint32_t)duty, memory_order_relaxed);
}

static inline enum node_duty node_duty(const struct node_record *n)
{
	return (enum node_duty)atomic_load_explicit(&n->state.duty, memory_order_relaxed);
}

static inline bool node_is_healthy(const struct node_record *n)
{
	return atomic_load_explicit(&n->state.healthy, memory_order_relaxed);
}

#endif
