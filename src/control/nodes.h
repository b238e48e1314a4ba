#ifndef CONTROL_NODES_H
#define CONTROL_NODES_H

/*
 * The nodes of both clusters, as the control thread knows them: their addresses and their health.
 * The same cluster, scheme, host and port keep their identity over plans and configurations.
 */

#include "base/limits.h"
#include "control/config.h"
#include "proxy/counters.h"
#include "proxy/plan.h"

#define NODE_CHECK_BYTES 288
/* "source/", a host name of 253 characters, and the port. */
#define NODE_NAME_BYTES 272
/* The texts of who drained a node, and why. */
#define NODE_TEXT_BYTES 256

/* One of the addresses that a node's name resolves to. */
struct node_address {
	struct addr at;
	uint64_t seen_ms; /* time of the last look-up that had it, by the loop's clock */
	bool unproven;	  /* added to well ones; has not passed a check yet */
	bool checked;
	char check[NODE_CHECK_BYTES]; /* the result of the last check, in words */
};

struct node_record {
	struct node_state state; /* shared with the workers, through plans */
	enum arm arm;
	char *name; /* as in Host; owned, as `host` */
	char *host;
	uint16_t port;
	bool tls, literal;
	struct node_address *places[NODE_ADDRESSES_MAX]; /* owned; NULL: free */
	size_t address_n;
	uint64_t spare;	       /* places of addresses that the newest look-up did not have */
	bool unproven;	       /* added to nodes that serve; has not passed a check yet */
	unsigned newest_check; /* the place of the address that was checked last */
	uint64_t checks_passed, checks_failed;
	uint64_t checks_not_made; /* for reasons that lie in the balancer itself */
	uint64_t ejections_said;  /* used by ejections.h, as the next member */
	bool ejected_said;
	/*
	 * While it is drained: since when, when its requests are cut (by the loop's clock), by whom
	 * and why.
	 */
	uint64_t drained_wall_ns, cut_at_ms;
	char drained_by[NODE_TEXT_BYTES], drained_why[NODE_TEXT_BYTES];
};

struct nodes {
	struct node_record **list; /* owned: `n` nodes of the configuration, then `gone_n` */
	size_t n;
	size_t gone_n; /* nodes that were removed; earlier plans may still use them */
};

/* One record for each node of the configuration. All nodes count as healthy. */
void nodes_open(struct nodes *s, const struct config *c);
void nodes_close(struct nodes *s);

/*
 * For a change of the configuration: adds the nodes of `c` that are new; all others stay. A new
 * node in a cluster whose nodes serve counts as healthy only after its first passed check. False
 * when too many removed nodes are still in use. Added nodes stay until nodes_retire().
 */
bool nodes_add(struct nodes *s, const struct config *c);
/* Removes the nodes that `c` does not have from the list. */
void nodes_retire(struct nodes *s, const struct config *c);
/*
 * Frees removed nodes that no plan uses (`named`, by number) and that no worker holds by its
 * counters: a worker may still have a request there. Another node may get the number then.
 */
void nodes_sweep(struct nodes *s, const bool named[NODES_MAX], const struct counters *counters,
		 unsigned worker_n);

struct node_record *nodes_find(const struct nodes *s, enum arm arm, const struct config_node *n);

/* The effect of a look-up. */
struct node_change {
	bool any;   /* workers must be told */
	bool fresh; /* it had an address that was not known before */
};

/*
 * nodes_addresses_text() writes the addresses of all names, one line for each node: "source tls
 * es-1:9200 10.0.0.1 10.0.0.2". The text is terminated, and the caller frees it.
 * nodes_take_addresses_text() reads such a text. Nodes that it does not name keep their addresses,
 * and malformed lines are skipped.
 */
char *nodes_addresses_text(const struct nodes *s);
void nodes_take_addresses_text(struct nodes *s, struct span text, uint64_t now_ms);

/*
 * Takes the addresses that a name was resolved to. Their port is set here, and their order does not
 * matter. Addresses that were known before are kept for NODE_ADDRESS_KEEP_MS, as second choice.
 * Addresses beyond NODE_ADDRESSES_MAX are left out.
 */
struct node_change node_take_addresses(struct node_record *n, const struct addr *addresses,
				       size_t address_n, uint64_t now_ms);
/* The first look-up has failed: requests no longer wait for the node. */
void node_wait_no_more(struct node_record *n);
/* Sets the health of an address. True: it has changed. */
bool node_set_ill(struct node_record *n, unsigned place, bool ill);
/* The set of places whose addresses are not ill. */
uint64_t node_places_well(const struct node_record *n);
/* The text of a check: of an address that has the same health as the node. */
const char *node_check(const struct node_record *n);

/* Writes "source/es-1:9200", always with the port: no two nodes have the same full name. */
const char *node_full_name(const struct node_record *n, char name[NODE_NAME_BYTES]);

/*
 * The nodes that `name` may mean: a name with or without its port, with or without the cluster in
 * front, or as in the configuration, with its scheme.
 */
struct node_search {
	unsigned n;
	struct node_record *node; /* the first of them */
};
struct node_search nodes_search(const struct nodes *s, const char *name);

/*
 * Sets the node's duty; the texts are copied. Workers must be told by
 * publisher_change_node_admin().
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

static inline bool node_is_awaited(const struct node_record *n)
{
	return atomic_load_explicit(&n->state.awaited, memory_order_relaxed);
}

static inline bool node_place_is_ill(const struct node_record *n, unsigned place)
{
	return atomic_load_explicit(&n->state.ill, memory_order_relaxed) >> place & 1;
}

static inline bool node_is_healthy(const struct node_record *n)
{
	return atomic_load_explicit(&n->state.healthy, memory_order_relaxed);
}

#endif
