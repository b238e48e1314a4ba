#ifndef PROXY_DELIVERIES_H
#define PROXY_DELIVERIES_H

/* One worker's deliveries that wait for a node. */

#include "proxy/exchanges.h"

/* There are new values or a new plan: deliveries that wait for an address choose again. */
void deliveries_choose(struct exchanges *d);
/* Gives connections that have become free to the deliveries in the queues. Called each turn. */
void deliveries_serve(struct exchanges *d);
/* Whether any delivery waits for a node. */
bool deliveries_wait(const struct exchanges *d);
/* Whether deliveries_serve() has work to do. */
bool deliveries_can_be_served(const struct exchanges *d);
/* Fails the deliveries that have waited too long. Called each turn in which any waits. */
void deliveries_expire(struct exchanges *d);
/* At the end of a turn: frees bodies that no further attempt needs. */
void deliveries_sweep(struct exchanges *d);

#endif
