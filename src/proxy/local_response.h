#ifndef PROXY_LOCAL_RESPONSE_H
#define PROXY_LOCAL_RESPONSE_H

/*
 * Requests that Crossfade answers without asking the cluster: requests in a loop, the health path,
 * methods that end here, and clients that ask for the nodes' addresses.
 */

#include "proxy/exchanges.h"
#include "proxy/request.h"

enum local_response_kind {
	LOCAL_RESPONSE_NONE, /* the request goes on to a cluster */
	LOCAL_RESPONSE_ERROR,
	LOCAL_RESPONSE_TEXT,
	LOCAL_RESPONSE_OPTIONS, /* no body, but an Allow field */
};

struct local_response {
	enum local_response_kind response;
	enum err why; /* LOCAL_RESPONSE_ERROR */
	struct span type,
		body; /* LOCAL_RESPONSE_TEXT, with status 200; in the request's arena, or static */
};

/* The local response for a request; counts and logs where that is due. r->client must be set. */
struct local_response local_response_to(struct exchanges *d, struct request *r);

#endif
