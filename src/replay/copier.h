#ifndef REPLAY_COPIER_H
#define REPLAY_COPIER_H

/*
 * Copies keys: a batch of them is read at the owner by _mget and written to the replica by _bulk.
 * Several batches are in flight at a time, each in a lane of its own; a key is in one lane at a
 * time (replay/keys.h). Before a bulk goes to the replica, the indices of its documents are brought
 * there (replay/surroundings.h): after they were read, so that no document is newer than its
 * mapping.
 */

#include "replay/batch.h"
#include "replay/keys.h"
#include "replay/surroundings.h"
#include "replay/tuning.h"
#include "replay/unheard.h"

struct copier;

/* keys_write.marks: its versions are the client's own. */
#define COPIER_MARK_EXTERNAL 1
/* The same: the owner is searched for it, whatever routing it may have. */
#define COPIER_MARK_SEARCH 2
/* The replica had a newer version of it; and had it still when a deletion is forgotten. */
#define COPIER_MARK_NEWER 4
#define COPIER_MARK_NEWEST 8
/* The replica has refused it once. */
#define COPIER_MARK_REFUSED 16

struct copier_config {
	struct subrequests *subrequests; /* borrowed */
	struct unheard *unheard;	 /* borrowed */
	struct keys *keys;		 /* borrowed */
	enum arm owner;
	/*
	 * A key that is not copied again is about to leave the table, with that verdict. `e`: what
	 * the replica said of it, if it refuses it. Texts are borrowed for the call.
	 */
	void (*over)(void *user, const struct keys_taken *t, const struct copy *c,
		     const struct cluster_error *e);
	void *user;
};

struct copier_counts {
	uint64_t copies, deletes; /* that the replica has acknowledged */
	uint64_t batches, again;  /* keys that are copied once more */
	uint64_t refused, unreadable;
	uint64_t owner_failures, replica_failures; /* requests without a good response */
};

struct copier *copier_open(const struct copier_config *c);
/* copier_is_quiet() only. */
void copier_close(struct copier *c);

/* Before the first turn. Batches that are in flight end as they have begun. */
void copier_tune(struct copier *c, const struct tuning *t);
/* Gives keys to lanes that are idle. Each turn. */
void copier_turn(struct copier *c);
/* When copier_turn() has something to do, in the loop's milliseconds; UINT64_MAX: not by itself. */
uint64_t copier_due_ms(struct copier *c);
/* Begins no further batch; those in flight end. */
void copier_pause(struct copier *c, bool paused);
/* Breaks off what is in flight: its keys wait again. */
void copier_stop(struct copier *c);
/* Batches that have begun, from 1; and the oldest of those in flight, UINT64_MAX: there are none.
 */
uint64_t copier_begun_batches(const struct copier *c);
uint64_t copier_oldest_batch(const struct copier *c);
/* Nothing is in flight, and every subrequest is idle. */
bool copier_is_quiet(const struct copier *c);

const struct copier_counts *copier_counts(const struct copier *c);
struct surroundings *copier_surroundings(struct copier *c);
/*
 * Something around documents of the index may be another one at the owner: it and all that are
 * known are looked at. `index` may be a pattern, a list, or empty.
 */
void copier_surroundings_changed(struct copier *c, struct span index);
/* What a cluster said last that was no success, and which; "": it is well. */
const char *copier_trouble(const struct copier *c);

#endif
