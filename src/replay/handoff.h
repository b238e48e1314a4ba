#ifndef REPLAY_HANDOFF_H
#define REPLAY_HANDOFF_H

/*
 * Between the thread that reads the capture log and the thread that copies: effects, or requests,
 * one way, the tags of what is done the other way. Both sides work on a batch of their own and swap
 * it under a lock, so that neither waits for the other's work.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "capture/bytes.h"
#include "replay/effects.h"
#include "replay/origin.h"
#include "replay/recorded.h"

/* What is known of an effect besides its texts, bit by bit (struct effect). */
enum handed_mark {
	HANDED_BY_REQUEST = 1,
	HANDED_EXTERNAL = 2,
	HANDED_UNCERTAIN = 4,
	HANDED_TASK = 8,
	HANDED_STREAM = 16,
};

/* A text of the batch. */
struct handed_text {
	uint32_t at, n;
};

/* One effect, whose texts stand in the batch. */
struct handed {
	enum effect_kind kind;
	uint8_t marks; /* enum handed_mark */
	struct handed_text index, id, routing, query;
	struct handed_text name; /* of what is unknown; of a task its id */
	uintptr_t tag;		 /* consumer_out() */
	uint64_t wall_ns;	 /* when the exchange was over */
	struct origin origin;
	struct recorded *request; /* owned, in place of an effect; NULL: it is one */
};

/* The exchange whose effects are added. */
struct handed_exchange {
	uint64_t wall_ns;
	struct origin origin;
};

struct handed_batch {
	struct handed *list; /* owned */
	size_t n, room;
	struct bytes text;	/* owned */
	size_t request_bytes;	/* of all requests */
	uint64_t until_wall_ns; /* all that was durable by then is in this batch or before; 0: not
				   known */
	uint64_t over_wall_ns;	/* as of the same time: all writes that began before it are over */
};

struct handoff {
	pthread_mutex_t lock;
	struct handed_batch waiting; /* effects that the copying side has not taken */
	uintptr_t *back;	     /* owned: tags that are done */
	size_t back_n, back_room;
	void (*wake)(void *user); /* the copying side: there is something to take */
	void *user;
};

void handoff_open(struct handoff *h, void (*wake)(void *user), void *user);
void handoff_close(struct handoff *h);

/* --- the reading side --- */

/* Adds to the caller's batch; the spans are copied. */
void handed_add(struct handed_batch *b, const struct effect *e, uintptr_t tag,
		const struct handed_exchange *of);
/* `request` is moved in. */
void handed_add_request(struct handed_batch *b, struct recorded *request);
/*
 * Hands the batch over, which is empty afterwards. False: the copying side has not taken what was
 * handed over before, and that has HANDOFF_BYTES_MAX already: nothing is done.
 */
bool handoff_put(struct handoff *h, struct handed_batch *b);
/* The tags that are done since the last call, moved out: free() them. */
size_t handoff_take_back(struct handoff *h, uintptr_t **tags);

/* Up to when the log was read is not known any more. */
void handoff_forget_until(struct handoff *h);

/* --- the copying side --- */

/* What was handed over is moved into `b`, which must be empty. False: there is nothing. */
bool handoff_take(struct handoff *h, struct handed_batch *b);
void handoff_back(struct handoff *h, const uintptr_t *tags, size_t n);

/* All requests must have been taken out. */
void handed_clear(struct handed_batch *b);
void handed_free(struct handed_batch *b);
static inline struct span handed_span(const struct handed_batch *b, struct handed_text t)
{
	return (struct span){ b->text.at + t.at, t.n };
}

#endif
