#ifndef TESTS_REPLAY_SIM_DOCUMENT_CLUSTER_H
#define TESTS_REPLAY_SIM_DOCUMENT_CLUSTER_H

/*
 * A cluster of one node on the simulated network, with documents in memory. What it does is that of
 * the sample cluster (src/sample/sample.h); what goes wrong is the model's: it refuses, is slow,
 * breaks connections before or after it has acted, acts when nobody waits any more, crashes and
 * comes back with what it has acknowledged.
 */

#include "sample/sample.h"
#include "io/io.h"
#include "proxy/plan.h"
#include "sim/peer.h"
#include "replay_sim/message.h"

struct world;

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

struct document_cluster {
	struct world *world;
	enum arm arm;
	struct sample sample;
	struct cluster_faults faults;
	struct addr at;
	struct bufs bufs;
	struct io *io; /* owned; NULL: it has crashed */
	struct sock *sock;
	struct io_op accept;
	struct list conns, jobs;
	struct timer second, back;
	bool leaving;
	uint64_t requests, late_acts, crashes;
};

void document_cluster_open(struct document_cluster *c, struct world *w, enum arm arm);
void document_cluster_turn(struct document_cluster *c);
/* It is away for so long. */
void document_cluster_crash(struct document_cluster *c, unsigned away_ms);
/* Nothing is under way, and nothing will act by itself. */
bool document_cluster_is_quiet(const struct document_cluster *c);
/* Accepts no more, and closes its connections. */
void document_cluster_leave(struct document_cluster *c);
bool document_cluster_has_left(const struct document_cluster *c);
void document_cluster_close(struct document_cluster *c);

#endif
