#ifndef CAPTURE_TAP_H
#define CAPTURE_TAP_H

/*
 * What is recorded of one exchange. The owner of the exchange tells the tap what passes, in the
 * order in which it passes, and may ask to be called when all of that is durable. The owner decides
 * what waits for that.
 */

#include "base/arena.h"
#include "base/counter.h"
#include "capture/feed.h"
#include "capture/policy.h"
#include "capture/redact.h"
#include "http/msg.h"
#include "io/addr.h"

/* The taps of one worker: they share its feed. */
struct taps {
	struct feed feed;
	struct redactor redactor;
	struct list open; /* taps */
	uint32_t open_n;
	/* The exchange of which a frame was lost last, and counted. */
	uint64_t lost_connection;
	uint32_t lost_ordinal;
	counter skipped_reads, skipped_writes; /* requests that a rule excludes from recording */
	/* requests that were refused: the log could not take them */
	counter refused_reads, refused_writes;
	/* Connections that were passed on unparsed, and have ended. */
	counter tunnels, tunnel_request_bytes, tunnel_response_bytes;
};

struct tap {
	struct taps *taps;
	struct list link;		     /* in taps->open */
	const struct capture_policy *policy; /* borrowed: of the exchange's plan */
	struct frame like;		     /* what all frames of the exchange have in common */
	struct feed_wait wait;
	void (*settled)(struct tap *t, enum batch_state became);
	void *owner;
	bool bodies; /* bodies of responses are recorded */
	/* the owner waits for the request to be durable, and handles a failure itself */
	bool awaited;
	bool lost;	      /* some of the request could not be written */
	bool unwritten;	      /* its head is among that: the log has nothing of the exchange */
	bool outcome_written; /* its outcome was put */
};

/* The client and the request, for the request's record. */
struct tap_facts {
	uint64_t connection;
	uint32_t ordinal; /* from 1 */
	uint64_t epoch;
	bool write, target, tls, http_2; /* the last two: of the client's connection */
	const struct addr *client;
	const char *listener;
};

/* taps_open() before the first tap is opened; taps_close() after the last one is closed. */
void taps_open(struct taps *ts, unsigned worker);
void taps_close(struct taps *ts);

/* Puts the request's head. The tap lives in the exchange's arena, until tap_close(). */
struct tap *tap_open(struct taps *ts, struct arena *arena, const struct capture_policy *policy,
		     const struct tap_facts *facts, const struct msg *request, bool end,
		     void *owner, void (*settled)(struct tap *t, enum batch_state became));
/* Cancels a wait. Where no outcome was put, it becomes OUTCOME_UNKNOWN. */
void tap_close(struct tap *t);

void tap_request_data(struct tap *t, const struct chain *c, bool end);
void tap_request_trailers(struct tap *t, const struct msg *m);

/* Any head, interim ones too. `released_ns`: see struct record_response. */
void tap_response(struct tap *t, const struct msg *m, bool end, uint64_t released_ns,
		  const char *node);
void tap_response_data(struct tap *t, const struct chain *c, bool end);
void tap_response_trailers(struct tap *t, const struct msg *m);

/* The last record of the exchange. `node` and `why` may be NULL. */
void tap_outcome(struct tap *t, struct record_outcome o, const char *node, const char *why);

/*
 * The exchange ends here, for the log has not all of it. Puts the outcome `became`, unless an
 * outcome was put already, or not even the request's head could be written.
 */
void tap_forsake(struct tap *t, enum outcome became);

/*
 * t->settled() is called when all that was put so far, in this turn too, is durable, or some of it
 * never will be. Called again, the wait also covers what was put since.
 */
void tap_wait(struct tap *t);
bool tap_waits(const struct tap *t);

/* Checks the invariants of the members (base/checks.h). */
void tap_check(const struct tap *t);

/* Counts a request that passes unrecorded because a rule asks for that. */
void taps_skip(struct taps *ts, bool write);
/* Counts a request that is answered with an error because it cannot be recorded. */
void taps_refuse(struct taps *ts, bool write);

/*
 * A tunnel has ended, of which nothing was recorded: puts a gap from its beginning to now. Of the
 * facts, the names, the epoch and `write` are used.
 */
void taps_tunnel(struct taps *ts, const struct tap_facts *facts, uint64_t began_mono_ns,
		 uint64_t request_bytes, uint64_t response_bytes);

/* A client's connection of which there are records has ended: puts FRAME_CLOSE. */
void taps_closed(struct taps *ts, uint64_t connection);

#endif
