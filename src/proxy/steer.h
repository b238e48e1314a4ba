#ifndef PROXY_STEER_H
#define PROXY_STEER_H

/*
 * What decides the arm of a weighted request before the weights do: an override header of a client
 * that may use it, then a sticky key. Both leave the split as it is.
 *
 * A key's hash is compared with cumulative thresholds, the target's first. When the target grows
 * from 20 to 30 of 100, exactly the keys between these thresholds move there, and none moves back.
 */

#include "http/msg.h"
#include "proxy/board.h"
#include "proxy/plan.h"

enum steering {
	STEER_NOT,	/* the weights decide */
	STEER_OVERRIDE, /* X-Crossfade-Cluster decides */
	STEER_STICKY,	/* the sticky key decides */
	STEER_BAD,	/* X-Crossfade-Cluster is neither source nor target */
};

/*
 * Sets `arm` with STEER_OVERRIDE and STEER_STICKY. An override may name an arm of weight 0. It is
 * ignored between a rollback and the next weights, and from a client outside the plan's networks. A
 * sticky key never chooses an arm of weight 0.
 */
enum steering steer(const struct msg *request, const struct plan *p, const struct addr *client,
		    const struct board_values *v, enum arm *arm);

/* The hash of a request's sticky key; false: the request has no key. */
bool sticky_hash(const struct sticky *s, const struct msg *request, const struct addr *client,
		 uint64_t *hash);
enum arm sticky_arm(uint64_t hash, const uint32_t weights[ARMS]);

#endif
