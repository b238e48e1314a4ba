#ifndef CONTROL_SELF_NODES_H
#define CONTROL_SELF_NODES_H

/*
 * Finds nodes that are this balancer itself: a request to such a node would come back to the
 * balancer, again and again.
 */

#include "control/config.h"

#define SELF_NODES_TEXT_BYTES 96

/*
 * Whether a connection to `to` would arrive at a listening address of this configuration: at
 * exactly that address, or, where it is 0.0.0.0 or ::, at any address of this machine. `which` is
 * set to, for example, "listener weighted, 0.0.0.0:443".
 */
bool self_nodes_have(const struct config *c, const struct addr *to,
		     char which[SELF_NODES_TEXT_BYTES]);

#endif
