#ifndef REPLAY_PARKED_H
#define REPLAY_PARKED_H

/*
 * Indices that the replica takes nothing of: their keys are parked (replay/keys.h), and hold up
 * nobody. Each is looked at again after a while, which becomes longer; when it is well its keys go
 * on. An index that is refused again soon behind that has the next longer while.
 */

#include "base/list.h"
#include "replay/keys.h"

struct parked {
	struct list list;  /* of struct parked_index */
	struct keys *keys; /* borrowed */
	size_t n;	   /* that are parked now */
};

void parked_open(struct parked *p, struct keys *keys);
void parked_close(struct parked *p);

/* The replica refuses it, because of `why`, which is a sentence. */
void parked_add(struct parked *p, struct span index, const char *why, uint64_t now_ms);
/* Calls `want` with each whose while is over; false: there is none. */
bool parked_each_due(const struct parked *p, uint64_t now_ms,
		     void (*want)(void *user, struct span index), void *user);
/* It was looked at, and the replica takes it: its keys go on. It may be none. */
void parked_is_well(struct parked *p, struct span index, uint64_t now_ms);
/* When the next one is due, in the clock of the callers; UINT64_MAX: none is parked. */
uint64_t parked_due_ms(const struct parked *p);
/* Of the one that was refused last; "": none is parked. */
const char *parked_why(const struct parked *p);

#endif
