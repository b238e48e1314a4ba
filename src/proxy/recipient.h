#ifndef PROXY_RECIPIENT_H
#define PROXY_RECIPIENT_H

/*
 * Requests that end here because of their method, whatever their path: TRACE in upper or lower
 * case, and its other name TRACK, because the response would show a client what the cluster gets
 * from us (its credential, headers.set); and OPTIONS with Max-Forwards: 0 (RFC 9110, 7.6.2).
 */

#include "http/msg.h"

enum hops {
	HOPS_ANY, /* no Max-Forwards, or the method ignores it */
	HOPS_END, /* Max-Forwards is 0: the request ends here */
	HOPS_BAD, /* not a number, or two fields */
	HOPS_LEFT,
};

/* Max-Forwards of an OPTIONS request. `left`, with HOPS_LEFT: the value for the next recipient. */
enum hops recipient_hops(const struct msg *request, unsigned long long *left);

enum recipient {
	RECIPIENT_CLUSTER,  /* the request goes to its cluster */
	RECIPIENT_TRACE,    /* refused: TRACE, TRACK */
	RECIPIENT_BAD_HOPS, /* refused: HOPS_BAD */
	RECIPIENT_HERE,	    /* Crossfade answers this OPTIONS */
};

enum recipient recipient_of(const struct msg *request);

#endif
