#ifndef PROXY_SNIFFING_H
#define PROXY_SNIFFING_H

/*
 * Clients of search clusters may ask for the nodes' addresses and talk to these from then on:
 * sniffing. Such a client walks past the balancer, uncaptured and unmoved. What they ask is
 *   GET /_nodes/http, GET /_nodes/_all/http, GET /_nodes/data:true/http,settings and their kin,
 * of all nodes, or of those with an attribute, not of one by its name; and their HTTP part,
 * whatever else. PHP's clients ask GET /_nodes/. That is answered with one node whose address is
 * the one that the client came by. What people and their tools ask of /_nodes is the cluster's.
 */

#include "http/msg.h"
#include "proxy/plan.h"

struct exchange;

/* Whether a request is such a call. */
bool sniffing_asks(const struct msg *request);

/* Where a client came by, as it knows it. */
struct sniffing_facts {
	bool trusted; /* X-Forwarded-Host, -Port and -Proto count */
	bool tls;
};

/*
 * "host:port" from Host, and the port of the scheme when it has none. An empty span: it has no
 * Host, or one that is longer than names are. It stands in the request's arena.
 */
struct span sniffing_address(const struct msg *request, const struct sniffing_facts *facts);

/* The answer: JSON, for all clients that are known. It stands in the arena. */
struct span sniffing_text(struct arena *arena, struct span address);

/* Answers or refuses such a request, as the plan says, and counts it. False: it goes its way. */
bool sniffing_meets(struct exchange *ex);

#endif
