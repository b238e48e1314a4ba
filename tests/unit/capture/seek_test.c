#include "unit/cmocka_all.h"

#include <sys/file.h>

#include "base/limits.h"
#include "capture/pack.h"
#include "capture/reader.h"
#include "unit/capture/directory.h"

#define SECOND 1000000000ull
/* The wall clock when the monotonic one shows 0. */
#define CLOCK (1700000000ull * SECOND)
#define FRAME_TEXT 2000

/* What stands in the way of a seek: a second for each frame. */
static struct pen begin_at(const struct world *w, uint64_t generation, uint64_t index,
			   uint64_t sequence, uint64_t clock)
{
	struct pen p = begin(w, generation, index, sequence, sequence * SECOND);
	p.head.wall_ns = clock + sequence * SECOND;
	p.head.crc = segment_head_crc(&p.head);
	assert_int_equal(pwrite(p.fd, &p.head, sizeof p.head, 0), sizeof p.head);
	return p;
}

static void write_frames(struct pen *p, unsigned n, uint64_t clock)
{
	static char text[FRAME_TEXT];
	for (unsigned i = 0; i < n; i++) {
		memset(text, (int)('a' + i % 26), sizeof text);
		struct frame f = { .type = FRAME_REQUEST_BODY,
				   .mono_ns = p->sequence * SECOND,
				   .wall_ns = clock + p->sequence * SECOND };
		write_like(p, f, (struct span){ text, sizeof text });
	}
}

static void seal_at(struct pen *p, uint64_t clock, uint8_t flags)
{
	struct frame f = { .type = FRAME_SEAL,
			   .flags = flags,
			   .mono_ns = p->sequence * SECOND,
			   .wall_ns = clock + p->sequence * SECOND };
	write_like(p, f, SPAN(""));
	assert_int_equal(ftruncate(p->fd, (off_t)p->at), 0);
	close(p->fd);
}

/* Frames from `sequence` on, and the seal. */
static uint64_t write_segment(const struct world *w, uint64_t generation, uint64_t index,
			      uint64_t sequence, unsigned n, uint8_t flags)
{
	struct pen p = begin_at(w, generation, index, sequence, CLOCK);
	write_frames(&p, n, CLOCK);
	seal_at(&p, CLOCK, flags);
	return p.sequence;
}

struct seen {
	uint64_t first, last, frames, holes, generation, bytes_at_first;
};

static struct seen look(struct reader *r)
{
	struct seen s = { 0 };
	struct reading n;
	enum reader_verdict v;
	while ((v = reader_next(r, &n)) != READER_END) {
		assert_int_not_equal(v, READER_ERROR);
		s.holes += v == READER_HOLE;
		if (v == READER_HOLE)
			continue;
		if (!s.frames++) {
			s.first = n.frame.sequence;
			s.generation = n.segment->generation;
			s.bytes_at_first = reader_read_bytes(r);
		}
		s.last = n.frame.sequence;
	}
	reader_close(r);
	return s;
}

static struct seen from_time(const struct world *w, uint64_t wall_ns)
{
	struct reader *r = reader_open(w->directory);
	reader_seek_time(r, wall_ns);
	return look(r);
}

static struct seen from_sequence(const struct world *w, uint64_t generation, uint64_t sequence)
{
	struct reader *r = reader_open(w->directory);
	reader_seek_sequence(r, generation, sequence);
	return look(r);
}

static void pack_all(const struct world *w, uint64_t segments)
{
	atomic_bool stop = false;
	struct pack_gain gain;
	for (uint64_t i = 1; i <= segments; i++) {
		char name[SERIES_NAME_BYTES];
		series_name(name, 1, i);
		assert_int_equal(pack(w->fd, name, &stop, &gain), PACK_DONE);
	}
}

/* 16 MiB, and the price of one seek in it: twice six or so places, and what is near. */
#define MANY 8000
#define BOUND (4u * 1024 * 1024)

static void expect_sequences(const struct world *w)
{
	static const uint64_t wanted[] = { 1, 2, 500, 3999, 4000, 7999, MANY, MANY + 1 };
	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
		struct seen s = from_sequence(w, 1, wanted[i]);
		assert_int_equal(s.first, wanted[i]);
		assert_int_equal(s.last, MANY + 1);
		assert_int_equal(s.frames, MANY + 2 - wanted[i]);
		assert_int_equal(s.holes, 0);
		assert_in_range(s.bytes_at_first, 1, BOUND);
	}
	assert_int_equal(from_sequence(w, 1, MANY + 2).frames, 0);
}

static void expect_times(const struct world *w)
{
	static const uint64_t wanted[] = { 0, 1, 500, 3999, 4000, 7999, MANY };
	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
		struct seen s = from_time(w, CLOCK + wanted[i] * SECOND);
		assert_in_range(s.first, 1, wanted[i] ? wanted[i] : 1);
		assert_int_equal(s.last, MANY + 1);
		assert_int_equal(s.frames, MANY + 2 - s.first);
		assert_int_equal(s.holes, 0);
		assert_in_range(s.bytes_at_first, 1, BOUND);
		if (wanted[i] > 1000)
			assert_in_range(s.first, wanted[i] - 1000, wanted[i]);
	}
}

static void a_seek_in_a_segment_reads_little(void **state)
{
	struct world *w = *state;
	write_segment(w, 1, 1, 1, MANY, 0);
	expect_sequences(w);
	expect_times(w);
	pack_all(w, 1);
	expect_sequences(w);
	expect_times(w);
}

/* Its room is not read. */
static void a_segment_that_is_written_is_sought_too(void **state)
{
	struct world *w = *state;
	struct pen p = begin_at(w, 1, 1, 1, CLOCK);
	write_frames(&p, 2000, CLOCK);
	assert_int_equal(ftruncate(p.fd, 64 << 20), 0);
	assert_int_equal(flock(p.fd, LOCK_EX), 0);
	struct seen s = from_sequence(w, 1, 1900);
	assert_int_equal(s.first, 1900);
	assert_int_equal(s.last, 2000);
	assert_in_range(s.bytes_at_first, 1, 24u << 20);
	s = from_time(w, CLOCK + 1900 * SECOND);
	assert_in_range(s.first, 1000, 1900);
	assert_int_equal(s.last, 2000);
	close(p.fd);
}

/* Of forty segments one is read, and the heads of the others. */
static void segments_are_chosen_by_their_heads(void **state)
{
	struct world *w = *state;
	uint64_t sequence = 1;
	for (uint64_t i = 1; i <= 40; i++)
		sequence = write_segment(w, 1, i, sequence, 99, i == 40 ? FRAME_LAST : 0);
	struct seen s = from_sequence(w, 1, 3950);
	assert_int_equal(s.first, 3950);
	assert_int_equal(s.frames, 51);
	assert_in_range(s.bytes_at_first, 1, 300000);
	s = from_time(w, CLOCK + 3950 * SECOND);
	assert_int_equal(s.first, 3901);
	assert_in_range(s.bytes_at_first, 1, 600000);
	s = from_time(w, CLOCK + 4003 * SECOND + SEEK_SLACK_MS * 1000000ull);
	assert_int_equal(s.frames, 0);
}

static void series_that_are_over_before_are_left_out(void **state)
{
	struct world *w = *state;
	write_segment(w, 1, 1, 1, 99, FRAME_LAST);
	write_segment(w, 2, 1, 200, 99, FRAME_LAST);
	write_segment(w, 3, 1, 400, 99, FRAME_LAST);
	struct seen s = from_time(w, CLOCK + 250 * SECOND);
	assert_int_equal(s.generation, 2);
	assert_int_equal(s.frames, 200);
	s = from_sequence(w, 2, 290);
	assert_int_equal(s.generation, 2);
	assert_int_equal(s.first, 290);
	assert_int_equal(s.frames, 110);
	struct reader *r = reader_open(w->directory);
	assert_int_equal(reader_newest(r), 3);
	reader_close(r);
}

/* Nothing that may be wanted is left out, whatever the clock did. */
static void a_clock_that_was_set_costs_reading_and_no_frame(void **state)
{
	struct world *w = *state;
	static const int64_t steps[] = { -3000, 3000 };
	for (unsigned i = 0; i < 2; i++) {
		uint64_t g = i + 1, after = CLOCK + (uint64_t)steps[i] * SECOND;
		struct pen p = begin_at(w, g, 1, 1, CLOCK);
		write_frames(&p, 4000, CLOCK);
		write_frames(&p, 4000, after);
		seal_at(&p, after, FRAME_LAST);
		struct pen next = begin_at(w, g, 2, p.sequence, after);
		write_frames(&next, 10, after);
		seal_at(&next, after, FRAME_LAST);
	}
	struct seen s = from_time(w, CLOCK + 3500 * SECOND);
	assert_int_equal(s.generation, 1);
	assert_int_equal(s.first, 1);
	assert_int_equal(s.frames, 2 * 8012);
}

static void what_is_missing_at_the_place_is_a_hole(void **state)
{
	struct world *w = *state;
	write_segment(w, 1, 1, 1, 100, 0);
	write_segment(w, 1, 2, 151, 100, FRAME_LAST);
	struct seen s = from_sequence(w, 1, 120);
	assert_int_equal(s.holes, 1);
	assert_int_equal(s.first, 151);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_seek_in_a_segment_reads_little),
		TEST(a_segment_that_is_written_is_sought_too),
		TEST(segments_are_chosen_by_their_heads),
		TEST(series_that_are_over_before_are_left_out),
		TEST(a_clock_that_was_set_costs_reading_and_no_frame),
		TEST(what_is_missing_at_the_place_is_a_hole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
