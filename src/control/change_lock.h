#ifndef CONTROL_CHANGE_LOCK_H
#define CONTROL_CHANGE_LOCK_H

/*
 * At most one change of weights, owner or drains at a time. A change holds the lock from the moment
 * it takes its epoch until it is in force. Other changes wait in order, for CHANGE_WAIT_MS at most:
 * an operator must learn of a disk that does not answer. Only a rollback works without the lock.
 */

#include <stdbool.h>

#include "base/wheel.h"

#define CHANGE_WHAT_BYTES 256

struct change_claim {
	void (*begins)(struct change_claim *c); /* the claim has the lock now */
	/*
	 * The claim has waited for CHANGE_WAIT_MS. `handed_over`: another process makes changes
	 * now.
	 */
	void (*refused)(struct change_claim *c, bool handed_over);
	/* Used by change_lock.c only. */
	struct change_lock *lock;
	struct list link; /* in lock->waiting */
	struct timer late;
	char what[CHANGE_WHAT_BYTES];
};

struct change_lock {
	struct wheel *wheel; /* borrowed */
	struct list waiting;
	bool held, closed;
	char what[CHANGE_WHAT_BYTES]; /* the change that holds the lock, and who made it */
};

void change_lock_open(struct change_lock *l, struct wheel *wheel);
/* Refuses the claims that wait, and all later ones. The change that holds the lock goes on. */
void change_lock_hand_over(struct change_lock *l);
/* This process makes changes, for the first time or again. */
void change_lock_begin(struct change_lock *l);

/*
 * True: the claim has the lock now. False: begins() or refused() follows, unless the claim is
 * dropped.
 */
bool change_lock_take(struct change_lock *l, struct change_claim *c, const char *what);
/* The change is in force, or has failed: the next claim gets the lock. */
void change_lock_give(struct change_lock *l);
/* Takes the claim out of the queue, if it is there. */
void change_claim_drop(struct change_claim *c);

#endif
