#ifndef TESTS_REPLAY_SIM_DOCUMENT_CLUSTER_H
#define TESTS_REPLAY_SIM_DOCUMENT_CLUSTER_H

/*
 * A cluster of one or two nodes on the simulated network, with documents in memory. What it does is
 * that of the sample cluster (src/sample/sample.h); what goes wrong is the model's: it refuses, is
 * slow, breaks connections before or after it has acted, acts when nobody waits any more. A node
 * crashes, while another may act still for it, and comes back with what it has acknowledged; or it
 * is stopped, as by SIGSTOP, and reads and acts when it goes on.
 */

#include "sample/sample.h"
#include "io/io.h"
#include "proxy/node_state.h"
#include "proxy/plan.h"
#include "sim/peer.h"
#include "replay_sim/message.h"

struct world;

#define CLUSTER_NODES_MAX 2

/* Chances are out of 1,000, for each request. All 0: it works. */
struct cluster_faults {
	unsigned refuses; /* 429, 503, or 403 of an index block, and nothing is done */
	unsigned breaks;  /* the connection is reset, and nothing is done */
	unsigned loses;	  /* it is done, and the connection is reset in place of the response */
	unsigned holds;	  /* it is done, and answered up to slow_ms_max later */
	unsigned slow;	  /* done and answered up to slow_ms_max later */
	unsigned slow_ms_max;
	/* The connection is reset, and the request is done up to late_ms_max later. A slow one
	 * whose connection breaks is done all the same, too. */
	unsigned late;
	unsigned late_ms_max;
};

struct cluster_node {
	struct document_cluster *cluster;
	struct addr at;
	struct bufs bufs;
	struct io *io; /* owned; NULL: it has crashed */
	struct sock *sock;
	struct io_op accept;
	struct list conns;
	bool stopped, missed; /* missed: it is part of its cluster, and does not respond there */
	struct timer back, put_out, check;
	struct node_state *state; /* borrowed: what health checks say of it */
};

struct document_cluster {
	struct world *world;
	enum arm arm;
	struct sample sample;
	struct cluster_faults faults;
	struct cluster_node nodes[CLUSTER_NODES_MAX];
	unsigned node_n;
	struct list jobs;
	struct timer second;
	bool leaving;
	bool refuses; /* documents with PLOT_REFUSED */
	uint64_t requests, late_acts, crashes, stops;
};

/*
 * In that world the owner has templates that say how many shards an index has, and the replica may
 * refuse documents (plot.h); NULL: in none. The linker leads the making of indices, and operations,
 * here (CMakeLists.txt).
 */
void document_clusters_are_of(struct world *w);

void document_cluster_open(struct document_cluster *c, struct world *w, enum arm arm,
			   unsigned node_n);
void document_cluster_turn(struct document_cluster *c);
/* Whether it is a document that the replica may refuse. */
bool document_cluster_may_refuse(struct span source);
/* One of its nodes is away for so long; or stands still. */
void document_cluster_crash(struct document_cluster *c, unsigned away_ms);
void document_cluster_stop(struct document_cluster *c, unsigned away_ms);
/* Health checks write there what they find of its i-th node. */
void document_cluster_is_checked(struct document_cluster *c, unsigned i, struct node_state *state);
/* Nothing is under way, and nothing will act by itself. */
bool document_cluster_is_quiet(const struct document_cluster *c);
/* Accepts no more, and closes its connections. */
void document_cluster_leave(struct document_cluster *c);
bool document_cluster_has_left(const struct document_cluster *c);
void document_cluster_close(struct document_cluster *c);

#endif
