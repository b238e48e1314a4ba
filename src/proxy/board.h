#ifndef PROXY_BOARD_H
#define PROXY_BOARD_H

/*
 * What an operator changes while traffic flows: the two weights and their epoch. Shared memory that
 * outlives executions, written by one control thread and read by every worker of every process.
 *
 * A worker copies the values after each wait, before it dispatches, and acknowledges their epoch in
 * its slot; every decision of that turn uses the copy. So when each slot shows an epoch, no later
 * decision uses older weights. The values stand twice, and the number of changes says which copy is
 * valid: a writer that is killed midway hurts nobody.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/log.h"
#include "proxy/plan.h"

#define BOARD_VERSION 4
#define BOARD_SLOTS (WORKERS_MAX * PROCESSES_MAX)

struct board_values {
	uint64_t epoch; /* 0: nothing was ever published */
	uint32_t weights[ARMS];
	uint32_t rolled_back; /* bool: by a rollback; clients may not override it */
};

enum slot_state { SLOT_FREE, SLOT_TAKING, SLOT_TAKEN };

struct board_slot {
	_Alignas(64) _Atomic uint32_t state; /* enum slot_state */
	_Atomic uint32_t pid, worker;
	_Atomic uint32_t retired; /* 1: it takes no more connections, and ends behind its last */
	_Atomic uint64_t acknowledged;
	/* Requests on their way that were decided under the acknowledged epoch, and under earlier
	 * ones. */
	_Atomic uint64_t in_flight_now, in_flight_before;
};

struct board {
	uint32_t version;
	_Atomic uint32_t changes; /* its lowest bit says which copy is valid */
	uint64_t id;	  /* of this balancer among others, the same in all its processes: hop.h */
	uint64_t room[8]; /* zero */
	struct board_values copies[2];
	struct board_slot slots[BOARD_SLOTS];
	struct log_lost log_lost; /* by all processes: it is theirs together */
};

/* Makes fresh memory a board: the keeper, once. The id is one that nobody can guess. */
void board_format(struct board *b, uint64_t id);
/* Whether this memory is a board of our version. */
bool board_fits(const struct board *b);

/* --- the one writer --- */

/* Publishes; the epoch must be greater than the present one. */
void board_publish(struct board *b, const struct board_values *v);
/*
 * Counts the taken slots that have not acknowledged `epoch` yet, and adds up the requests decided
 * under earlier epochs that are still on their way. `late` gets the first late slot's index.
 */
unsigned board_late(const struct board *b, uint64_t epoch, uint64_t *in_flight_before,
		    unsigned *late);
/* Frees the slots of a process that is dead. */
void board_free_slots_of(struct board *b, uint32_t pid);

/* --- readers --- */

struct board_values board_read(const struct board *b);
/* A slot for a worker; NULL when all are taken. It counts as having acknowledged what it reads
 * next. */
struct board_slot *board_take_slot(struct board *b, uint32_t pid, uint32_t worker);
void board_give_slot(struct board_slot *s);
/* Reads, and acknowledges what was read. */
struct board_values board_acknowledge(const struct board *b, struct board_slot *s);

#endif
