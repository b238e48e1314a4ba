#ifndef TESTS_UNIT_PROXY_LONE_H
#define TESTS_UNIT_PROXY_LONE_H

/* One cluster of four nodes with an address each, as a worker lives with it. No connection is made.
 */

#include "unit/cmocka_all.h"

#include "proxy/cluster.h"

#define NODES 4

struct lone {
	struct node_state states[NODES];
	struct addr address;
	struct node nodes[NODES];
	struct cluster cluster;
	struct live_nodes all;
	struct live_cluster live;
};

/* The first so many of its nodes; all others are gone. */
static inline void lone_adopt(struct lone *l, size_t node_n)
{
	l->cluster.node_n = node_n;
	live_cluster_adopt(&l->live, &l->all, &l->cluster, 0);
}

/* Until it is adopted again nobody knows. */
static inline void lone_know(struct lone *l, unsigned node, const struct addr *at, unsigned n)
{
	struct node_addresses a = { .n = n };
	for (unsigned i = 0; i < n; i++)
		a.list[i] = at[i];
	node_state_set_addresses(&l->states[node], &a);
}

/* All zero before; who opens it adopts. */
static inline void lone_open(struct lone *l)
{
	addr_parse(SPAN("127.0.0.1"), 9200, &l->address);
	live_nodes_open(&l->all, NULL, NULL, NULL);
	live_cluster_open(&l->live);
	l->cluster = (struct cluster){ .name = "source", .nodes = l->nodes };
	for (uint32_t i = 0; i < NODES; i++) {
		l->states[i].number = i;
		atomic_store(&l->states[i].healthy, true);
		l->nodes[i] = (struct node){ .state = &l->states[i], .name = "n" };
		lone_know(l, i, &l->address, 1);
	}
}

static inline void lone_close(struct lone *l)
{
	live_nodes_close(&l->all);
	live_cluster_close(&l->live);
}

#endif
