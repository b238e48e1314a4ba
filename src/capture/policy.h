#ifndef CAPTURE_POLICY_H
#define CAPTURE_POLICY_H

/* What is recorded of the traffic, and what waits for that. Part of a plan. */

#include <stdbool.h>
#include <stddef.h>

#include "capture/skip.h"
#include "http/msg.h"
#include "http/secret.h"

enum capture_durable { DURABLE_WRITES, DURABLE_ALL, DURABLE_NONE };

/*
 * What may go to the cluster before all of a request is durable: all but the request's end
 * (GATE_END), or nothing that is not durable itself (GATE_PIECE).
 */
enum gate_grain { GATE_END, GATE_PIECE };

enum capture_acknowledge { ACKNOWLEDGE_OUTCOME, ACKNOWLEDGE_RESPONSE };

enum capture_unavailable { UNAVAILABLE_REFUSE, UNAVAILABLE_FORWARD };

/* A connection that switches protocols: requests on it cannot be told apart. */
enum capture_tunnels { TUNNELS_REFUSE, TUNNELS_FORWARD };

/* The requests of which the response's body is recorded. */
enum capture_responses { RESPONSES_WRITES, RESPONSES_ALL, RESPONSES_HEADS };

struct capture_policy {
	enum capture_durable durable;
	enum gate_grain gate;
	enum capture_acknowledge acknowledge;
	enum capture_unavailable unavailable;
	enum capture_tunnels tunnels;
	enum capture_responses responses;
	const struct skips *skips; /* rules for what is not recorded; NULL: all is */
	/*
	 * Fields whose values are replaced: fields with an id by the id, others by names that are
	 * alike.
	 */
	bool redact[NAMES];
	const struct span *redact_names; /* all names: one that is written with a '_' has no id */
	size_t redact_n;
	struct secret_names redact_query;
};

/* Whether traffic to that cluster, the target or the source, is recorded: only the owner's is. */
static inline bool capture_records(const struct capture_policy *p, bool target, bool target_owns)
{
	return p && target == target_owns;
}

#endif
