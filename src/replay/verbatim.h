#ifndef REPLAY_VERBATIM_H
#define REPLAY_VERBATIM_H

/*
 * The order in which recorded requests are sent once more. A request may begin when all those that
 * had ended at the owner before it began there are done. Those that overlapped at the owner may
 * overlap again. No I/O, no clock: `began` and `ended` are places in the log.
 *
 *     verbatim_add()        in the order in which they ended
 *     verbatim_next() ...   requests that may begin now, the one that began first first
 *     verbatim_done()
 */

#include <stdint.h>

#include "base/list.h"

struct verbatim_item {
	struct list link; /* in verbatim->unfinished */
	uint64_t began, ended;
	bool waits;
};

struct verbatim {
	struct list unfinished;	      /* in the order of `ended` */
	struct verbatim_item **waits; /* owned: a heap by `began` */
	size_t n, room;
	uint64_t last; /* `ended` of the request that was added last */
};

void verbatim_open(struct verbatim *v);
/* Nothing must be unfinished. */
void verbatim_close(struct verbatim *v);

/* began < ended, and no request that was added before has ended later. */
void verbatim_add(struct verbatim *v, struct verbatim_item *i);
/* A request that may begin, and has begun with this call. NULL: none may. */
struct verbatim_item *verbatim_next(struct verbatim *v);
/* It has begun, and others need not wait for it any more. */
void verbatim_done(struct verbatim *v, struct verbatim_item *i);
/* The unfinished request that ended first; NULL: there is none. */
struct verbatim_item *verbatim_oldest(const struct verbatim *v);

/*
 * Takes one out that has not begun, in any order; NULL: there is none. For the end, and before
 * verbatim_begin_anew().
 */
struct verbatim_item *verbatim_drop(struct verbatim *v);
/* None waits. What is added from now on has other places, and begins after all that has begun. */
void verbatim_begin_anew(struct verbatim *v);

static inline size_t verbatim_waiting(const struct verbatim *v)
{
	return v->n;
}

/* Checks the invariants of the members (base/checks.h). */
void verbatim_check(const struct verbatim *v);

#endif
