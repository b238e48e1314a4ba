#include "unit/cmocka_all.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/limits.h"
#include "replay/unpack.h"

enum { WINDOW_GZIP = 31, WINDOW_ZLIB = 15, WINDOW_RAW = -15 };

#define PLAIN_BYTES (3 * UNPACKED_BYTES + 5)

struct unpacked_text {
	char text[2 * PLAIN_BYTES];
	size_t n;
	enum unpacked end;
};

static struct span plain(void)
{
	static char text[PLAIN_BYTES];
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)(i * i / 7 % 251);
	return (struct span){ text, sizeof text };
}

static struct span packed(struct span s, int window, char *to, size_t room)
{
	z_stream z = { 0 };
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (unsigned char *)(uintptr_t)s.at;
	z.avail_in = (unsigned)s.n;
	z.next_out = (unsigned char *)to;
	z.avail_out = (unsigned)room;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return (struct span){ to, room - z.avail_out };
}

/* Of each piece that comes out at most `taken` bytes are used at a time. */
static void unpack_piece(struct unpack *u, struct unpacked_text *t, size_t taken)
{
	struct span s;
	while ((t->end = unpack_look(u, &s)) == UNPACK_BYTES) {
		size_t n = s.n < taken ? s.n : taken;
		assert_true(t->n + n <= sizeof t->text);
		memcpy(t->text + t->n, s.at, n);
		t->n += n;
		unpack_use(u, n);
	}
}

static void unpack_all(struct unpacked_text *t, struct span all, enum coding coding, size_t piece,
		       size_t taken)
{
	struct unpack *u = unpack_make();
	unpack_open(u, coding);
	t->n = 0;
	t->end = UNPACK_MORE;
	for (size_t at = 0; t->end == UNPACK_MORE;) {
		size_t n = all.n - at < piece ? all.n - at : piece;
		char *copy = malloc(n + !n);
		memcpy(copy, all.at + at, n);
		unpack_put(u, (struct span){ copy, n }, at + n == all.n);
		unpack_piece(u, t, taken);
		at += unpack_take_back(u);
		free(copy);
	}
	unpack_free(u);
}

static void expect_plain(struct span all, enum coding coding, struct span expected)
{
	static const size_t pieces[] = { 1, 2, 1000, 1 << 20 }, taken[] = { 7, 1 << 20 };
	static struct unpacked_text t;
	for (size_t i = 0; i < 8; i++) {
		unpack_all(&t, all, coding, pieces[i / 2], taken[i % 2]);
		assert_int_equal(t.end, UNPACK_END);
		assert_true(span_is((struct span){ t.text, t.n }, expected));
	}
}

static void what_was_packed_is_clear_again(void **state)
{
	(void)state;
	static char room[2 * PLAIN_BYTES];
	expect_plain(plain(), CODING_NONE, plain());
	expect_plain(packed(plain(), WINDOW_GZIP, room, sizeof room), CODING_GZIP, plain());
	expect_plain(packed(plain(), WINDOW_ZLIB, room, sizeof room), CODING_DEFLATE, plain());
	expect_plain(packed(plain(), WINDOW_RAW, room, sizeof room), CODING_DEFLATE, plain());
	struct span small = SPAN("a");
	expect_plain(packed(small, WINDOW_RAW, room, sizeof room), CODING_DEFLATE, small);
}

static void an_empty_body_has_no_coding(void **state)
{
	(void)state;
	expect_plain((struct span){ "", 0 }, CODING_NONE, (struct span){ "", 0 });
	expect_plain((struct span){ "", 0 }, CODING_GZIP, (struct span){ "", 0 });
	expect_plain((struct span){ "", 0 }, CODING_DEFLATE, (struct span){ "", 0 });
}

static void gzip_may_have_members_and_a_rest(void **state)
{
	(void)state;
	char room[256];
	struct span first = packed(SPAN("one "), WINDOW_GZIP, room, 100);
	struct span second = packed(SPAN("two"), WINDOW_GZIP, room + first.n, 100);
	size_t n = first.n + second.n;
	expect_plain((struct span){ room, n }, CODING_GZIP, SPAN("one two"));
	memcpy(room + n, "rest", 4);
	expect_plain((struct span){ room, n + 4 }, CODING_GZIP, SPAN("one two"));
}

static void what_ends_too_early_is_broken(void **state)
{
	(void)state;
	static char room[2 * PLAIN_BYTES];
	static struct unpacked_text t;
	struct span all = packed(plain(), WINDOW_GZIP, room, sizeof room);
	all.n--;
	unpack_all(&t, all, CODING_GZIP, 1000, 1000);
	assert_int_equal(t.end, UNPACK_BROKEN);
	assert_true(span_is((struct span){ t.text, t.n }, plain()));
	unpack_all(&t, SPAN("\x78"), CODING_DEFLATE, 1, 1);
	assert_int_equal(t.end, UNPACK_BROKEN);
}

static void what_is_not_of_its_coding_is_broken(void **state)
{
	(void)state;
	static struct unpacked_text t;
	unpack_all(&t, SPAN("{\"a\":1}"), CODING_GZIP, 3, 3);
	assert_int_equal(t.end, UNPACK_BROKEN);
	unpack_all(&t, SPAN("\xff\xff\xff\xff"), CODING_DEFLATE, 3, 3);
	assert_int_equal(t.end, UNPACK_BROKEN);
	unpack_all(&t, SPAN("{\"a\":1}"), CODING_UNKNOWN, 3, 3);
	assert_int_equal(t.end, UNPACK_BROKEN);
}

static void another_body_begins_anew(void **state)
{
	(void)state;
	static struct unpacked_text t;
	char room[256];
	struct unpack *u = unpack_make();
	unpack_open(u, CODING_GZIP);
	unpack_put(u, SPAN("no gzip"), true);
	unpack_piece(u, &t, 100);
	assert_int_equal(t.end, UNPACK_BROKEN);
	unpack_open(u, CODING_DEFLATE);
	unpack_put(u, packed(SPAN("again"), WINDOW_ZLIB, room, sizeof room), true);
	t.n = 0;
	unpack_piece(u, &t, 100);
	assert_int_equal(t.end, UNPACK_END);
	assert_true(span_is((struct span){ t.text, t.n }, SPAN("again")));
	unpack_free(u);
}

static void codings_have_names(void **state)
{
	(void)state;
	assert_int_equal(coding_of((struct span){ NULL, 0 }), CODING_NONE);
	assert_int_equal(coding_of(SPAN("Identity")), CODING_NONE);
	assert_int_equal(coding_of(SPAN(" GZIP ")), CODING_GZIP);
	assert_int_equal(coding_of(SPAN("x-gzip")), CODING_GZIP);
	assert_int_equal(coding_of(SPAN("deflate")), CODING_DEFLATE);
	assert_int_equal(coding_of(SPAN("br")), CODING_UNKNOWN);
	assert_int_equal(coding_of(SPAN("gzip, gzip")), CODING_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_packed_is_clear_again),
		cmocka_unit_test(an_empty_body_has_no_coding),
		cmocka_unit_test(gzip_may_have_members_and_a_rest),
		cmocka_unit_test(what_ends_too_early_is_broken),
		cmocka_unit_test(what_is_not_of_its_coding_is_broken),
		cmocka_unit_test(another_body_begins_anew),
		cmocka_unit_test(codings_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
