#ifndef CAPTURE_POLICY_H
#define CAPTURE_POLICY_H

/* What of the traffic is recorded, and what waits for it: of one plan. */

#include <stdbool.h>
#include <stddef.h>

#include "capture/skip.h"
#include "http/msg.h"
#include "http/secret.h"

enum capture_durable { DURABLE_WRITES, DURABLE_ALL, DURABLE_NONE };

/* What goes to the cluster before all of a request is durable: all but its end, or nothing. */
enum capture_gate { GATE_END, GATE_PIECE };

enum capture_acknowledge { ACKNOWLEDGE_OUTCOME, ACKNOWLEDGE_ANSWER };

enum capture_unavailable { UNAVAILABLE_REFUSE, UNAVAILABLE_FORWARD };

/* A connection whose protocol is switched, of which requests cannot be told apart. */
enum capture_tunnels { TUNNELS_REFUSE, TUNNELS_FORWARD };

/* Of which requests the answer's body is recorded. */
enum capture_answers { ANSWERS_WRITES, ANSWERS_ALL, ANSWERS_HEADS };

struct capture_policy {
	enum capture_durable durable;
	enum capture_gate gate;
	enum capture_acknowledge acknowledge;
	enum capture_unavailable unavailable;
	enum capture_tunnels tunnels;
	enum capture_answers answers;
	const struct skips *skips; /* what is not recorded; NULL: all is */
	/* Fields whose values are replaced: those with an id by that, others by names alike. */
	bool redact[NAMES];
	const struct span *redact_names; /* all of them: a '_' hides an id too */
	size_t redact_n;
	struct secret_names redact_query;
};

#endif
