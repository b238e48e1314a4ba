#ifndef PROXY_FORWARD_H
#define PROXY_FORWARD_H

/*
 * What changes in a request's head between the client and the cluster, and in the response's head
 * on its way back.
 */

#include "base/arena.h"
#include "http/msg.h"
#include "proxy/rng.h"
#include "proxy/hop.h"
#include "proxy/plan.h"

struct forward_facts {
	const struct listener *listener;
	const struct addr *peer; /* the other end of the client's connection */
	const struct hop *hop;	 /* this balancer's */
	bool trusted;		 /* the peer's X-Forwarded-* fields count */
	uint64_t wall_ns;
	struct rng *rng;
};

/*
 * The client's address, when `peer` is trusted: the rightmost address in X-Forwarded-For that is
 * not in `trust`. If all are in `trust`, or a member is no address, it is the last address that was
 * understood.
 */
struct addr forward_origin(const struct msg *request, const struct networks *trust,
			   const struct addr *peer);

/*
 * Adds X-Forwarded-For, -Proto and -Port as the listener says; -Proto and -Port of a trusted peer
 * stay. Always appends a member to X-Crossfade-Hop. Decrements Max-Forwards of OPTIONS. Then adds
 * the trace fields (trace.h), unless the listener keeps them. False when the fields get too many or
 * too long for a head.
 */
bool forward_client(struct msg *request, const struct forward_facts *facts);

/*
 * To be called before all that. Drops fields whose name differs only by '_' for '-' from a field
 * that is read or written here, unless the cluster treats the two as different names.
 */
void forward_unmask(struct msg *request, const struct cluster *cluster);

/*
 * Sets and removes fields as the cluster's configuration says. Called once, when the cluster is
 * known. False: as forward_client().
 */
bool forward_edit(struct msg *request, const struct cluster *cluster);
/*
 * Drops from a request's trailers every field that would be dropped from its head, or replaced
 * there.
 */
void forward_trailers(struct msg *trailers, const struct cluster *cluster);

/*
 * For a response's head or trailers: drops X-Crossfade-*, also with '_' for '-', so that a client
 * can rely on such a field being ours.
 */
void forward_response(struct msg *response);

/*
 * Sets Host as the cluster wants it. Called again for each node that is tried. False: as
 * forward_client().
 */
bool forward_host(struct msg *request, const struct cluster *cluster, const struct node *node);

#endif
