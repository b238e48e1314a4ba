#ifndef CONTROL_NAMES_H
#define CONTROL_NAMES_H

/* Keeps the nodes' addresses as their names say: takes from the resolver what it has found. */

#include "control/nodes.h"
#include "control/resolve.h"

/* A name of which each look-up has other addresses gets a line so often at most. */
#define NAME_SAID_MS 300000

/* What is known of one name. */
struct node_name {
	struct node_record *of;
	bool failing; /* it was said already */
	bool own;     /* likewise: an address of it is this balancer itself */
	bool said;    /* its addresses were, at: */
	uint64_t said_ms;
	unsigned unsaid; /* look-ups since that had new ones */
};

struct names {
	const struct nodes *nodes;   /* borrowed */
	const struct config *config; /* borrowed: addresses of ours are left out */
	struct resolver *resolver;   /* owned; NULL: all addresses are literal */
	struct node_name *of;	     /* owned */
	const char **list;	     /* owned: the names themselves */
	size_t n;
};

/* False with errno. `news` runs on the resolver's thread: names_take() is to be called soon. */
bool names_open(struct names *s, const struct nodes *nodes, const struct config *config,
		void (*news)(void *), void *hearer);
void names_close(struct names *s);

/* True when workers are to be told: a node has other addresses than before, or is no longer
 * awaited.
 */
bool names_take(struct names *s, uint64_t now_ms);

#endif
