#ifndef PROXY_GATE_RECORD_H
#define PROXY_GATE_RECORD_H

/*
 * What a gate asks the capture log about a request (may it be recorded), and what it reports to the
 * log: the facts of the request, and its outcome.
 */

#include "capture/tap.h"
#include "proxy/delivery.h"

enum gate_verdict {
	GATE_RECORD,
	GATE_STALL,	  /* the log has no room: the gate asks again when it has */
	GATE_REFUSE,	  /* the log cannot take the request, and the policy is to refuse */
	GATE_UNAVAILABLE, /* the log cannot take the request, and it passes */
	GATE_SHED,	  /* the log is slow, and reads pass unrecorded */
};

/* Whether the log takes a request whose head has come. */
enum gate_verdict gate_ask(const struct exchanges *d, const struct request *r);
/* Whether the request must be durable before its end goes to a cluster. */
bool gate_waits(const struct request *r);
/* The request passes without a whole record: a gap will report it. */
void gate_lose(struct exchanges *d, const struct request *r, enum gap_reason reason);

struct tap_facts gate_facts(const struct request *r);
/*
 * The outcome, as far as it is known now. `kept_end`: the request waits as a whole and its end was
 * not passed on; a cluster does not act on a part of it.
 */
enum outcome gate_outcome(const struct delivery *d, bool kept_end);
/* A tunnel is over: if it reached a node, a gap of its own reports it. */
void gate_end_tunnel(struct exchanges *d, const struct request *r, const struct delivery *to,
		     uint64_t request_bytes, uint64_t response_bytes);

#endif
