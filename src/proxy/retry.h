#ifndef PROXY_RETRY_H
#define PROXY_RETRY_H

/*
 * Another attempt after one that failed: whether it may be made, and what is kept for it.
 *
 * A request of which no byte was sent may go to another connection or node, whatever it is. One
 * that was sent goes there again only if its class says that it may be repeated, no byte of an
 * answer has come, and the node did not just take too long: it still works on that, and so would
 * the next. All of the body must still be held, and there are CONNECT_ATTEMPTS_MAX attempts at
 * most.
 *
 * All of that within a budget: a cluster in trouble must not get twice the work. A connect that
 * failed was no work, and costs none of it.
 *
 * What is held are references to the body's slices, charged to its client as before:
 * RETRY_BODY_BYTES at most, else none of it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"

/* --- a request's body --- */

struct retry {
	struct chain held;    /* all of the body that has come; only while `holds` */
	struct chain pending; /* what has come of it and not gone to the present attempt */
	bool holds;	      /* what comes is held */
	bool lost;	      /* some of the body has come that is not held */
};

/* A body may come. */
void retry_hold(struct retry *r);
/* A piece of it has; it stays the caller's. */
void retry_keep(struct retry *r, const struct chain *piece);
/* No further attempt may come. */
void retry_let_go(struct retry *r);
/* The next attempt gets all of it anew. Nothing of it is lost. */
void retry_rewind(struct retry *r);
/* The end: nothing is kept. */
void retry_close(struct retry *r);

/* --- the rules --- */

struct attempt_facts {
	bool repeatable; /* by its class */
	bool sent;	 /* a byte of the request may have reached the node */
	bool heard;	 /* a byte of the answer has come */
	bool lost;	 /* not all of the body is held */
	unsigned attempts;
	enum err why; /* it failed */
};

bool retry_is_right(const struct attempt_facts *f);

/* --- the budget --- */

/* Of one worker and cluster: RETRY_SHARE_PERCENT of the window's requests, and RETRIES_MIN. */
struct retry_budget {
	uint64_t second; /* of the newest */
	uint32_t requests[RETRY_WINDOW_S], retries[RETRY_WINDOW_S];
};

void retry_budget_asked(struct retry_budget *b, uint64_t now_ns);
/* One more retry; false: that is too many. */
bool retry_budget_take(struct retry_budget *b, uint64_t now_ns);

#endif
