#include "unit/http/kit.h"

#include "http/authority.h"

static void an_authority_is_a_host_and_maybe_a_port(void **state)
{
	(void)state;
	static const struct {
		struct span text;
		bool valid;
	} rows[] = {
		{ SPAN("h"), true },
		{ SPAN("a-b_c.example"), true },
		{ SPAN("127.0.0.1:9200"), true },
		{ SPAN("[::1]"), true },
		{ SPAN("[fe80::1]:65535"), true },
		{ SPAN("h:"), true },
		{ SPAN("h:0000000080"), true },
		{ SPAN("h:000"), true },
		{ SPAN("[fe80::1%eth0]:9200"), true },
		{ SPAN("[fe80::1%25eth0]"), true },
		{ SPAN("[fe80::1%25a%2Fb]"), true },
		{ SPAN("[v1.x]"), true },
		{ SPAN("[V1f.a:b,~c]:80"), true },
		{ SPAN("%41%7e"), true },
		{ SPAN(""), false },
		{ SPAN(":80"), false },
		{ SPAN("h:65536"), false },
		{ SPAN("h:0000065536"), false },
		{ SPAN("[fe80::1%]"), false },
		{ SPAN("[fe80::1%25a%2]"), false },
		{ SPAN("[fe80::1%a/b]"), false },
		{ SPAN("[fe80::1%a%b]"), false },
		{ SPAN("[%eth0]"), false },
		{ SPAN("fe80::1%25eth0"), false },
		{ SPAN("[v]"), false },
		{ SPAN("[v1]"), false },
		{ SPAN("[v1.]"), false },
		{ SPAN("[v.x]"), false },
		{ SPAN("[vg.x]"), false },
		{ SPAN("[v1.x/y]"), false },
		{ SPAN("[v1.x%41]"), false },
		{ SPAN("[127.0.0.1]"), false },
		{ SPAN("h:123456"), false },
		{ SPAN("h:+1"), false },
		{ SPAN("h:1:2"), false },
		{ SPAN("u@h"), false },
		{ SPAN("a b"), false },
		{ SPAN("a/b"), false },
		{ SPAN("["), false },
		{ SPAN("[]"), false },
		{ SPAN("[::1"), false },
		{ SPAN("[::1]]"), false },
		{ SPAN("[1:2:3:4:5:6:7:8:9]"), false },
		{ SPAN("[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]"), false },
		{ SPAN("%"), false },
		{ SPAN("%g0"), false },
		{ SPAN("%0g"), false },
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		/* In memory of just its size, so that AddressSanitizer sees a look behind it. */
		char *exact = malloc(rows[i].text.n);
		memcpy(exact, rows[i].text.at, rows[i].text.n);
		if (authority_valid((struct span){ exact, rows[i].text.n }) != rows[i].valid)
			fail_msg("\"%s\"", rows[i].text.at);
		free(exact);
	}
}

/* What stands behind the span would make it valid. */
static void nothing_behind_the_span_counts(void **state)
{
	(void)state;
	assert_false(authority_valid((struct span){ "h%20", 2 }));
	assert_false(authority_valid((struct span){ "h%20", 3 }));
	assert_false(authority_valid((struct span){ "[::1]", 4 }));
	assert_false(authority_valid((struct span){ "[v1.x]", 5 }));
	assert_false(authority_valid((struct span){ "[::1%a]", 6 }));
	assert_true(authority_valid((struct span){ "h:65536", 6 }));
}

static void two_are_the_same_but_for_case_and_the_schemes_own_port(void **state)
{
	(void)state;
	static const struct {
		const char *a, *b;
		unsigned port;
		bool same;
	} rows[] = {
		{ "h", "H", 80, true },
		{ "h:80", "h", 80, true },
		{ "h:", "h:0080", 80, true },
		{ "h:443", "H:", 443, true },
		{ "[::A]:9200", "[::a]:09200", 80, true },
		{ "[fe80::1%25Eth0]", "[fe80::1%25eth0]", 80, true },
		{ "h:80", "h", 443, false },
		{ "h:443", "h", 80, false },
		{ "h:81", "h", 80, false },
		{ "h:81", "h:82", 80, false },
		{ "h", "i", 80, false },
		{ "h", "h.", 80, false },
		{ "h", "hh", 80, false },
		{ "h", "", 80, false },
		{ "", "", 80, false },
		{ "h:x", "h:x", 80, false },
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		struct span a = span_of(rows[i].a), b = span_of(rows[i].b);
		if (authority_same(a, b, rows[i].port) != rows[i].same ||
		    authority_same(b, a, rows[i].port) != rows[i].same)
			fail_msg("%s, %s", rows[i].a, rows[i].b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_authority_is_a_host_and_maybe_a_port),
		cmocka_unit_test(nothing_behind_the_span_counts),
		cmocka_unit_test(two_are_the_same_but_for_case_and_the_schemes_own_port),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
