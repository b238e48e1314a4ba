#ifndef TESTS_REPLAY_SIM_PLOT_H
#define TESTS_REPLAY_SIM_PLOT_H

/* The kind of world that a seed makes: its size, and what goes wrong. */

#include "io/sim.h"
#include "io/sim_disk.h"
#include "replay_sim/document_cluster.h"
#include "sim/dice.h"

#define PLOT_CLIENTS_MAX 8
#define PLOT_INDICES_MAX 4
#define PLOT_SHARDS 3
/* A member of documents that a replica may refuse. */
#define PLOT_REFUSED "\"k\":4"

/* What clients write. */
enum plot_kind {
	PLOT_DOCUMENTS,
	PLOT_QUERIES,
	PLOT_INDICES,
	PLOT_ALIASES,
	PLOT_VERSIONS, /* of the clients' own */
	PLOT_KINDS,
};

/* What the caller wants of all seeds. */
struct plot_wishes {
	bool late; /* requests to the replica act late in all worlds */
	bool kind_given, trouble_given;
	unsigned kinds;	  /* one bit each: of enum plot_kind */
	unsigned trouble; /* one bit each: of enum plot_trouble */
};

enum plot_trouble {
	TROUBLE_NETWORK,
	TROUBLE_OWNER,
	TROUBLE_REPLICA,
	TROUBLE_CRASHES, /* of clusters */
	TROUBLE_KILLS,	 /* of the balancer */
	TROUBLE_POWER,
	TROUBLE_DISK,
	TROUBLE_STOPS, /* of clusters' nodes */
	TROUBLE_HANDOVERS,
	TROUBLE_REFUSALS, /* the replica takes no document of PLOT_REFUSED */
	TROUBLES,
};

struct plot {
	unsigned clients, writes; /* writes of each client */
	unsigned indices, ids;
	unsigned sharded; /* one bit each: an index of PLOT_SHARDS; the others have one */
	unsigned kinds;	  /* one bit each: of enum plot_kind */
	unsigned think_ms_max;
	unsigned new_fields, routings, hidden_ids; /* chances, out of 1,000 */
	/*
	 * A field has one type in all indices. Where a balancer is killed all else is too much
	 * asked (docs/migration.md, What does not work yet).
	 */
	bool simple_indices;
	unsigned read_ms_max, commit_ms;
	unsigned in_flight;
	uint32_t operations, rate, wait_ms;
	size_t bulk_bytes;
	unsigned reloads; /* the chance that a turn of replay begins with one, out of 1,000 */
	struct sim_faults network;
	struct sim_disk_faults disk;
	struct cluster_faults faults[ARMS];
	unsigned nodes[ARMS];
	bool refuses; /* until somebody mends the replica: documents with PLOT_REFUSED */
	unsigned crashes, stops, kills, power_cuts, handovers; /* at most */
	unsigned pause_ms; /* the longest time between two of them */
	unsigned after_ms; /* what goes wrong does so for so long after the clients */
};

/* How fast replay may be. */
void plot_tune(struct plot *p, struct dice *d);
/* How many shards an index of that name has at the owner. */
unsigned plot_shards(const struct plot *p, const char *index);
/* The name of the i-th index. */
const char *plot_index(unsigned i);

void plot_make(struct plot *p, struct dice *d, const struct plot_wishes *wishes);

#endif
