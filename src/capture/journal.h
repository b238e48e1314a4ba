#ifndef CAPTURE_JOURNAL_H
#define CAPTURE_JOURNAL_H

/*
 * The capture log of one working process: a series of segments, written in one order for all
 * workers by one thread. It is a state machine over the disk's completions, so that the simulator
 * can stall, tear and fail what the disk does. The journal neither copies nor frees what workers
 * hand over.
 *
 * One write-out takes all batches that are there: frames are numbered, written behind a commit
 * frame that says what was durable before, and synced once. When a write or a sync fails, the
 * segment is cut back to what was durable and closed, the waiting batches fail, and a new segment
 * is tried every LOG_PROBE_MS. Its first records are a gap with the requests that passed meanwhile,
 * and the outcomes that were lost. Those outcomes count as bytes that wait for the disk: where
 * there are very many, nothing new is recorded before they are written.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/latency.h"
#include "capture/batch.h"
#include "capture/frame.h"
#include "capture/unrecorded.h"
#include "io/disk.h"

struct journal;
struct feed;

struct journal_config {
	struct disk *disk; /* borrowed */
	uint8_t boot[16];
	uint64_t generation;
	const char *node;		 /* copied: the host's name */
	uint64_t (*now_ns)(void *world); /* the monotonic clock, read while the disk works */
	uint64_t (*rng)(void *world);	 /* random numbers, for the ids of segments */
	void *world;
	uint64_t segment_bytes;
	uint64_t commit_ns;   /* least time between syncs; 0: a sync as soon as somebody waits */
	uint64_t queue_bytes; /* bytes that may wait for the disk */
	/* borrowed: the losses that gaps report; NULL: none */
	struct unrecorded_process *unrecorded;
	void (*keep)(void *world); /* makes `unrecorded` outlast a power cut; may be NULL */
	const struct record_damage *damages; /* copied: reported in the first segment */
	unsigned damage_n;		     /* at most DAMAGES_MAX */
	void (*wake)(void *world); /* called from any thread: journal_turn() must be called */
	/*
	 * The last sequence that the follower has acknowledged: waiters wait for that too. NULL:
	 * for the disk only.
	 */
	uint64_t (*acknowledged)(void *world);
};

/* For status and metrics: one writer, the journal's thread. */
struct journal_counts {
	_Atomic uint64_t frames, bytes, commits, segments, failures, gaps;
	_Atomic uint64_t durable_sequence, durable_wall_ns;
	/*
	 * All that was put before this time is durable, or will never be in the log; and nothing
	 * more will be put with an earlier time. It moves on by itself while nothing is under way.
	 */
	_Atomic uint64_t until_mono_ns, until_wall_ns;
	struct latency commit_times; /* of write-outs, from the beginning to the end of the sync */
	_Atomic uint64_t batches;    /* that were written out */
	/* waiters of those batches; divided by commits: the size of a group */
	_Atomic uint64_t waits;
};

enum journal_state {
	JOURNAL_STARTING,
	JOURNAL_AVAILABLE,
	/*
	 * No new request may begin. Batches that are pushed fail at once; but at the limit of
	 * journal_limit() they are written.
	 */
	JOURNAL_UNAVAILABLE,
	JOURNAL_OVER,
};

struct journal *journal_open(const struct journal_config *c);
/* The journal must be JOURNAL_OVER. */
void journal_close(struct journal *j);

/* --- from any thread --- */

enum journal_state journal_state(const struct journal *j);
/* -errno of what made the journal unavailable; 0: nothing did. */
int journal_error(const struct journal *j);
const struct journal_counts *journal_counts(const struct journal *j);
/*
 * The directory may take `more` bytes. After that the log is unavailable (-EDQUOT) until more are
 * allowed; exchanges under way are still written, for a segment's bytes more. UINT64_MAX: no limit.
 */
void journal_limit(struct journal *j, uint64_t more);
bool journal_is_full(const struct journal *j);
/*
 * The follower whose acknowledgment is waited for is late: a request that needs it cannot be
 * served.
 */
bool journal_is_late(const struct journal *j);
/* The number of bytes that wait for the disk; how many more may wait. */
uint64_t journal_queued(const struct journal *j);
uint64_t journal_room(const struct journal *j);
/* Registers a feed that puts to the journal, for as long as the journal lives. */
void journal_add(struct journal *j, struct feed *f);
/* Frames that are put from now on may not have an earlier time. */
uint64_t journal_floor_ns(const struct journal *j);
/* Hands over a worker's batch; feed_settled() gives it back. */
void journal_push(struct journal *j, struct batch *b);
/* Something was lost: the journal writes a gap for it, even if nothing more is pushed. */
void journal_look(struct journal *j);
/* What was handed over must be written now, as if somebody waited for it: its memory is needed. */
void journal_hurry(struct journal *j);
/*
 * The writes have another owner, or the same owner in another epoch. From now on segments begin
 * with it, and it is written at once. Called before workers learn of it, so that no record which
 * the new owner decided comes before it.
 */
void journal_owner(struct journal *j, const struct record_owner *owner);
/* The latest owner that is durable; zeros: none is. */
struct record_owner journal_owner_durable(struct journal *j);

/* --- the journal's own thread --- */

/*
 * Starts the next operation, if the disk is idle. Called when the disk has completed one, after
 * `wake`, and at journal_deadline_ns().
 */
void journal_turn(struct journal *j, uint64_t mono_ns, uint64_t wall_ns);
void journal_check(const struct journal *j);
/* UINT64_MAX: there is nothing to do before a push. */
uint64_t journal_deadline_ns(const struct journal *j);
/* Writes what is there, seals the series and becomes JOURNAL_OVER, even where the disk fails. */
void journal_stop(struct journal *j);

#endif
