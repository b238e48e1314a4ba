#ifndef CONTROL_OWN_H
#define CONTROL_OWN_H

/* Nodes that are this balancer itself: requests that went there would come back, and again. */

#include "control/config.h"

#define OWN_TEXT_BYTES 96

/*
 * Whether a connection to `to` would arrive at a listening address of this configuration: at that
 * address itself, or, where that is 0.0.0.0 or ::, at any of this machine. `which` says: "listener
 * weighted, 0.0.0.0:443".
 */
bool own_has(const struct config *c, const struct addr *to, char which[OWN_TEXT_BYTES]);

#endif
