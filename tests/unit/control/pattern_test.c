#include "unit/control/kit.h"

#include <time.h>

#include "base/limits.h"
#include "control/pattern.h"

static void a_pattern_is_found_anywhere(void **state)
{
	(void)state;
	static const struct {
		const char *pattern, *text;
		enum match match;
	} rows[] = {
		{ "green", "\"status\":\"green\"", MATCH_YES },
		{ "^green", "\"status\":\"green\"", MATCH_NO },
		{ "\"status\":\"(green|yellow)\"", "{\"status\":\"yellow\"}", MATCH_YES },
		{ "\"status\":\"(green|yellow)\"", "{\"status\":\"red\"}", MATCH_NO },
		{ "(?i)GREEN", "green", MATCH_YES },
		{ "a.b", "a\nb", MATCH_NO },
		{ "(?s)a.b", "a\nb", MATCH_YES },
		{ "^$", "", MATCH_YES },
		{ "x", "", MATCH_NO },
		/* Bytes, whatever they are. */
		{ "\xff\xc3", "\xff\xc3", MATCH_YES },
	};
	char error[PATTERN_ERROR_BYTES];
	size_t at;
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		struct pattern *p = pattern_open(rows[i].pattern, error, &at);
		assert_non_null(p);
		assert_int_equal(pattern_find(p, span_of(rows[i].text)), rows[i].match);
		pattern_close(p);
	}
}

static void an_empty_text_may_be_nowhere(void **state)
{
	(void)state;
	char error[PATTERN_ERROR_BYTES];
	size_t at;
	struct pattern *p = pattern_open("^$", error, &at);
	assert_int_equal(pattern_find(p, (struct span){ NULL, 0 }), MATCH_YES);
	pattern_close(p);
}

static void what_is_no_pattern_is_said_with_its_place(void **state)
{
	(void)state;
	static const struct {
		const char *pattern;
		size_t at;
	} rows[] = {
		{ "(", 1 },
		{ "ab)", 2 },
		{ "a**", 2 },
		{ "[a", 2 },
		{ "a{2,1}", 5 },
		{ "\\", 1 },
		{ "(?<n>a)\\k<m>", 10 },
		{ "\\Ca", 2 },
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		char error[PATTERN_ERROR_BYTES] = "";
		size_t at;
		struct pattern *p = pattern_open(rows[i].pattern, error, &at);
		if (p || at != rows[i].at)
			print_error("%s: %zu: %s\n", rows[i].pattern, at, error);
		assert_null(p);
		assert_int_equal(at, rows[i].at);
		assert_string_not_equal(error, "");
	}
}

static void a_pattern_has_a_limit(void **state)
{
	(void)state;
	char text[PATTERN_BYTES + 2], error[PATTERN_ERROR_BYTES];
	size_t at;
	memset(text, 'a', sizeof text);
	text[PATTERN_BYTES] = 0;
	struct pattern *p = pattern_open(text, error, &at);
	assert_non_null(p);
	pattern_close(p);
	text[PATTERN_BYTES] = 'a';
	text[PATTERN_BYTES + 1] = 0;
	assert_null(pattern_open(text, error, &at));
	assert_null(pattern_open("((((a{1,999}){1,999}){1,999}){1,999}){1,999}", error, &at));
}

/* Exponential, if it were let. */
static void a_match_that_takes_too_long_is_given_up(void **state)
{
	(void)state;
	static char text[HEALTH_BODY_BYTES];
	char error[PATTERN_ERROR_BYTES];
	size_t at;
	memset(text, 'a', sizeof text);
	struct pattern *p = pattern_open("^(a+)+$|^(a|a)*b", error, &at);
	text[sizeof text - 1] = 'c';
	assert_int_equal(pattern_find(p, (struct span){ text, sizeof text }), MATCH_TOO_COSTLY);
	assert_int_equal(pattern_find(p, SPAN("b")), MATCH_YES);
	pattern_close(p);
	/* What people write is found in the largest text, far below the limit. */
	p = pattern_open("\"status\"\\s*:\\s*\"(green|yellow)\"|.*c$", error, &at);
	assert_int_equal(pattern_find(p, (struct span){ text, sizeof text }), MATCH_YES);
	pattern_close(p);
}

static double processor_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Each of them took 0.5 to 24 s: the limit of steps holds for one place, and a match may begin at
 * 65,536. */
static void a_search_in_a_hostile_text_is_given_up_soon(void **state)
{
	(void)state;
	static const struct {
		const char *pattern;
		char filler;
	} rows[] = {
		{ "(a|a)*b", 'a' },	     { "(a+)+$b", 'a' },    { "a.*b", 'a' },
		{ "(?:a?){40}a{40}b", 'a' }, { "([^b]|a)*b", 'a' }, { "(x+x+)+y", 'x' },
	};
	static char text[HEALTH_BODY_BYTES];
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		char error[PATTERN_ERROR_BYTES];
		size_t at;
		memset(text, rows[i].filler, sizeof text);
		struct pattern *p = pattern_open(rows[i].pattern, error, &at);
		assert_non_null(p);
		double began = processor_ms();
		enum match found = pattern_find(p, (struct span){ text, sizeof text });
		double took = processor_ms() - began;
		if (took > 200)
			print_error("%s: %.1f ms\n", rows[i].pattern, took);
		assert_true(found != MATCH_YES && took < 200);
		pattern_close(p);
	}
}

/* It begins at a place that is looked at late, and may look back. */
static void a_match_is_found_wherever_it_begins(void **state)
{
	(void)state;
	static char text[HEALTH_BODY_BYTES];
	char error[PATTERN_ERROR_BYTES];
	size_t at;
	memset(text, ' ', sizeof text);
	struct pattern *p = pattern_open("(?<= )x(yz)$|^w", error, &at);
	for (size_t n = 4; n < 100; n++) {
		memcpy(text + n - 3, "xyz", 3);
		assert_int_equal(pattern_find(p, (struct span){ text, n }), MATCH_YES);
		assert_int_equal(pattern_find(p, (struct span){ text + n - 3, 3 }), MATCH_NO);
		memset(text, ' ', n);
	}
	memcpy(text + sizeof text - 3, "xyz", 3);
	assert_int_equal(pattern_find(p, (struct span){ text, sizeof text }), MATCH_YES);
	pattern_close(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pattern_is_found_anywhere),
		cmocka_unit_test(an_empty_text_may_be_nowhere),
		cmocka_unit_test(what_is_no_pattern_is_said_with_its_place),
		cmocka_unit_test(a_pattern_has_a_limit),
		cmocka_unit_test(a_match_that_takes_too_long_is_given_up),
		cmocka_unit_test(a_search_in_a_hostile_text_is_given_up_soon),
		cmocka_unit_test(a_match_is_found_wherever_it_begins),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
