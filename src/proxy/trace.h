#ifndef PROXY_TRACE_H
#define PROXY_TRACE_H

/*
 * The fields by which a request is found again in the logs of all that it went through:
 * X-Amzn-Trace-Id, as AWS ALB writes it, and traceparent (W3C Trace Context, level 1). Both say the
 * same number where one of them is made here: Root=1-01234567-89abcdef0123456789abcdef is trace
 * 0123456789abcdef0123456789abcdef.
 */

#include "http/msg.h"
#include "proxy/chance.h"

/*
 * X-Amzn-Trace-Id: with a Root, Self=1-TIME-RANDOM comes in front of it, in the place of a Self
 * that an earlier balancer has put there; all other members stay as they are. Without one, Root= is
 * put in front. One of more than TRACE_BYTES, and any second field, is not kept.
 *
 * traceparent: a valid one stays, and tracestate with it. Another one, or a second one, begins a
 * new trace, and tracestate, which belonged to the old one, goes (3.2.2, 3.3, 4.3).
 *
 * False when the fields get too many or too long for a head.
 */
bool trace_add(struct msg *request, uint64_t wall_ns, struct chance *chance);

#endif
