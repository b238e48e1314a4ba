#ifndef REPLAY_LOG_READER_H
#define REPLAY_LOG_READER_H

/*
 * Replay's end of the capture log: reads it as a follower, and makes effects of each
 * exchange that is over, or a request that is sent once more. They are handed over; their tags come
 * back when the replica has what they name, and then the follower's position moves on.
 *
 * One thread. It may block: for the disk, and in log_reader_wait().
 */

#include <stdatomic.h>

#include "capture/assembly.h"
#include "capture/consumer.h"
#include "proxy/plan.h"
#include "replay/handoff.h"

#define REPLAY_FOLLOWER "replay"
/* Tags have what the consumer gives out in their low bits, and how often it was opened above. */
#define LOG_READER_OPENED_SHIFT 10

/* One writer, the reading thread. */
struct log_reader_counts {
	_Atomic uint64_t exchanges; /* writes whose effects were handed over */
	_Atomic uint64_t passed;    /* exchanges of the other cluster, or of earlier epochs */
	_Atomic uint64_t effects[EFFECT_KINDS];
	_Atomic uint64_t
		rejected; /* of those: writes that the owner refused, where these are not played */
	_Atomic uint64_t holes;	 /* places of the log that cannot be read */
	_Atomic uint64_t lost;	 /* exchanges whose bodies are not there any more */
	_Atomic uint64_t behind; /* records that are durable and not passed */
};

struct log_reader;

struct log_reader_config {
	/* What a write becomes: log_reader_play_effects(), or log_reader_play_request(). */
	void (*play)(struct log_reader *r, struct assembly *a /* moved in */);
	uint32_t keep_ms;	 /* as consumer_config.keep_ms */
	const char *directory;	 /* of the log; borrowed */
	const char *follower;	 /* its name; borrowed */
	struct handoff *handoff; /* borrowed */
	struct waker *waker;	 /* borrowed: ends log_reader_wait() */
	enum arm owner;		 /* whose writes are played */
	uint64_t since;		 /* and of which epoch, or later; others are passed by */
	uint64_t from_ns;	 /* writes that were over before are passed by; 0: none are */
	struct log_reader_counts *counts; /* borrowed: other threads read them */
};

struct log_reader {
	struct log_reader_config config;
	struct consumer consumer;
	struct assemblies *assemblies; /* owned */
	struct effects *effects;       /* owned */
	uintptr_t opened;	       /* how often: in tags, so that earlier ones are dropped */
	struct handed_batch batch;     /* not handed over yet */
	bool full;		       /* the batch could not be handed over */
	bool damaged;		       /* a hole was read since it was opened */
	/* The last series that has one, and its first sequence; 0: it is told, or there is none. */
	uint64_t hole_generation, hole;
	struct handed_exchange exchange; /* at hand */
};

void log_reader_play_effects(struct log_reader *r, struct assembly *a);
void log_reader_play_request(struct log_reader *r, struct assembly *a);

/* How often the reader was opened that gave out the tag. */
static inline uintptr_t log_reader_opened(uintptr_t tag)
{
	return tag >> LOG_READER_OPENED_SHIFT;
}

/* FOLLOWER_BUSY: another process replays. FOLLOWER_ERROR: errno. */
enum follower_verdict log_reader_open(struct log_reader *r, const struct log_reader_config *c);
void log_reader_close(struct log_reader *r);

/*
 * Reads what there is, for some milliseconds at most, and keeps the position. False: there may be
 * more at once.
 */
bool log_reader_step(struct log_reader *r);
/* Until there is more, or the waker is woken; at most `ms`. */
void log_reader_wait(struct log_reader *r, int ms);
/*
 * Begins the log again from its first record; what was in flight is read again. As
 * log_reader_open() in its verdict; unless that is FOLLOWER_OPEN it is closed.
 */
enum follower_verdict log_reader_restart(struct log_reader *r, uint64_t from_ns);
/* Nothing of the log was ever passed. */
bool log_reader_is_new(const struct log_reader *r);
/* The position is kept whether it is due or not. False with errno. */
bool log_reader_save(struct log_reader *r);

#endif
