#ifndef PROXY_RESPONSE_TIMEOUT_H
#define PROXY_RESPONSE_TIMEOUT_H

/*
 * How long a node may take until its response begins. The first matching rule of the configuration
 * decides, or else a common value. The time is longer if the request itself says how long the
 * cluster may wait, as the API of Elasticsearch and OpenSearch allows (timeout=, master_timeout=
 * and similar).
 */

#include "http/msg.h"

/* A request must match every member that is set; an empty member matches anything. */
struct response_timeout_rule {
	struct span method;
	struct span path; /* of the target without its query; '*' as in capture/skip.h */
	uint32_t response_ms;
};

struct response_timeouts {
	uint32_t response_ms;			   /* when no rule matches */
	const struct response_timeout_rule *rules; /* the first match decides */
	size_t rule_n;
	uint32_t asked_max_ms; /* the longest wait that a request may ask for; 0: such requests are
				  ignored */
};

uint32_t response_timeout_of(const struct response_timeouts *p, const struct msg *request);

/*
 * The waits that the parameters of a target ask for, added up: one wait may follow the other. 0:
 * none is asked for. UINT64_MAX: no limit.
 */
uint64_t response_timeout_requested_ms(struct span target);

#endif
