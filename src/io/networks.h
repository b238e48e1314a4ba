#ifndef IO_NETWORKS_H
#define IO_NETWORKS_H

/*
 * A set of IPv4 and IPv6 networks ("10.0.0.0/8, 2001:db8::/32"), and the test whether an address is
 * in one of them. An IPv4 address mapped into IPv6 counts as IPv4, and is in no IPv6 network: ::/0
 * is all of IPv6 and nothing of IPv4.
 *
 * The look-up is a binary search over ranges that do not touch: ten steps for a thousand ranges.
 */

#include "base/span.h"
#include "io/addr.h"

/*
 * An address as a number, in one order for both families: IPv4 is mapped as in RFC 4291 (2.5.5.2).
 */
typedef unsigned __int128 network_place __attribute__((aligned(8)));

struct range {
	network_place first, last;
};

struct networks {
	struct range *ranges; /* sorted, and not touching each other; borrowed */
	size_t n;
};

/* The most ranges that one network may become. */
#define NETWORK_RANGES 2

enum network_verdict {
	NETWORK_GOOD,
	NETWORK_ADDRESS, /* the text does not begin with an address */
	NETWORK_LENGTH,	 /* after '/' there is no number from 0 to 32, or to 128 for IPv6 */
	NETWORK_BITS,	 /* bits are set after the prefix: probably a typing error */
};

/*
 * Adds "10.0.0.0/8", "2001:db8::/32", or a single address to `to`, which must have room for
 * NETWORK_RANGES more.
 */
enum network_verdict networks_add(struct networks *to, struct span text);
/* Call it after the last networks_add(): sorts and joins the ranges. */
void networks_sort(struct networks *s);

/* A peer without an address (on a unix socket) is in no network. */
bool networks_have(const struct networks *s, const struct addr *a);

#endif
