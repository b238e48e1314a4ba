#ifndef REPLAY_UNHEARD_H
#define REPLAY_UNHEARD_H

/*
 * What replay has sent to the replica and not heard of: no response came, or none that says that
 * the cluster is done with it. It may act still, and would bring an older document back. So each
 * write of replay's has an X-Opaque-Id of its own, by which the replica's `_tasks` shows it, and
 * one that was not heard of is waited for until it can act no more:
 *
 *   1. `_tasks` was answered for all nodes, and does not show it;
 *   2. each node of the replica that this process may send to passes its health check: a node that
 *      is stopped may have the request in its kernel still, where it is no task yet;
 *   3. 1 and 2 were so at each look, every UNHEARD_LOOK_MS, for UNHEARD_SETTLE_MS: a node that
 *      answers has read by then what its kernel holds for it.
 *
 * Before a process sends anything, the same is asked of all ids of replay, whoever gave them.
 * One thread.
 */

#include "replay/ask.h"
#include "replay/unheard_wait.h"

#define UNHEARD_TROUBLE_BYTES 256

struct unheard {
	struct ask ask;
	enum arm replica;
	uint64_t process; /* random */
	uint64_t last;	  /* number of the last id */
	struct list waits;
	size_t n;
	struct unheard_wait start; /* of all ids, before anything is sent */
	bool begun, started;
	bool left; /* nobody waits any more */
	bool lost; /* something was not heard of, and nobody waits for it */
	uint64_t not_before_ms;
	char trouble[UNHEARD_TROUBLE_BYTES]; /* why what waits is waited for still; "": nothing does
					      */
};

void unheard_open(struct unheard *u, struct subrequests *subrequests, enum arm replica,
		  uint64_t seed);
/* As ask_close(). */
void unheard_close(struct unheard *u);

/* How many are waited for, without the start. */
size_t unheard_n(const struct unheard *u);

/* Whether this process may send: false until what others have sent can act no more. */
bool unheard_may_begin(struct unheard *u);
/* The process before has heard of all that it sent: nothing is asked. */
void unheard_need_not_begin(struct unheard *u);
/* Another process may have sent since: it is asked again. */
void unheard_begin_anew(struct unheard *u);

/* Each turn. */
void unheard_turn(struct unheard *u);
/* The loop's milliseconds; UINT64_MAX: nothing is due. */
uint64_t unheard_due_ms(const struct unheard *u);
/* The process ends: all waits are over, and the next process asks. */
void unheard_leave(struct unheard *u);
/* After unheard_leave(), and all writes of ours have ended: whether all were heard of. */
bool unheard_has_heard_all(const struct unheard *u);

/* --- pure, for tests --- */

/* What a response to _tasks says of a task whose id is, or begins with, `id`. */
enum unheard_said {
	UNHEARD_CLEAR, /* all nodes have answered, and none has it */
	UNHEARD_ACTS,
	UNHEARD_NOT_SAID, /* not all nodes have answered */
};

enum unheard_said unheard_read(const json_t *tasks, const char *id);

#endif
