#ifndef TESTS_SIM_LEDGER_H
#define TESTS_SIM_LEDGER_H

/*
 * The state of the capture log, and its invariants. While a world runs, the ledger reads with a
 * reader of its own what would survive a power cut at that moment. After a crash and at the end it
 * reads what recovery leaves, with the product's reader.
 *
 *   durable first          no request that must wait is whole at a node before all of it is durable
 *   an outcome first       no client has the end of a response before its outcome is durable
 *   refused is not there   a request that was refused because of the log is not recorded as sent,
 *                          and was not sent
 *   what was done is there as it was sent, with the outcome that its client knows; and nothing is
 *                          missing where all had been durable
 *   a gap is told          what passed without a record is counted, and the log reports it when it
 *                          can, or the counts that its process leaves show what is not reported.
 *                          A kill loses none of these counts. A power cut loses those that were not
 *                          saved, and then a gap gives the time when the log was unavailable
 *   the log returns        a moment after its disk does
 *   nothing comes late     no record becomes durable with a time up to which the log had said that
 *                          all is durable
 *   nothing stays open     an exchange that is over has its outcome in the log of a process that
 *                          lives, when that log is back and has written its queue
 */

#include <stdbool.h>
#include <stdint.h>

#include "capture/policy.h"

struct world;
struct ask;
struct exchange;
struct http_reader;

/* The record of one request. */
struct entry {
	bool recorded; /* the log should have a record of it */
	unsigned process;
	struct capture_policy policy;
	/* Its identity in the log. */
	uint64_t generation, connection;
	uint32_t ordinal;
	uint16_t worker;
	uint64_t body_n;
	bool head, whole, told;		      /* durable now */
	bool found, found_whole, found_equal; /* what the product's reader found; `found_equal`: the
						 bytes are equal */
	bool found_outcome;
	uint8_t outcome;
	bool unrecorded, untold; /* the request passed without a record, or without an outcome, and
				    that was counted */
	bool refused;
	bool record_lost; /* its record was lost with the directory */
};

#define SIM_GENERATIONS 16
#define SIM_LOG_FILES 512

struct told {
	uint64_t reads, writes, outcomes;
};

/* Gaps with GAP_AT_LEAST. */
#define SIM_UNCERTAIN_MAX 64
struct span_of_time {
	uint64_t first_wall_ns, last_wall_ns;
};

struct ledger {
	uint64_t at[SIM_LOG_FILES];	   /* bytes read so far of each file; 0: none */
	struct told told[SIM_GENERATIONS]; /* what durable gaps report */
	/* As of the last look: all records of a series before this time were there. */
	uint64_t until_ns[SIM_GENERATIONS];
	struct told told_at_last[SIM_GENERATIONS];
	uint64_t lost_n[SIM_GENERATIONS], lost_ms[SIM_GENERATIONS]; /* each process's latest loss */
	struct span_of_time uncertain[SIM_UNCERTAIN_MAX];
	unsigned uncertain_n;
	bool damaged;
};

/* The arm of a request is decided. */
void ledger_decided(struct world *w, unsigned worker, const struct exchange *ex, struct ask *a);
/* A node has the request's head, and `body_n` bytes of its body. */
void ledger_heard(struct world *w, struct ask *a, uint64_t body_n);
/* A node has the whole request. */
void ledger_arrived(struct world *w, struct ask *a);
/* The client has a whole response: a node's, or the balancer's "capture_unavailable". */
void ledger_responded(struct world *w, struct ask *a);
void ledger_refused(struct world *w, struct ask *a);
/* The log's directory is lost. */
void ledger_directory_lost(struct world *w);
/* Called after recovery, and at the end. */
void ledger_read(struct world *w);
void ledger_close(struct world *w);
/* Called when nothing more happens at this point of time. */
void ledger_instant(struct world *w);

/* Whether all of the request must be durable before a node has it. */
bool ledger_must_wait(const struct ask *a);

#endif
