#include "unit/http/kit.h"

/* A row is a whole head. Everything is fed at once, then byte by byte: nothing may differ. */
struct row {
	struct span head;
	enum err err;
};

#define HOST "Host: h\r\n"
#define GET "GET / HTTP/1.1\r\n" HOST
#define POST "POST / HTTP/1.1\r\n" HOST

static void check_request(struct span head, size_t step, enum err err)
{
	struct kit k;
	kit_open(&k);
	kit_request(&k);
	size_t used;
	enum h1_progress progress = kit_feed(&k, head, step, &used);
	if (k.parser.err != err || (progress == H1_DONE) != (err == ERR_NONE))
		fail_msg("\"%.*s\" in steps of %zu: %s, not %s", (int)(head.n < 200 ? head.n : 200),
			 head.at, step, progress == H1_MORE ? "unfinished" : err_word(k.parser.err),
			 err_word(err));
	if (progress == H1_DONE)
		assert_int_equal(used, head.n);
	kit_close(&k);
}

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		check_request(rows[i].head, SIZE_MAX, rows[i].err);
		check_request(rows[i].head, 1, rows[i].err);
	}
}

static void a_request_line_has_three_parts_and_two_spaces(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ SPAN(GET "\r\n"), ERR_NONE },
		{ SPAN("\r\n" GET "\r\n"), ERR_NONE },
		{ SPAN("\r\n\r\n" GET "\r\n"), ERR_NONE },
		{ SPAN("\r\n\r\n\r\n" GET "\r\n"), ERR_REQUEST_LINE },
		{ SPAN("\r\n\r" GET "\r\n"), ERR_BARE_CR },
		{ SPAN("\r\n\n" GET "\r\n"), ERR_BARE_LF },
		{ SPAN(" \r\n" GET "\r\n"), ERR_METHOD },
		{ SPAN("\r" GET "\r\n"), ERR_BARE_CR },
		{ SPAN("\n" GET "\r\n"), ERR_BARE_LF },
		{ SPAN(" GET / HTTP/1.1\r\n" HOST "\r\n"), ERR_METHOD },
		{ SPAN("GET\t/ HTTP/1.1\r\n" HOST "\r\n"), ERR_METHOD },
		{ SPAN("G@T / HTTP/1.1\r\n" HOST "\r\n"), ERR_METHOD },
		{ SPAN("\0ET / HTTP/1.1\r\n" HOST "\r\n"), ERR_METHOD },
		{ SPAN("G\xc3\x89T / HTTP/1.1\r\n" HOST "\r\n"), ERR_METHOD },
		{ SPAN("GET\r\n" HOST "\r\n"), ERR_REQUEST_LINE },
		{ SPAN("GET \r\n" HOST "\r\n"), ERR_REQUEST_LINE },
		{ SPAN("GET /\r\n" HOST "\r\n"), ERR_REQUEST_LINE },
		{ SPAN("GET / \r\n" HOST "\r\n"), ERR_REQUEST_LINE },
		{ SPAN("GET  / HTTP/1.1\r\n" HOST "\r\n"), ERR_REQUEST_LINE },
		{ SPAN("GET /  HTTP/1.1\r\n" HOST "\r\n"), ERR_REQUEST_LINE },
		{ SPAN("GET / a HTTP/1.1\r\n" HOST "\r\n"), ERR_REQUEST_LINE },
		{ SPAN("GET / HTTP/1.1 \r\n" HOST "\r\n"), ERR_VERSION_SYNTAX },
		{ SPAN("GET / HTTP/1.1\t\r\n" HOST "\r\n"), ERR_VERSION_SYNTAX },
		{ SPAN("GET / HTTP/1.1\n" HOST "\r\n"), ERR_BARE_LF },
		{ SPAN("GET / HTTP/1.1\r" HOST "\r\n"), ERR_BARE_CR },
		{ SPAN("GET / HTTP/1.1\r\r\n" HOST "\r\n"), ERR_BARE_CR },
		{ SPAN("GET /\rHTTP/1.1\r\n" HOST "\r\n"), ERR_BARE_CR },
		{ SPAN("GET /\nHTTP/1.1\r\n" HOST "\r\n"), ERR_BARE_LF },
	};
	check_rows(rows, ARRAY_N(rows));
}

static void only_versions_of_http_1_are_served(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ SPAN("GET / HTTP/1.0\r\n\r\n"), ERR_NONE },
		{ SPAN("GET / HTTP/1.2\r\n" HOST "\r\n"), ERR_NONE },
		{ SPAN("GET / HTTP/1.9\r\n" HOST "\r\n"), ERR_NONE },
		{ SPAN("GET / HTTP/1.9\r\n\r\n"), ERR_HOST_MISSING },
		{ SPAN("GET / HTTP/2.1\r\n" HOST "\r\n"), ERR_VERSION },
		{ SPAN("GET / HTTP/0.9\r\n" HOST "\r\n"), ERR_VERSION },
		{ SPAN("GET / HTTP/3.0\r\n" HOST "\r\n"), ERR_VERSION },
		{ SPAN("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), ERR_VERSION },
		{ SPAN("GET / HTTP/1\r\n" HOST "\r\n"), ERR_REQUEST_LINE },
		{ SPAN("GET / HTTP/11\r\n" HOST "\r\n"), ERR_VERSION_SYNTAX },
		{ SPAN("GET / HTTP/1.10\r\n" HOST "\r\n"), ERR_VERSION_SYNTAX },
		{ SPAN("GET / HTTP/01.1\r\n" HOST "\r\n"), ERR_VERSION_SYNTAX },
		{ SPAN("GET / HTTP/1,1\r\n" HOST "\r\n"), ERR_VERSION_SYNTAX },
		{ SPAN("GET / HTTP/x.1\r\n" HOST "\r\n"), ERR_VERSION_SYNTAX },
		{ SPAN("GET / http/1.1\r\n" HOST "\r\n"), ERR_REQUEST_LINE },
		{ SPAN("GET / HTTPS/1.1\r\n" HOST "\r\n"), ERR_REQUEST_LINE },
	};
	check_rows(rows, ARRAY_N(rows));
}

static void a_target_is_visible_ascii_in_one_of_three_forms(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ SPAN("GET /a?b=c&d=%20!\"$'()*+,;:@[]{}|\\^`<>~ HTTP/1.1\r\n" HOST "\r\n"),
		  ERR_NONE },
		{ SPAN("GET //a HTTP/1.1\r\n" HOST "\r\n"), ERR_NONE },
		{ SPAN("GET /a#b HTTP/1.1\r\n" HOST "\r\n"), ERR_TARGET },
		{ SPAN("GET /\x7f HTTP/1.1\r\n" HOST "\r\n"), ERR_TARGET },
		{ SPAN("GET /\x80 HTTP/1.1\r\n" HOST "\r\n"), ERR_TARGET },
		{ SPAN("GET /\t HTTP/1.1\r\n" HOST "\r\n"), ERR_TARGET },
		{ SPAN("GET /\0 HTTP/1.1\r\n" HOST "\r\n"), ERR_TARGET },
		{ SPAN("GET a HTTP/1.1\r\n" HOST "\r\n"), ERR_TARGET },
		{ SPAN("GET ?a HTTP/1.1\r\n" HOST "\r\n"), ERR_TARGET },
		{ SPAN("GET h:80 HTTP/1.1\r\n" HOST "\r\n"), ERR_TARGET },
		{ SPAN("GET * HTTP/1.1\r\n" HOST "\r\n"), ERR_TARGET },
		{ SPAN("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), ERR_NONE },
		{ SPAN("OPTIONS ** HTTP/1.1\r\n" HOST "\r\n"), ERR_TARGET },
		{ SPAN("TRACE / HTTP/1.1\r\n" HOST "\r\n"), ERR_NONE },
		{ SPAN("CONNECT h:80 HTTP/1.1\r\n" HOST "\r\n"), ERR_METHOD_CONNECT },
		{ SPAN("CONNECT / HTTP/1.1\r\n" HOST "\r\n"), ERR_METHOD_CONNECT },
		{ SPAN("GET ftp://h/ HTTP/1.1\r\n" HOST "\r\n"), ERR_TARGET },
		{ SPAN("GET http:/h/ HTTP/1.1\r\n" HOST "\r\n"), ERR_TARGET },
		{ SPAN("GET http:///a HTTP/1.1\r\n" HOST "\r\n"), ERR_TARGET },
		{ SPAN("GET http:// HTTP/1.1\r\n" HOST "\r\n"), ERR_TARGET },
		{ SPAN("GET http://u@h/ HTTP/1.1\r\n" HOST "\r\n"), ERR_TARGET },
		{ SPAN("GET http://u:p@h/ HTTP/1.1\r\n" HOST "\r\n"), ERR_TARGET },
		{ SPAN("GET http://h:99999/ HTTP/1.1\r\n" HOST "\r\n"), ERR_TARGET },
		{ SPAN("GET http://h HTTP/1.1\r\n" HOST "\r\n"), ERR_NONE },
		{ SPAN("GET HTTPS://H/a HTTP/1.1\r\n" HOST "\r\n"), ERR_NONE },
		{ SPAN("GET http://other/ HTTP/1.1\r\n" HOST "\r\n"), ERR_TARGET_HOST },
		{ SPAN("GET http://h:81/ HTTP/1.1\r\n" HOST "\r\n"), ERR_TARGET_HOST },
		{ SPAN("GET http://h:443/ HTTP/1.1\r\n" HOST "\r\n"), ERR_TARGET_HOST },
		{ SPAN("GET https://h:80/ HTTP/1.1\r\n" HOST "\r\n"), ERR_TARGET_HOST },
		{ SPAN("GET http://h:80/ HTTP/1.1\r\n" HOST "\r\n"), ERR_NONE },
		{ SPAN("GET http://H/ HTTP/1.1\r\nHost: h:080\r\n\r\n"), ERR_NONE },
		{ SPAN("GET https://h/ HTTP/1.1\r\nHost: h:443\r\n\r\n"), ERR_NONE },
		{ SPAN("GET https://h:443 HTTP/1.1\r\nHost: h:\r\n\r\n"), ERR_NONE },
		{ SPAN("GET http://h/ HTTP/1.0\r\nHost:\r\n\r\n"), ERR_NONE },
		{ SPAN("GET http://h/ HTTP/1.1\r\nHost:\r\n\r\n"), ERR_TARGET_HOST },
		{ SPAN("GET http://h/ HTTP/1.1\r\n\r\n"), ERR_HOST_MISSING },
	};
	check_rows(rows, ARRAY_N(rows));
}

static void a_field_line_is_a_token_a_colon_and_text(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ SPAN(GET "a:\r\n\r\n"), ERR_NONE },
		{ SPAN(GET "a: \t \r\n\r\n"), ERR_NONE },
		{ SPAN(GET "!#$%&'*+-.^_`|~09azAZ: x\r\n\r\n"), ERR_NONE },
		{ SPAN(GET "a: b\tc \x80\xff\"(),/:;<=>?@[\\]{}\r\n\r\n"), ERR_NONE },
		{ SPAN(GET "a: b\r\n c\r\n\r\n"), ERR_FOLDED_FIELD },
		{ SPAN(GET "a: b\r\n\tc\r\n\r\n"), ERR_FOLDED_FIELD },
		{ SPAN("GET / HTTP/1.1\r\n " HOST "\r\n"), ERR_FOLDED_FIELD },
		{ SPAN("GET / HTTP/1.1\r\n\t" HOST "\r\n"), ERR_FOLDED_FIELD },
		{ SPAN(GET "a : b\r\n\r\n"), ERR_FIELD_SPACE },
		{ SPAN(GET "a\t: b\r\n\r\n"), ERR_FIELD_SPACE },
		{ SPAN(GET "a b: c\r\n\r\n"), ERR_FIELD_SPACE },
		{ SPAN(GET ": b\r\n\r\n"), ERR_FIELD_NAME },
		{ SPAN(GET "a\r\n\r\n"), ERR_FIELD_NAME },
		{ SPAN(GET "a\0: b\r\n\r\n"), ERR_FIELD_NAME },
		{ SPAN(GET "a\x80: b\r\n\r\n"), ERR_FIELD_NAME },
		{ SPAN(GET "a\x7f: b\r\n\r\n"), ERR_FIELD_NAME },
		{ SPAN(GET "a(b): c\r\n\r\n"), ERR_FIELD_NAME },
		{ SPAN(GET "\x0b: c\r\n\r\n"), ERR_FIELD_NAME },
		{ SPAN(GET "a: b\0c\r\n\r\n"), ERR_FIELD_VALUE },
		{ SPAN(GET "a: \x01\r\n\r\n"), ERR_FIELD_VALUE },
		{ SPAN(GET "a: b\x0b\r\n\r\n"), ERR_FIELD_VALUE },
		{ SPAN(GET "a: b\x1f\r\n\r\n"), ERR_FIELD_VALUE },
		{ SPAN(GET "a: b\x7f\r\n\r\n"), ERR_FIELD_VALUE },
		{ SPAN(GET "a: b\n\r\n"), ERR_BARE_LF },
		{ SPAN(GET "a: b\nc: d\r\n\r\n"), ERR_BARE_LF },
		{ SPAN(GET "a\n: b\r\n\r\n"), ERR_BARE_LF },
		{ SPAN(GET "\n"), ERR_BARE_LF },
		{ SPAN(GET "a: b\rc\r\n\r\n"), ERR_BARE_CR },
		{ SPAN(GET "a: b\r\r\n\r\n"), ERR_BARE_CR },
		{ SPAN(GET "a\r: b\r\n\r\n"), ERR_BARE_CR },
		{ SPAN(GET "\ra: b\r\n\r\n"), ERR_BARE_CR },
	};
	check_rows(rows, ARRAY_N(rows));
}

static void a_request_has_one_host_that_is_one(void **state)
{
	(void)state;
#define HOSTED(host) SPAN("GET / HTTP/1.1\r\nHost: " host "\r\n\r\n")
	static const struct row rows[] = {
		{ SPAN("GET / HTTP/1.1\r\n\r\n"), ERR_HOST_MISSING },
		{ SPAN("GET / HTTP/1.0\r\n\r\n"), ERR_NONE },
		{ SPAN(GET HOST "\r\n"), ERR_HOST_DOUBLED },
		{ SPAN(GET "hOST: h\r\n\r\n"), ERR_HOST_DOUBLED },
		{ SPAN("GET / HTTP/1.0\r\n" HOST HOST "\r\n"), ERR_HOST_DOUBLED },
		{ HOSTED(""), ERR_HOST_EMPTY },
		{ SPAN("OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n"), ERR_NONE },
		{ SPAN("OPTIONS http://h HTTP/1.1\r\nHost:\r\n\r\n"), ERR_TARGET_HOST },
		{ SPAN("GET / HTTP/1.0\r\nHost:\r\n\r\n"), ERR_NONE },
		{ HOSTED("a.b-c_d~e%20!$&'()*+,;="), ERR_NONE },
		{ HOSTED("h:0"), ERR_NONE },
		{ HOSTED("h:65535"), ERR_NONE },
		{ HOSTED("h:"), ERR_NONE },
		{ HOSTED("127.0.0.1:9200"), ERR_NONE },
		{ HOSTED("[::1]"), ERR_NONE },
		{ HOSTED("[2001:db8::192.0.2.1]:443"), ERR_NONE },
		{ HOSTED("h:000080"), ERR_NONE },
		{ HOSTED("[::1%25lo]"), ERR_NONE },
		{ HOSTED("[v1.x]:80"), ERR_NONE },
		{ HOSTED("h:65536"), ERR_HOST_SYNTAX },
		{ HOSTED("h:-1"), ERR_HOST_SYNTAX },
		{ HOSTED("h:80:80"), ERR_HOST_SYNTAX },
		{ HOSTED("h:8 0"), ERR_HOST_SYNTAX },
		{ HOSTED(":80"), ERR_HOST_SYNTAX },
		{ HOSTED("h/a"), ERR_HOST_SYNTAX },
		{ HOSTED("u@h"), ERR_HOST_SYNTAX },
		{ HOSTED("a b"), ERR_HOST_SYNTAX },
		{ HOSTED("h?"), ERR_HOST_SYNTAX },
		{ HOSTED("h\\i"), ERR_HOST_SYNTAX },
		{ HOSTED("h%2"), ERR_HOST_SYNTAX },
		{ HOSTED("h%zz"), ERR_HOST_SYNTAX },
		{ HOSTED("h\xc3\xa9"), ERR_HOST_SYNTAX },
		{ HOSTED("::1"), ERR_HOST_SYNTAX },
		{ HOSTED("[::1"), ERR_HOST_SYNTAX },
		{ HOSTED("[]"), ERR_HOST_SYNTAX },
		{ HOSTED("[::1]x"), ERR_HOST_SYNTAX },
		{ HOSTED("[127.0.0.1]"), ERR_HOST_SYNTAX },
		{ HOSTED("[v1.]"), ERR_HOST_SYNTAX },
	};
	check_rows(rows, ARRAY_N(rows));
}

static void a_body_has_one_length_or_is_chunked(void **state)
{
	(void)state;
#define LENGTH(text) SPAN(POST "Content-Length: " text "\r\n\r\n")
#define CODING(text) SPAN(POST "Transfer-Encoding: " text "\r\n\r\n")
	static const struct row rows[] = {
		{ LENGTH("0"), ERR_NONE },
		{ LENGTH("007"), ERR_NONE },
		{ LENGTH("9223372036854775807"), ERR_NONE },
		{ LENGTH("9223372036854775808"), ERR_LENGTH_SYNTAX },
		{ LENGTH("18446744073709551621"), ERR_LENGTH_SYNTAX },
		{ LENGTH("99999999999999999999999999"), ERR_LENGTH_SYNTAX },
		{ LENGTH(""), ERR_LENGTH_SYNTAX },
		{ LENGTH("+5"), ERR_LENGTH_SYNTAX },
		{ LENGTH("-5"), ERR_LENGTH_SYNTAX },
		{ LENGTH("5 5"), ERR_LENGTH_SYNTAX },
		{ LENGTH("0x5"), ERR_LENGTH_SYNTAX },
		{ LENGTH("5.0"), ERR_LENGTH_SYNTAX },
		{ LENGTH("5, 5"), ERR_LENGTH_DOUBLED },
		{ LENGTH("5,"), ERR_LENGTH_DOUBLED },
		{ LENGTH("5\r\nContent-Length: 5"), ERR_LENGTH_DOUBLED },
		{ LENGTH("5\r\ncontent-length: 6"), ERR_LENGTH_DOUBLED },
		{ LENGTH("5\r\nTransfer-Encoding: chunked"), ERR_LENGTH_WITH_CODING },
		{ CODING("chunked\r\nContent-Length: 5"), ERR_LENGTH_WITH_CODING },
		{ CODING("chunked"), ERR_NONE },
		{ CODING("Chunked"), ERR_NONE },
		{ CODING("\tchunked \t"), ERR_NONE },
		{ CODING(""), ERR_CODING_SYNTAX },
		{ CODING(","), ERR_CODING_SYNTAX },
		{ CODING("chunked,"), ERR_CODING_SYNTAX },
		{ CODING("chunked, chunked"), ERR_CODING_SYNTAX },
		{ CODING("chunked, gzip"), ERR_CODING_SYNTAX },
		{ CODING("chunked\r\nTransfer-Encoding: chunked"), ERR_CODING_SYNTAX },
		{ CODING("chunked\r\nTransfer-Encoding: identity"), ERR_CODING_SYNTAX },
		{ CODING("identity"), ERR_CODING_UNKNOWN },
		{ CODING("gzip, chunked"), ERR_CODING_UNKNOWN },
		{ CODING("xchunked"), ERR_CODING_UNKNOWN },
		{ CODING("chunked;a=b"), ERR_CODING_UNKNOWN },
		{ CODING("\"chunked\""), ERR_CODING_UNKNOWN },
		{ CODING("\x0b"
			 "chunked"),
		  ERR_FIELD_VALUE },
		{ SPAN("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
		  ERR_CODING_VERSION },
		{ SPAN("POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\n"), ERR_NONE },
	};
	check_rows(rows, ARRAY_N(rows));
}

static void only_100_continue_may_be_expected(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ SPAN(POST "Expect: 100-Continue\r\n\r\n"), ERR_NONE },
		{ SPAN(POST "Expect:\r\n\r\n"), ERR_NONE },
		{ SPAN(POST "Expect: 200-ok\r\n\r\n"), ERR_EXPECTATION },
		{ SPAN(POST "Expect: 100-continue, a=b\r\n\r\n"), ERR_EXPECTATION },
		{ SPAN(POST "Expect: 100-continue\r\nExpect: a\r\n\r\n"), ERR_EXPECTATION },
		{ SPAN("POST / HTTP/1.0\r\nExpect: 200-ok\r\n\r\n"), ERR_NONE },
	};
	check_rows(rows, ARRAY_N(rows));
}

/* --- what cannot become a request is refused without waiting for its end --- */

static void check_first_bytes(struct span bytes, enum err err)
{
	struct kit k;
	kit_open(&k);
	kit_request(&k);
	size_t used;
	assert_int_equal(kit_feed(&k, bytes, 1, &used), err ? H1_BAD : H1_MORE);
	assert_int_equal(k.parser.err, err);
	kit_close(&k);
}

static void what_cannot_become_a_request_is_refused_at_once(void **state)
{
	(void)state;
	check_first_bytes(SPAN("\x16\x03\x01\x02"), ERR_METHOD); /* a TLS ClientHello */
	check_first_bytes(SPAN("\n"), ERR_BARE_LF);
	check_first_bytes(SPAN("{"), ERR_METHOD);
	check_first_bytes(SPAN("GET /\x80"), ERR_TARGET);
	check_first_bytes(SPAN("GET / X"), ERR_REQUEST_LINE);
	check_first_bytes(SPAN("GET / HTTP/1.1\r\n "), ERR_FOLDED_FIELD);
	check_first_bytes(SPAN("GET / HTTP/1.1\r\na "), ERR_FIELD_SPACE);
	check_first_bytes(SPAN("\r"), ERR_NONE);
	check_first_bytes(SPAN("\r\n"), ERR_NONE);
	check_first_bytes(SPAN("GET / HTTP/1.1\r"), ERR_NONE);
}

/* --- limits: what is just allowed, and one byte more, whole and unfinished --- */

static void check_limit(struct span before, size_t fits, struct span after, enum err err)
{
	struct kit k;
	kit_open(&k);
	struct span fit = kit_join(&k.arena, before, kit_repeat(&k.arena, 'x', fits), after);
	struct span over = kit_join(&k.arena, before, kit_repeat(&k.arena, 'x', fits + 1), after);
	struct span unfinished = { over.at, before.n + fits + 1 };
	check_request(fit, SIZE_MAX, ERR_NONE);
	check_request(fit, 1, ERR_NONE);
	check_request(over, SIZE_MAX, err);
	check_request(over, 1, err);
	check_request(unfinished, SIZE_MAX, err);
	check_request(unfinished, 1, err);
	kit_close(&k);
}

static void a_method_has_its_limit(void **state)
{
	(void)state;
	check_limit(SPAN(""), METHOD_BYTES, SPAN(" / HTTP/1.1\r\n" HOST "\r\n"), ERR_METHOD);
}

static void a_name_has_its_limit(void **state)
{
	(void)state;
	check_limit(SPAN(GET), FIELD_NAME_BYTES, SPAN(": y\r\n\r\n"), ERR_FIELD_SIZE);
}

static void a_field_line_has_its_limit(void **state)
{
	(void)state;
	check_limit(SPAN(GET "a: "), FIELD_LINE_BYTES - 3, SPAN("\r\n\r\n"), ERR_FIELD_SIZE);
}

/* As it came the line was within the limit; as it would go out it is not. */
static void the_limit_holds_for_the_canonical_line_too(void **state)
{
	(void)state;
	struct kit k;
	kit_open(&k);
	for (size_t over = 0; over < 2; over++) {
		struct span value = kit_repeat(&k.arena, 'x', FIELD_LINE_BYTES - 3 + over);
		struct span head = kit_join(&k.arena, SPAN(GET "a:"), value, SPAN("\r\n\r\n"));
		check_request(head, SIZE_MAX, over ? ERR_FIELD_SIZE : ERR_NONE);
		check_request(head, 1, over ? ERR_FIELD_SIZE : ERR_NONE);
	}
	kit_close(&k);
}

/* The line may end one byte behind the limit only because what is cut off there is not a CR. */
static void a_request_line_has_its_limit(void **state)
{
	(void)state;
	struct kit k;
	kit_open(&k);
	size_t rest = strlen("GET / HTTP/1.1");
	for (size_t over = 0; over < 2; over++) {
		struct span path = kit_repeat(&k.arena, 'x', REQUEST_LINE_BYTES - rest + over);
		struct span head =
			kit_join(&k.arena, SPAN("GET /"), path, SPAN(" HTTP/1.1\r\n" HOST "\r\n"));
		check_request(head, SIZE_MAX, over ? ERR_TARGET_SIZE : ERR_NONE);
		check_request(head, 1, over ? ERR_TARGET_SIZE : ERR_NONE);
	}
	struct span endless = kit_repeat(&k.arena, 'x', REQUEST_LINE_BYTES);
	struct span head = kit_join(&k.arena, SPAN("GET /"), endless, SPAN(""));
	check_request((struct span){ head.at, REQUEST_LINE_BYTES + 1 }, SIZE_MAX, ERR_TARGET_SIZE);
	check_first_bytes((struct span){ head.at, REQUEST_LINE_BYTES }, ERR_NONE);
	check_first_bytes((struct span){ head.at, REQUEST_LINE_BYTES + 1 }, ERR_TARGET_SIZE);
	kit_close(&k);
}

static void a_head_has_its_limit(void **state)
{
	(void)state;
	struct kit k;
	kit_open(&k);
	/* Lines of 8 KiB, then one that fills up to the limit with its own CR LF and the last. */
	struct span line =
		kit_join(&k.arena, SPAN("a: "), kit_repeat(&k.arena, 'x', 8192 - strlen("a: \r\n")),
			 SPAN("\r\n"));
	struct span head = SPAN(GET);
	while (head.n + line.n < REQUEST_HEAD_BYTES - 16)
		head = kit_join(&k.arena, head, line, SPAN(""));
	size_t left = REQUEST_HEAD_BYTES - head.n - strlen("a: \r\n\r\n");
	head = kit_join(&k.arena, head, SPAN("a: "), SPAN(""));
	for (size_t over = 0; over < 2; over++) {
		struct span whole = kit_join(&k.arena, head, kit_repeat(&k.arena, 'x', left + over),
					     SPAN("\r\n\r\n"));
		assert_int_equal(whole.n, REQUEST_HEAD_BYTES + over);
		check_request(whole, SIZE_MAX, over ? ERR_HEAD_SIZE : ERR_NONE);
		check_request(whole, 1, over ? ERR_HEAD_SIZE : ERR_NONE);
		check_request(whole, 1000, over ? ERR_HEAD_SIZE : ERR_NONE);
	}
	kit_close(&k);
}

static void fields_have_their_number(void **state)
{
	(void)state;
	struct kit k;
	kit_open(&k);
	struct span head = SPAN(GET);
	for (size_t n = 1; n < FIELDS_MAX; n++)
		head = kit_join(&k.arena, head, SPAN("a:\r\n"), SPAN(""));
	struct span fit = kit_join(&k.arena, head, SPAN("\r\n"), SPAN(""));
	struct span over = kit_join(&k.arena, head, SPAN("a:\r\n"), SPAN("\r\n"));
	check_request(fit, SIZE_MAX, ERR_NONE);
	check_request(fit, 1, ERR_NONE);
	check_request(over, SIZE_MAX, ERR_HEAD_SIZE);
	check_request(over, 1, ERR_HEAD_SIZE);
	kit_close(&k);
}

static void connection_names_have_their_number(void **state)
{
	(void)state;
	struct kit k;
	kit_open(&k);
	struct span head = SPAN(GET "Connection: close");
	for (size_t n = 0; n < CONNECTION_OPTIONS_MAX; n++)
		head = kit_join(&k.arena, head, SPAN(",a"), SPAN(""));
	check_request(kit_join(&k.arena, head, SPAN("\r\n\r\n"), SPAN("")), SIZE_MAX, ERR_NONE);
	check_request(kit_join(&k.arena, head, SPAN(",a"), SPAN("\r\n\r\n")), SIZE_MAX,
		      ERR_HEAD_SIZE);
	kit_close(&k);
}

/* --- what a good one becomes --- */

static void parse(struct kit *k, struct span head)
{
	kit_request(k);
	size_t used;
	assert_int_equal(kit_feed(k, head, SIZE_MAX, &used), H1_DONE);
}

static void a_head_becomes_canonical_text(void **state)
{
	(void)state;
	static const struct {
		struct span head, text;
	} rows[] = {
		{ SPAN(GET "A:b\r\nC: \t d \t\r\ne:\r\n\r\n"),
		  SPAN("GET / HTTP/1.1\r\nHost: h\r\nA: b\r\nC: d\r\ne: \r\n") },
		{ SPAN("GET http://H/a?b HTTP/1.1\r\n" HOST "\r\n"),
		  SPAN("GET /a?b HTTP/1.1\r\nHost: h\r\n") },
		{ SPAN("GET http://h HTTP/1.1\r\n" HOST "\r\n"),
		  SPAN("GET / HTTP/1.1\r\nHost: h\r\n") },
		{ SPAN("GET http://H:80/ HTTP/1.1\r\n" HOST "\r\n"),
		  SPAN("GET / HTTP/1.1\r\nHost: h\r\n") },
		{ SPAN("GET http://h:81/ HTTP/1.0\r\nHost:\r\n\r\n"),
		  SPAN("GET / HTTP/1.1\r\nhost: h:81\r\n") },
		{ SPAN("GET http://h?a/b HTTP/1.1\r\n" HOST "\r\n"),
		  SPAN("GET /?a/b HTTP/1.1\r\nHost: h\r\n") },
		{ SPAN("OPTIONS http://h HTTP/1.1\r\n" HOST "\r\n"),
		  SPAN("OPTIONS * HTTP/1.1\r\nHost: h\r\n") },
		{ SPAN("OPTIONS http://h?a HTTP/1.1\r\n" HOST "\r\n"),
		  SPAN("OPTIONS /?a HTTP/1.1\r\nHost: h\r\n") },
		{ SPAN("OPTIONS http://h/ HTTP/1.1\r\n" HOST "\r\n"),
		  SPAN("OPTIONS / HTTP/1.1\r\nHost: h\r\n") },
		{ SPAN("GET https://[::1]:9200/_search HTTP/1.0\r\n\r\n"),
		  SPAN("GET /_search HTTP/1.1\r\nhost: [::1]:9200\r\n") },
		{ SPAN(POST "Content-Length: 010\r\na: 007\r\n\r\n"),
		  SPAN(POST "Content-Length: 10\r\na: 007\r\n") },
		{ SPAN(POST
		       "content-length:\t0000000000000000000000000000009223372036854775807 \r\n"
		       "\r\n"),
		  SPAN(POST "content-length: 9223372036854775807\r\n") },
		{ SPAN(POST "Content-Length: 000\r\n\r\n"), SPAN(POST "Content-Length: 0\r\n") },
		{ SPAN("GET / HTTP/1.7\r\n" HOST "\r\n"), SPAN("GET / HTTP/1.1\r\nHost: h\r\n") },
		{ SPAN("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n"),
		  SPAN("GET / HTTP/1.1\r\nhost: \r\n") },
		{ SPAN(POST "Transfer-Encoding: chunked\r\nTE: trailers\r\nKeep-Alive: 5\r\n"
			    "Proxy-Connection: close\r\nHTTP2-Settings: x\r\nUpgrade: a\r\nb: "
			    "c\r\n\r\n"),
		  SPAN("POST / HTTP/1.1\r\nHost: h\r\nb: c\r\n") },
	};
	struct kit k;
	kit_open(&k);
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		parse(&k, rows[i].head);
		assert_span(kit_text(&k.arena, &k.msg), rows[i].text);
	}
	kit_close(&k);
}

static void a_body_is_where_the_framing_says(void **state)
{
	(void)state;
	static const struct {
		struct span head;
		enum body body;
		uint64_t length;
	} rows[] = {
		{ SPAN(GET "\r\n"), BODY_NONE, 0 },
		{ SPAN(POST "\r\n"), BODY_NONE, 0 },
		{ SPAN("PUT / HTTP/1.0\r\n\r\n"), BODY_NONE, 0 },
		{ SPAN(POST "Content-Length: 0\r\n\r\n"), BODY_LENGTH, 0 },
		{ SPAN(GET "Content-Length: 17\r\n\r\n"), BODY_LENGTH, 17 },
		{ SPAN(GET "Transfer-Encoding: chunked\r\n\r\n"), BODY_UNKNOWN, 0 },
		{ SPAN("DELETE / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\n"), BODY_LENGTH, 3 },
	};
	struct kit k;
	kit_open(&k);
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		parse(&k, rows[i].head);
		assert_int_equal(k.msg.body, rows[i].body);
		assert_int_equal(k.msg.length, rows[i].length);
		assert_int_equal(k.parser.codings, rows[i].body == BODY_UNKNOWN);
		assert_int_equal(msg_find(&k.msg, NAME_CONTENT_LENGTH) != NULL,
				 rows[i].body == BODY_LENGTH);
	}
	kit_close(&k);
}

static void a_connection_is_kept_as_its_version_says(void **state)
{
	(void)state;
	static const struct {
		struct span head;
		bool close;
	} rows[] = {
		{ SPAN(GET "\r\n"), false },
		{ SPAN(GET "Connection: close\r\n\r\n"), true },
		{ SPAN(GET "Connection: keep-alive, CLOSE\r\n\r\n"), true },
		{ SPAN(GET "Connection: keep-alive\r\nConnection: ,a,,close\r\n\r\n"), true },
		{ SPAN(GET "Connection: closed\r\n\r\n"), false },
		{ SPAN("GET / HTTP/1.0\r\n\r\n"), true },
		{ SPAN("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), false },
		{ SPAN("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n"), true },
		{ SPAN("GET / HTTP/1.0\r\nKeep-Alive: 5\r\n\r\n"), true },
	};
	struct kit k;
	kit_open(&k);
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		parse(&k, rows[i].head);
		assert_int_equal(k.msg.close, rows[i].close);
	}
	kit_close(&k);
}

static void connection_takes_what_it_names_and_no_more(void **state)
{
	(void)state;
	struct kit k;
	kit_open(&k);
	parse(&k, SPAN("POST / HTTP/1.1\r\nX-One: 1\r\nConnection: x-one, X-TWO\r\nX-Two: 2\r\n"
		       "Connection: date, @, a b\r\nDate: today\r\nX-Three: 3\r\nx-one: 4\r\n" HOST
		       "\r\n"));
	assert_span(kit_text(&k.arena, &k.msg),
		    SPAN("POST / HTTP/1.1\r\nX-Three: 3\r\nHost: h\r\n"));
	assert_null(msg_find(&k.msg, NAME_DATE));

	parse(&k,
	      SPAN(POST "Connection: host, content-length, authorization, x-forwarded-for, cookie,"
			"x-crossfade-cluster, expect\r\nContent-Length: 5\r\nAuthorization: a\r\n"
			"X-Forwarded-For: b\r\nCookie: c\r\nX-Crossfade-Cluster: d\r\n\r\n"));
	assert_span(
		kit_text(&k.arena, &k.msg),
		SPAN(POST
		     "Content-Length: 5\r\nAuthorization: a\r\nX-Forwarded-For: b\r\nCookie: c\r\n"
		     "X-Crossfade-Cluster: d\r\n"));

	parse(&k, SPAN(POST "Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n\r\n"));
	assert_int_equal(k.msg.body, BODY_UNKNOWN);
	kit_close(&k);
}

static void an_upgrade_is_asked_for_by_a_plain_get_only(void **state)
{
	(void)state;
	static const struct {
		struct span head;
		bool tunnel;
	} rows[] = {
		{ SPAN(GET "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"), true },
		{ SPAN(GET "Upgrade: a/1, b\r\nConnection: keep-alive, upgrade\r\n\r\n"), true },
		{ SPAN(GET "Upgrade: websocket\r\n\r\n"), false },
		{ SPAN(GET "Connection: upgrade\r\n\r\n"), false },
		{ SPAN(GET "Connection: upgrade\r\nUpgrade:\r\n\r\n"), false },
		{ SPAN(GET "Connection: upgrade\r\nUpgrade: a\r\nUpgrade: b\r\n\r\n"), false },
		{ SPAN(GET "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
			   "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n"),
		  false },
		{ SPAN(GET "Connection: upgrade\r\nUpgrade: websocket, H2C\r\n\r\n"), false },
		{ SPAN(GET "Connection: upgrade\r\nUpgrade: HTTP/2.0\r\n\r\n"), false },
		{ SPAN(GET "Connection: upgrade\r\nUpgrade: TLS/1.2\r\n\r\n"), false },
		{ SPAN(GET "Connection: upgrade\r\nUpgrade: a\r\nContent-Length: 0\r\n\r\n"),
		  true },
		{ SPAN(GET "Content-Length: 00\r\nConnection: upgrade\r\nUpgrade: a\r\n\r\n"),
		  true },
		{ SPAN(GET "Connection: upgrade\r\nUpgrade: a\r\nContent-Length: 1\r\n\r\n"),
		  false },
		{ SPAN(GET "Connection: upgrade\r\nUpgrade: a\r\n"
			   "Transfer-Encoding: chunked\r\n\r\n"),
		  false },
		{ SPAN(POST "Connection: upgrade\r\nUpgrade: a\r\n\r\n"), false },
		{ SPAN("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: a\r\n\r\n"), false },
	};
	struct kit k;
	kit_open(&k);
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		parse(&k, rows[i].head);
		assert_int_equal(k.msg.tunnel, rows[i].tunnel);
		assert_int_equal(msg_find(&k.msg, NAME_UPGRADE) != NULL, rows[i].tunnel);
		if (rows[i].tunnel)
			assert_null(msg_find(&k.msg, NAME_CONTENT_LENGTH));
		assert_null(msg_find(&k.msg, NAME_CONNECTION));
		assert_null(msg_find(&k.msg, NAME_HTTP2_SETTINGS));
	}
	kit_close(&k);
}

static void an_expectation_is_seen_and_kept(void **state)
{
	(void)state;
	struct kit k;
	kit_open(&k);
	parse(&k, SPAN(POST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"));
	assert_true(k.msg.expects);
	assert_span(msg_value(&k.msg, NAME_EXPECT), SPAN("100-continue"));
	parse(&k, SPAN("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"));
	assert_false(k.msg.expects);
	assert_null(msg_find(&k.msg, NAME_EXPECT));
	kit_close(&k);
}

/* Pipelined bytes and bodies are the caller's. */
static void nothing_behind_the_head_is_used(void **state)
{
	(void)state;
	struct kit k;
	kit_open(&k);
	kit_request(&k);
	struct span bytes = SPAN(GET "\r\nGET /second");
	size_t used;
	assert_int_equal(h1_parse(&k.parser, bytes, &used), H1_DONE);
	assert_int_equal(used, strlen(GET "\r\n"));
	assert_span(msg_method(&k.msg), SPAN("GET"));
	assert_span(msg_target(&k.msg), SPAN("/"));
	kit_close(&k);
}

static void a_refused_head_keeps_what_came_before(void **state)
{
	(void)state;
	struct kit k;
	kit_open(&k);
	kit_request(&k);
	size_t used;
	struct span bytes = SPAN("GET /path HTTP/1.1\r\nUser-Agent: x\r\na : b\r\n\r\n");
	assert_int_equal(kit_feed(&k, bytes, SIZE_MAX, &used), H1_BAD);
	assert_int_equal(k.msg.first_n, strlen("GET /path HTTP/1.1\r\n"));
	assert_span(msg_target(&k.msg), SPAN("/path"));
	assert_span(msg_value(&k.msg, NAME_USER_AGENT), SPAN("x"));

	kit_request(&k);
	assert_int_equal(kit_feed(&k, SPAN("GET /path HTTP/1.1 \r\n"), SIZE_MAX, &used), H1_BAD);
	assert_int_equal(k.msg.first_n, 0);
	kit_close(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_line_has_three_parts_and_two_spaces),
		cmocka_unit_test(only_versions_of_http_1_are_served),
		cmocka_unit_test(a_target_is_visible_ascii_in_one_of_three_forms),
		cmocka_unit_test(a_field_line_is_a_token_a_colon_and_text),
		cmocka_unit_test(a_request_has_one_host_that_is_one),
		cmocka_unit_test(a_body_has_one_length_or_is_chunked),
		cmocka_unit_test(only_100_continue_may_be_expected),
		cmocka_unit_test(what_cannot_become_a_request_is_refused_at_once),
		cmocka_unit_test(a_method_has_its_limit),
		cmocka_unit_test(a_name_has_its_limit),
		cmocka_unit_test(a_field_line_has_its_limit),
		cmocka_unit_test(the_limit_holds_for_the_canonical_line_too),
		cmocka_unit_test(a_request_line_has_its_limit),
		cmocka_unit_test(a_head_has_its_limit),
		cmocka_unit_test(fields_have_their_number),
		cmocka_unit_test(connection_names_have_their_number),
		cmocka_unit_test(a_head_becomes_canonical_text),
		cmocka_unit_test(a_body_is_where_the_framing_says),
		cmocka_unit_test(a_connection_is_kept_as_its_version_says),
		cmocka_unit_test(connection_takes_what_it_names_and_no_more),
		cmocka_unit_test(an_upgrade_is_asked_for_by_a_plain_get_only),
		cmocka_unit_test(an_expectation_is_seen_and_kept),
		cmocka_unit_test(nothing_behind_the_head_is_used),
		cmocka_unit_test(a_refused_head_keeps_what_came_before),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
