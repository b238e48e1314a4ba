#ifndef CONTROL_NAMES_H
#define CONTROL_NAMES_H

/* Keeps the nodes' addresses up to date: takes the results of look-ups from the resolver. */

#include "control/nodes.h"
#include "control/resolve.h"

/* The state of one node's name. */
struct node_name {
	struct node_record *of;
	bool failing; /* the log has said so already */
	bool own;     /* the log has said that an address is this balancer itself */
	bool logged;  /* the log has named its addresses, at this time: */
	uint64_t logged_ms;
	unsigned unlogged; /* later look-ups with new addresses, not logged */
};

struct names {
	const struct nodes *nodes;   /* borrowed */
	const struct config *config; /* borrowed: its own listening addresses are left out */
	struct resolver *resolver;   /* owned; NULL: all addresses are literal */
	struct node_name *of;	     /* owned */
	const char **list;	     /* owned: the names themselves */
	size_t n;
};

/*
 * False with errno. `news` runs on the resolver's thread: names_take() should be called soon after.
 */
bool names_open(struct names *s, const struct nodes *nodes, const struct config *config,
		void (*news)(void *), void *observer);
void names_close(struct names *s);

/* True when workers must be told: a node has new addresses, or is no longer awaited. */
bool names_take(struct names *s, uint64_t now_ms);

#endif
