/* An exchange is read from the log when it is over: its places are held, not its bodies. */

#include "unit/cmocka_all.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/limits.h"
#include "capture/assembly.h"
#include "capture/pack.h"
#include "unit/capture/directory.h"

static struct frame of(uint64_t connection, enum frame_type type, bool end)
{
	return (struct frame){ .type = (uint8_t)type,
			       .flags = end ? FRAME_END | FRAME_WRITE : FRAME_WRITE,
			       .connection = connection,
			       .ordinal = 1,
			       .worker = 2,
			       .mono_ns = 10 };
}

static void put(struct pen *p, uint64_t connection, enum frame_type type, bool end,
		struct span payload)
{
	write_like(p, of(connection, type, end), payload);
}

static void put_outcome(struct pen *p, uint64_t connection, enum outcome outcome)
{
	struct record_outcome o = { .outcome = (uint8_t)outcome, .status = 200 };
	put(p, connection, FRAME_OUTCOME, true, (struct span){ (const char *)&o, sizeof o });
}

/* Reads to the end; the exchange that is over last. */
static struct assembly *read_all(const struct world *w, struct assemblies *all, unsigned *over_n)
{
	struct reading r;
	struct assembly *last = NULL;
	struct reader *reader = reader_open(w->directory);
	*over_n = 0;
	while (reader_next(reader, &r) == READER_FRAME) {
		struct assembly *a = assemblies_take(all, &r);
		if (!a)
			continue;
		if (last)
			assembly_free(last);
		last = a;
		++*over_n;
	}
	reader_close(reader);
	return last;
}

/* The payloads of a side, with a bar behind each. */
static void assert_side(const struct world *w, const struct assembly *a, enum assembly_side side,
			const char *expected)
{
	char text[256] = "";
	struct frame f;
	struct span payload;
	enum assembly_verdict v;
	struct assembly_cursor *c = assembly_read(a, w->fd, side);
	while ((v = assembly_next(c, &f, &payload)) == ASSEMBLY_FRAME) {
		assert_in_range(strlen(text) + strnlen(payload.at, payload.n), 0, sizeof text - 2);
		strncat(text, payload.at, payload.n);
		strcat(text, "|");
	}
	assert_int_equal(v, ASSEMBLY_END);
	assert_string_equal(text, expected);
	assembly_close(c);
}

/* Two exchanges mixed, over two segments; the second one has no outcome, the first may be large. */
static struct pen write_two(const struct world *w, bool large)
{
	static const char zeros[ASSEMBLY_KEPT_BYTES];
	struct pen p = begin(w, 1, 1, 1, 10);
	put(&p, 1, FRAME_REQUEST_HEAD, false, SPAN("POST 1"));
	put(&p, 2, FRAME_REQUEST_HEAD, true, SPAN("GET 2"));
	put(&p, 1, FRAME_REQUEST_BODY, false, SPAN("one"));
	put(&p, 1, FRAME_REQUEST_BODY, false, SPAN("two"));
	put(&p, 2, FRAME_RESPONSE_HEAD, false, SPAN("200 to 2"));
	seal(&p);
	p = begin(w, 1, 2, p.sequence, 20);
	put(&p, 1, FRAME_RESPONSE_HEAD, false, SPAN("early 200 to 1"));
	put(&p, 1, FRAME_REQUEST_BODY, true, SPAN("three"));
	if (large)
		put(&p, 1, FRAME_REQUEST_TRAILERS, true, (struct span){ zeros, sizeof zeros });
	put(&p, 1, FRAME_RESPONSE_BODY, true, SPAN("done"));
	put_outcome(&p, 1, OUTCOME_ACCEPTED);
	return p;
}

static void assert_both_sides(const struct world *w, bool large)
{
	unsigned over_n;
	struct pen p = write_two(w, large);
	seal_with(&p, FRAME_LAST);
	struct assemblies *all = assemblies_open();
	struct assembly *a = read_all(w, all, &over_n);
	assert_int_equal(over_n, 1);
	assert_int_equal(a->outcome.outcome, OUTCOME_ACCEPTED);
	assert_true(a->request_whole && a->response_whole);
	assert_int_equal(a->request_bytes, 11);
	assert_int_equal(a->response_bytes, 4);
	assert_int_equal(a->is_kept, !large);
	assert_side(w, a, ASSEMBLY_REQUEST,
		    large ? "POST 1|one|two|three||" : "POST 1|one|two|three|");
	assert_side(w, a, ASSEMBLY_RESPONSE, "early 200 to 1|done|");
	assembly_free(a);
	assert_int_equal(assemblies_open_n(all), 1);
	assert_int_equal(assemblies_oldest(all, 1), 2);
	assert_int_equal(assemblies_oldest(all, 2), UINT64_MAX);
	assemblies_close(all);
}

static void both_sides_of_a_small_exchange_are_read_from_memory(void **state)
{
	const struct world *w = *state;
	assert_both_sides(w, false);
}

static void both_sides_of_a_large_one_are_read_from_their_places(void **state)
{
	const struct world *w = *state;
	assert_both_sides(w, true);
}

/* One with 16 bytes of head, and a body that fills what is kept of one exchange up to `more`. */
static struct assembly *read_one(struct assemblies *all, uint64_t connection, size_t more)
{
	static const char zeros[ASSEMBLY_KEPT_BYTES];
	struct segment_head segment = { .generation = 1, .index = 1 };
	struct record_outcome o = { .status = 200 };
	const size_t used = 2 * sizeof(struct frame) + 16;
	struct reading r = { .segment = &segment,
			     .frame = of(connection, FRAME_REQUEST_HEAD, false),
			     .payload = { zeros, 16 } };
	r.frame.payload_n = 16;
	assert_null(assemblies_take(all, &r));
	r.frame = of(connection, FRAME_REQUEST_BODY, true);
	r.payload.n = r.frame.payload_n = (uint32_t)(ASSEMBLY_KEPT_BYTES - used + more);
	assert_null(assemblies_take(all, &r));
	if (connection)
		return NULL;
	r.frame = of(connection, FRAME_OUTCOME, true);
	r.payload = (struct span){ (const char *)&o, sizeof o };
	return assemblies_take(all, &r);
}

static void an_exchange_is_kept_up_to_its_limit_and_up_to_that_of_all(void **state)
{
	(void)state;
	struct assemblies *all = assemblies_open();
	struct assembly *a = read_one(all, 0, 0);
	assert_true(a->is_kept);
	assert_int_equal(a->kept.n, ASSEMBLY_KEPT_BYTES);
	assembly_free(a);
	a = read_one(all, 0, 1);
	assert_false(a->is_kept);
	assert_int_equal(a->kept.room, 0);
	assembly_free(a);
	for (uint64_t i = 1; i < ASSEMBLIES_KEPT_BYTES / ASSEMBLY_KEPT_BYTES; i++)
		read_one(all, i, 0);
	a = read_one(all, 0, 0);
	assert_true(a->is_kept);
	assembly_free(a);
	read_one(all, ASSEMBLIES_KEPT_BYTES / ASSEMBLY_KEPT_BYTES, 0);
	a = read_one(all, 0, 0);
	assert_false(a->is_kept);
	assembly_free(a);
	assemblies_close(all);
}

static void an_exchange_under_way_stays_in_the_position(void **state)
{
	struct world *w = *state;
	unsigned over_n;
	struct position to = { 0 };
	struct pen p = write_two(w, true);
	seal_with(&p, FRAME_LAST);
	struct assemblies *all = assemblies_open();
	assembly_free(read_all(w, all, &over_n));
	assemblies_position(all, &to);
	assert_int_equal(to.connection_n, 1);
	assert_int_equal(position_find(&to, 1, 2, 2, 1)->from, 2);
	position_free(&to);
	assemblies_close(all);
}

/* Its process is gone: nobody will say what became of it. */
static void what_a_dead_process_left_open_is_unknown(void **state)
{
	struct world *w = *state;
	struct reading r;
	struct pen p = write_two(w, true);
	seal_with(&p, FRAME_LAST);
	struct position nothing = { 0 };
	struct reader *reader = reader_open(w->directory);
	struct assemblies *all = assemblies_open();
	reader_follow(reader, &nothing);
	while (reader_next(reader, &r) == READER_FRAME) {
		struct assembly *over = assemblies_take(all, &r);
		if (over)
			assembly_free(over);
	}
	assert_int_equal(reader_next(reader, &r), READER_END);
	struct assembly *a = assemblies_take_unknown(all, reader);
	assert_non_null(a);
	assert_int_equal(a->first.connection, 2);
	assert_int_equal(a->outcome.outcome, OUTCOME_UNKNOWN);
	assert_null(assemblies_take_unknown(all, reader));
	assembly_free(a);
	assemblies_close(all);
	reader_close(reader);
}

static void what_was_taken_away_or_damaged_is_gone(void **state)
{
	struct world *w = *state;
	unsigned over_n;
	struct frame f;
	struct span payload;
	struct pen p = write_two(w, true);
	seal_with(&p, FRAME_LAST);
	struct assemblies *all = assemblies_open();
	struct assembly *a = read_all(w, all, &over_n);
	int fd = openat(w->fd, "00000001-00000002.capture", O_WRONLY);
	assert_int_equal(pwrite(fd, "X", 1, (off_t)(a->places[a->place_n - 1].at + 64)), 1);
	close(fd);
	struct assembly_cursor *c = assembly_read(a, w->fd, ASSEMBLY_RESPONSE);
	assert_int_equal(assembly_next(c, &f, &payload), ASSEMBLY_FRAME);
	assert_int_equal(assembly_next(c, &f, &payload), ASSEMBLY_GONE);
	assert_int_equal(errno, EIO);
	assembly_close(c);
	unlinkat(w->fd, "00000001-00000001.capture", 0);
	c = assembly_read(a, w->fd, ASSEMBLY_REQUEST);
	assert_int_equal(assembly_next(c, &f, &payload), ASSEMBLY_GONE);
	assert_int_equal(errno, ENOENT);
	assembly_close(c);
	assembly_free(a);
	assemblies_close(all);
}

/* --- how much memory --- */

#define MIB (1024u * 1024)
#define PIECE_BYTES (16u * 1024)
#define LARGE_BYTES (100 * MIB)

/* 100 MiB each way; another exchange's frame stands between any two, so that each has a place. */
static void write_large(const struct world *w)
{
	static char piece[PIECE_BYTES];
	struct pen p = begin(w, 1, 1, 1, 10);
	uint64_t index = 1;
	put(&p, 1, FRAME_REQUEST_HEAD, false, SPAN("POST"));
	put(&p, 2, FRAME_REQUEST_HEAD, false, SPAN("POST"));
	for (int side = 0; side < 2; side++)
		for (unsigned n = PIECE_BYTES; n <= LARGE_BYTES; n += PIECE_BYTES) {
			memset(piece, (int)(n / PIECE_BYTES), sizeof piece);
			put(&p, 1, side ? FRAME_RESPONSE_BODY : FRAME_REQUEST_BODY,
			    n == LARGE_BYTES, (struct span){ piece, sizeof piece });
			put(&p, 2, FRAME_REQUEST_BODY, false, SPAN("x"));
			if (n % (64 * MIB))
				continue;
			seal(&p);
			p = begin(w, 1, ++index, p.sequence, 10);
		}
	put_outcome(&p, 1, OUTCOME_ACCEPTED);
	seal_with(&p, FRAME_LAST);
}

static long peak_kib(void)
{
	struct rusage u;
	assert_int_equal(getrusage(RUSAGE_SELF, &u), 0);
	return u.ru_maxrss;
}

static uint64_t read_piece(struct assembly_cursor *c)
{
	struct frame f;
	struct span payload;
	enum assembly_verdict v = assembly_next(c, &f, &payload);
	assert_true(v == ASSEMBLY_FRAME || v == ASSEMBLY_END);
	return v == ASSEMBLY_END || f.type == FRAME_REQUEST_HEAD ? 0 : payload.n;
}

/* Between the frames that were noted and the reading. */
static void what_was_compressed_meanwhile_is_read_from_the_same_places(void **state)
{
	struct world *w = *state;
	static char piece[PIECE_BYTES];
	unsigned over_n;
	const atomic_bool stop = false;
	struct pack_gain gain;
	struct pen p = begin(w, 1, 1, 1, 10);
	assert_int_equal(ftruncate(p.fd, 8 * MIB), 0);
	put(&p, 1, FRAME_REQUEST_HEAD, false, SPAN("POST"));
	for (unsigned i = 0; i < 200; i++)
		put(&p, 1, FRAME_REQUEST_BODY, i == 199, (struct span){ piece, sizeof piece });
	put_outcome(&p, 1, OUTCOME_ACCEPTED);
	seal_with(&p, FRAME_LAST);
	struct assemblies *all = assemblies_open();
	struct assembly *a = read_all(w, all, &over_n);
	assert_int_equal(a->place_n, 1);
	assert_int_equal(pack(w->fd, "00000001-00000001.capture", &stop, &gain), PACK_DONE);
	struct assembly_cursor *c = assembly_read(a, w->fd, ASSEMBLY_REQUEST);
	uint64_t n = read_piece(c);
	for (uint64_t more; (more = read_piece(c));)
		n += more;
	assert_int_equal(n, 200 * PIECE_BYTES);
	assembly_close(c);
	assembly_free(a);
	assemblies_close(all);
}

/* 400 KiB of places, and two cursors of some 2 MiB. */
static void a_bulk_of_100_mib_and_its_response_take_little_memory(void **state)
{
	struct world *w = *state;
	unsigned over_n;
	write_large(w);
	long before_kib = peak_kib();
	struct assemblies *all = assemblies_open();
	struct assembly *a = read_all(w, all, &over_n);
	assert_int_equal(over_n, 1);
	assert_int_equal(a->place_n, 2 * LARGE_BYTES / PIECE_BYTES + 1);
	assert_in_range(assembly_bytes(a), 0, MIB);
	struct assembly_cursor *asked = assembly_read(a, w->fd, ASSEMBLY_REQUEST);
	struct assembly_cursor *told = assembly_read(a, w->fd, ASSEMBLY_RESPONSE);
	uint64_t asked_n = 0, told_n = 0, more = 1;
	assert_int_equal(read_piece(asked), 0);
	while (more) {
		uint64_t one = read_piece(asked), other = read_piece(told);
		asked_n += one;
		told_n += other;
		more = one + other;
	}
	assert_int_equal(asked_n, LARGE_BYTES);
	assert_int_equal(told_n, LARGE_BYTES);
	assembly_close(asked);
	assembly_close(told);
	assembly_free(a);
	assemblies_close(all);
	print_message("%ld KiB more than before\n", peak_kib() - before_kib);
	assert_in_range(peak_kib() - before_kib, 0, 16 * 1024);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)
	const struct CMUnitTest tests[] = {
		TEST(both_sides_of_a_small_exchange_are_read_from_memory),
		TEST(both_sides_of_a_large_one_are_read_from_their_places),
		TEST(an_exchange_is_kept_up_to_its_limit_and_up_to_that_of_all),
		TEST(an_exchange_under_way_stays_in_the_position),
		TEST(what_a_dead_process_left_open_is_unknown),
		TEST(what_was_taken_away_or_damaged_is_gone),
		TEST(what_was_compressed_meanwhile_is_read_from_the_same_places),
		TEST(a_bulk_of_100_mib_and_its_response_take_little_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
