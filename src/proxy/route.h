#ifndef PROXY_ROUTE_H
#define PROXY_ROUTE_H

/* The client's address of a request, and its cluster: by an override, a sticky key or the split. */

#include "proxy/exchanges.h"
#include "proxy/request.h"

/* Sets `client` and `trusted`. The client is the peer, or the address that a trusted peer names. */
void route_client(struct request *r);

/*
 * Sets the arm and its epoch, and removes X-Crossfade-Cluster from the head. False: an override has
 * a value other than source or target.
 */
bool route_arm(struct exchanges *d, struct request *r);

#endif
