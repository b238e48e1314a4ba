#ifndef PROXY_NODE_STATE_H
#define PROXY_NODE_STATE_H

/*
 * The state of a node that outlives plans. All workers of the process share it; control is the only
 * writer. Workers read its words with relaxed loads, and copy its addresses when their mailbox says
 * that something has changed (struct worker_mailbox, node_admin).
 *
 * Each address has an index, which is also its bit in the masks beside the list. An address keeps
 * its index for as long as it is known.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "io/addr.h"

/* What an operator demands of a node. */
enum node_duty {
	DUTY_READY,
	DUTY_DRAINED, /* no new requests; those in flight go on */
	DUTY_CUT,     /* requests in flight end too: the delay is over */
};

/* The addresses of a node's name. */
struct node_addresses {
	unsigned n;	/* length of the used part of `list` */
	uint64_t spare; /* mask of addresses that the newest look-up lacks: second choice */
	struct addr list[NODE_ADDRESSES_MAX]; /* AF_UNSPEC: the index is free */
};

struct node_state {
	uint32_t number; /* < NODES_MAX; index of the workers' tables */
	atomic_bool healthy;
	atomic_bool awaited;	     /* the first look-up is in progress: requests wait for it */
	_Atomic uint32_t recoveries; /* how often health checks have found it healthy again */
	_Atomic uint32_t duty;	     /* enum node_duty */
	_Atomic uint64_t ill;	     /* mask of addresses that fail their health checks */
	_Atomic uint32_t changes;    /* counts changes of `addresses` */
	pthread_mutex_t lock;	     /* protects `addresses`; held only to copy them */
	struct node_addresses addresses;
};

/* For control, which must notify the workers afterwards. */
void node_state_set_addresses(struct node_state *s, const struct node_addresses *a);
/* Copies the addresses and updates *seen. False: there is no change since *seen. */
bool node_state_look(struct node_state *s, uint32_t *seen, struct node_addresses *a);

#endif
