#include "unit/http/kit.h"

#include "http/h1_body.h"
#include "http/h1_write.h"

#define HOST "Host: h\r\n"
#define GET "GET / HTTP/1.1\r\n" HOST
#define OK "HTTP/1.1 200 OK\r\n"

static struct span contents(struct arena *a, const struct chain *c)
{
	char *text = arena_take(a, c->bytes + 1);
	chain_peek(c, text, c->bytes);
	return (struct span){ text, c->bytes };
}

static struct span written(struct kit *k, const struct msg *m, struct h1_write how)
{
	struct chain out = { 0 };
	h1_write_head(m, how, &out, &k->bufs);
	struct span text = contents(&k->arena, &out);
	chain_drop(&out);
	return text;
}

#define KEPT "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\n"

static void parse(struct kit *k, struct span head)
{
	bool response = memcmp(head.at, "HTTP/", 5) == 0;
	if (response)
		kit_respond(k, METHOD_GET, true);
	else
		kit_request(k);
	size_t used;
	assert_int_equal(kit_feed(k, head, SIZE_MAX, &used), H1_DONE);
	assert_int_equal(used, head.n);
}

static void a_head_is_written_without_what_is_dropped(void **state)
{
	(void)state;
	static const struct {
		struct span head;
		struct h1_write how;
		struct span out;
	} rows[] = {
		{ SPAN(GET "\r\n"), { 0 }, SPAN(GET "\r\n") },
		{ SPAN(GET "a:b\r\nConnection: c\r\nc: d\r\ne: f\r\nTE: g\r\n\r\n"),
		  { 0 },
		  SPAN(GET "a: b\r\ne: f\r\n\r\n") },
		{ SPAN("GET / HTTP/1.0\r\nTE: x\r\n" HOST "\r\n"), { 0 }, SPAN(GET "\r\n") },
		{ SPAN(GET "Transfer-Encoding: chunked\r\n\r\n"),
		  { .chunked = true },
		  SPAN(GET "Transfer-Encoding: chunked\r\n\r\n") },
		{ SPAN(GET "Content-Length: 5\r\n\r\n"),
		  { .chunked = true },
		  SPAN(GET "Content-Length: 5\r\n\r\n") },
		{ SPAN(GET "Connection: close\r\n\r\n"), { 0 }, SPAN(GET "\r\n") },
		{ SPAN(GET "\r\n"), { .close = true }, SPAN(GET "Connection: close\r\n\r\n") },
		{ SPAN(GET "\r\n"), { .keep = true }, SPAN(GET "Connection: keep-alive\r\n\r\n") },
		{ SPAN(GET "Connection: upgrade\r\nUpgrade: a\r\n\r\n"),
		  { .close = true },
		  SPAN(GET "Upgrade: a\r\nConnection: upgrade\r\n\r\n") },
		{ SPAN("HTTP/1.0 200\r\n\r\n"), { 0 }, SPAN("HTTP/1.1 200 \r\n\r\n") },
		{ SPAN(OK "\r\n"),
		  { .chunked = true },
		  SPAN(OK "Transfer-Encoding: chunked\r\n\r\n") },
		{ SPAN(OK "\r\n"), { .close = true }, SPAN(OK "Connection: close\r\n\r\n") },
		{ SPAN(OK "\r\n"), { .kept = SPAN(KEPT) }, SPAN(OK KEPT) },
		{ SPAN(OK "\r\n"),
		  { .close = true, .kept = SPAN(KEPT) },
		  SPAN(OK "Connection: close\r\n\r\n") },
		{ SPAN("HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: a\r\n\r\n"),
		  { .kept = SPAN(KEPT) },
		  SPAN("HTTP/1.1 101 x\r\nUpgrade: a\r\nConnection: upgrade\r\n\r\n") },
		{ SPAN("HTTP/1.1 204 x\r\nContent-Length: 0\r\n\r\n"),
		  { .chunked = true },
		  SPAN("HTTP/1.1 204 x\r\n\r\n") },
		{ SPAN("HTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\n"),
		  { .chunked = true },
		  SPAN("HTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\n") },
		{ SPAN("HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: a\r\n\r\n"),
		  { 0 },
		  SPAN("HTTP/1.1 101 x\r\nUpgrade: a\r\nConnection: upgrade\r\n\r\n") },
	};
	struct kit k;
	kit_open(&k);
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		parse(&k, rows[i].head);
		assert_span(written(&k, &k.msg, rows[i].how), rows[i].out);
	}
	kit_close(&k);
}

static void what_is_written_parses_to_the_same(void **state)
{
	(void)state;
	static const struct span heads[] = {
		SPAN(GET "\r\n"),
		SPAN("GET http://h?q HTTP/1.1\r\nX:y\r\n" HOST "\r\n"),
		SPAN("GET https://[::1]/ HTTP/1.0\r\nExpect: 100-continue\r\n\r\n"),
		SPAN("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTrailer: a\r\n\r\n"),
		SPAN("POST / HTTP/1.1\r\n" HOST
		     "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"),
		SPAN(GET "Connection: a, upgrade, b\r\na: 1\r\nc: 2\r\nUpgrade: x\r\nb: 3\r\nd: "
			 "4\r\n\r\n"),
		SPAN(OK "Content-Length: 3\r\nA: \xff\tb\r\n\r\n"),
		SPAN(OK "Transfer-Encoding: chunked\r\n\r\n"),
		SPAN("HTTP/1.0 404\r\n\r\n"),
		SPAN("HTTP/1.1 304 x\r\nETag: \"a\"\r\nContent-Length: 9\r\n\r\n"),
		SPAN("HTTP/1.1 101 x\r\nUpgrade: a\r\n\r\n"),
	};
	struct kit k, again;
	kit_open(&k);
	kit_open(&again);
	for (size_t i = 0; i < ARRAY_N(heads); i++) {
		parse(&k, heads[i]);
		parse(&again,
		      written(&k, &k.msg, (struct h1_write){ .chunked = k.parser.codings }));
		assert_span(kit_text(&again.arena, &again.msg), kit_text(&k.arena, &k.msg));
		assert_int_equal(again.msg.body, k.msg.body);
		assert_int_equal(again.msg.length, k.msg.length);
		assert_int_equal(again.msg.tunnel, k.msg.tunnel);
		assert_int_equal(again.msg.expects, k.msg.expects);
		assert_int_equal(again.parser.codings, k.parser.codings);
	}
	kit_close(&k);
	kit_close(&again);
}

/* A head of many blocks: nothing of it need be contiguous. */
static void a_head_may_be_larger_than_a_block(void **state)
{
	(void)state;
	struct kit k;
	kit_open(&k);
	msg_open(&k.msg, &k.arena, MSG_RESPONSE);
	msg_set_status(&k.msg, 200, SPAN("OK"));
	struct span value = kit_repeat(&k.arena, 'x', 10000);
	for (int i = 0; i < 20; i++)
		assert_true(msg_add_named(&k.msg, SPAN("a"), value));
	struct span out = written(&k, &k.msg, (struct h1_write){ 0 });
	assert_int_equal(out.n, strlen(OK) + 20 * (value.n + strlen("a: \r\n")) + strlen("\r\n"));
	assert_memory_equal(out.at + out.n - 8, "xxxx\r\n\r\n", 8);
	kit_close(&k);
}

static void a_chunk_has_its_size_before_it(void **state)
{
	(void)state;
	struct kit k;
	kit_open(&k);
	struct chain data = { 0 }, out = { 0 };
	h1_write_chunk(&data, &out, &k.bufs);
	assert_true(chain_empty(&out));

	chain_copy_in(&data, &k.bufs, "0123456789abcdef0", 17);
	h1_write_chunk(&data, &out, &k.bufs);
	assert_true(chain_empty(&data));
	h1_write_last_chunk(NULL, &out, &k.bufs);
	assert_span(contents(&k.arena, &out), SPAN("11\r\n0123456789abcdef0\r\n0\r\n\r\n"));
	chain_drop(&out);
	kit_close(&k);
}

static void a_large_chunk_is_not_copied(void **state)
{
	(void)state;
	struct kit k;
	kit_open(&k);
	struct chain data = { 0 }, out = { 0 };
	chain_copy_in(&data, &k.bufs, kit_repeat(&k.arena, 'x', BYTES_COPIED + 1).at,
		      BYTES_COPIED + 1);
	const uint8_t *at = data.first->at;
	h1_write_chunk(&data, &out, &k.bufs);
	assert_ptr_equal(out.first->next->at, at);
	chain_drop(&out);
	kit_close(&k);
}

static void trailers_follow_the_last_chunk(void **state)
{
	(void)state;
	struct kit k;
	kit_open(&k);
	msg_open(&k.msg, &k.arena, MSG_TRAILERS);
	struct chain out = { 0 };
	h1_write_last_chunk(&k.msg, &out, &k.bufs);
	assert_true(msg_add_named(&k.msg, SPAN("a"), SPAN("b")));
	assert_true(msg_add_named(&k.msg, SPAN("c"), SPAN("")));
	msg_drop_named(&k.msg, SPAN("A"));
	h1_write_last_chunk(&k.msg, &out, &k.bufs);
	assert_span(contents(&k.arena, &out), SPAN("0\r\n\r\n0\r\nc: \r\n\r\n"));
	chain_drop(&out);
	kit_close(&k);
}

static void a_written_body_reads_as_it_was(void **state)
{
	(void)state;
	struct kit k;
	kit_open(&k);
	struct chain wire = { 0 }, body = { 0 };
	for (size_t n = 1; n < 5000; n *= 3) {
		struct span piece = kit_repeat(&k.arena, (char)('a' + n % 26), n);
		struct chain data = { 0 };
		chain_copy_in(&body, &k.bufs, piece.at, piece.n);
		chain_copy_in(&data, &k.bufs, piece.at, piece.n);
		h1_write_chunk(&data, &wire, &k.bufs);
	}
	h1_write_last_chunk(NULL, &wire, &k.bufs);

	msg_open(&k.msg, &k.arena, MSG_REQUEST);
	k.msg.body = BODY_UNKNOWN;
	struct h1_body reader;
	h1_body_open(&reader, &k.msg, true);
	struct chain read = { 0 };
	assert_int_equal(h1_body_read(&reader, &k.arena, &wire, &read, SIZE_MAX), H1_DONE);
	assert_true(chain_empty(&wire));
	assert_span(contents(&k.arena, &read), contents(&k.arena, &body));
	chain_drop(&read);
	chain_drop(&body);
	kit_close(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_is_written_without_what_is_dropped),
		cmocka_unit_test(what_is_written_parses_to_the_same),
		cmocka_unit_test(a_head_may_be_larger_than_a_block),
		cmocka_unit_test(a_chunk_has_its_size_before_it),
		cmocka_unit_test(a_large_chunk_is_not_copied),
		cmocka_unit_test(trailers_follow_the_last_chunk),
		cmocka_unit_test(a_written_body_reads_as_it_was),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
