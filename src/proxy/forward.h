#ifndef PROXY_FORWARD_H
#define PROXY_FORWARD_H

/* What changes in a request's head between the client and the cluster, and in a response's back. */

#include "base/arena.h"
#include "http/msg.h"
#include "proxy/chance.h"
#include "proxy/hop.h"
#include "proxy/plan.h"

struct forward_facts {
	const struct listener *listener;
	const struct addr *peer; /* who is connected to us */
	const struct hop *hop;	 /* this balancer's */
	bool trusted;		 /* what that peer says in X-Forwarded-* counts */
	uint64_t wall_ns;
	struct chance *chance;
};

/*
 * Whom a request comes from, when `peer` is trusted: the rightmost address in X-Forwarded-For that
 * is not in `trust`. When all of them are, or one is no address, it is the last one that was
 * understood.
 */
struct addr forward_origin(const struct msg *request, const struct networks *trust,
			   const struct addr *peer);

/*
 * Adds X-Forwarded-For, -Proto and -Port as the listener says; a trusted peer's -Proto and -Port
 * stay. X-Crossfade-Hop gets one more member, always. Max-Forwards of OPTIONS is one less. Then the
 * trace fields (trace.h), unless the listener keeps them. False when the fields get too many or too
 * long for a head.
 */
bool forward_client(struct msg *request, const struct forward_facts *facts);

/*
 * Before all that: drops fields that would be taken, with a '-' for their '_', for ones that are
 * read or written here, unless the cluster tells them apart.
 */
void forward_unmask(struct msg *request, const struct cluster *cluster);

/* Sets and removes what the cluster's configuration says. Once, when the cluster is known. */
bool forward_edit(struct msg *request, const struct cluster *cluster);
/* Of a request's trailers all that goes that would go from its head, or would be replaced there. */
void forward_trailers(struct msg *trailers, const struct cluster *cluster);

/*
 * Of a response's head or trailers: drops X-Crossfade-*, with a '_' for any '-' too, for who reads
 * such a field is to know that it is ours.
 */
void forward_answer(struct msg *answer);

/* Host as the cluster wants it. Again for each node that is tried. */
bool forward_host(struct msg *request, const struct cluster *cluster, const struct node *node);

#endif
