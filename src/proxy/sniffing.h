#ifndef PROXY_SNIFFING_H
#define PROXY_SNIFFING_H

/*
 * Clients of search clusters may ask for the nodes' addresses and use these from then on: sniffing.
 * Such a client bypasses the balancer: its requests are neither captured nor moved. The calls are
 *   GET /_nodes/http, GET /_nodes/_all/http, GET /_nodes/data:true/http,settings and the like:
 * they are for all nodes or for nodes with an attribute, not for one node by its name, and include
 * the metric http. PHP's clients send GET /_nodes/. The response has one node, with the address
 * that the client itself used. Other requests for /_nodes, as people and tools send them, go to the
 * cluster.
 */

#include "http/msg.h"
#include "proxy/plan.h"

struct exchanges;
struct request;

/* Whether a request is a sniffing call. */
bool sniffing_asks(const struct msg *request);

/* What is known of the address that the client used. */
struct sniffing_facts {
	bool trusted; /* X-Forwarded-Host, -Port and -Proto count */
	bool tls;
};

/*
 * "host:port" from Host, with the scheme's port if Host has none; proxies' X-Forwarded-* first,
 * where `trusted`. An empty span: there is no Host, or it is longer than a name can be. In the
 * request's arena.
 */
struct span sniffing_address(const struct msg *request, const struct sniffing_facts *facts);

/* The response: JSON that all known clients understand. In the arena. */
struct span sniffing_text(struct arena *arena, struct span address);

/*
 * What the plan says for such a request; counts it. With SNIFFING_RESPOND `address` is set:
 * sniffing_address().
 */
enum sniffing sniffing_meets(struct exchanges *d, const struct request *r, struct span *address);

#endif
