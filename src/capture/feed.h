#ifndef CAPTURE_FEED_H
#define CAPTURE_FEED_H

/*
 * A worker's end of the capture log. The worker puts frames during a turn. At the end of the turn
 * feed_push() hands them over together, before the worker sends anything: so a frame stands in the
 * log behind the frames that caused it. All functions run on the worker's thread, except
 * feed_settled().
 */

#include <pthread.h>

#include "base/buf.h"
#include "base/counter.h"
#include "base/list.h"
#include "capture/batch.h"
#include "capture/frame.h"
#include "capture/unrecorded.h"

struct journal;
struct feed;

/*
 * A waiter: settled() is called when all frames that were put so far are durable. It is embedded in
 * its owner, who must not change it while it waits.
 */
struct feed_wait {
	struct list link;
	void (*settled)(struct feed_wait *w, enum batch_state became);
};

enum loss { LOSS_READ, LOSS_WRITE, LOSS_OUTCOME };

struct feed {
	struct journal *journal; /* borrowed */
	struct bufs *bufs;
	void *owner;
	/* called on the log's thread: a batch has settled; NULL: no callback */
	void (*wake)(struct feed *f);
	pthread_mutex_t waking; /* held while the log's thread calls wake() */
	/*
	 * Called for each request frame that could not be written; `in_log`: it may be in the log
	 * nevertheless. NULL: no callback.
	 */
	void (*lost_frame)(struct feed *f, const struct frame *head, bool in_log);
	uint16_t worker;
	uint64_t mono_ns, wall_ns; /* of this turn */
	struct batch *open;	   /* NULL: nothing was put since the last push */
	/*
	 * The time of the first frame in `open`; UINT64_MAX: there is none. The log's thread reads
	 * it.
	 */
	_Atomic uint64_t putting_ns;
	/* the log's floor when `open` was begun: its frames get no earlier time */
	uint64_t floor_ns;
	struct feed *sibling; /* the next feed in the journal's list */
	struct list out;      /* batches that the log has, oldest first */
	struct list idle;
	unsigned idle_n;
	atomic_bool hurried;
	atomic_bool news; /* a batch has settled that feed_look() has not seen yet */
	counter full_ns;  /* since when the log is full, as feed_look() saw it; 0: it is not full */
	/*
	 * Counts of what passed without a record. The worker counts; the log's thread reads them
	 * for its gaps. Points to the array of feed_count_in(), or to own_lost.
	 */
	struct feed_losses *lost;
	struct feed_losses own_lost[GAP_REASONS];
};

void feed_open(struct feed *f, unsigned worker);
/*
 * Called before anything is put: feed_attach() sets the journal, feed_own() (on the worker's
 * thread) sets who is woken.
 */
void feed_attach(struct feed *f, struct journal *journal);
/* Sets where losses are counted, for gaps to report; borrowed. */
void feed_count_in(struct feed *f, struct feed_losses lost[GAP_REASONS]);
void feed_own(struct feed *f, struct bufs *bufs, void (*wake)(struct feed *f), void *owner);
/* From now on wake() is called for every batch that settles: the worker wants to finish. */
void feed_hurry(struct feed *f);
/*
 * The worker goes: wake() is not called after this returns. A batch may be settled while the log's
 * thread is still inside wake(); this waits until that call is over.
 */
void feed_disown(struct feed *f);
/* No batch may be open, or with the log. */
void feed_close(struct feed *f);

/*
 * Puts one frame. `head` gives type, flags, names and times; the rest is filled in here. The
 * payload is the parts, which are copied, and the body, which is referred to: its bytes must not
 * change while anybody holds them. Parts and body have at most FRAME_PAYLOAD_BYTES together.
 */
void feed_put(struct feed *f, const struct frame *head, const struct span *parts, unsigned part_n,
	      const struct chain *body);

/*
 * Calls w->settled() from feed_look() when all that was put so far is durable, or is not in the log
 * and never will be. The caller must have put something in this turn.
 */
void feed_wait(struct feed *f, struct feed_wait *w);
/* Cancels a wait. Does nothing if `w` does not wait. */
void feed_wait_not(struct feed_wait *w);

/*
 * All writes that the worker let go before the epoch are over: puts FRAME_DRAINED, behind the
 * frames of those writes. w->settled() is called when it is durable.
 */
void feed_drained(struct feed *f, uint64_t epoch, struct feed_wait *w);

/* The memory of what was put is needed: the log must write it without delay. */
void feed_press(struct feed *f);

/* Counts a request or an outcome that passes unrecorded. */
void feed_lose(struct feed *f, enum gap_reason reason, enum loss loss);
/*
 * A tunnel begins, of which nothing is recorded; it ends. `has_gap`: a gap record of its own
 * reports it.
 */
void feed_tunnel_begins(struct feed *f);
void feed_tunnel_ends(struct feed *f, bool has_gap);

/* The end of a turn: hands the frames that were put to the journal. */
void feed_push(struct feed *f);
/* The beginning of a turn, at the given time: settles the batches that the log has finished. */
void feed_look(struct feed *f, uint64_t mono_ns, uint64_t wall_ns);
/*
 * feed_is_pressed(): the log was full at the last feed_look(). feed_is_choked(): it has been full
 * for LOG_FULL_MS.
 */
bool feed_is_pressed(const struct feed *f);
bool feed_is_choked(const struct feed *f);
/* Whether a batch is open, or with the log. */
bool feed_is_out(const struct feed *f);

/* Checks the invariants of the members (base/checks.h), on the worker's thread. */
void feed_check(const struct feed *f);

/*
 * On the log's thread: the log has finished with the batch. Wakes the worker if somebody waits for
 * the batch, if it holds more than one run of bytes, or after feed_hurry().
 */
void feed_settled(struct batch *b, enum batch_state state);

#endif
