#include "unit/cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "replay/compare_json.h"

static const struct {
	const char *a, *b;
	enum compare_verdict verdict;
	const char *where;
} rows[] = {
	{ "{}", "{}", COMPARE_EQUAL, "" },
	{ "{\"a\":1,\"b\":2}", " { \"b\" : 2 , \"a\" : 1 } ", COMPARE_EQUAL, "" },
	{ "{\"a\":[1,2]}", "{\"a\":[2,1]}", COMPARE_DIFFERENT, "a[0]: 1 / 2" },
	{ "{\"a\":[1,2]}", "{\"a\":[1]}", COMPARE_DIFFERENT, "a[1]: 2 / nothing" },
	{ "{\"a\":[]}", "{\"a\":[null]}", COMPARE_DIFFERENT, "a[0]: nothing / null" },
	{ "{\"a\":{\"b\":[{\"c\":\"x\"}]}}", "{\"a\":{\"b\":[{\"c\":\"y\"}]}}", COMPARE_DIFFERENT,
	  "a.b[0].c: \"x\" / \"y\"" },
	{ "{\"a\":1}", "{\"b\":1}", COMPARE_DIFFERENT, "a: 1 / nothing" },
	{ "{\"b\":1}", "{\"a\":1}", COMPARE_DIFFERENT, "a: nothing / 1" },
	{ "{\"a\":1}", "{\"a\":1,\"b\":{}}", COMPARE_DIFFERENT,
	  "b: nothing / an object of 0 members" },
	{ "{\"a\":null}", "{}", COMPARE_DIFFERENT, "a: null / nothing" },
	{ "{\"a\":1}", "{\"a\":\"1\"}", COMPARE_DIFFERENT, "a: 1 / \"1\"" },
	{ "{\"a\":true}", "{\"a\":false}", COMPARE_DIFFERENT, "a: true / false" },
	{ "{\"a\":[1]}", "{\"a\":{}}", COMPARE_DIFFERENT,
	  "a: an array of 1 items / an object of 0 members" },
	{ "1", "2", COMPARE_DIFFERENT, "1 / 2" },
	/* Codes in strings. */
	{ "{\"a\":\"\\u00e9\\/\"}", "{\"\\u0061\":\"\xc3\xa9/\"}", COMPARE_EQUAL, "" },
	{ "{\"a\":\"\\ud83d\\ude00\"}", "{\"a\":\"\xf0\x9f\x98\x80\"}", COMPARE_EQUAL, "" },
	{ "{\"a\":\"\\u0000b\"}", "{\"a\":\"\\u0000c\"}", COMPARE_DIFFERENT, NULL },
	{ "{\"a\":\"\\u001b[2J\"}", "{\"a\":\"b\"}", COMPARE_DIFFERENT, "a: \"\\x1b[2J\" / \"b\"" },
	/* What nobody can tell. */
	{ "{\"a\":1,\"a\":2}", "{ \"a\":1, \"a\":2 }", COMPARE_EQUAL, "" },
	{ "{\"a\":1,\"a\":2}", "{\"a\":2}", COMPARE_UNKNOWN, NULL },
	{ "{\"a\":2}", "{\"x\":0,\"a\":1,\"\\u0061\":2}", COMPARE_UNKNOWN, NULL },
	{ "{\"a\":\"\xff\"}", "{\"a\": \"\xff\"}", COMPARE_EQUAL, "" },
	{ "{\"a\":\"\xff\"}", "{\"a\":\"\xfe\"}", COMPARE_UNKNOWN, NULL },
	{ "{\"a\":\"\\ud800\"}", "{\"a\":\"\\ud801\"}", COMPARE_UNKNOWN, NULL },
	{ "{\"a\":\"\\ud800\"}", "{ \"a\":\"\\ud800\"}", COMPARE_EQUAL, "" },
	{ "{\"a\":\" \xff\"}", "{\"a\":\"\xff\"}", COMPARE_UNKNOWN, NULL },
	{ "{\"a\":\"\\\" \xff\"}", "{\"a\":\"\\\"\xff\"}", COMPARE_UNKNOWN, NULL },
	{ "{", "{}", COMPARE_UNKNOWN, NULL },
	{ "", "{}", COMPARE_UNKNOWN, NULL },
};

/* Memory that ends with the text. */
static struct span exact(const char *text)
{
	size_t n = strlen(text);
	char *at = malloc(n ? n : 1);
	assert_non_null(at);
	memcpy(at, text, n);
	return (struct span){ at, n };
}

static void texts_are_compared_by_what_they_say(void **state)
{
	char where[COMPARE_WHERE_BYTES];
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct span a = exact(rows[i].a), b = exact(rows[i].b);
		int verdict = compare_json(a, b, where);
		if (verdict != (int)rows[i].verdict ||
		    (rows[i].where && strcmp(where, rows[i].where)))
			fail_msg("%s, %s: %d, %s", rows[i].a, rows[i].b, verdict, where);
		assert_int_equal(!*where, verdict == COMPARE_EQUAL);
		assert_int_equal(compare_json(b, a, where), rows[i].verdict);
		free((char *)(uintptr_t)a.at);
		free((char *)(uintptr_t)b.at);
	}
}

static void numbers_are_integers_or_doubles(void **state)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} numbers[] = {
		{ "1.10", "1.1", true },
		{ "1e3", "1000.0", true },
		{ "1e3", "1000", true },
		{ "0", "-0", true },
		{ "0.0", "-0.0", true },
		{ "0", "0.0", true },
		{ "5", "6", false },
		{ "1.1", "1.2", false },
		{ "9007199254740993", "9007199254740992", false },
		{ "18446744073709551615", "18446744073709551616", false },
		{ "9007199254740993", "9007199254740992.0", false },
		{ "9007199254740991", "9007199254740991.0", true },
		{ "1e400", "1e401", false },
		{ "1e400", "1e400", true },
		{ "0.1", "0.1000000000000000055511151231257827", true },
	};
	(void)state;
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		struct span a = span_of(numbers[i].a), b = span_of(numbers[i].b);
		if (compare_json_numbers(a, b) != numbers[i].equal ||
		    compare_json_numbers(b, a) != numbers[i].equal)
			fail_msg("%s, %s", numbers[i].a, numbers[i].b);
	}
}

static void long_strings_are_compared_to_their_end(void **state)
{
	enum { N = 3 * JSON_TEXT_BYTES };
	char a[N], b[N], where[COMPARE_WHERE_BYTES];
	(void)state;
	memset(a, '\\', sizeof a);
	memcpy(a, "{\"a\":\"", 6);
	memcpy(a + N - 4, "xy\"}", 4);
	memcpy(b, a, sizeof b);
	b[N - 3] = 'z';
	assert_int_equal(compare_json((struct span){ a, N }, (struct span){ b, N }, where),
			 COMPARE_DIFFERENT);
	b[N - 3] = 'y';
	b[0] = ' ';
	b[1] = '{';
	memcpy(b + 2, "\"a\":\"", 5);
	memmove(b + 7, a + 6, N - 7);
	assert_int_equal(compare_json((struct span){ a, N }, (struct span){ b, N }, where),
			 COMPARE_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_compared_by_what_they_say),
		cmocka_unit_test(numbers_are_integers_or_doubles),
		cmocka_unit_test(long_strings_are_compared_to_their_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
