#ifndef PROXY_RETRY_H
#define PROXY_RETRY_H

/*
 * Another attempt after a failed one: whether it may be made, and what is kept for it.
 *
 * A request of which no byte was sent may go to another connection or node, whatever its class. A
 * request that was sent may be sent again only if its class says that it may be repeated, no byte
 * of a response has come, and the failure was no timeout: the node still works on such a request,
 * and the next node would take as long. All of the body must still be held, and there are at most
 * CONNECT_ATTEMPTS_MAX attempts.
 *
 * All retries are within a budget: a cluster in trouble must not get twice the work. A failed
 * connect was no work, and costs no budget.
 *
 * What is held are references to the body's slices, charged to the client as before: at most
 * RETRY_BODY_BYTES, else nothing is held.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"

/* --- a request's body --- */

struct retry {
	struct chain held;    /* all of the body that has come; only while `holds` */
	struct chain pending; /* the part of the body that has come and was not passed to the
				 present attempt */
	bool holds;	      /* what comes of the body is held */
	bool lost;	      /* a part of the body has come that is not held */
};

/* Called when a body may come. */
void retry_hold(struct retry *r);
/* Called for each piece of the body; the piece stays the caller's. */
void retry_keep(struct retry *r, const struct chain *piece);
/* Called when no further attempt is possible: drops what is held. */
void retry_let_go(struct retry *r);
/* For the next attempt: `pending` becomes the whole body that has come. `lost` must be false. */
void retry_rewind(struct retry *r);
/* Drops everything at the request's end. */
void retry_close(struct retry *r);

/* --- the rules --- */

struct attempt_facts {
	bool repeatable; /* by its class */
	bool sent;	 /* a byte of the request may have reached the node */
	bool heard;	 /* a byte of the response has come */
	bool lost;	 /* not all of the body is held */
	unsigned attempts;
	enum err why; /* the failure */
};

bool retry_is_right(const struct attempt_facts *f);

/* --- the budget --- */

/*
 * One worker's budget for one cluster: RETRY_SHARE_PERCENT of the window's requests, and
 * RETRIES_MIN.
 */
struct retry_budget {
	uint64_t second; /* of the newest entry */
	uint32_t requests[RETRY_WINDOW_S], retries[RETRY_WINDOW_S];
};

void retry_budget_asked(struct retry_budget *b, uint64_t now_ns);
/* Takes one retry from the budget; false: the budget is spent. */
bool retry_budget_take(struct retry_budget *b, uint64_t now_ns);

#endif
