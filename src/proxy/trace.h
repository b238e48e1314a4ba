#ifndef PROXY_TRACE_H
#define PROXY_TRACE_H

/*
 * The fields that identify a request in the logs of everything that it passed: X-Amzn-Trace-Id, as
 * AWS ALB writes it, and traceparent (W3C Trace Context, level 1). If Crossfade makes one of them,
 * both have the same id: Root=1-01234567-89abcdef0123456789abcdef is trace
 * 0123456789abcdef0123456789abcdef.
 */

#include "http/msg.h"
#include "proxy/rng.h"

/*
 * X-Amzn-Trace-Id: if the field has a Root, Self=1-TIME-RANDOM is put in front, and replaces the
 * Self of an earlier balancer; all other members stay as they are. Without a Root, Root= is put in
 * front. A field of more than TRACE_BYTES is replaced, and a second field is dropped.
 *
 * traceparent: a valid one stays, and tracestate with it. An invalid one, or a second one, begins a
 * new trace, and tracestate, which belonged to the old trace, is dropped (3.2.2, 3.3, 4.3).
 *
 * False when the fields get too many or too long for a head.
 */
bool trace_add(struct msg *request, uint64_t wall_ns, struct rng *rng);

#endif
