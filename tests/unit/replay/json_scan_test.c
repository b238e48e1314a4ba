#include "unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/json_scan.h"

/* What the scanner makes of a text, as a text: a letter or a sign for each token. */
struct heard {
	char text[32 * 1024];
	size_t n;
};

static void hear(struct heard *h, const struct json_scan *j, enum json_token token)
{
	static const char *const signs[] = { "",  "$", "!", "{", "}", "[", "]",
					     "k", "s", "n", "t", "f", "0" };
	h->n += (size_t)sprintf(h->text + h->n, "%s", signs[token]);
	if (token == TOKEN_KEY || token == TOKEN_STRING || token == TOKEN_NUMBER)
		h->n += (size_t)sprintf(h->text + h->n, "<%.*s>%s", (int)j->text.n, j->text.at,
					j->text_cut ? "..." : "");
	if (token == TOKEN_BAD)
		h->n += (size_t)sprintf(h->text + h->n, "%d", json_fault(j));
}

/* In pieces of `piece` bytes, each a copy of just its size. */
static void scan(struct heard *h, struct span all, size_t piece, enum json_values values)
{
	struct json_scan j;
	json_open(&j, values);
	h->n = 0;
	for (size_t at = 0;; at += piece) {
		size_t n = all.n - at < piece ? all.n - at : piece;
		char *copy = malloc(n + !n);
		memcpy(copy, all.at + at, n);
		json_put(&j, (struct span){ copy, n }, at + n == all.n);
		enum json_token token;
		while ((token = json_next(&j)) > TOKEN_BAD)
			hear(h, &j, token);
		hear(h, &j, token);
		free(copy);
		if (token != TOKEN_MORE)
			return;
	}
}

static void expect(struct span all, enum json_values values, const char *expected)
{
	static const size_t pieces[] = { 1, 2, 3, 7, 16, 17, 1 << 20 };
	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		struct heard h;
		scan(&h, all, pieces[i], values);
		h.text[h.n] = 0;
		if (strcmp(h.text, expected))
			fail_msg("'%.*s' by %zu: %.200s, not %.200s", (int)all.n, all.at, pieces[i],
				 h.text, expected);
	}
}

static void what_it_is_made_of_comes_out_one_by_one(void **state)
{
	(void)state;
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{ "{}", "{}$" },
		{ " [ ] ", "[]$" },
		{ "{\"a\":1,\"b\":[true,false,null,\"x\"]}", "{k<a>n<1>k<b>[tf0s<x>]}$" },
		{ "[{\"a\":{}},[[]]]", "[{k<a>{}}[[]]]$" },
		{ "-0.5e+10", "n<-0.5e+10>$" },
		{ "\"a\\\"\\u00e9\\n\"", "s<a\\\"\\u00e9\\n>$" },
		{ "\"sixteen letters and more, then \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \x7f\"",
		  "s<sixteen letters and more, then \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 "
		  "\x7f>$" },
		{ "{\"a\":1,\"a\":2}", "{k<a>n<1>k<a>n<2>}$" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		expect(span_of(rows[i].text), JSON_ONE_VALUE, rows[i].expected);
}

static void what_is_no_json_is_told_where_it_ends(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum json_fault fault;
	} rows[] = {
		{ "", JSON_CUT },
		{ "  ", JSON_CUT },
		{ "{", JSON_CUT },
		{ "{\"a", JSON_CUT },
		{ "{\"a\"", JSON_CUT },
		{ "{\"a\":", JSON_CUT },
		{ "{\"a\":1", JSON_CUT },
		{ "[1,", JSON_CUT },
		{ "\"\\", JSON_CUT },
		{ "\"\xc3", JSON_CUT },
		{ "{]", JSON_SYNTAX },
		{ "[}", JSON_SYNTAX },
		{ "}", JSON_SYNTAX },
		{ "{,}", JSON_SYNTAX },
		{ "{\"a\":1,}", JSON_SYNTAX },
		{ "[1,]", JSON_SYNTAX },
		{ "[,1]", JSON_SYNTAX },
		{ "[1 2]", JSON_SYNTAX },
		{ "{\"a\" 1}", JSON_SYNTAX },
		{ "{\"a\"::1}", JSON_SYNTAX },
		{ "{1:2}", JSON_SYNTAX },
		{ "{\"a\":}", JSON_SYNTAX },
		{ "[\"a\":1]", JSON_SYNTAX },
		{ "{} {}", JSON_SYNTAX },
		{ "1,2", JSON_SYNTAX },
		{ "tru", JSON_SYNTAX },
		{ "truee", JSON_SYNTAX },
		{ "True", JSON_SYNTAX },
		{ "NaN", JSON_SYNTAX },
		{ "'a'", JSON_SYNTAX },
		{ "01", JSON_SYNTAX },
		{ "-", JSON_SYNTAX },
		{ "1.", JSON_SYNTAX },
		{ ".5", JSON_SYNTAX },
		{ "1e", JSON_SYNTAX },
		{ "1e+", JSON_SYNTAX },
		{ "+1", JSON_SYNTAX },
		{ "1-2", JSON_SYNTAX },
		{ "\"\n\"", JSON_SYNTAX },
		{ "\"\\x\"", JSON_SYNTAX },
		{ "\"\\u12g4\"", JSON_SYNTAX },
		{ "\"\\u123\"", JSON_SYNTAX },
		{ "// no comments\n1", JSON_SYNTAX },
		{ "\"\x80\"", JSON_UTF8 },
		{ "\"\xc3\"", JSON_UTF8 },
		{ "\"\xc0\xaf\"", JSON_UTF8 },
		{ "\"\xe0\x80\xaf\"", JSON_UTF8 },
		{ "\"\xed\xa0\x80\"", JSON_UTF8 },
		{ "\"\xf4\x90\x80\x80\"", JSON_UTF8 },
		{ "\"\xe2\x82\\\"", JSON_UTF8 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (size_t piece = 1; piece < 40; piece += 13) {
			struct heard h;
			char fault[8];
			sprintf(fault, "!%d", rows[i].fault);
			scan(&h, span_of(rows[i].text), piece, JSON_ONE_VALUE);
			if (h.n < 2 || strcmp(h.text + h.n - 2, fault))
				fail_msg("'%s': %s, not %s", rows[i].text, h.text, fault);
		}
}

static void a_byte_0_is_no_json(void **state)
{
	(void)state;
	expect((struct span){ "[\0]", 3 }, JSON_ONE_VALUE, "[!2");
	expect((struct span){ "\"\0\"", 3 }, JSON_ONE_VALUE, "!2");
	expect((struct span){ "\"\\\0\"", 4 }, JSON_ONE_VALUE, "!2");
}

static void many_values_may_follow_each_other(void **state)
{
	(void)state;
	expect(SPAN("{\"a\":1}\n{}[]\"x\" 1 2"), JSON_MANY_VALUES, "{k<a>n<1>}{}[]s<x>n<1>n<2>$");
	expect(SPAN(""), JSON_MANY_VALUES, "$");
	expect(SPAN("{},{}"), JSON_MANY_VALUES, "{}!2");
	expect(SPAN("{}{"), JSON_MANY_VALUES, "{}{!1");
}

static void brackets_have_a_limit(void **state)
{
	(void)state;
	char text[2 * JSON_DEPTH_MAX + 2], expected[2 * JSON_DEPTH_MAX + 4];
	memset(text, '[', JSON_DEPTH_MAX);
	memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
	memcpy(expected, text, 2 * JSON_DEPTH_MAX);
	strcpy(expected + 2 * JSON_DEPTH_MAX, "$");
	expect((struct span){ text, 2 * JSON_DEPTH_MAX }, JSON_ONE_VALUE, expected);
	text[JSON_DEPTH_MAX] = '[';
	strcpy(expected + JSON_DEPTH_MAX, "!4");
	expect((struct span){ text, 2 * JSON_DEPTH_MAX }, JSON_ONE_VALUE, expected);
}

static void a_long_text_is_cut_alike_in_any_pieces(void **state)
{
	(void)state;
	for (size_t more = 0; more < 3; more++) {
		size_t n = JSON_TEXT_BYTES + more;
		char text[JSON_TEXT_BYTES + 8], expected[JSON_TEXT_BYTES + 16];
		memset(text, 'x', sizeof text);
		text[0] = text[n + 1] = '"';
		int expected_n = sprintf(expected, "s<%.*s>%s$", JSON_TEXT_BYTES, text + 1,
					 more ? "..." : "");
		if (!more)
			assert_int_equal(expected_n, JSON_TEXT_BYTES + 4);
		expect((struct span){ text, n + 2 }, JSON_ONE_VALUE, expected);
	}
	char digits[JSON_TEXT_BYTES + 1];
	memset(digits, '1', sizeof digits);
	expect((struct span){ digits, sizeof digits }, JSON_ONE_VALUE, "!2");
}

static void names_are_known_in_codes_too(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool is;
	} rows[] = {
		{ "\"_id\"", true },
		{ "\"\\u005fid\"", true },
		{ "\"_\\u0069\\u0064\"", true },
		{ "\"_id \"", false },
		{ "\"_i\"", false },
		{ "\"\\u005f\\u005fid\"", false },
		{ "\"\\ud800_id\"", false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct json_scan j;
		json_open(&j, JSON_ONE_VALUE);
		json_put(&j, span_of(rows[i].text), true);
		assert_int_equal(json_next(&j), TOKEN_STRING);
		if (json_is(&j, SPAN("_id")) != rows[i].is)
			fail_msg("%s", rows[i].text);
	}
}

static void codes_say_what_they_mean(void **state)
{
	(void)state;
	static const struct {
		const char *coded, *plain; /* NULL: no text */
	} rows[] = {
		{ "plain", "plain" },
		{ "\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t" },
		{ "\\u0041\\u00e9\\u20AC", "A\xc3\xa9\xe2\x82\xac" },
		{ "\\ud83d\\ude00", "\xf0\x9f\x98\x80" },
		{ "\\ud800", NULL },
		{ "\\udc00", NULL },
		{ "\\ud83dx", NULL },
		{ "\\ud83d\\u0041", NULL },
		{ "\\ud83d\\n12345", NULL },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char place[64];
		size_t n;
		strcpy(place, rows[i].coded);
		enum json_decoded d = json_decode(span_of(place), place, strlen(rows[i].coded), &n);
		assert_int_equal(d, rows[i].plain ? JSON_DECODED : JSON_NO_TEXT);
		if (rows[i].plain)
			assert_true(span_is((struct span){ place, n }, span_of(rows[i].plain)));
	}
}

static void what_has_no_room_is_told(void **state)
{
	(void)state;
	char to[3];
	size_t n;
	assert_int_equal(json_decode(SPAN("abc"), to, 3, &n), JSON_DECODED);
	assert_int_equal(json_decode(SPAN("abcd"), to, 3, &n), JSON_TOO_LONG);
	assert_int_equal(json_decode(SPAN("ab\\u00e9"), to, 3, &n), JSON_TOO_LONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_is_made_of_comes_out_one_by_one),
		cmocka_unit_test(what_is_no_json_is_told_where_it_ends),
		cmocka_unit_test(a_byte_0_is_no_json),
		cmocka_unit_test(many_values_may_follow_each_other),
		cmocka_unit_test(brackets_have_a_limit),
		cmocka_unit_test(a_long_text_is_cut_alike_in_any_pieces),
		cmocka_unit_test(names_are_known_in_codes_too),
		cmocka_unit_test(codes_say_what_they_mean),
		cmocka_unit_test(what_has_no_room_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
