#include "unit/cmocka_all.h"

#include <stdio.h>

#include "sample/json.h"
#include "sample/pattern.h"
#include "sample/trouble.h"

static void expect_text(struct sample_text *t, const char *expected, const char *of)
{
	if (!span_is((struct span){ t->at, t->n }, span_of(expected)))
		fail_msg("%s: %.*s, expected is %s", of, (int)t->n, t->at, expected);
	sample_text_free(t);
}

static void a_filter_leaves_what_is_named(void **state)
{
	static const struct {
		const char *paths, *json, *expected;
	} table[] = {
		{ "a", "{\"a\":1,\"b\":2}", "{\"a\":1}" },
		{ "b,a", "{\"a\":1,\"b\":2}", "{\"a\":1,\"b\":2}" },
		{ "c", "{\"a\":1}", "{}" },
		{ "a.b", "{\"a\":{\"b\":[1,2],\"c\":3},\"b\":4}", "{\"a\":{\"b\":[1,2]}}" },
		{ "a.b", "{\"a\":1}", "{}" },
		{ "a", "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1}}" },
		{ "*.b", "{\"a\":{\"b\":1},\"c\":{\"d\":2},\"e\":{\"b\":3}}",
		  "{\"a\":{\"b\":1},\"e\":{\"b\":3}}" },
		{ "a*.b*c", "{\"ax\":{\"bxc\":1,\"bx\":2},\"x\":{\"bc\":3}}",
		  "{\"ax\":{\"bxc\":1}}" },
		{ "**.b", "{\"b\":0,\"a\":{\"b\":1,\"c\":{\"b\":2,\"d\":3}}}",
		  "{\"b\":0,\"a\":{\"b\":1,\"c\":{\"b\":2}}}" },
		{ "a.**", "{\"a\":{\"b\":1},\"c\":2}", "{\"a\":{\"b\":1}}" },
		{ "i.*.s",
		  "{\"i\":[{\"x\":{\"s\":1,\"t\":2}},{\"y\":{\"t\":3}},{\"z\":{\"s\":4}}]}",
		  "{\"i\":[{\"x\":{\"s\":1}},{\"z\":{\"s\":4}}]}" },
		{ "a", "[{\"a\":1,\"b\":2},{\"b\":3}]", "[{\"a\":1}]" },
		{ "i.a,n", "{\"i\":[1,\"x\",null,[{\"a\":1}]],\"n\":true}",
		  "{\"i\":[[{\"a\":1}]],\"n\":true}" },
		{ "a", "{\"a\":\"}]\\\"{[,\",\"b\":\"\\\\\"}", "{\"a\":\"}]\\\"{[,\"}" },
		{ "a", "{ \"b\" : { } ,\n\"a\" : [ ] , \"c\":-1.5e3 }", "{\"a\":[ ]}" },
		{ "", "{\"a\":1}", "{}" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct sample_text t = { 0 };
		assert_true(sample_filter(span_of(table[i].paths), span_of(table[i].json), &t));
		expect_text(&t, table[i].expected, table[i].paths);
	}
}

static void a_filter_has_so_many_parts(void **state)
{
	(void)state;
	char paths[256] = "a";
	struct sample_text t = { 0 };
	for (int i = 1; i < 64; i++)
		strcat(paths, ".a");
	assert_true(sample_filter(span_of(paths), SPAN("{\"a\":{}}"), &t));
	strcat(paths, ",b");
	assert_false(sample_filter(span_of(paths), SPAN("{\"a\":{}}"), &t));
	sample_text_free(&t);
}

static void white_space_between_parts_goes(void **state)
{
	(void)state;
	struct sample_text t = { 0 };
	sample_json_compact(&t, SPAN(" { \"a b\" :\t[ 1 ,\r\n true ] , \"c\" : \" \\\" \" } "));
	expect_text(&t, "{\"a b\":[1,true],\"c\":\" \\\" \"}", "compact");
}

static void strings_are_escaped(void **state)
{
	(void)state;
	struct sample_text t = { 0 };
	sample_text_string(&t, SPAN("a\"b\\c\n\x1f\xc3\xa9\x7f"));
	expect_text(&t, "\"a\\\"b\\\\c\\u000a\\u001f\xc3\xa9\x7f\"", "escapes");
	sample_text_string(&t, (struct span){ 0 });
	expect_text(&t, "\"\"", "nothing");
}

static void patterns_match(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} table[] = {
		{ "a", "a", true },	    { "a", "ab", false },    { "*", "", true },
		{ "a*", "a", true },	    { "a*c", "abbc", true }, { "a*c", "abcb", false },
		{ "*a*b*", "xaxbx", true }, { "*ab", "aab", true },  { "", "", true },
		{ "", "a", false },	    { "a**", "a", true },    { "*b", "a", false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (sample_pattern_matches(span_of(table[i].pattern), span_of(table[i].text)) !=
		    table[i].matches)
			fail_msg("%s, %s", table[i].pattern, table[i].text);
}

static void lists_name_and_exclude(void **state)
{
	static const struct {
		const char *list, *text;
		bool names;
	} table[] = {
		{ "", "a", true },	{ "_all", "a", true },	    { "*", "a", true },
		{ "a", "a", true },	{ "b", "a", false },	    { "b,a", "a", true },
		{ "*,-a", "a", false }, { "*,-a*,ab", "ab", true }, { "*,-a", "b", true },
		{ "-a", "-a", true },	{ "a*,-ab", "ac", true },
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (sample_list_names(span_of(table[i].list), span_of(table[i].text)) !=
		    table[i].names)
			fail_msg("%s, %s", table[i].list, table[i].text);
}

static void a_reason_is_always_utf_8(void **state)
{
	(void)state;
	struct sample_trouble t;
	char text[1024];
	assert_false(sample_refuse(&t, 400, "x", "%s", "\xc3\xa9"));
	assert_string_equal(t.reason, "\xc3\xa9");
	assert_false(sample_refuse(&t, 400, "x", "a\xff%s", "b"));
	assert_string_equal(t.reason, "a?b");
	/* It is cut in the midst of a character. */
	for (size_t i = 0; i + 2 < sizeof text; i += 2)
		memcpy(text + i, "\xc3\xa9", 3);
	assert_false(sample_refuse(&t, 400, "x", "%s", text));
	assert_int_equal(t.status, 400);
	assert_int_equal(strspn(t.reason, "?"), sizeof t.reason - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_filter_leaves_what_is_named),
		cmocka_unit_test(a_filter_has_so_many_parts),
		cmocka_unit_test(white_space_between_parts_goes),
		cmocka_unit_test(strings_are_escaped),
		cmocka_unit_test(patterns_match),
		cmocka_unit_test(lists_name_and_exclude),
		cmocka_unit_test(a_reason_is_always_utf_8),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
