#ifndef CONTROL_NAMES_H
#define CONTROL_NAMES_H

/* Keeps the nodes' addresses as their names say: takes from the resolver what it has found. */

#include "control/nodes.h"
#include "control/resolve.h"

struct names {
	const struct nodes *nodes; /* borrowed */
	struct resolver *resolver; /* owned; NULL: all addresses are literal */
	struct node_record **of;   /* owned: whose name it is */
	const char **list;	   /* owned */
	bool *failing;		   /* owned: it was said already */
	size_t n;
};

/* False with errno. `news` runs on the resolver's thread: names_take() is to be called soon. */
bool names_open(struct names *s, const struct nodes *nodes, void (*news)(void *), void *hearer);
void names_close(struct names *s);

/* True when a node has other addresses than before, or is no longer awaited. */
bool names_take(struct names *s);

#endif
