#ifndef REPLAY_REFUSAL_H
#define REPLAY_REFUSAL_H

/* What a cluster's refusal means for who reads of it, and what to do. */

#include "base/span.h"
#include "proxy/plan.h"

/*
 * One sentence without a full stop, a constant; NULL: it is known by nothing but its own words.
 * `type` and `reason` of the cluster's error may be empty.
 */
const char *refusal_meaning(enum arm arm, unsigned status, struct span type, struct span reason);

#endif
