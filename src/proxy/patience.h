#ifndef PROXY_PATIENCE_H
#define PROXY_PATIENCE_H

/*
 * How long a node may take until its response begins: by rules of the configuration, else as long
 * for all; longer where the request itself says how long the cluster is to wait, as the API of
 * Elasticsearch and OpenSearch does (timeout=, master_timeout= and their kin).
 */

#include "http/msg.h"

/* A request fits when all fits that is given; nothing given in a member: anything does. */
struct patience_rule {
	struct span method;
	struct span path; /* of the target without its query; '*' as in capture/skip.h */
	uint32_t response_ms;
};

struct patience {
	uint32_t response_ms;		   /* where no rule fits */
	const struct patience_rule *rules; /* the first that fits decides */
	size_t rule_n;
	uint32_t asked_max_ms; /* what a request may ask for, at most; 0: it is not heeded */
};

uint32_t patience_of(const struct patience *p, const struct msg *request);

/*
 * What the parameters of a target ask for, together: one wait may come behind the other. 0: nothing
 * is asked for. UINT64_MAX: without end.
 */
uint64_t patience_asked_ms(struct span target);

#endif
