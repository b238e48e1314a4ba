#ifndef CONTROL_NODES_H
#define CONTROL_NODES_H

/*
 * The nodes of both clusters as control knows them: where they are, whether they are well. A node
 * keeps its identity over plans and configurations: same cluster, scheme, host and port.
 */

#include "control/config.h"
#include "proxy/counters.h"
#include "proxy/plan.h"

#define NODE_CHECK_BYTES 288
/*
 * An address that look-ups no longer have is kept for so long: three times the longest pause
 * between them. Names of which each answer has other addresses lose none of them so.
 */
#define NODE_ADDRESS_KEEP_MS 180000
/* "source/", a host's name of 253 characters, its port. */
#define NODE_NAME_BYTES 272
/* Who drained it and why. */
#define NODE_TEXT_BYTES 256

/* One of the addresses that its name stands for. */
struct node_address {
	struct addr at;
	uint64_t seen_ms; /* when a look-up last had it, by the loop's clock */
	bool unproven;	  /* it came to others that are well, and has passed no check yet */
	bool checked;
	char check[NODE_CHECK_BYTES]; /* what the last check found, in words */
};

struct node_record {
	struct node_state state; /* shared with the workers, through plans */
	enum arm arm;
	char *name; /* as in Host; owned, like host */
	char *host;
	uint16_t port;
	bool tls, literal;
	struct node_address *places[NODE_ADDRESSES_MAX]; /* owned; NULL: free */
	size_t address_n;
	uint64_t spare;	       /* places of those that the newest look-up did not have */
	bool unproven;	       /* it came to others that serve, and has passed no check yet */
	unsigned newest_check; /* the place of the address that it was of */
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
/*
 * Frees of those that are gone whose number is not in `named`, of the plans, and which no worker
 * holds by its counters: one may still end a request there. Another node may have the number then.
 */
void nodes_sweep(struct nodes *s, const bool named[NODES_MAX], const struct counters *counters,
		 unsigned worker_n);

struct node_record *nodes_find(const struct nodes *s, enum arm arm, const struct config_node *n);

/* What a look-up has changed. */
struct node_change {
	bool any;   /* workers are to be told */
	bool fresh; /* an address was not known before */
};

/*
 * The addresses that names stand for, a line for each node: "source tls
 * es-1:9200 10.0.0.1 10.0.0.2". Terminated; the caller frees it. And the other way round: nodes
 * that it does not name, and lines that make no sense, are left as they are.
 */
char *nodes_addresses_text(const struct nodes *s);
void nodes_take_addresses_text(struct nodes *s, struct span text, uint64_t now_ms);

/*
 * Takes what a name was resolved to; the port is set here, the order does not count. Addresses that
 * were known before are kept for NODE_ADDRESS_KEEP_MS, as second choice. What finds no place among
 * NODE_ADDRESSES_MAX is left out.
 */
struct node_change node_take_addresses(struct node_record *n, const struct addr *addresses,
				       size_t address_n, uint64_t now_ms);
/* Its first look-up has come to nothing: requests wait for it no longer. */
void node_wait_no_more(struct node_record *n);
/* An address passes its checks, or fails them. True: that is new. */
bool node_set_ill(struct node_record *n, unsigned place, bool ill);
/* Places whose addresses are not known to be ill. */
uint64_t node_places_well(const struct node_record *n);
/* What there is to say of its checks: of an address that is as the node is. */
const char *node_check(const struct node_record *n);

/* "source/es-1:9200", with the port always: no other node is called so. */
const char *node_full_name(const struct node_record *n, char name[NODE_NAME_BYTES]);

/*
 * Nodes that a person may mean: by its name or with its port, with the cluster before it or not, or
 * as the configuration has it, with its scheme.
 */
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
