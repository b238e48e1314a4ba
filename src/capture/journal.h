#ifndef CAPTURE_JOURNAL_H
#define CAPTURE_JOURNAL_H

/*
 * The capture log of one working process: a series of segments, written in one order for all
 * workers by one thread. A machine of states over the disk's completions, so that the simulator can
 * stall, tear and fail what the disk does. Nobody here copies or frees what workers hand over.
 *
 * One write-out takes all batches that are there: frames are numbered, written behind a commit
 * frame that says what was durable before, and synced once. When a write or a sync fails, the
 * segment is cut back to what was durable and given up, what waits fails, and a new segment is
 * tried now and then; its first record is a gap with the requests that passed meanwhile.
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
	uint64_t (*now_ns)(void *world); /* the monotonic clock, while the disk works */
	uint64_t (*chance)(void *world); /* makes segments' ids */
	void *world;
	uint64_t segment_bytes;
	uint64_t commit_ns;   /* at most so often a sync; 0: as soon as somebody waits */
	uint64_t queue_bytes; /* what may wait for the disk */
	struct unrecorded_process *unrecorded; /* borrowed: what gaps tell of; NULL: nothing */
	void (*keep)(void *world); /* what that says is to outlast a power cut; may be NULL */
	const struct record_damage *damages; /* copied: told with the first segment */
	unsigned damage_n;		     /* DAMAGES_MAX at most */
	void (*wake)(void *world);	     /* from any thread: journal_turn() is to be called */
	/* Who waits, waits until this has his sequence too; NULL: the disk is enough. */
	uint64_t (*acknowledged)(void *world);
};

/* For status and metrics: one writer, the journal's thread. */
struct journal_counts {
	_Atomic uint64_t frames, bytes, commits, segments, failures, gaps;
	_Atomic uint64_t durable_sequence, durable_wall_ns;
	struct latency commit_times; /* of write-outs, from the beginning to the end of the sync */
	_Atomic uint64_t batches;    /* written out, and */
	_Atomic uint64_t waits;	     /* who waited for them; over commits: the size of a group */
};

enum journal_state {
	JOURNAL_STARTING,
	JOURNAL_AVAILABLE,
	JOURNAL_UNAVAILABLE, /* what is pushed fails at once */
	JOURNAL_OVER,
};

struct journal *journal_open(const struct journal_config *c);
/* It must be over. */
void journal_close(struct journal *j);

/* --- from any thread --- */

enum journal_state journal_state(const struct journal *j);
/* -errno of what made it unavailable; 0: none. */
int journal_error(const struct journal *j);
const struct journal_counts *journal_counts(const struct journal *j);
/*
 * So many bytes more, and the directory has as much as it may: the log is unavailable (-EDQUOT)
 * from then on, until more are allowed. UINT64_MAX: any number.
 */
void journal_limit(struct journal *j, uint64_t more);
bool journal_is_full(const struct journal *j);
/* The one whose acknowledgment is waited for is late: who must have it cannot be served. */
bool journal_is_late(const struct journal *j);
/* Bytes that wait for the disk; and how many more may. */
uint64_t journal_queued(const struct journal *j);
uint64_t journal_room(const struct journal *j);
/* A worker's batch is handed over; feed_settled() gives it back. */
void journal_push(struct journal *j, struct batch *b);
/* Something was lost: a gap is to tell of it, though nothing more may be handed over. */
void journal_look(struct journal *j);
/* What was handed over is to be written now, as if somebody waited: its memory is needed. */
void journal_hurry(struct journal *j);

/* --- its own thread --- */

/*
 * Starts what is to be done, while the disk is idle. Again when the disk is done, when it was
 * woken, and at journal_deadline_ns().
 */
void journal_turn(struct journal *j, uint64_t mono_ns, uint64_t wall_ns);
/* UINT64_MAX: only a push brings something to do. */
uint64_t journal_deadline_ns(const struct journal *j);
/* Writes what is there, seals the series and is over, even where the disk fails. */
void journal_stop(struct journal *j);

#endif
