#ifndef PROXY_EXCHANGE_H
#define PROXY_EXCHANGE_H

/*
 * A request and its response, as the client sees them: class, limits, every response that Crossfade
 * makes, the counts and the access-log line. Behind it is the delivery to a cluster, with other
 * stages between where the request needs them. The exchange ends when the client's stream and all
 * stages are over.
 */

#include "base/limits.h"
#include "ends/front.h"
#include "ends/reply.h"
#include "proxy/capture_gate.h"
#include "proxy/delivery.h"
#include "proxy/exchanges.h"
#include "proxy/parking.h"

enum exchange_state {
	EXCHANGE_REQUEST,  /* the request's head has not come */
	EXCHANGE_PARKED,   /* a write that is held before its arm is chosen */
	EXCHANGE_PASSING,  /* between the client and the stage behind */
	EXCHANGE_ORPHANED, /* a write whose client has gone, and whose response is awaited */
	EXCHANGE_REPLYING, /* Crossfade makes the response */
	EXCHANGE_CLOSING,  /* both streams are over */
};

struct exchange {
	struct stream front; /* its peer is the client's stream */
	struct stream back;  /* its peer is the stage behind, once joined */
	struct exchanges *exchanges;
	struct list link; /* in exchanges->open, exchanges->parked or exchanges->closing */
	struct arena arena;
	struct request request;
	struct reply *reply;			/* in the arena; NULL: Crossfade made no response */
	struct parking *parking;		/* in the arena; NULL: it was never parked */
	struct delivery *delivery;		/* in the arena; NULL: it goes to no cluster */
	struct capture_gate *gate;		/* in the arena; NULL: it is not recorded */
	uint64_t request_bytes, response_bytes; /* of bodies, as received */
	uint16_t status;			/* of the response; 0: none yet */
	uint16_t why;				/* enum err: the error of the exchange */
	uint8_t state;				/* enum exchange_state */
};
static_assert(sizeof(struct exchange) <= EXCHANGE_BYTES, "there may be 100,000 of them");

/*
 * A request begins on a listener of `plan`; the exchange pins the plan. Joins `front`, and returns
 * the arena for the request (struct front_user's open()).
 */
struct arena *exchange_open(struct exchanges *d, const struct plan *plan, const struct listener *l,
			    const struct front_facts *facts, struct stream *front);

/*
 * Whether the exchange of that stream is given up when its client has finished sending (struct
 * front_user's finished()): a read whose listener has `ends_reads`, unless Crossfade makes the
 * response.
 */
bool exchange_ends_with_client(struct stream *front);

/*
 * Checks the relations between its members at the end of each verb (base/checks.h):
 * proxy/stage_check.c.
 */
void exchange_check(const struct exchange *ex);

/* --- all exchanges of a worker --- */

/*
 * Writes are no longer held: parked ones get their arm, in their order. Called each turn in which
 * any is parked.
 */
void exchanges_let_go(struct exchanges *d);
/*
 * Requests at a node that is DUTY_CUT are tried at another node where that is allowed, or end with
 * 502.
 */
void exchanges_cut(struct exchanges *d);
/*
 * Gives up the responses of orphaned writes. Until then they are awaited as long as the cluster's
 * timeout allows, so that the outcomes become known.
 */
void exchanges_abandon_orphans(struct exchanges *d);
/* At the end of a turn: frees the exchanges that are over. */
void exchanges_sweep(struct exchanges *d);

#endif
