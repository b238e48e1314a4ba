#include "control/self_nodes.h"

#include <ifaddrs.h>
#include <stdio.h>
#include <string.h>

static bool is_loopback_address(const struct addr *a)
{
	if (a->any.sa_family == AF_INET)
		return ntohl(a->v4.sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
}

static bool is_same_host(const struct addr *a, const struct sockaddr *b)
{
	struct addr other = { 0 };
	if (!b || b->sa_family != a->any.sa_family)
		return false;
	memcpy(&other, b, b->sa_family == AF_INET ? sizeof other.v4 : sizeof other.v6);
	if (b->sa_family == AF_INET)
		other.v4.sin_port = a->v4.sin_port;
	else
		other.v6.sin6_port = a->v6.sin6_port;
	return addr_is(a, &other);
}

/* True for all of 127.0.0.0/8, and for the present addresses of the interfaces. */
static bool is_of_this_machine(const struct addr *a)
{
	struct ifaddrs *all, *i;
	if (is_loopback_address(a) || addr_is_any(a))
		return true;
	if (getifaddrs(&all) < 0)
		return false;
	for (i = all; i && !is_same_host(a, i->ifa_addr); i = i->ifa_next)
		;
	freeifaddrs(all);
	return i != NULL;
}

/* A connection to 0.0.0.0 or :: arrives at a loopback address. */
static bool arrives_at(const struct addr *to, const struct addr *listening)
{
	if (!addr_overlaps(to, listening))
		return false;
	if (addr_is_any(to))
		return addr_is_any(listening) || is_loopback_address(listening);
	return !addr_is_any(listening) || is_of_this_machine(to);
}

static const struct config_address *find_arrival(const struct config_address *a,
						 const struct addr *to)
{
	while (a && !arrives_at(to, &a->addr))
		a = a->next;
	return a;
}

bool self_nodes_have(const struct config *c, const struct addr *to,
		     char which[SELF_NODES_TEXT_BYTES])
{
	struct addr plain = addr_unmapped(to);
	const struct config_address *at;
	for (int k = 0; k < LISTENER_KINDS; k++) {
		at = find_arrival(c->listeners.kinds[k].addresses, &plain);
		if (at) {
			snprintf(which, SELF_NODES_TEXT_BYTES, "listener %s, %.60s",
				 listener_name((enum config_listener_kind)k), at->text);
			return true;
		}
	}
	at = find_arrival(c->admin.addresses, &plain);
	if (at)
		snprintf(which, SELF_NODES_TEXT_BYTES, "admin.address, %.60s", at->text);
	return at != NULL;
}
