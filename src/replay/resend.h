#ifndef REPLAY_RESEND_H
#define REPLAY_RESEND_H

/*
 * Sends recorded requests to the replica as they were, in the order of replay/verbatim.h, several
 * at a time. A request that the replica has accepted is done. One that nobody can decide about is
 * held until an operator does, or is decided by policy:
 *
 *   uncertain   what it has done at the owner is not known; or it was sent, no response came, and
 *               it must not be repeated blindly
 *   refused     the replica refuses what the owner has accepted
 *
 * While one is held no further request begins. On the sending thread.
 */

#include <jansson.h>

#include "replay/recorded.h"
#include "replay/subrequest.h"
#include "replay/tuning.h"

enum resend_policy { RESEND_STOP, RESEND_SKIP, RESEND_SEND };

struct resend_config {
	struct subrequests *subrequests; /* borrowed */
	struct recorded_feed *feed;	 /* borrowed */
	enum arm to;
	enum resend_policy uncertain, refused;
	void (*back)(void *user, uintptr_t tag); /* of a request that is done */
	/* What has to be known over a start, besides the place in the log; moved in. */
	void (*keep)(void *user, json_t *known);
	void *user;
};

struct resend_counts {
	uint64_t waiting, in_flight, held;
	uint64_t sent; /* accepted by the replica */
	uint64_t again, unheard, refused, skipped;
	uint64_t bytes; /* of what waits */
};

struct resend;

struct resend *resend_open(const struct resend_config *c);
/* resend_is_quiet() only. What is not done goes without a word. */
void resend_close(struct resend *r);
/* What resend_config.keep got last, in an earlier process; may be NULL. Before resend_add(). */
void resend_set_known(struct resend *r, const json_t *known);

/* False: there is no room, and the request is the caller's still. Else it is moved in. */
bool resend_add(struct resend *r, struct recorded *q);
/* Before the first turn: in_flight and rate count. What is in flight ends as it has begun. */
void resend_tune(struct resend *r, const struct tuning *t);
/* Each turn; `on`: requests may begin. */
void resend_turn(struct resend *r, bool on);
/* When resend_turn() has something to do by itself, in the loop's milliseconds; UINT64_MAX: not. */
uint64_t resend_due_ms(const struct resend *r, bool on);
/* Nothing begins any more; `now`: what is in flight is broken off. */
void resend_stop(struct resend *r, bool now);
bool resend_is_quiet(const struct resend *r);

/*
 * Decides about all that are held: they are skipped, or sent; one of which the log does not have
 * all cannot be sent. How many that were.
 */
size_t resend_decide(struct resend *r, bool send);
bool resend_is_held(const struct resend *r);

/* By the wall clock, of the oldest request that is not done; UINT64_MAX: there is none. */
uint64_t resend_oldest_ns(const struct resend *r);
struct resend_counts resend_counts(const struct resend *r);
/* [{"request":"POST /path","why":TEXT,"when":TIME}] of those that are held; a new reference. */
json_t *resend_held_json(const struct resend *r);
/* What stands in the way, or has differed, last; "": nothing. */
const char *resend_trouble(const struct resend *r);

#endif
