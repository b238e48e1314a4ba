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
		{ SPAN("%41%7e"), true },
		{ SPAN(""), false },
		{ SPAN(":80"), false },
		{ SPAN("h:65536"), false },
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
	assert_true(authority_valid((struct span){ "h:65536", 6 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_authority_is_a_host_and_maybe_a_port),
		cmocka_unit_test(nothing_behind_the_span_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
