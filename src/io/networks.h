#ifndef IO_NETWORKS_H
#define IO_NETWORKS_H

/*
 * Networks of IPv4 and IPv6 addresses ("10.0.0.0/8, 2001:db8::/32"), and whether an address is in
 * one of them. An IPv4 address mapped into IPv6 counts as IPv4, and no IPv6 network holds it: ::/0
 * is all of IPv6 and nothing of IPv4.
 *
 * The look-up is a binary search over ranges that do not touch: ten steps for a thousand of them.
 */

#include "base/span.h"
#include "io/addr.h"

/* An address's place in the one order of all: IPv4 is where RFC 4291 (2.5.5.2) maps it. */
typedef unsigned __int128 network_place __attribute__((aligned(8)));

struct range {
	network_place first, last;
};

struct networks {
	struct range *ranges; /* sorted, and apart from each other; borrowed */
	size_t n;
};

/* Ranges that one network may become. */
#define NETWORK_RANGES 2

enum network_verdict {
	NETWORK_GOOD,
	NETWORK_ADDRESS, /* it does not begin with an address */
	NETWORK_LENGTH,	 /* behind '/' there is no number from 0 to 32, or 128 */
	NETWORK_BITS,	 /* bits are set behind the prefix: the network is not what it seems */
};

/* "10.0.0.0/8", "2001:db8::/32", or an address alone. Adds to `to`, which must have the room. */
enum network_verdict networks_add(struct networks *to, struct span text);
/* After the last one was added: puts them in order. */
void networks_sort(struct networks *s);

/* A peer without an address (on a unix socket) is in no network. */
bool networks_have(const struct networks *s, const struct addr *a);

#endif
