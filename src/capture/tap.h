#ifndef CAPTURE_TAP_H
#define CAPTURE_TAP_H

/*
 * What is recorded of one exchange. Whoever owns the exchange tells the tap what passes, in the
 * order in which it passes, and asks it to say when all of that is durable; what waits for it is
 * the owner's business.
 */

#include "base/arena.h"
#include "base/counter.h"
#include "capture/feed.h"
#include "capture/policy.h"
#include "capture/redact.h"
#include "http/msg.h"
#include "io/addr.h"

/* A worker's taps: they share its end of the log. */
struct taps {
	struct feed feed;
	struct redactor redactor;
	struct list open; /* taps */
	uint32_t open_n;
	/* Of which exchange a frame was lost last, and counted. */
	uint64_t lost_connection;
	uint32_t lost_ordinal;
	counter skipped_reads, skipped_writes; /* requests, as rules ask */
	counter refused_reads, refused_writes; /* requests: the log could not take them */
	/* Connections that were passed on as they are, and have ended. */
	counter tunnels, tunnel_request_bytes, tunnel_answer_bytes;
};

struct tap {
	struct taps *taps;
	struct list link;		     /* in taps->open */
	const struct capture_policy *policy; /* borrowed: of the exchange's plan */
	struct frame like;		     /* what all frames of the exchange say */
	struct feed_wait wait;
	void (*settled)(struct tap *t, enum batch_state became);
	void *owner;
	bool bodies;  /* of answers, are recorded */
	bool awaited; /* the owner waits for the request, and knows what becomes of it */
	bool lost;    /* some of the request could not be written */
};

/* Who asks, and where: for the request's record. */
struct tap_facts {
	uint64_t connection;
	uint32_t ordinal; /* from 1 */
	uint64_t epoch;
	bool write, target, tls;
	const struct addr *client;
	const char *listener;
};

/* Before the first of them is opened, and behind the last. */
void taps_open(struct taps *ts, unsigned worker);
void taps_close(struct taps *ts);

/* In the exchange's arena, until tap_close(). */
struct tap *tap_open(struct taps *ts, struct arena *arena, const struct capture_policy *policy,
		     const struct tap_facts *facts, const struct msg *request, bool end,
		     void *owner, void (*settled)(struct tap *t, enum batch_state became));
/* Nobody waits any more. */
void tap_close(struct tap *t);

void tap_request_data(struct tap *t, const struct chain *c, bool end);
void tap_request_trailers(struct tap *t, const struct msg *m);

/* Any head, interim ones too. `released_ns` as record_answer's. */
void tap_answer(struct tap *t, const struct msg *m, bool end, uint64_t released_ns,
		const char *node);
void tap_answer_data(struct tap *t, const struct chain *c, bool end);
void tap_answer_trailers(struct tap *t, const struct msg *m);

/* The last record. `node` and `why` may be NULL. */
void tap_outcome(struct tap *t, struct record_outcome o, const char *node, const char *why);

/*
 * t->settled() is called when all that was told, just now too, is durable, or some of it never will
 * be. One who waits already waits for what came since, too.
 */
void tap_wait(struct tap *t);
bool tap_waits(const struct tap *t);

/* A request passes unrecorded because a rule asks for that. */
void taps_skip(struct taps *ts, bool write);
/* A request is answered with an error because it cannot be recorded. */
void taps_refuse(struct taps *ts, bool write);

/*
 * A tunnel is over, of which nothing was recorded: a gap tells of it, from its beginning to now.
 * Of the facts its names, the epoch and the kind are used.
 */
void taps_tunnel(struct taps *ts, const struct tap_facts *facts, uint64_t began_mono_ns,
		 uint64_t request_bytes, uint64_t answer_bytes);

/* A client's connection is over, of which there are records. */
void taps_closed(struct taps *ts, uint64_t connection);

#endif
