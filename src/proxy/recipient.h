#ifndef PROXY_RECIPIENT_H
#define PROXY_RECIPIENT_H

/*
 * Requests that end here because of their method, whatever their path: TRACE, by any case, and
 * TRACK, as some call it, since their answer would show a client what the cluster gets of us (its
 * credential, headers.set); and OPTIONS with Max-Forwards: 0 (RFC 9110, 7.6.2).
 */

#include "http/msg.h"

struct exchange;

enum hops {
	HOPS_ANY, /* none is asked for, or the method does not heed it */
	HOPS_END, /* it ends here */
	HOPS_BAD, /* no number, or two */
	HOPS_LEFT,
};

/* Max-Forwards of an OPTIONS. `left`, with HOPS_LEFT: what the next one may be told. */
enum hops recipient_hops(const struct msg *request, unsigned long long *left);

/* Answers such a request. False: it goes its way. */
bool recipient_meets(struct exchange *ex);

#endif
