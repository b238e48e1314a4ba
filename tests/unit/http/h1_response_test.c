#include "unit/http/kit.h"

#define OK "HTTP/1.1 200 OK\r\n"

/* A row is a whole head, fed at once and then byte by byte. `method` 0 stands for GET. */
struct row {
	struct span head;
	enum err err;
	enum method method;
	bool upgrade_asked;
};

static enum err parse(struct kit *k, const struct row *row, size_t step)
{
	kit_respond(k, row->method ? row->method : METHOD_GET, row->upgrade_asked);
	size_t used;
	enum h1_progress progress = kit_feed(k, row->head, step, &used);
	assert_int_not_equal(progress, H1_MORE);
	if (progress == H1_DONE)
		assert_int_equal(used, row->head.n);
	return k->parser.err;
}

static void check_rows(const struct row *rows, size_t n)
{
	struct kit k;
	kit_open(&k);
	for (size_t i = 0; i < n; i++) {
		for (size_t step = 1; step; step = step == 1 ? SIZE_MAX : 0) {
			enum err err = parse(&k, &rows[i], step);
			if (err != rows[i].err)
				fail_msg("\"%s\" in steps of %zu: %s, not %s", rows[i].head.at,
					 step, err_word(err), err_word(rows[i].err));
		}
	}
	kit_close(&k);
}

static void a_status_line_is_a_version_three_digits_and_text(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ .head = SPAN(OK "\r\n") },
		{ .head = SPAN("HTTP/1.0 200 OK\r\n\r\n") },
		{ .head = SPAN("HTTP/1.1 200\r\n\r\n") },
		{ .head = SPAN("HTTP/1.1 200 \r\n\r\n") },
		{ .head = SPAN("HTTP/1.1 200 \tvery \x80 fine\r\n\r\n") },
		{ .head = SPAN("HTTP/1.1 100 Continue\r\n\r\n") },
		{ .head = SPAN("HTTP/1.1 599 ?\r\n\r\n") },
		{ SPAN("HTTP/1.1 099 x\r\n\r\n"), .err = ERR_STATUS_LINE },
		{ .head = SPAN("HTTP/1.1 600 x\r\n\r\n") },
		{ .head = SPAN("HTTP/1.1 999 x\r\n\r\n") },
		{ SPAN("HTTP/1.1 000 x\r\n\r\n"), .err = ERR_STATUS_LINE },
		{ SPAN("HTTP/1.1 20 x\r\n\r\n"), .err = ERR_STATUS_LINE },
		{ SPAN("HTTP/1.1 2000 x\r\n\r\n"), .err = ERR_STATUS_LINE },
		{ SPAN("HTTP/1.1 +20 x\r\n\r\n"), .err = ERR_STATUS_LINE },
		{ SPAN("HTTP/1.1  200 x\r\n\r\n"), .err = ERR_STATUS_LINE },
		{ SPAN("HTTP/1.1\t200 x\r\n\r\n"), .err = ERR_STATUS_LINE },
		{ SPAN("HTTP/1.1 200\tx\r\n\r\n"), .err = ERR_STATUS_LINE },
		{ SPAN("HTTP/1.1\r\n\r\n"), .err = ERR_STATUS_LINE },
		{ SPAN("HTTP/1.1 \r\n\r\n"), .err = ERR_STATUS_LINE },
		{ SPAN("HTTP/1 200 x\r\n\r\n"), .err = ERR_STATUS_LINE },
		{ SPAN("http/1.1 200 x\r\n\r\n"), .err = ERR_STATUS_LINE },
		{ SPAN("\r\n" OK "\r\n"), .err = ERR_STATUS_LINE },
		{ SPAN(" " OK "\r\n"), .err = ERR_STATUS_LINE },
		{ SPAN("<html>"), .err = ERR_STATUS_LINE },
		{ SPAN("HTTP/1.1 200 a\0b\r\n\r\n"), .err = ERR_STATUS_LINE },
		{ SPAN("HTTP/1.1 200 a\x7f\r\n\r\n"), .err = ERR_STATUS_LINE },
		{ SPAN("HTTP/1.1 200 a\n\r\n"), .err = ERR_BARE_LF },
		{ SPAN("HTTP/1.1 200\n\r\n"), .err = ERR_BARE_LF },
		{ SPAN("HTTP/1.1 200 a\rb\r\n\r\n"), .err = ERR_BARE_CR },
		{ SPAN("HTTP/2.0 200 x\r\n\r\n"), .err = ERR_VERSION },
		{ .head = SPAN("HTTP/1.2 200 x\r\n\r\n") },
	};
	check_rows(rows, ARRAY_N(rows));
}

static void fields_of_responses_are_checked_like_those_of_requests(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ .head = SPAN(OK "Host: a\r\nHost: b\r\n\r\n") },
		{ .head = SPAN(OK "Expect: anything\r\n\r\n") },
		{ SPAN(OK "a : b\r\n\r\n"), .err = ERR_FIELD_SPACE },
		{ SPAN(OK " a: b\r\n\r\n"), .err = ERR_FOLDED_FIELD },
		{ SPAN(OK "a: b\r\n c\r\n\r\n"), .err = ERR_FOLDED_FIELD },
		{ SPAN(OK "a: b\n\r\n"), .err = ERR_BARE_LF },
		{ SPAN(OK "a: \0\r\n\r\n"), .err = ERR_FIELD_VALUE },
		{ SPAN(OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"),
		  .err = ERR_LENGTH_DOUBLED },
		{ SPAN(OK "Content-Length: 5, 5\r\n\r\n"), .err = ERR_LENGTH_DOUBLED },
		{ SPAN(OK "Content-Length: +5\r\n\r\n"), .err = ERR_LENGTH_SYNTAX },
		{ SPAN("HTTP/1.1 304 x\r\nContent-Length: a\r\n\r\n"), .err = ERR_LENGTH_SYNTAX },
		{ SPAN(OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
		  .err = ERR_LENGTH_WITH_CODING },
		{ SPAN(OK "Transfer-Encoding: gzip\r\n\r\n"), .err = ERR_CODING_UNKNOWN },
		{ SPAN(OK "Transfer-Encoding: chunked, chunked\r\n\r\n"),
		  .err = ERR_CODING_SYNTAX },
		{ SPAN("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
		  .err = ERR_CODING_VERSION },
	};
	check_rows(rows, ARRAY_N(rows));
}

static void nobody_switches_protocols_unasked(void **state)
{
	(void)state;
#define SWITCH "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
	static const struct row rows[] = {
		{ .head = SPAN(SWITCH "Upgrade: websocket\r\n\r\n"), .upgrade_asked = true },
		{ SPAN(SWITCH "Upgrade: websocket\r\n\r\n"), .err = ERR_BACK_UPGRADE },
		{ SPAN(SWITCH "\r\n"), .err = ERR_BACK_UPGRADE, .upgrade_asked = true },
		{ SPAN(SWITCH "Upgrade: a\r\nUpgrade: b\r\n\r\n"), .err = ERR_BACK_UPGRADE,
		  .upgrade_asked = true },
		{ .head = SPAN(OK "Upgrade: a\r\n\r\n"), .upgrade_asked = true },
	};
	check_rows(rows, ARRAY_N(rows));

	struct kit k;
	kit_open(&k);
	assert_int_equal(parse(&k, &rows[0], SIZE_MAX), ERR_NONE);
	assert_true(k.msg.tunnel);
	assert_span(msg_value(&k.msg, NAME_UPGRADE), SPAN("websocket"));
	assert_int_equal(parse(&k, &rows[4], SIZE_MAX), ERR_NONE);
	assert_false(k.msg.tunnel);
	assert_null(msg_find(&k.msg, NAME_UPGRADE));
	kit_close(&k);
}

/* RFC 9112, 6.3. */
static void the_body_of_a_response_is_where_the_framing_says(void **state)
{
	(void)state;
	static const struct {
		struct row row;
		enum body body;
		uint64_t length;
		bool chunked, close, keeps_length;
	} rows[] = {
		{ { .head = SPAN(OK "\r\n") }, .body = BODY_UNKNOWN, .close = true },
		{ { .head = SPAN("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n") },
		  .body = BODY_UNKNOWN,
		  .close = true },
		{ { .head = SPAN("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: "
				 "1\r\n\r\n") },
		  .body = BODY_LENGTH,
		  .length = 1,
		  .keeps_length = true },
		{ { .head = SPAN(OK "Content-Length: 5\r\n\r\n") },
		  .body = BODY_LENGTH,
		  .length = 5,
		  .keeps_length = true },
		{ { .head = SPAN(OK "Connection: close\r\nContent-Length: 0\r\n\r\n") },
		  .body = BODY_LENGTH,
		  .length = 0,
		  .close = true,
		  .keeps_length = true },
		{ { .head = SPAN(OK "Transfer-Encoding: chunked\r\n\r\n") },
		  .body = BODY_UNKNOWN,
		  .chunked = true },
		{ { .head = SPAN(OK "\r\n"), .method = METHOD_HEAD }, .body = BODY_NONE },
		{ { .head = SPAN(OK "Content-Length: 5\r\n\r\n"), .method = METHOD_HEAD },
		  .body = BODY_NONE,
		  .keeps_length = true },
		{ { .head = SPAN(OK "Transfer-Encoding: chunked\r\n\r\n"), .method = METHOD_HEAD },
		  .body = BODY_NONE,
		  .chunked = true,
		  .close = true },
		{ { .head = SPAN(
			    "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n") },
		  .body = BODY_NONE,
		  .chunked = true,
		  .close = true },
		{ { .head = SPAN("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n") },
		  .body = BODY_NONE,
		  .keeps_length = true },
		{ { .head = SPAN("HTTP/1.1 204 No Content\r\n\r\n") }, .body = BODY_NONE },
		{ { .head = SPAN("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n") },
		  .body = BODY_NONE },
		{ { .head = SPAN("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n") },
		  .body = BODY_NONE,
		  .close = true },
		{ { .head = SPAN(
			    "HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n") },
		  .body = BODY_NONE,
		  .chunked = true,
		  .close = true },
		{ { .head = SPAN("HTTP/1.1 100 Continue\r\n\r\n") }, .body = BODY_NONE },
	};
	struct kit k;
	kit_open(&k);
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		assert_int_equal(parse(&k, &rows[i].row, SIZE_MAX), ERR_NONE);
		assert_int_equal(k.msg.body, rows[i].body);
		assert_int_equal(k.msg.length, rows[i].length);
		assert_int_equal(k.parser.codings, rows[i].chunked);
		assert_int_equal(k.msg.close, rows[i].close);
		assert_int_equal(msg_find(&k.msg, NAME_CONTENT_LENGTH) != NULL,
				 rows[i].keeps_length);
		assert_null(msg_find(&k.msg, NAME_TRANSFER_ENCODING));
	}
	kit_close(&k);
}

static void a_response_becomes_canonical_text(void **state)
{
	(void)state;
	static const struct {
		struct row row;
		struct span text;
	} rows[] = {
		{ { .head = SPAN("HTTP/1.0 200\r\nA:b \r\n\r\n") },
		  SPAN("HTTP/1.1 200 \r\nA: b\r\n") },
		{ { .head = SPAN(OK "Connection: x\r\nx: 1\r\ny: 2\r\nKeep-Alive: 3\r\n\r\n") },
		  SPAN(OK "y: 2\r\n") },
		{ { .head = SPAN(OK "Content-Length: 010\r\na: 010\r\n\r\n") },
		  SPAN(OK "Content-Length: 10\r\na: 010\r\n") },
		{ { .head = SPAN(OK "Content-Length: 00\r\n\r\n"), .method = METHOD_HEAD },
		  SPAN(OK "Content-Length: 0\r\n") },
		{ { .head = SPAN("HTTP/1.1 404  Not  Found\r\n\r\n") },
		  SPAN("HTTP/1.1 404  Not  Found\r\n") },
	};
	struct kit k;
	kit_open(&k);
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		assert_int_equal(parse(&k, &rows[i].row, SIZE_MAX), ERR_NONE);
		assert_span(kit_text(&k.arena, &k.msg), rows[i].text);
	}
	kit_close(&k);
}

static void a_responses_head_has_its_limit(void **state)
{
	(void)state;
	struct kit k;
	kit_open(&k);
	struct span line =
		kit_join(&k.arena, SPAN("a: "), kit_repeat(&k.arena, 'x', 8192 - strlen("a: \r\n")),
			 SPAN("\r\n"));
	struct span head = SPAN(OK);
	while (head.n + line.n < RESPONSE_HEAD_BYTES - 16)
		head = kit_join(&k.arena, head, line, SPAN(""));
	size_t left = RESPONSE_HEAD_BYTES - head.n - strlen("a: \r\n\r\n");
	head = kit_join(&k.arena, head, SPAN("a: "), SPAN(""));
	for (size_t over = 0; over < 2; over++) {
		struct row row = { kit_join(&k.arena, head, kit_repeat(&k.arena, 'x', left + over),
					    SPAN("\r\n\r\n")),
				   .err = over ? ERR_HEAD_SIZE : ERR_NONE };
		assert_int_equal(row.head.n, RESPONSE_HEAD_BYTES + over);
		check_rows(&row, 1);
	}
	kit_close(&k);
}

static struct span head_of_fields(struct kit *k, size_t n)
{
	char *text = arena_take(&k->arena, sizeof OK + 4 * n + 2), *at = text;
	at = mempcpy(at, OK, sizeof OK - 1);
	for (size_t i = 0; i < n; i++)
		at = mempcpy(at, "a:\r\n", 4);
	at = mempcpy(at, "\r\n", 2);
	return (struct span){ text, (size_t)(at - text) };
}

static enum err parse_within(struct kit *k, struct span head, size_t step, struct h1_limits limits)
{
	msg_open(&k->msg, &k->arena, MSG_RESPONSE);
	h1_parse_response(&k->parser, &k->msg, METHOD_GET, false, &limits);
	size_t used;
	kit_feed(k, head, step, &used);
	return k->parser.err;
}

/* More than a request's: clusters send a Warning for each thing that a request should not ask. */
static void a_responses_fields_have_their_number(void **state)
{
	(void)state;
	static const struct {
		struct h1_limits limits;
		size_t n;
		enum err err;
	} rows[] = {
		{ { RESPONSE_HEAD_BYTES, RESPONSE_FIELDS }, RESPONSE_FIELDS, ERR_NONE },
		{ { RESPONSE_HEAD_BYTES, RESPONSE_FIELDS }, RESPONSE_FIELDS + 1, ERR_HEAD_SIZE },
		{ { RESPONSE_HEAD_BYTES, 64 }, 64, ERR_NONE },
		{ { RESPONSE_HEAD_BYTES, 64 }, 65, ERR_HEAD_SIZE },
		{ { RESPONSE_HEAD_BYTES_MAX, RESPONSE_FIELDS_MAX }, RESPONSE_FIELDS_MAX, ERR_NONE },
		{ { RESPONSE_HEAD_BYTES_MAX, RESPONSE_FIELDS_MAX },
		  RESPONSE_FIELDS_MAX + 1,
		  ERR_HEAD_SIZE },
		{ { sizeof OK - 1 + 4 * 100 + 2, RESPONSE_FIELDS }, 100, ERR_NONE },
		{ { sizeof OK - 1 + 4 * 100 + 2, RESPONSE_FIELDS }, 101, ERR_HEAD_SIZE },
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		struct kit k;
		kit_open(&k);
		struct span head = head_of_fields(&k, rows[i].n);
		assert_int_equal(parse_within(&k, head, SIZE_MAX, rows[i].limits), rows[i].err);
		assert_int_equal(parse_within(&k, head, 7, rows[i].limits), rows[i].err);
		kit_close(&k);
	}
}

static void a_status_line_has_its_limit(void **state)
{
	(void)state;
	struct kit k;
	kit_open(&k);
	for (size_t over = 0; over < 2; over++) {
		size_t n = REQUEST_LINE_BYTES - strlen("HTTP/1.1 200 ") + over;
		struct row row = { kit_join(&k.arena, SPAN("HTTP/1.1 200 "),
					    kit_repeat(&k.arena, 'x', n), SPAN("\r\n\r\n")),
				   .err = over ? ERR_STATUS_LINE : ERR_NONE };
		check_rows(&row, 1);
	}
	kit_close(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_status_line_is_a_version_three_digits_and_text),
		cmocka_unit_test(fields_of_responses_are_checked_like_those_of_requests),
		cmocka_unit_test(nobody_switches_protocols_unasked),
		cmocka_unit_test(the_body_of_a_response_is_where_the_framing_says),
		cmocka_unit_test(a_response_becomes_canonical_text),
		cmocka_unit_test(a_responses_head_has_its_limit),
		cmocka_unit_test(a_responses_fields_have_their_number),
		cmocka_unit_test(a_status_line_has_its_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
