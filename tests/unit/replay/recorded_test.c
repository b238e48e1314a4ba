/* A recorded request as it is sent once more: what comes along, and what is read piece by piece. */

#include "unit/cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "capture/redact.h"
#include "replay/recorded.h"
#include "replay/recorded_head.h"
#include "unit/capture/directory.h"

#define PIECE (100u << 10)

static void put(struct pen *p, enum frame_type type, bool end, struct span payload)
{
	const struct frame like = { .type = (uint8_t)type,
				    .flags = end ? FRAME_END | FRAME_WRITE : FRAME_WRITE,
				    .connection = 1,
				    .ordinal = 1 };
	write_like(p, like, payload);
}

static void put_head(struct pen *p, const char *text, bool end)
{
	char payload[1024];
	struct record_request q = { .text_n = (uint32_t)strlen(text) & 0xffffff };
	memcpy(payload, &q, sizeof q);
	memcpy(payload + sizeof q, text, strlen(text));
	put(p, FRAME_REQUEST_HEAD, end, (struct span){ payload, sizeof q + strlen(text) });
}

/* A request whose body has so many pieces; its outcome says that it had `bytes`. */
static struct recorded *record(const struct world *w, const char *head, unsigned pieces,
			       size_t piece_n, uint64_t bytes, enum outcome outcome)
{
	char *piece = calloc(1, PIECE);
	struct pen p = begin(w, 1, 1, 1, 10);
	struct record_outcome o = { .outcome = (uint8_t)outcome, .request_bytes = bytes };
	put_head(&p, head, !pieces);
	for (unsigned i = 0; i < pieces; i++) {
		memset(piece, 'a' + (int)i, piece_n);
		put(&p, FRAME_REQUEST_BODY, i + 1 == pieces, (struct span){ piece, piece_n });
	}
	put(&p, FRAME_OUTCOME, true, (struct span){ (const char *)&o, sizeof o });
	seal_with(&p, FRAME_LAST);
	free(piece);
	struct reader *reader = reader_open(w->directory);
	struct assemblies *all = assemblies_open();
	struct assembly *a = NULL;
	struct reading r;
	while (!a && reader_next(reader, &r) == READER_FRAME)
		a = assemblies_take(all, &r);
	assert_non_null(a);
	struct recorded *q = recorded_make(a, w->fd, 77);
	assemblies_close(all);
	reader_close(reader);
	return q;
}

static void take_segment_away(const struct world *w)
{
	char name[SERIES_NAME_BYTES];
	series_name(name, 1, 1);
	assert_int_equal(unlinkat(w->fd, name, 0), 0);
}

static void a_small_body_comes_along(void **state)
{
	struct recorded *q = record(*state,
				    "POST /a/b?secret=1 HTTP/1.1\r\nHost: x\r\nContent-Length: "
				    "6\r\n\r\n",
				    2, 3, 6, OUTCOME_ACCEPTED);
	assert_true(q->whole && q->certain && q->has_length && !recorded_is_fed(q));
	assert_string_equal(q->name, "POST /a/b");
	assert_int_equal(q->method, METHOD_POST);
	assert_int_equal(q->wall_ns, 77);
	assert_true(q->order.began && q->order.began < q->order.ended);
	assert_int_equal(q->piece.n, 6);
	assert_memory_equal(q->piece.at, "aaabbb", 6);
	recorded_free(q);
}

static void a_request_without_a_body_is_whole(void **state)
{
	struct recorded *q =
		record(*state, "DELETE /a HTTP/1.1\r\nHost: x\r\n\r\n", 0, 0, 0, OUTCOME_FAILED);
	assert_true(q->whole && !q->certain && !q->has_length && !recorded_is_fed(q));
	assert_int_equal(q->body_n, 0);
	recorded_free(q);
}

static const struct {
	const char *head;
	uint64_t bytes; /* that the client has sent */
} not_whole[] = {
	{ "POST / HTTP/1.1\r\nHost: x\r\n\r\n", 4 },
	{ "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n", 3 },
	{ "no head", 3 },
	{ "POST /?token=hmac-sha256:00112233445566778899aabbccddeeff HTTP/1.1\r\nHost: x\r\n\r\n",
	  3 },
};

static void what_is_not_whole_or_no_request_is_known(void **state)
{
	const struct world *w = *state;
	for (size_t i = 0; i < sizeof not_whole / sizeof not_whole[0]; i++) {
		struct recorded *q =
			record(w, not_whole[i].head, 1, 3, not_whole[i].bytes, OUTCOME_ACCEPTED);
		assert_false(q->whole);
		assert_false(recorded_is_fed(q));
		recorded_free(q);
		take_segment_away(w);
	}
}

/* --- a large body --- */

static void count_wake(void *user)
{
	++*(unsigned *)user;
}

static struct recorded *next_piece(struct recorded_feed *f, struct recorded *q, bool anew)
{
	recorded_feed_want(f, q, anew);
	assert_null(recorded_feed_take(f));
	recorded_feed_turn(f);
	return recorded_feed_take(f);
}

static void a_large_body_comes_piece_by_piece_and_again_from_its_beginning(void **state)
{
	const struct world *w = *state;
	struct recorded_feed f;
	struct waker waker;
	unsigned wakes = 0;
	assert_true(waker_open(&waker));
	recorded_feed_open(&f, w->directory, &waker, count_wake, &wakes);
	struct recorded *q = record(w, "PUT /a HTTP/1.1\r\nHost: x\r\n\r\n", 3, PIECE, 3 * PIECE,
				    OUTCOME_ACCEPTED);
	assert_true(q->whole && recorded_is_fed(q) && !q->piece.room);
	for (int round = 0; round < 2; round++) {
		assert_ptr_equal(next_piece(&f, q, true), q);
		assert_int_equal(q->came, RECORDED_PIECE);
		assert_int_equal(q->piece.at[0], 'a');
		assert_ptr_equal(next_piece(&f, q, false), q);
		assert_int_equal(q->piece.n, PIECE);
		assert_int_equal(q->piece.at[0], 'b');
	}
	assert_ptr_equal(next_piece(&f, q, false), q);
	assert_int_equal(q->came, RECORDED_LAST);
	assert_int_equal(wakes, 5);
	recorded_free(q);
	recorded_feed_close(&f);
	waker_close(&waker);
}

static void a_body_that_the_log_has_no_more_is_lost(void **state)
{
	const struct world *w = *state;
	struct recorded_feed f;
	struct waker waker;
	unsigned wakes = 0;
	assert_true(waker_open(&waker));
	recorded_feed_open(&f, w->directory, &waker, count_wake, &wakes);
	struct recorded *q = record(w, "PUT /a HTTP/1.1\r\nHost: x\r\n\r\n", 3, PIECE, 3 * PIECE,
				    OUTCOME_ACCEPTED);
	take_segment_away(w);
	assert_ptr_equal(next_piece(&f, q, true), q);
	assert_int_equal(q->came, RECORDED_LOST);
	recorded_free(q);
	recorded_feed_close(&f);
	waker_close(&waker);
}

/* --- its head --- */

static void a_head_is_without_hashes_and_expectations(void **state)
{
	static const char text[] = "POST /caf\xc3\xa9 HTTP/1.1\r\nHost: x\r\n"
				   "Authorization: hmac-sha256:00112233445566778899aabbccddeeff\r\n"
				   "Expect: 100-continue\r\nX-Short: hmac-sha256:0011\r\n\r\n";
	struct slab chunks;
	struct arena arena;
	struct msg m;
	(void)state;
	slab_open(&chunks, ARENA_CHUNK_BYTES, 1);
	arena_open(&arena, &chunks);
	msg_open(&m, &arena, MSG_REQUEST);
	assert_true(recorded_head_read(&m, SPAN(text)));
	assert_null(msg_find(&m, NAME_AUTHORIZATION));
	assert_null(msg_find(&m, NAME_EXPECT));
	assert_false(m.expects);
	assert_true(span_is(msg_value(&m, NAME_HOST), SPAN("x")));
	assert_false(m.fields[3].dropped);
	arena_close(&arena);
	slab_close(&chunks);
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(a_small_body_comes_along),
		IN_WORLD(a_request_without_a_body_is_whole),
		IN_WORLD(what_is_not_whole_or_no_request_is_known),
		IN_WORLD(a_large_body_comes_piece_by_piece_and_again_from_its_beginning),
		IN_WORLD(a_body_that_the_log_has_no_more_is_lost),
		cmocka_unit_test(a_head_is_without_hashes_and_expectations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
