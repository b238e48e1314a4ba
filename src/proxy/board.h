#ifndef PROXY_BOARD_H
#define PROXY_BOARD_H

/*
 * What an operator changes while traffic flows: the weights, the owner of the writes, whether
 * writes are held, and the epoch of these values. Shared memory that survives the exec() of a new
 * program. One control thread writes it, and every worker of every process reads it.
 *
 * A worker reads the values after each wait, before it dispatches, and acknowledges their epoch in
 * its slot; every decision of that turn uses the worker's copy. So when each slot shows an epoch,
 * no later decision uses older values. The board has two copies of the values, and the number of
 * changes says which one is valid: a writer that is killed midway leaves the valid copy whole.
 *
 * Programs of several versions share a board, during an upgrade and after it.
 * - A program does not use a board of another major version.
 * - Within a major version all sizes and offsets stay as they are. A new member takes its bytes
 *   from
 *   `room`. Zero in a new member means what a program without this member did.
 * - A program uses a board of a newer minor version, and ignores the members that it does not know.
 *   It
 *   publishes what it has read with its own changes: values in `room` remain.
 * - A member that an older program must not ignore needs a new major version.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/log.h"
#include "proxy/plan.h"

#define BOARD_MAJOR 5
#define BOARD_MINOR 0
#define BOARD_SLOTS (WORKERS_MAX * PROCESSES_MAX)

/*
 * A worker holds writes in every phase except BOARD_PHASE_OPEN, including a phase that it does not
 * know.
 */
enum board_phase {
	BOARD_PHASE_OPEN,
	BOARD_PHASE_HOLD, /* no write gets an arm; a write that has one goes on */
};

struct board_values {
	uint64_t epoch; /* 0: nothing was ever published */
	uint32_t weights[ARMS];
	uint32_t rolled_back; /* bool: by a rollback; clients may not override it */
	uint32_t owner;	      /* enum arm: the cluster that takes the writes */
	uint64_t since;	      /* the epoch in which `owner` became the owner; 0: it always was */
	uint64_t deadline_ns; /* clock_monotonic_ns(): until when writes are held; 0: they are not
				 held */
	uint32_t phase;	      /* enum board_phase */
	uint32_t room_32;     /* zero */
	uint64_t room[10];    /* zero */
};

/* Whether writes must wait before they get an arm. */
static inline bool board_holds(const struct board_values *v)
{
	return v->phase != BOARD_PHASE_OPEN;
}

enum slot_state { SLOT_FREE, SLOT_TAKING, SLOT_TAKEN };

/* What a worker has in flight. */
struct board_counts {
	/* Weighted requests that were decided in the present epoch, and in earlier ones. */
	uint64_t in_flight_now, in_flight_before;
	/*
	 * Writes of every listener, from the choice of their arm to their end. A write whose client
	 * has gone counts too.
	 */
	uint64_t writes[ARMS];
};

struct board_slot {
	_Alignas(64) _Atomic uint32_t state; /* enum slot_state */
	_Atomic uint32_t pid, worker;
	_Atomic uint32_t retired; /* 1: the worker accepts no more connections, and ends after its
				     last one */
	_Atomic uint64_t acknowledged;
	/* As in board_counts, at the time of the acknowledgement or of a later turn. */
	_Atomic uint64_t in_flight_now, in_flight_before;
	_Atomic uint64_t writes[ARMS];
	uint64_t room[9]; /* zero when the slot is taken */
};

struct board {
	uint16_t major, minor;	  /* BOARD_MAJOR, BOARD_MINOR of the program that made the board */
	_Atomic uint32_t changes; /* its lowest bit says which copy is valid */
	uint64_t id; /* distinguishes this balancer from others, the same in all its processes:
			hop.h */
	struct log_lost log_lost; /* shared by all processes */
	uint64_t room[27];	  /* zero */
	struct board_values copies[2];
	struct board_slot slots[BOARD_SLOTS];
};

/* Makes fresh memory a board. The keeper calls it once. `id` must be one that nobody can guess. */
void board_format(struct board *b, uint64_t id);
/* Whether this memory is a board of our major version. */
bool board_fits(const struct board *b);
/*
 * Checks the relations between the board's members (base/checks.h). Other threads may read and
 * write the board meanwhile. A worker calls it at the end of each turn.
 */
void board_check(const struct board *b);

/* --- the only writer --- */

/*
 * Publishes `v`: the result of board_read() with changes. Its epoch must be greater than the
 * present one.
 */
void board_publish(struct board *b, const struct board_values *v);
/*
 * Returns how many taken slots have not acknowledged `epoch` yet. `in_flight_before` gets the
 * number of requests in flight that were decided in earlier epochs: a late slot's requests may be
 * counted twice, and none is missed. `late` gets the index of the first late slot.
 */
unsigned board_late(const struct board *b, uint64_t epoch, uint64_t *in_flight_before,
		    unsigned *late);
/* Writes in flight to each arm, as the taken slots show them. */
void board_writes(const struct board *b, uint64_t writes[ARMS]);
/* Frees the slots of a dead process. */
void board_free_slots_of(struct board *b, uint32_t pid);

/* --- readers --- */

struct board_values board_read(const struct board *b);
/* Takes a slot for a worker, with acknowledged epoch 0; NULL when all slots are taken. */
struct board_slot *board_take_slot(struct board *b, uint32_t pid, uint32_t worker);
void board_give_slot(struct board_slot *s);
/* Brings `v` up to date. True: `v` has another epoch, which the worker must acknowledge. */
bool board_look(const struct board *b, struct board_values *v);
/*
 * Shows that no later decision uses values before `epoch`. A reader that sees `epoch` sees these
 * counts or later ones.
 */
void board_acknowledge(struct board_slot *s, uint64_t epoch, const struct board_counts *c);
/* Shows the counts alone, at the end of a turn. */
void board_show(struct board_slot *s, const struct board_counts *c);

#endif
