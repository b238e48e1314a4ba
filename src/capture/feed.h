#ifndef CAPTURE_FEED_H
#define CAPTURE_FEED_H

/*
 * A worker's end of the capture log. Frames that are put during a turn are handed over together at
 * its end, before anything is sent, so that the log's order is an order of causes. One thread, but
 * for feed_settled().
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

/* Who waits until all that was put up to now is durable. In its owner; left alone while it waits.
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
	void (*wake)(struct feed *f); /* from the log's thread: something settled; NULL: nobody */
	pthread_mutex_t waking;	      /* held while the log's thread does */
	/* A frame of a request that could not be written; NULL: nobody asks. */
	void (*lost_frame)(struct feed *f, const struct frame *head);
	uint16_t worker;
	uint64_t mono_ns, wall_ns; /* of this turn */
	struct batch *open;	   /* NULL: nothing was put since the last push */
	struct list out;	   /* batches with the log, in their order */
	struct list idle;
	unsigned idle_n;
	atomic_bool hurried;
	atomic_bool news; /* a batch has settled that was not looked at */
	counter full_ns;  /* since when the log is full, as each turn has seen it; 0: it is not */
	/*
	 * What passed without being recorded: counted by the worker, read by the log for its gaps.
	 * Of feed_count_in(), or its own.
	 */
	struct feed_losses *lost;
	struct feed_losses own_lost[GAP_REASONS];
};

void feed_open(struct feed *f, unsigned worker);
/* Before anything is put: where it goes, and, from the worker's thread, who is woken. */
void feed_attach(struct feed *f, struct journal *journal);
/* Where losses are counted that a gap is to tell of; borrowed. */
void feed_count_in(struct feed *f, struct feed_losses lost[GAP_REASONS]);
void feed_own(struct feed *f, struct bufs *bufs, void (*wake)(struct feed *f), void *owner);
/* From now on it is woken for whatever settles: it wants to be done. */
void feed_hurry(struct feed *f);
/*
 * The worker goes: nobody is woken from here on. That what it has put is settled does not say that
 * the log's thread has done with waking it; this waits until it has.
 */
void feed_disown(struct feed *f);
/* Nothing may be out any more. */
void feed_close(struct feed *f);

/*
 * Puts one frame: what `head` says (type, flags, names and times; the rest is made here), with a
 * payload of the parts, which are copied, and of the body, which is referred to. The body's bytes
 * stay as they are for as long as anybody holds them. Parts are FRAME_PAYLOAD_BYTES together at
 * most.
 */
void feed_put(struct feed *f, const struct frame *head, const struct span *parts, unsigned part_n,
	      const struct chain *body);

/*
 * Calls w->settled() from feed_look() when all that was put so far is durable, or is not in the log
 * and never will be. Something must have been put in this turn.
 */
void feed_wait(struct feed *f, struct feed_wait *w);
/* Nobody waits any more. Does nothing when nobody did. */
void feed_wait_not(struct feed_wait *w);

/* The memory of what was put is needed: the log is not to put it off. */
void feed_press(struct feed *f);

/* Something passes unrecorded. */
void feed_lose(struct feed *f, enum gap_reason reason, enum loss loss);
/* A tunnel is open of which nothing is recorded; it is over, and a gap of its own tells of it. */
void feed_tunnel_begins(struct feed *f);
void feed_tunnel_ends(struct feed *f, bool told);

/* The end of a turn: hands over what was put. */
void feed_push(struct feed *f);
/* The beginning of a turn, which takes place at that time: settles what the log is done with. */
void feed_look(struct feed *f, uint64_t mono_ns, uint64_t wall_ns);
/* Whether the log was full when it was looked at last; and has been for LOG_FULL_MS. */
bool feed_is_pressed(const struct feed *f);
bool feed_is_choked(const struct feed *f);
/* Whether anything is with the log, or is to be handed over. */
bool feed_is_out(const struct feed *f);

/* The log's thread: it is done with the batch. It wakes the worker if anybody waits for it. */
void feed_settled(struct batch *b, enum batch_state state);

#endif
