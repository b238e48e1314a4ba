#ifndef REPLAY_COMPARE_JUDGE_H
#define REPLAY_COMPARE_JUDGE_H

/*
 * Whether documents are the same at both clusters, while clients write. A batch of keys is looked
 * at in three steps: at the owner (versions alone), then, when the replica has all that was
 * answered by then, at the replica, then at the owner again. A document whose version at the owner
 * is another one at the second look says nothing: it is looked at again, some times.
 *
 * Nor is a difference believed at once. A write that is applied and not answered yet is no work of
 * replay's. So the key is looked at once more, when all writes that had begun by the time of that
 * look are answered and copied; if owner and replica have the versions of before, and differ still,
 * nobody is about to change it.
 */

#include "replay/compare_json.h"
#include "replay/subrequest.h"

struct judge;

enum judge_verdict {
	JUDGE_EQUAL,
	JUDGE_DIFFERENT, /* both have it; `what` says where they differ */
	JUDGE_MISSING,	 /* the owner has it, the replica has not */
	JUDGE_EXTRA,	 /* the replica has it, the owner has not */
	JUDGE_MOVING,	 /* it was written at each look */
	JUDGE_UNKNOWN,	 /* `what` says why */
	/* Of a key of the replica: the owner has it too, nothing else was looked at. */
	JUDGE_PASSED,
};

struct judge_key {
	struct span index, id, routing; /* borrowed for the call; routing empty: none */
	/* The replica's: it is passed where the owner has the document. */
	bool of_replica;
	/* The caller's own, told with it: a key of the log (replay/compare_touched.h), its number.
	 */
	bool is_touched;
	uint32_t number;
};

struct judge_config {
	struct subrequests *subrequests; /* borrowed */
	enum arm owner;
	/*
	 * Wall time in nanoseconds: every write that was answered before (`begun`: that had begun
	 * before) is at the replica.
	 */
	uint64_t (*copied)(void *user, bool begun);
	/* Texts are borrowed for the call. judge_add() is not to be called in it. */
	void (*told)(void *user, const struct judge_key *k, enum judge_verdict verdict,
		     const char *what);
	void *user;
};

struct judge *judge_open(const struct judge_config *c);
/* judge_is_quiet() only. */
void judge_close(struct judge *j);

bool judge_has_room(const struct judge *j);
/* False: there are too many; later. */
bool judge_add(struct judge *j, const struct judge_key *k);
void judge_turn(struct judge *j);
/* The loop's milliseconds; UINT64_MAX: not by itself. */
uint64_t judge_due_ms(const struct judge *j);
/* All keys were told of. */
bool judge_is_done(const struct judge *j);
/* Forgets all keys, and breaks off what is under way. */
void judge_stop(struct judge *j);
bool judge_is_quiet(const struct judge *j);
/* What keeps it from going on for too long already: nobody can tell. NULL: nothing does. */
const char *judge_failure(struct judge *j);

#endif
