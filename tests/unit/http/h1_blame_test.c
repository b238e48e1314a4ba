#include "http/h1_blame.h"

#include <stdio.h>

#include "unit/http/kit.h"

/* What is said of a message that is bad, as far as it has come. */
static const char *blame(struct kit *k, enum msg_kind kind, const char *text, struct h1_blame *b)
{
	struct span rest = span_of(text);
	size_t used;
	if (kind == MSG_REQUEST)
		h1_parse_request(&k->parser, &k->msg);
	else
		h1_parse_response(&k->parser, &k->msg, METHOD_GET, false, NULL);
	assert_int_equal(h1_parse(&k->parser, rest, &used), H1_BAD);
	h1_blame_head(b, &k->parser, (struct span){ rest.at + used, rest.n - used });
	return b->excerpt;
}

struct row {
	const char *text, *excerpt, *advice;
};

static void check(enum msg_kind kind, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct kit k;
		struct h1_blame b;
		kit_open(&k);
		msg_open(&k.msg, &k.arena, kind);
		assert_string_equal(blame(&k, kind, rows[i].text, &b), rows[i].excerpt);
		assert_string_equal(b.advice, rows[i].advice);
		kit_close(&k);
	}
}
#define CHECK(kind, rows) check(kind, rows, sizeof(rows) / sizeof((rows)[0]))

static void a_byte_of_a_target_is_named_with_its_place_and_what_to_do(void **state)
{
	static const struct row rows[] = {
		{ "GET /\xc3\x9f HTTP/1.1\r\n", "GET /\\xC3\\x9F HTTP/1.1",
		  "Byte 2 of the target is 0xC3: percent-encode it as %C3." },
		{ "GET /i?q=\xe4 HTTP/1.1\r\n", "GET /i?***",
		  "Byte 6 of the target is 0xE4: percent-encode it as %E4." },
		{ "GET /a b HTTP/1.1\r\n", "GET /a b HTTP/1.1",
		  "Byte 3 of the target is 0x20: percent-encode it as %20." },
		{ "GET /a#b HTTP/1.1\r\n", "GET /a#b HTTP/1.1",
		  "Byte 3 of the target is '#': do not send a fragment; in a name write %23." },
		{ "GET /a\x7f HTTP/1.1\r\n", "GET /a\\x7F HTTP/1.1",
		  "Byte 3 of the target is 0x7F: percent-encode it as %7F." },
	};
	CHECK(MSG_REQUEST, rows);
	(void)state;
}

static void a_line_is_shown_in_printable_characters(void **state)
{
	static const struct row rows[] = {
		{ "\x16\x03\x01\x02", "\\x16\\x03\\x01\\x02", "" },
		{ "GET / HTTQ/1.1\r\n", "GET / HTTQ/1.1", "" },
		{ "GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\\x0A", "" },
		{ "GET / HTTP/1.1\r\nHost: a'b\"c\\\r\n\r\n", "Host: a\\x27b\\x22c\\x5C", "" },
		{ "GET / HTTP/1.1\r\n\r\nc2VjcmV0", "", "" },
	};
	CHECK(MSG_REQUEST, rows);
	(void)state;
}

/* Passwords stand in fields, in queries, before hosts, and behind lines that were folded. */
static void nothing_secret_is_shown(void **state)
{
	static const struct row rows[] = {
		{ "GET / HTTP/1.1\r\nAuthorization: Basic c2VjcmV0\x01\r\n\r\n",
		  "Authorization:***", "The value contains byte 0x01." },
		{ "GET / HTTP/1.1\r\nAuthorization : Basic c2VjcmV0\r\n\r\n", "Authorization ***",
		  "" },
		{ "GET / HTTP/1.1\r\nCookie\tc2VjcmV0\r\n\r\n", "Cookie\\x09***", "" },
		{ "GET / HTTP/1.1\r\nX-Mine: a\r\n c2VjcmV0\r\n\r\n", " ***", "" },
		{ "GET / HTTP/1.1\r\nX-Mine: c2VjcmV0\x01\r\n\r\n", "X-Mine:***",
		  "The value contains byte 0x01." },
		{ "GET /i?token=c2VjcmV0 HTTQ/1.1\r\n", "GET /i?***", "" },
		{ "GET http://u:c2VjcmV0@h/i HTTP/1.1\r\n", "GET http://***@h/i HTTP/1.1", "" },
	};
	CHECK(MSG_REQUEST, rows);
	(void)state;
}

static void a_response_is_shown_as_a_request_is(void **state)
{
	static const struct row rows[] = {
		{ "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 20 OK", "" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n", "Content-Length: +2", "" },
		{ "HTTP/1.1 200 OK\r\nSet-Cookie: c2VjcmV0\x01\r\n\r\n", "Set-Cookie:***",
		  "The value contains byte 0x01." },
	};
	CHECK(MSG_RESPONSE, rows);
	(void)state;
}

static void a_long_line_is_cut(void **state)
{
	char text[1000] = "GET /", *at = text + 5;
	struct kit k;
	struct h1_blame b;
	memset(at, 0xff, 700);
	kit_open(&k);
	msg_open(&k.msg, &k.arena, MSG_REQUEST);
	assert_true(strlen(blame(&k, MSG_REQUEST, text, &b)) < sizeof b.excerpt);
	assert_non_null(strstr(b.excerpt, "\\xFF..."));
	kit_close(&k);
	(void)state;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_byte_of_a_target_is_named_with_its_place_and_what_to_do),
		cmocka_unit_test(a_line_is_shown_in_printable_characters),
		cmocka_unit_test(nothing_secret_is_shown),
		cmocka_unit_test(a_response_is_shown_as_a_request_is),
		cmocka_unit_test(a_long_line_is_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
