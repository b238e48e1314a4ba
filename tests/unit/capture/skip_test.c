/* Which requests are not recorded. */

#include "capture/skip.h"

#include <stdio.h>

#include "base/limits.h"
#include "base/slab.h"
#include "unit/cmocka_all.h"

struct field_text {
	const char *name, *value;
};

static struct slab chunks;
static struct arena arena;

static int begin(void **state)
{
	(void)state;
	slab_open(&chunks, ARENA_CHUNK_BYTES, 4);
	arena_open(&arena, &chunks);
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_close(&arena);
	slab_close(&chunks);
	return 0;
}

static bool have(const struct skips *s, const char *method, const char *target, const char *name,
		 const char *value)
{
	struct msg m;
	msg_open(&m, &arena, MSG_REQUEST);
	msg_set_request(&m, span_of(method), span_of(target));
	m.method = (uint8_t)method_find(span_of(method));
	if (name)
		assert_true(msg_add_named(&m, span_of(name), span_of(value)));
	return skips_have(s, &m);
}

static const struct {
	const char *pattern, *text;
	bool fits;
} patterns[] = {
	{ "", "", true },	    { "", "a", false },	       { "*", "", true },
	{ "*", "abc", true },	    { "a", "a", true },	       { "a", "ab", false },
	{ "a*", "a", true },	    { "a*", "b", false },      { "*a", "ba", true },
	{ "*a", "ab", false },	    { "a*a", "a", false },     { "a*a", "aa", true },
	{ "**", "x", true },	    { "a*b*c", "abbc", true }, { "a*b*c", "acb", false },
	{ "*aab", "aaab", true },   { "*a*a", "a", false },    { "*ab*ab", "abab", true },
	{ "*ab*ab", "aba", false },
};

static void a_star_stands_for_any_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
		assert_int_equal(skip_fits(span_of(patterns[i].pattern), span_of(patterns[i].text)),
				 patterns[i].fits);
}

/* A walk that tries each place for each star would take years. */
static void a_pattern_of_many_stars_takes_no_time(void **state)
{
	(void)state;
	static char pattern[SKIP_PATH_BYTES + 1], text[8000];
	memset(text, 'a', sizeof text - 1);
	for (size_t i = 0; i < SKIP_PATH_BYTES; i++)
		pattern[i] = i % 2 ? 'a' : '*';
	pattern[SKIP_PATH_BYTES - 1] = 'b';
	assert_false(skip_fits(span_of(pattern), span_of(text)));
}

#define RULE(m, p, h, v)                                                                           \
	{                                                                                          \
		{ m, sizeof(m) - 1 }, { p, sizeof(p) - 1 }, { h, sizeof(h) - 1 },                  \
		{                                                                                  \
			v, sizeof(v) - 1                                                           \
		}                                                                                  \
	}

static const struct skip_rule rules[] = {
	RULE("GET", "/_cluster/*", "", ""),
	RULE("", "/*/_search", "", ""),
	RULE("PURGE", "/cache", "", ""),
	RULE("", "", "X-Probe", "yes*"),
	RULE("", "", "User-Agent", ""),
	RULE("POST", "/log", "", ""),
	RULE("POST", "/log*", "Content-Type", "text/*"),
	RULE("GET", "*.js", "", ""),
	RULE("HEAD", "", "", ""),
};

static const struct {
	const char *method, *target, *name, *value;
	bool skipped;
} requests[] = {
	{ "GET", "/_cluster/health", NULL, NULL, true },
	{ "GET", "/_cluster/", NULL, NULL, true },
	{ "GET", "/_cluster/health?a=/../", NULL, NULL, true },
	{ "GET", "/_cluster", NULL, NULL, false },
	{ "PUT", "/_cluster/settings", NULL, NULL, false },
	{ "GET", "/_cluster/../books", NULL, NULL, false },
	{ "GET", "/_cluster/..", NULL, NULL, false },
	{ "GET", "/_cluster/./x", NULL, NULL, false },
	{ "GET", "/_cluster//x", NULL, NULL, false },
	{ "GET", "/_cluster/%2e%2e/x", NULL, NULL, false },
	{ "GET", "/_cluster/a\\b", NULL, NULL, false },
	{ "GET", "/_cluster/.hidden", NULL, NULL, true },
	{ "GET", "/_cluster/...", NULL, NULL, true },
	{ "POST", "/books/_search", NULL, NULL, true },
	{ "POST", "/books/_search?q=1", NULL, NULL, true },
	{ "POST", "/books/_searches", NULL, NULL, false },
	{ "PURGE", "/cache", NULL, NULL, true },
	{ "BURGE", "/cache", NULL, NULL, false },
	{ "PURGE", "/cache/", NULL, NULL, false },
	{ "PUT", "/x", "X-Probe", "yes", true },
	{ "PUT", "/x", "x-probe", "yes, please", true },
	{ "PUT", "/x", "X-Probe", "no", false },
	{ "PUT", "/x%2e", "X-Probe", "yes", true },
	{ "PUT", "/x", "User-Agent", "anything", true },
	{ "POST", "/log", NULL, NULL, true },
	{ "POST", "/log/1", NULL, NULL, false },
	{ "POST", "/log/1", "Content-Type", "text/plain", true },
	{ "POST", "/log/1", "Content-Type", "image/png", false },
	{ "GET", "/a/b.js", NULL, NULL, true },
	{ "GET", "/a/b.json", NULL, NULL, false },
	{ "HEAD", "/a", NULL, NULL, true },
	{ "OPTIONS", "*", NULL, NULL, false },
};

static void a_request_fits_when_all_of_a_rule_does(void **state)
{
	(void)state;
	const struct skips *s = skips_make(&arena, rules, sizeof rules / sizeof rules[0]);
	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++)
		if (have(s, requests[i].method, requests[i].target, requests[i].name,
			 requests[i].value) != requests[i].skipped)
			fail_msg("%s %s", requests[i].method, requests[i].target);
}

static void the_rest_of_a_dropped_field_is_no_field(void **state)
{
	(void)state;
	const struct skips *s = skips_make(&arena, &rules[3], 1);
	struct msg m;
	msg_open(&m, &arena, MSG_REQUEST);
	msg_set_request(&m, SPAN("GET"), SPAN("/"));
	assert_true(msg_add_named(&m, SPAN("X-Probe"), SPAN("yes")));
	assert_true(skips_have(s, &m));
	msg_drop_named(&m, SPAN("X-Probe"));
	assert_false(skips_have(s, &m));
}

/* Whatever the table does with a thousand of them, it says what asking one after the other says. */
static void a_thousand_rules_say_what_each_says(void **state)
{
	(void)state;
	static struct skip_rule many[SKIP_RULES_MAX];
	static char texts[SKIP_RULES_MAX][64];
	for (size_t i = 0; i < SKIP_RULES_MAX; i++) {
		static const char *const forms[] = { "/i%zu",	      "/i%zu/%zu",  "/i%zu/%zu*",
						     "/*%zu/%zu/end", "*i%zu/*%zu", "/*/%zu/*" };
		snprintf(texts[i], sizeof texts[i], forms[i % 6], i % 97, i / 6);
		many[i] = (struct skip_rule){ .path = span_of(texts[i]) };
	}
	const struct skips *s = skips_make(&arena, many, SKIP_RULES_MAX);
	unsigned skipped = 0;
	for (unsigned i = 0; i < 97 * 400; i++) {
		char target[64];
		bool fits = false;
		snprintf(target, sizeof target,
			 i % 3 == 0   ? "/i%u/%u"
			 : i % 3 == 1 ? "/i%u/%u/x"
				      : "/i%u/%u/end",
			 i % 97, i / 97);
		for (size_t k = 0; k < SKIP_RULES_MAX && !fits; k++)
			fits = skip_fits(many[k].path, span_of(target));
		assert_int_equal(have(s, "GET", target, NULL, NULL), fits);
		skipped += fits;
	}
	assert_in_range(skipped, 300, 97 * 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_star_stands_for_any_bytes),
		cmocka_unit_test(a_pattern_of_many_stars_takes_no_time),
		cmocka_unit_test_setup_teardown(a_request_fits_when_all_of_a_rule_does, begin, end),
		cmocka_unit_test_setup_teardown(the_rest_of_a_dropped_field_is_no_field, begin,
						end),
		cmocka_unit_test_setup_teardown(a_thousand_rules_say_what_each_says, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
