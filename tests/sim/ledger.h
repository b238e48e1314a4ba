#ifndef TESTS_SIM_LEDGER_H
#define TESTS_SIM_LEDGER_H

/*
 * What is known of the capture log, and judged. While a world runs, by what would outlast a power
 * cut at this moment, read by a reader of our own; behind a crash and at the end, by what recovery
 * leaves, read by the product's.
 *
 *   durable first          no request that must wait is whole at a node before all of it is durable
 *   an outcome first       nor has its client the end of the answer before the outcome is
 *   refused is not there   what was refused for the log's sake is not in it as sent, and was not
 *   what was done is there as it was sent, with the outcome that its client knows; and nothing is
 *                          missing where all had been durable
 *   a gap is told          what passed without a record is counted, and the log tells of it when it
 *                          can, or what is left of its process says what is not told yet; a kill
 *                          takes nothing of that, a power cut what was not kept, and then a gap
 * says from when to when the log was away the log returns        a moment after its disk does
 */

#include <stdbool.h>
#include <stdint.h>

#include "capture/policy.h"

struct world;
struct ask;
struct exchange;
struct hearer;

/* Of a request. */
struct entry {
	bool recorded; /* it is one whose record there should be */
	unsigned process;
	struct capture_policy policy;
	/* How the log names it. */
	uint64_t generation, connection;
	uint32_t ordinal;
	uint16_t worker;
	uint64_t body_n;
	bool head, whole, told;	      /* durable at this moment */
	bool there, all_there, right; /* as the product's reader found it; `right`: its bytes are */
	bool outcome_there;
	uint8_t outcome;
	bool unrecorded, untold; /* it passed so, and was counted */
	bool refused;
	bool forgiven; /* the directory went with its record */
};

#define SIM_GENERATIONS 16
#define SIM_LOG_FILES 512

struct told {
	uint64_t reads, writes, outcomes;
};

/* Gaps that say that there may be more. */
#define SIM_UNCERTAIN_MAX 64
struct span_of_time {
	uint64_t first_wall_ns, last_wall_ns;
};

struct ledger {
	uint64_t at[SIM_LOG_FILES];	   /* of each file, what was read; 0: nothing */
	struct told told[SIM_GENERATIONS]; /* by durable gaps */
	struct told told_at_last[SIM_GENERATIONS];
	uint64_t lost_n[SIM_GENERATIONS],
		lost_ms[SIM_GENERATIONS]; /* of each process: the latest */
	struct span_of_time uncertain[SIM_UNCERTAIN_MAX];
	unsigned uncertain_n;
	bool damaged;
};

/* Its arm is known. */
void ledger_decided(struct world *w, unsigned worker, const struct exchange *ex, struct ask *a);
/* Its head is at a node, and so many bytes of its body. */
void ledger_heard(struct world *w, struct ask *a, uint64_t body_n);
/* All of it is at a node. */
void ledger_arrived(struct world *w, struct ask *a);
/* Its client has all of an answer: a node's, or ours with that word. */
void ledger_answered(struct world *w, struct ask *a);
void ledger_refused(struct world *w, struct ask *a);
/* The directory goes. */
void ledger_forgive(struct world *w);
/* Behind recovery, or when all is over. */
void ledger_read(struct world *w);
void ledger_close(struct world *w);
/* A moment is over. */
void ledger_moment(struct world *w);

/* The disk has to have all of it before a node has. */
bool ledger_must_wait(const struct ask *a);

#endif
