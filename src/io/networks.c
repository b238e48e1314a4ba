#include "io/networks.h"

#include <stdlib.h>

#define MAPPED_FIRST ((network_place)0xffff << 32)
#define MAPPED_LAST (MAPPED_FIRST | 0xffffffff)
#define IPV4_BITS 32
#define ALL_BITS 128

static bool network_place_of(const struct addr *a, network_place *p)
{
	unsigned char bytes[16];
	if (!addr_canonical(a, bytes))
		return false;
	*p = 0;
	for (int i = 0; i < 16; i++)
		*p = *p << 8 | bytes[i];
	return true;
}

static void range_add(struct networks *to, network_place first, network_place last)
{
	if (first <= last)
		to->ranges[to->n++] = (struct range){ first, last };
}

/*
 * Mapped addresses belong to IPv4, so an IPv6 network around them becomes two ranges, one before
 * and one after them.
 */
static void add_around_mapped(struct networks *to, network_place first, network_place last)
{
	if (last < MAPPED_FIRST || first >= MAPPED_FIRST) {
		range_add(to, first, last);
		return;
	}
	range_add(to, first, MAPPED_FIRST - 1);
	range_add(to, MAPPED_LAST + 1, last);
}

enum network_verdict networks_add(struct networks *to, struct span text)
{
	const char *slash = memchr(text.at, '/', text.n);
	struct span host = { text.at, slash ? (size_t)(slash - text.at) : text.n };
	struct addr a;
	network_place first;
	if (!addr_parse(host, 0, &a) || !network_place_of(&a, &first))
		return NETWORK_ADDRESS;
	unsigned most = a.any.sa_family == AF_INET ? IPV4_BITS : ALL_BITS;
	unsigned long long bits = most;
	if (slash && !span_to_u64((struct span){ slash + 1, text.n - host.n - 1 }, most, &bits))
		return NETWORK_LENGTH;
	unsigned rest = most - (unsigned)bits;
	network_place mask = rest == ALL_BITS ? ~(network_place)0 : ((network_place)1 << rest) - 1;
	if (first & mask)
		return NETWORK_BITS;
	add_around_mapped(to, first, first | mask);
	return NETWORK_GOOD;
}

static int by_first(const void *a, const void *b)
{
	const struct range *x = a, *y = b;
	return x->first < y->first ? -1 : x->first > y->first;
}

void networks_sort(struct networks *s)
{
	size_t n = 0;
	if (s->n)
		qsort(s->ranges, s->n, sizeof *s->ranges, by_first);
	for (size_t i = 0; i < s->n; i++) {
		struct range *last = n ? &s->ranges[n - 1] : NULL, *r = &s->ranges[i];
		if (!last || r->first > last->last)
			s->ranges[n++] = *r;
		else if (r->last > last->last)
			last->last = r->last;
	}
	s->n = n;
}

bool networks_have(const struct networks *s, const struct addr *a)
{
	network_place p;
	if (!network_place_of(a, &p))
		return false;
	size_t from = 0, to = s->n;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		if (p < s->ranges[middle].first)
			to = middle;
		else if (p > s->ranges[middle].last)
			from = middle + 1;
		else
			return true;
	}
	return false;
}
