#ifndef PROXY_STEER_H
#define PROXY_STEER_H

/*
 * What decides the arm of a weighted request before the weights do: a header of a client that may
 * say so, then a key that sticks. Both move no debt of the split.
 *
 * A key's hash is compared with cumulative thresholds, the target's first: when the target grows
 * from 20 to 30 of 100, exactly the keys between go there, and none comes back.
 */

#include "http/msg.h"
#include "proxy/board.h"
#include "proxy/plan.h"

enum steering {
	STEER_NOT,	/* the weights decide */
	STEER_OVERRIDE, /* X-Crossfade-Cluster does */
	STEER_STICKY,	/* its key does */
	STEER_BAD,	/* X-Crossfade-Cluster says something else than source or target */
};

/*
 * `arm` is set with STEER_OVERRIDE and STEER_STICKY. An override may name an arm of weight 0; it is
 * not listened to between a rollback and the next weights, nor from a client outside the plan's
 * networks. A sticky key never takes an arm of weight 0.
 */
enum steering steer(const struct msg *request, const struct plan *p, const struct addr *client,
		    const struct board_values *v, enum arm *arm);

/* The part for keys: false when the request has none. */
bool sticky_hash(const struct sticky *s, const struct msg *request, const struct addr *client,
		 uint64_t *hash);
enum arm sticky_arm(uint64_t hash, const uint32_t weights[ARMS]);

#endif
