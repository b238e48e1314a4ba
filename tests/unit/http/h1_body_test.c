#include "unit/http/kit.h"

#include "http/h1_body.h"

/* A body as it comes: in slices of `step` bytes, with no more than `max` granted at a time. */
struct reading {
	struct kit kit;
	struct h1_body body;
	struct chain out;
	size_t left; /* bytes that belong to the next message */
	enum h1_progress progress;
};

static void reading_open_of(struct reading *r, enum msg_kind kind, enum body body, uint64_t length,
			    bool chunked)
{
	*r = (struct reading){ .progress = H1_MORE };
	kit_open(&r->kit);
	struct msg m;
	msg_open(&m, &r->kit.arena, kind);
	m.body = (uint8_t)body;
	m.length = length;
	h1_body_open(&r->body, &m, chunked);
}

static void reading_open(struct reading *r, enum body body, uint64_t length, bool chunked)
{
	reading_open_of(r, MSG_RESPONSE, body, length, chunked);
}

static void reading_close(struct reading *r)
{
	chain_drop(&r->out);
	kit_close(&r->kit);
}

/* Each slice is a block of its own, so that nothing is contiguous by chance. */
static void read_slices(struct reading *r, struct span bytes, size_t step, size_t max)
{
	struct chain in = { 0 };
	for (size_t at = 0; at < bytes.n && r->progress == H1_MORE;) {
		size_t n = bytes.n - at < step ? bytes.n - at : step;
		while (n > 0) {
			enum block_class class = n < 1024 ? BLOCK_SMALL : BLOCK_LARGE;
			struct block *k = block_take(&r->kit.bufs, class, NULL);
			size_t now = n < k->size ? n : k->size;
			uint8_t *end = k->data + k->size - now;
			memcpy(end, bytes.at + at, now);
			chain_add(&in, k, end, now);
			at += now;
			n -= now;
		}
		do {
			size_t before = r->out.bytes;
			r->progress = h1_body_read(&r->body, &r->kit.arena, &in, &r->out, max);
			assert_true(r->out.bytes - before <= max);
			if (r->progress == H1_MORE && in.bytes > 0)
				assert_int_equal(r->out.bytes - before, max);
		} while (r->progress == H1_MORE && in.bytes > 0);
		if (r->progress != H1_MORE)
			r->left = in.bytes + bytes.n - at;
	}
	chain_drop(&in);
}

static void assert_body(struct reading *r, struct span expected)
{
	char *text = arena_take(&r->kit.arena, r->out.bytes + 1);
	chain_peek(&r->out, text, r->out.bytes);
	assert_span((struct span){ text, r->out.bytes }, expected);
}

/* Whether the connection's end is this body's end. */
static bool may_end(const struct h1_body *b)
{
	return b->state == H1_BODY_NONE || b->state == H1_BODY_CLOSE;
}

static void check_chunked(struct span bytes, size_t step, size_t max, struct span body, size_t left)
{
	struct reading r;
	reading_open(&r, BODY_UNKNOWN, 0, true);
	read_slices(&r, bytes, step, max);
	if (r.progress != H1_DONE)
		fail_msg("\"%.*s\": %s", (int)bytes.n, bytes.at, err_word(r.body.err));
	assert_body(&r, body);
	assert_int_equal(r.left, left);
	assert_true(may_end(&r.body));
	reading_close(&r);
}

static void a_length_ends_by_itself(void **state)
{
	(void)state;
	for (size_t step = 1; step < 20; step++) {
		for (size_t max = 1; max < 12; max++) {
			struct reading r;
			reading_open(&r, BODY_LENGTH, 10, false);
			read_slices(&r, SPAN("0123456789GET"), step, max);
			assert_int_equal(r.progress, H1_DONE);
			assert_body(&r, SPAN("0123456789"));
			assert_int_equal(r.left, 3);
			reading_close(&r);
		}
	}
}

static void no_body_is_over_at_once(void **state)
{
	(void)state;
	for (enum body body = BODY_NONE; body <= BODY_LENGTH; body++) {
		struct reading r;
		reading_open(&r, body, 0, false);
		struct chain in = { 0 };
		assert_true(may_end(&r.body));
		assert_int_equal(h1_body_read(&r.body, &r.kit.arena, &in, &r.out, 0), H1_DONE);
		reading_close(&r);
	}
}

static void a_length_that_is_not_reached_may_not_end(void **state)
{
	(void)state;
	struct reading r;
	reading_open(&r, BODY_LENGTH, 10, false);
	read_slices(&r, SPAN("012345678"), SIZE_MAX, SIZE_MAX);
	assert_int_equal(r.progress, H1_MORE);
	assert_false(may_end(&r.body));
	reading_close(&r);
}

static void without_a_length_the_connection_ends_it(void **state)
{
	(void)state;
	struct reading r;
	reading_open(&r, BODY_UNKNOWN, 0, false);
	read_slices(&r, SPAN("0\r\n\r\nanything"), 3, 2);
	assert_int_equal(r.progress, H1_MORE);
	assert_true(may_end(&r.body));
	assert_body(&r, SPAN("0\r\n\r\nanything"));
	reading_close(&r);
}

static void chunks_are_joined_however_they_are_cut(void **state)
{
	(void)state;
	static const struct {
		struct span bytes, body;
		size_t left;
	} rows[] = {
		{ SPAN("0\r\n\r\n"), SPAN(""), 0 },
		{ SPAN("000\r\n\r\nGET"), SPAN(""), 3 },
		{ SPAN("5\r\nhello\r\n0\r\n\r\n"), SPAN("hello"), 0 },
		{ SPAN("a\r\n0123456789\r\nB\r\n01234567890\r\n0\r\n\r\nx"),
		  SPAN("012345678901234567890"), 1 },
		{ SPAN("0000000000000005\r\nhello\r\n0\r\n\r\n"), SPAN("hello"), 0 },
		{ SPAN("00000000000000000000000005\r\nhello\r\n00000000000000000000\r\n\r\n"),
		  SPAN("hello"), 0 },
		{ SPAN("5;a=b;c=\"d;\xff\\\"\" ; e\r\nhello\r\n0;\tlast\r\n\r\n"), SPAN("hello"),
		  0 },
		{ SPAN("5 \t; \ta\t = \tb ;c ;d= \"\" \r\nhello\r\n0 ;last=1\r\n\r\n"),
		  SPAN("hello"), 0 },
		{ SPAN("5  \t\r\nhello\r\n0 \r\n\r\n"), SPAN("hello"), 0 },
		{ SPAN("5;a=\"b\\\tc\td=;\" \t;e\r\nhello\r\n0\r\n\r\n"), SPAN("hello"), 0 },
		{ SPAN("2\r\n\r\n\r\n0\r\n\r\n"), SPAN("\r\n"), 0 },
		{ SPAN("2\r\nhi\r\n0\r\nA: b\r\nc:\r\n\r\nz"), SPAN("hi"), 1 },
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++)
		for (size_t step = 1; step < rows[i].bytes.n + 1; step++)
			for (size_t max = 1; max < 8; max++)
				check_chunked(rows[i].bytes, step, max, rows[i].body, rows[i].left);
}

static enum err chunked_err_of(enum msg_kind kind, struct span bytes, size_t step)
{
	struct reading r;
	reading_open_of(&r, kind, BODY_UNKNOWN, 0, true);
	read_slices(&r, bytes, step, SIZE_MAX);
	enum err err = r.body.err;
	assert_int_equal(r.progress == H1_BAD, err != ERR_NONE);
	reading_close(&r);
	return err;
}

static enum err chunked_err(struct span bytes, size_t step)
{
	return chunked_err_of(MSG_RESPONSE, bytes, step);
}

static void malformed_chunks_are_refused(void **state)
{
	(void)state;
	static const struct {
		struct span bytes;
		enum err err;
	} rows[] = {
		{ SPAN("\r\n"), ERR_CHUNK_SIZE },
		{ SPAN(";a\r\n"), ERR_CHUNK_SIZE },
		{ SPAN("g\r\n"), ERR_CHUNK_SIZE },
		{ SPAN("-5\r\n"), ERR_CHUNK_SIZE },
		{ SPAN("+5\r\n"), ERR_CHUNK_SIZE },
		{ SPAN(" 5\r\n"), ERR_CHUNK_SIZE },
		{ SPAN("5 0\r\n"), ERR_CHUNK_EXTENSION },
		{ SPAN("5 a\r\n"), ERR_CHUNK_EXTENSION },
		{ SPAN("5\x0b\r\n"), ERR_CHUNK_SIZE },
		{ SPAN("0x5\r\n"), ERR_CHUNK_SIZE },
		{ SPAN("5h\r\n"), ERR_CHUNK_SIZE },
		{ SPAN("5,5\r\n"), ERR_CHUNK_SIZE },
		{ SPAN("5\0\r\n"), ERR_CHUNK_SIZE },
		{ SPAN("0000000018000000000000000\r\n"), ERR_CHUNK_SIZE },
		{ SPAN("8000000000000000\r\n"), ERR_CHUNK_SIZE },
		{ SPAN("ffffffffffffffff\r\n"), ERR_CHUNK_SIZE },
		{ SPAN("10000000000000005\r\n"), ERR_CHUNK_SIZE },
		{ SPAN("7fffffffffffffff\r\n"), ERR_NONE },
		{ SPAN("5\nhello\r\n"), ERR_BARE_LF },
		{ SPAN("5\rhello\r\n"), ERR_BARE_CR },
		{ SPAN("5\r\r\nhello\r\n"), ERR_BARE_CR },
		{ SPAN("5;a\nhello\r\n"), ERR_BARE_LF },
		{ SPAN("5;a\rb\r\nhello\r\n"), ERR_BARE_CR },
		{ SPAN("5;a=\"\n\"\r\nhello\r\n"), ERR_BARE_LF },
		{ SPAN("5 \nhello\r\n"), ERR_BARE_LF },
		{ SPAN("5;\r\nhello\r\n"), ERR_CHUNK_EXTENSION },
		{ SPAN("5; \r\nhello\r\n"), ERR_CHUNK_EXTENSION },
		{ SPAN("5;;\r\nhello\r\n"), ERR_CHUNK_EXTENSION },
		{ SPAN("5;a;\r\nhello\r\n"), ERR_CHUNK_EXTENSION },
		{ SPAN("5;a=\r\nhello\r\n"), ERR_CHUNK_EXTENSION },
		{ SPAN("5;a= ;b\r\nhello\r\n"), ERR_CHUNK_EXTENSION },
		{ SPAN("5;=b\r\nhello\r\n"), ERR_CHUNK_EXTENSION },
		{ SPAN("5;a==b\r\nhello\r\n"), ERR_CHUNK_EXTENSION },
		{ SPAN("5;a b\r\nhello\r\n"), ERR_CHUNK_EXTENSION },
		{ SPAN("5;a=b c\r\nhello\r\n"), ERR_CHUNK_EXTENSION },
		{ SPAN("5;a=b\"c\"\r\nhello\r\n"), ERR_CHUNK_EXTENSION },
		{ SPAN("5;a=\"b\"c\r\nhello\r\n"), ERR_CHUNK_EXTENSION },
		{ SPAN("5;a=\"b\"\"c\"\r\nhello\r\n"), ERR_CHUNK_EXTENSION },
		{ SPAN("5;a=\"b\r\nhello\r\n"), ERR_CHUNK_EXTENSION },
		{ SPAN("5;a=\"b\\\r\nhello\r\n"), ERR_CHUNK_EXTENSION },
		{ SPAN("5;\"a\"\r\nhello\r\n"), ERR_CHUNK_EXTENSION },
		{ SPAN("5;a@b\r\nhello\r\n"), ERR_CHUNK_EXTENSION },
		{ SPAN("5;a,b\r\nhello\r\n"), ERR_CHUNK_EXTENSION },
		{ SPAN("5;\0\r\nhello\r\n"), ERR_CHUNK_EXTENSION },
		{ SPAN("5;a=\"\0\"\r\nhello\r\n"), ERR_CHUNK_EXTENSION },
		{ SPAN("5;a=\x7f\r\nhello\r\n"), ERR_CHUNK_EXTENSION },
		{ SPAN("5\r\nhello0\r\n\r\n"), ERR_CHUNK_END },
		{ SPAN("5\r\nhello\n0\r\n\r\n"), ERR_CHUNK_END },
		{ SPAN("5\r\nhello\r0\r\n\r\n"), ERR_CHUNK_END },
		{ SPAN("5\r\nhello!\r\n0\r\n\r\n"), ERR_CHUNK_END },
		{ SPAN("0\r\n\n"), ERR_BARE_LF },
		{ SPAN("0\r\n\rx"), ERR_BARE_CR },
		{ SPAN("0\r\n\r\r\n"), ERR_BARE_CR },
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++)
		for (size_t step = 1; step < rows[i].bytes.n + 1; step++)
			assert_int_equal(chunked_err(rows[i].bytes, step), rows[i].err);
}

static void a_chunk_line_has_its_limit(void **state)
{
	(void)state;
	struct kit k;
	kit_open(&k);
	for (size_t over = 0; over < 2; over++) {
		struct span extension = kit_repeat(&k.arena, 'x', CHUNK_LINE_BYTES - 2 + over);
		struct span line =
			kit_join(&k.arena, SPAN("5;"), extension, SPAN("\r\nhello\r\n0\r\n\r\n"));
		for (size_t step = 1; step < 2000; step += 499)
			assert_int_equal(chunked_err(line, step), over ? ERR_CHUNK_LINE : ERR_NONE);
	}
	kit_close(&k);
}

/* So many chunks of a byte each. */
static enum err err_of_chunks(struct kit *k, enum msg_kind kind, struct span extension, size_t n,
			      size_t step)
{
	struct span chunk = kit_join(&k->arena, SPAN("1"), extension, SPAN("\r\nx\r\n"));
	char *text = arena_take(&k->arena, chunk.n * n + 5);
	for (size_t i = 0; i < n; i++)
		memcpy(text + i * chunk.n, chunk.at, chunk.n);
	memcpy(text + n * chunk.n, "0\r\n\r\n", 5);
	return chunked_err_of(kind, (struct span){ text, n * chunk.n + 5 }, step);
}

static void a_clients_chunks_of_one_byte_are_taken_and_not_with_a_kilobyte_around_each(void **state)
{
	(void)state;
	struct kit k;
	kit_open(&k);
	struct span much = kit_join(&k.arena, SPAN(";"), kit_repeat(&k.arena, 'x', 1000), SPAN(""));
	struct span little = SPAN(";a=123456");
	assert_int_equal(err_of_chunks(&k, MSG_REQUEST, SPAN(""), 5000, 5000), ERR_NONE);
	assert_int_equal(err_of_chunks(&k, MSG_REQUEST, little, 5000, 5000), ERR_NONE);
	assert_int_equal(err_of_chunks(&k, MSG_REQUEST, much, 50, 5000), ERR_NONE);
	assert_int_equal(err_of_chunks(&k, MSG_REQUEST, much, 80, 5000), ERR_CHUNK_OVERHEAD);
	assert_int_equal(err_of_chunks(&k, MSG_REQUEST, much, 80, 100), ERR_CHUNK_OVERHEAD);
	kit_close(&k);
}

static void a_nodes_chunks_may_be_as_small_as_it_likes(void **state)
{
	(void)state;
	struct kit k;
	kit_open(&k);
	struct span much = kit_join(&k.arena, SPAN(";"), kit_repeat(&k.arena, 'x', 1000), SPAN(""));
	assert_int_equal(err_of_chunks(&k, MSG_RESPONSE, SPAN(""), 50000, 5), ERR_NONE);
	assert_int_equal(err_of_chunks(&k, MSG_RESPONSE, much, 80, 5000), ERR_NONE);
	assert_int_equal(err_of_chunks(&k, MSG_RESPONSE, much, 80, 100), ERR_NONE);
	kit_close(&k);
}

static void trailers_are_kept_apart_from_what_may_not_be_one(void **state)
{
	(void)state;
	struct span bytes =
		SPAN("0\r\nX-Sum:  1 \r\nCookie: a\r\nSet-Cookie: b\r\nContent-Type: c\r\n"
		     "Authorization: d\r\nX-Forwarded-For: e\r\ngrpc-status: 0\r\n\r\nnext");
	for (size_t step = 1; step < bytes.n + 1; step++) {
		struct reading r;
		reading_open(&r, BODY_UNKNOWN, 0, true);
		read_slices(&r, bytes, step, SIZE_MAX);
		assert_int_equal(r.progress, H1_DONE);
		assert_int_equal(r.left, 4);
		assert_true(r.body.has_trailers);
		assert_span(kit_text(&r.kit.arena, r.body.trailers),
			    SPAN("X-Sum: 1\r\ngrpc-status: 0\r\n"));
		reading_close(&r);
	}
}

static void trailers_that_are_all_dropped_are_none(void **state)
{
	(void)state;
	struct reading r;
	reading_open(&r, BODY_UNKNOWN, 0, true);
	read_slices(&r, SPAN("0\r\nCookie: a\r\n\r\n"), SIZE_MAX, SIZE_MAX);
	assert_int_equal(r.progress, H1_DONE);
	assert_false(r.body.has_trailers);
	reading_close(&r);
}

static void malformed_and_forbidden_trailers_are_refused(void **state)
{
	(void)state;
	static const struct {
		struct span bytes;
		enum err err;
	} rows[] = {
		{ SPAN("0\r\nContent-Length: 5\r\n\r\n"), ERR_TRAILER },
		{ SPAN("0\r\nTransfer-Encoding: chunked\r\n\r\n"), ERR_TRAILER },
		{ SPAN("0\r\nHost: h\r\n\r\n"), ERR_TRAILER },
		{ SPAN("0\r\nConnection: close\r\n\r\n"), ERR_TRAILER },
		{ SPAN("0\r\nUpgrade: a\r\n\r\n"), ERR_TRAILER },
		{ SPAN("0\r\na : b\r\n\r\n"), ERR_FIELD_SPACE },
		{ SPAN("0\r\n a: b\r\n\r\n"), ERR_FOLDED_FIELD },
		{ SPAN("0\r\na: b\r\n c\r\n\r\n"), ERR_FOLDED_FIELD },
		{ SPAN("0\r\na: b\n\r\n"), ERR_BARE_LF },
		{ SPAN("0\r\na: b\rc\r\n\r\n"), ERR_BARE_CR },
		{ SPAN("0\r\na: \0\r\n\r\n"), ERR_FIELD_VALUE },
		{ SPAN("0\r\nGET / HTTP/1.1\r\n"), ERR_FIELD_SPACE },
		{ SPAN("0\r\n:\r\n\r\n"), ERR_FIELD_NAME },
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++)
		for (size_t step = 1; step < rows[i].bytes.n + 1; step++)
			assert_int_equal(chunked_err(rows[i].bytes, step), rows[i].err);
}

static void trailers_have_their_limit(void **state)
{
	(void)state;
	struct kit k;
	kit_open(&k);
	for (size_t over = 0; over < 2; over++) {
		struct span value =
			kit_repeat(&k.arena, 'x', TRAILERS_BYTES - strlen("a: \r\n\r\n") + over);
		struct span bytes = kit_join(&k.arena, SPAN("0\r\na: "), value, SPAN("\r\n\r\n"));
		for (size_t step = 1; step < 3 * BLOCK_LARGE_BYTES; step = 7 * step + 6)
			assert_int_equal(chunked_err(bytes, step), over ? ERR_HEAD_SIZE : ERR_NONE);
	}
	struct span endless = kit_repeat(&k.arena, 'x', BLOCK_LARGE_BYTES);
	struct span bytes = kit_join(&k.arena, SPAN("0\r\na: "), endless, SPAN(""));
	for (size_t step = 1; step < 3 * BLOCK_LARGE_BYTES; step = 7 * step + 6)
		assert_int_equal(chunked_err(bytes, step), ERR_HEAD_SIZE);
	kit_close(&k);
}

/* Reads a whole chunked body from one block. */
static struct block *read_block(struct reading *r, struct span bytes)
{
	reading_open(r, BODY_UNKNOWN, 0, true);
	struct block *k = block_take(&r->kit.bufs, BLOCK_SMALL, NULL);
	memcpy(k->data, bytes.at, bytes.n);
	struct chain in = { 0 };
	chain_add(&in, k, k->data, bytes.n);
	assert_int_equal(h1_body_read(&r->body, &r->kit.arena, &in, &r->out, SIZE_MAX), H1_DONE);
	return k;
}

/* A body of one block comes out as slices of that very block. */
static void no_chunk_of_a_transfer_is_copied(void **state)
{
	(void)state;
	struct kit kit;
	kit_open(&kit);
	struct span chunk = kit_repeat(&kit.arena, 'x', 0x258);
	assert_true(chunk.n > BYTES_COPIED);
	struct span first = kit_join(&kit.arena, SPAN("258\r\n"), chunk, SPAN("\r\n258\r\n"));
	struct span bytes = kit_join(&kit.arena, first, chunk, SPAN("\r\n0\r\n\r\n"));
	struct reading r;
	struct block *k = read_block(&r, bytes);
	assert_ptr_equal(r.out.first->at, k->data + 5);
	assert_ptr_equal(r.out.first->next->at, k->data + first.n);
	assert_body(&r, kit_join(&kit.arena, SPAN(""), chunk, chunk));
	reading_close(&r);
	kit_close(&kit);
}

static void small_chunks_become_one_slice(void **state)
{
	(void)state;
	struct reading r;
	struct block *k = read_block(&r, SPAN("3\r\nabc\r\n4;x\r\ndefg\r\n1\r\nh\r\n0\r\n\r\n"));
	assert_ptr_equal(r.out.first->at, k->data + 3);
	assert_null(r.out.first->next);
	assert_body(&r, SPAN("abcdefgh"));
	reading_close(&r);
}

/* Credit is for body bytes: what else there is comes through without. */
static void the_end_needs_no_credit(void **state)
{
	(void)state;
	struct reading r;
	reading_open(&r, BODY_UNKNOWN, 0, true);
	struct chain in = { 0 };
	struct span bytes = SPAN("2\r\nhi\r\n0\r\na: b\r\n\r\n");
	chain_copy_in(&in, &r.kit.bufs, bytes.at, bytes.n);
	assert_int_equal(h1_body_read(&r.body, &r.kit.arena, &in, &r.out, 0), H1_MORE);
	assert_int_equal(in.bytes, bytes.n - 3);
	assert_int_equal(h1_body_read(&r.body, &r.kit.arena, &in, &r.out, 2), H1_DONE);
	assert_body(&r, SPAN("hi"));
	reading_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_length_ends_by_itself),
		cmocka_unit_test(no_body_is_over_at_once),
		cmocka_unit_test(a_length_that_is_not_reached_may_not_end),
		cmocka_unit_test(without_a_length_the_connection_ends_it),
		cmocka_unit_test(chunks_are_joined_however_they_are_cut),
		cmocka_unit_test(malformed_chunks_are_refused),
		cmocka_unit_test(a_chunk_line_has_its_limit),
		cmocka_unit_test(
			a_clients_chunks_of_one_byte_are_taken_and_not_with_a_kilobyte_around_each),
		cmocka_unit_test(a_nodes_chunks_may_be_as_small_as_it_likes),
		cmocka_unit_test(trailers_are_kept_apart_from_what_may_not_be_one),
		cmocka_unit_test(trailers_that_are_all_dropped_are_none),
		cmocka_unit_test(malformed_and_forbidden_trailers_are_refused),
		cmocka_unit_test(trailers_have_their_limit),
		cmocka_unit_test(no_chunk_of_a_transfer_is_copied),
		cmocka_unit_test(small_chunks_become_one_slice),
		cmocka_unit_test(the_end_needs_no_credit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
