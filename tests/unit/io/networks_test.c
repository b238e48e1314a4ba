#include "unit/cmocka_all.h"

#include "base/limits.h"
#include "io/networks.h"

#include <stdio.h>
#include <stdlib.h>

static struct addr address(const char *host)
{
	struct addr a;
	assert_true(addr_parse(span_of(host), 5555, &a));
	return a;
}

/* "a, b": a list as the configuration has it. */
static void make(struct networks *s, struct range *room, const char *list)
{
	*s = (struct networks){ .ranges = room };
	struct span rest = span_of(list), one;
	while (span_next_member(&rest, &one))
		assert_int_equal(networks_add(s, one), NETWORK_GOOD);
	networks_sort(s);
}

static bool has(const char *list, const char *host)
{
	struct range room[16];
	struct networks s;
	make(&s, room, list);
	struct addr a = address(host);
	return networks_have(&s, &a);
}

static void an_address_is_in_its_networks(void **state)
{
	(void)state;
	static const struct {
		const char *list, *host;
		bool in;
	} rows[] = {
		{ "10.0.0.0/8", "10.0.0.0", true },
		{ "10.0.0.0/8", "10.255.255.255", true },
		{ "10.0.0.0/8", "9.255.255.255", false },
		{ "10.0.0.0/8", "11.0.0.0", false },
		{ "192.0.2.7", "192.0.2.7", true },
		{ "192.0.2.7", "192.0.2.8", false },
		{ "192.0.2.6/31", "192.0.2.7", true },
		{ "0.0.0.0/0", "255.255.255.255", true },
		{ "0.0.0.0/0", "0.0.0.0", true },
		{ "0.0.0.0/0", "::1", false },
		{ "2001:db8::/32", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true },
		{ "2001:db8::/32", "2001:db9::", false },
		{ "2001:db8::1", "2001:db8::1", true },
		{ "2001:db8::1", "2001:db8::2", false },
		{ "::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true },
		{ "::/0", "::", true },
		/* An address of IPv4 is one however it is written, and a network of IPv6 holds
		   none. */
		{ "10.0.0.0/8", "::ffff:10.1.2.3", true },
		{ "::ffff:10.0.0.0/104", "10.1.2.3", true },
		{ "::ffff:10.0.0.0/104", "11.1.2.3", false },
		{ "::/0", "10.1.2.3", false },
		{ "::/0", "::ffff:10.1.2.3", false },
		{ "::/64", "::ffff:10.1.2.3", false },
		{ "::/64", "::1:0:0:1", true },
		{ "::ffff:0:0/96", "10.1.2.3", true },
		{ "::/0, 10.0.0.0/8", "10.1.2.3", true },
		/* Networks within networks, beside each other, and in any order. */
		{ "10.2.0.0/16, 10.0.0.0/8, 10.1.0.0/16", "10.200.0.1", true },
		{ "10.0.1.0/24, 10.0.0.0/24", "10.0.1.0", true },
		{ "10.0.1.0/24, 10.0.0.0/24", "10.0.2.0", false },
		{ "10.0.0.0/24, 10.0.2.0/24", "10.0.1.77", false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (has(rows[i].list, rows[i].host) != rows[i].in)
			fail_msg("%s in %s", rows[i].host, rows[i].list);
}

static void what_is_no_network_is_told_from_what_is(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum network_verdict verdict;
	} rows[] = {
		{ "10.0.0.0/32", NETWORK_GOOD },    { "10.0.0.0/33", NETWORK_LENGTH },
		{ "2001:db8::/128", NETWORK_GOOD }, { "2001:db8::/129", NETWORK_LENGTH },
		{ "10.0.0.0/", NETWORK_LENGTH },    { "10.0.0.0/-1", NETWORK_LENGTH },
		{ "10.0.0.0/8/8", NETWORK_LENGTH }, { "10.0.0.0/255.0.0.0", NETWORK_LENGTH },
		{ "10.0.0.1/8", NETWORK_BITS },	    { "2001:db8::1/64", NETWORK_BITS },
		{ "1.0.0.0/0", NETWORK_BITS },	    { "8000::/0", NETWORK_BITS },
		{ "example.org", NETWORK_ADDRESS }, { "10.0.0/8", NETWORK_ADDRESS },
		{ "/8", NETWORK_ADDRESS },	    { "[::1]", NETWORK_ADDRESS },
		{ "10.0.0.0:80", NETWORK_ADDRESS }, { "", NETWORK_ADDRESS },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct range room[NETWORK_RANGES];
		struct networks s = { .ranges = room };
		if (networks_add(&s, span_of(rows[i].text)) != rows[i].verdict)
			fail_msg("%s", rows[i].text);
		assert_int_equal(s.n > 0, rows[i].verdict == NETWORK_GOOD);
	}
}

static void nobody_without_an_address_is_in_a_network(void **state)
{
	(void)state;
	struct range room[4];
	struct networks s;
	make(&s, room, "0.0.0.0/0, ::/0");
	struct addr none = { .any.sa_family = AF_UNIX };
	assert_false(networks_have(&s, &none));
}

/* Against a look at each of them, over as many networks as a configuration may hold. */
static void the_search_finds_what_a_look_at_each_finds(void **state)
{
	(void)state;
	struct networks s = { .ranges = calloc(NETWORKS_MAX, sizeof(struct range)) };
	unsigned char *is_in = calloc(1 << 16, 1);
	uint32_t seed = 7;
	for (unsigned i = 0; i < 1000; i++) {
		char text[32];
		seed = seed * 1664525 + 1013904223;
		unsigned length = 20 + (seed >> 28) % 13;
		uint32_t at = (10u << 24 | (seed >> 8 & 0xffff)) & (~0u << (32 - length));
		snprintf(text, sizeof text, "%u.%u.%u.%u/%u", at >> 24, at >> 16 & 255,
			 at >> 8 & 255, at & 255, length);
		if (networks_add(&s, span_of(text)) != NETWORK_GOOD)
			fail_msg("%s", text);
		for (uint32_t k = 0; k < 1u << (32 - length); k++)
			is_in[(at + k) & 0xffff] = 1;
	}
	networks_sort(&s);
	for (uint32_t i = 0; i < 1 << 16; i++) {
		struct addr a = address("10.0.0.0");
		a.v4.sin_addr.s_addr = htonl(10u << 24 | i);
		if (networks_have(&s, &a) != (bool)is_in[i])
			fail_msg("10.0.%u.%u", i >> 8, i & 255);
	}
	free(is_in);
	free(s.ranges);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_in_its_networks),
		cmocka_unit_test(what_is_no_network_is_told_from_what_is),
		cmocka_unit_test(nobody_without_an_address_is_in_a_network),
		cmocka_unit_test(the_search_finds_what_a_look_at_each_finds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
