#ifndef PROXY_NODE_STATE_H
#define PROXY_NODE_STATE_H

/*
 * What a node lives through: it outlives plans, and is shared by all workers of the process. One
 * writer, control. Workers read its words with relaxed loads, and copy its addresses when their
 * door says that something has changed (struct worker_door, duties).
 *
 * Addresses stand at places, which are bits in the words beside them: an address keeps its place
 * for as long as it is known.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "io/addr.h"

/* What an operator wants of a node. */
enum node_duty {
	DUTY_READY,
	DUTY_DRAINED, /* no new requests; those that are with it go on */
	DUTY_CUT,     /* nor those: the delay is over */
};

/* What a node's name stands for. */
struct node_addresses {
	unsigned n;	/* places: none is taken from there on */
	uint64_t spare; /* places of those that the newest look-up did not have: second choice */
	struct addr list[NODE_ADDRESSES_MAX]; /* AF_UNSPEC: the place is free */
};

struct node_state {
	uint32_t number; /* < NODES_MAX; workers index what they have of it with this */
	atomic_bool healthy;
	atomic_bool awaited;	     /* its first look-up is under way: requests wait for it */
	_Atomic uint32_t recoveries; /* counts how often checks have taken it back */
	_Atomic uint32_t duty;	     /* enum node_duty */
	_Atomic uint64_t ill;	     /* places of addresses that fail their checks */
	_Atomic uint32_t changes;    /* of the addresses, counted */
	pthread_mutex_t lock;	     /* of the next; held to copy it, never longer */
	struct node_addresses addresses;
};

/* Control's; workers are to be told then. */
void node_state_set_addresses(struct node_state *s, const struct node_addresses *a);
/* False: there is no change since *seen. */
bool node_state_look(struct node_state *s, uint32_t *seen, struct node_addresses *a);

#endif
