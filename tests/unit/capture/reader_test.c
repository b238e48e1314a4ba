#include "unit/cmocka_all.h"

#include <errno.h>
#include <sys/file.h>

#include "capture/writer_lease.h"
#include "capture/reader.h"
#include "capture/recovery.h"
#include "capture/segment.h"
#include "unit/capture/directory.h"

/* What is read: b a body, s a seal, H a hole, . the end. */
static void assert_reads(struct reader *r, const char *expected)
{
	struct reading reading;
	char text[64];
	size_t n = 0;
	enum reader_verdict v;
	do {
		v = reader_next(r, &reading);
		assert_true(n < sizeof text - 1);
		text[n++] = v == READER_HOLE		       ? 'H'
			    : v == READER_END		       ? '.'
			    : v == READER_ERROR		       ? 'E'
			    : reading.frame.type == FRAME_SEAL ? 's'
							       : 'b';
	} while (v != READER_END && v != READER_ERROR);
	text[n] = 0;
	assert_string_equal(text, expected);
}

static void assert_all(const struct world *w, const char *expected)
{
	struct reader *r = reader_open(w->directory);
	assert_non_null(r);
	assert_reads(r, expected);
	reader_close(r);
}

/* --- */

static void an_empty_directory_has_nothing(void **state)
{
	assert_all(*state, ".");
}

static void segments_are_read_one_after_the_other(void **state)
{
	struct world *w = *state;
	struct pen a = begin(w, 1, 1, 1, 10);
	write_bodies(&a, 2, 10);
	seal(&a);
	struct pen b = begin(w, 1, 2, a.sequence, 20);
	write_bodies(&b, 1, 20);
	seal(&b);
	assert_all(w, "bbsbs.");
}

/* Its name is there before its head: a follower that comes in between lost all of it. */
static void a_segment_that_is_being_begun_is_waited_for(void **state)
{
	struct world *w = *state;
	struct pen a = begin(w, 1, 1, 1, 10);
	write_bodies(&a, 1, 10);
	seal(&a);
	char name[SERIES_NAME_BYTES];
	series_name(name, 1, 2);
	int begun = openat(w->fd, name, O_RDWR | O_CREAT | O_EXCL, 0600);
	assert_int_equal(flock(begun, LOCK_EX), 0);
	struct reader *r = reader_open(w->directory);
	assert_reads(r, "bs.");
	assert_true(reader_is_live(r));
	assert_reads(r, ".");
	assert_int_equal(unlinkat(w->fd, name, 0), 0);
	close(begun);
	struct pen b = begin(w, 1, 2, a.sequence, 20);
	write_bodies(&b, 2, 20);
	seal_with(&b, FRAME_LAST);
	assert_reads(r, "bbs.");
	reader_close(r);
}

static void lose_head(const struct world *w, uint64_t index)
{
	char name[SERIES_NAME_BYTES];
	series_name(name, 1, index);
	int fd = openat(w->fd, name, O_WRONLY);
	assert_int_equal(pwrite(fd, "x", 1, offsetof(struct segment_head, generation)), 1);
	close(fd);
}

static void assert_lost_head(const struct reader *r, const struct reading *hole, uint64_t index,
			     uint64_t first, uint64_t last)
{
	char name[SERIES_NAME_BYTES];
	series_name(name, 1, index);
	assert_int_equal(hole->lost, LOST_HEAD);
	assert_string_equal(reader_file(r), name);
	assert_int_equal(hole->missing_first, first);
	assert_int_equal(hole->missing_last, last);
	assert_true(hole->hole_bytes > sizeof(struct segment_head));
}

/* What is behind a damaged head is not taken for room that was never written. */
static void a_segment_with_a_damaged_head_is_a_hole(void **state)
{
	struct world *w = *state;
	uint64_t sequence = 1;
	for (uint64_t i = 1; i <= 5; i++) {
		struct pen p = begin(w, 1, i, sequence, 10 * i);
		if (i == 4) { /* killed before it had written any */
			close(p.fd);
			continue;
		}
		write_bodies(&p, 2, 10 * i);
		seal_with(&p, i == 5 ? FRAME_LAST : 0);
		sequence = p.sequence;
	}
	for (uint64_t i = 1; i <= 5; i++)
		if (i != 2)
			lose_head(w, i);
	assert_all(w, "HbbsHH.");
	struct reading reading;
	struct reader *r = reader_open(w->directory);
	assert_int_equal(reader_next(r, &reading), READER_HOLE);
	assert_lost_head(r, &reading, 1, 1, 3);
	while (reader_next(r, &reading) == READER_FRAME)
		assert_int_equal(reading.segment->index, 2);
	assert_lost_head(r, &reading, 3, 7, 7);
	assert_int_equal(reader_next(r, &reading), READER_HOLE);
	assert_lost_head(r, &reading, 5, 8, 8);
	assert_int_equal(reader_next(r, &reading), READER_END);
	assert_int_equal(reader_holes(r), 3);
	reader_close(r);
}

static void series_are_merged_by_time(void **state)
{
	struct world *w = *state;
	struct reading reading;
	struct pen old = begin(w, 1, 1, 1, 10), new = begin(w, 2, 1, 1, 15);
	write_frame(&old, FRAME_REQUEST_BODY, 10, SPAN("1"));
	write_frame(&old, FRAME_REQUEST_BODY, 20, SPAN("3"));
	write_frame(&new, FRAME_REQUEST_BODY, 15, SPAN("2"));
	write_frame(&new, FRAME_REQUEST_BODY, 25, SPAN("4"));
	struct reader *r = reader_open(w->directory);
	for (char c = '1'; c <= '4'; c++) {
		assert_int_equal(reader_next(r, &reading), READER_FRAME);
		assert_int_equal(reading.payload.at[0], c);
	}
	reader_close(r);
	close(old.fd);
	close(new.fd);
}

static void write_at(struct pen *p, const char *text, uint64_t mono_ns, uint64_t wall_ns)
{
	write_like(p,
		   (struct frame){
			   .type = FRAME_REQUEST_BODY, .mono_ns = mono_ns, .wall_ns = wall_ns },
		   span_of(text));
}

/* Back by an hour, then forward by two, while a process drains and its heir writes. */
static void a_wall_clock_that_jumps_neither_reorders_nor_loses(void **state)
{
	struct world *w = *state;
	struct reading reading;
	const uint64_t hour = 3600000000000ull, day = 24 * hour;
	struct pen old = begin(w, 1, 1, 1, 10), new = begin(w, 2, 1, 1, 15);
	write_at(&old, "1", 10, day);
	write_at(&new, "2", 15, day + 5);
	write_at(&old, "3", 20, day - hour);
	write_at(&new, "4", 25, day - hour + 5);
	seal(&old);
	struct pen next = begin(w, 1, 2, old.sequence, 28);
	write_at(&next, "5", 30, day + hour);
	write_at(&new, "6", 35, day - hour + 15);
	write_at(&next, "7", 40, day + hour + 10);
	struct reader *r = reader_open(w->directory);
	for (char c = '1'; c <= '7';) {
		assert_int_equal(reader_next(r, &reading), READER_FRAME);
		if (reading.frame.type != FRAME_SEAL)
			assert_int_equal(reading.payload.at[0], c++);
	}
	assert_int_equal(reader_next(r, &reading), READER_END);
	reader_close(r);
	close(next.fd);
	close(new.fd);
}

static void a_live_segment_is_read_as_it_grows(void **state)
{
	struct world *w = *state;
	struct pen p = begin(w, 1, 1, 1, 10);
	assert_int_equal(flock(p.fd, LOCK_EX), 0);
	struct reader *r = reader_open(w->directory);
	write_bodies(&p, 1, 10);
	assert_reads(r, "b.");
	assert_true(reader_is_live(r));
	write_bodies(&p, 2, 20);
	assert_reads(r, "bb.");
	seal(&p);
	struct pen next = begin(w, 1, 2, p.sequence, 30);
	write_bodies(&next, 1, 30);
	seal(&next);
	assert_reads(r, "sbs.");
	reader_close(r);
}

static void a_hole_is_found_with_what_is_missing(void **state)
{
	struct world *w = *state;
	struct reading reading;
	struct pen p = begin(w, 1, 1, 1, 10);
	write_bodies(&p, 1, 10);
	uint64_t at = p.at;
	write_bodies(&p, 2, 20);
	uint64_t behind = p.at;
	write_bodies(&p, 1, 30);
	seal(&p);
	int fd = openat(w->fd, "00000001-00000001.capture", O_RDWR);
	for (uint64_t i = at; i < behind; i++)
		assert_int_equal(pwrite(fd, "x", 1, (off_t)i), 1);
	close(fd);
	struct reader *r = reader_open(w->directory);
	assert_int_equal(reader_next(r, &reading), READER_FRAME);
	assert_int_equal(reader_next(r, &reading), READER_HOLE);
	assert_int_equal(reading.hole_at, at);
	assert_int_equal(reading.hole_bytes, behind - at);
	assert_int_equal(reading.missing_first, 2);
	assert_int_equal(reading.missing_last, 3);
	assert_reads(r, "bs.");
	reader_close(r);
}

static void frames_of_another_segment_are_none(void **state)
{
	struct world *w = *state;
	struct pen p = begin(w, 1, 1, 1, 10);
	write_bodies(&p, 1, 10);
	uint64_t id = p.head.id;
	p.head.id++; /* what the file held before it was this segment's */
	write_bodies(&p, 3, 20);
	p.head.id = id;
	close(p.fd);
	assert_all(w, "b.");
}

static void a_segment_that_is_missing_between_two_is_a_hole(void **state)
{
	struct world *w = *state;
	struct pen a = begin(w, 1, 1, 1, 10);
	write_bodies(&a, 1, 10);
	seal(&a);
	struct pen c = begin(w, 1, 3, 9, 20);
	write_bodies(&c, 1, 20);
	seal(&c);
	assert_all(w, "bsHbs.");
}

/* --- versions --- */

static void write_head(struct pen *p)
{
	p->head.crc = segment_head_crc(&p->head);
	assert_int_equal(pwrite(p->fd, &p->head, sizeof p->head, 0), sizeof p->head);
}

static void what_a_newer_minor_version_adds_is_passed_over_and_counted(void **state)
{
	struct world *w = *state;
	struct reading r;
	struct pen p = begin(w, 1, 1, 1, 10);
	p.head.minor = SEGMENT_MINOR + 1;
	memset(p.head.reserved, 7, sizeof p.head.reserved);
	write_head(&p);
	write_frame(&p, FRAME_TYPES, 10, SPAN("what is this?"));
	write_like(&p, (struct frame){ .type = FRAME_REQUEST_BODY, .flags = 0x80, .mono_ns = 11 },
		   SPAN("body"));
	write_frame(&p, 200, 12, SPAN(""));
	seal_with(&p, FRAME_LAST);
	struct reader *reader = reader_open(w->directory);
	assert_int_equal(reader_next(reader, &r), READER_FRAME);
	assert_int_equal(r.frame.type, FRAME_REQUEST_BODY);
	assert_int_equal(reader_next(reader, &r), READER_FRAME);
	assert_int_equal(r.frame.type, FRAME_SEAL);
	assert_int_equal(reader_next(reader, &r), READER_END);
	assert_int_equal(reader_unknown(reader), 2);
	assert_int_equal(reader_holes(reader), 0);
	reader_close(reader);
}

static void an_unknown_frame_behind_a_hole_is_counted_once(void **state)
{
	struct world *w = *state;
	struct reading r;
	struct pen p = begin(w, 1, 1, 1, 10);
	write_frame(&p, FRAME_REQUEST_BODY, 10, SPAN("body"));
	p.at += 64;
	p.sequence++;
	write_frame(&p, FRAME_TYPES, 10, SPAN(""));
	seal_with(&p, FRAME_LAST);
	struct reader *reader = reader_open(w->directory);
	assert_int_equal(reader_next(reader, &r), READER_FRAME);
	assert_int_equal(reader_next(reader, &r), READER_HOLE);
	assert_int_equal(reader_next(reader, &r), READER_FRAME);
	assert_int_equal(r.frame.type, FRAME_SEAL);
	assert_int_equal(reader_unknown(reader), 1);
	reader_close(reader);
}

/* As it was before there were minor versions. */
static void version_1_0_is_read(void **state)
{
	struct world *w = *state;
	struct reading r;
	struct pen p = begin(w, 1, 1, 1, 10);
	const uint32_t version = 1;
	memcpy((char *)&p.head + 8, &version, sizeof version);
	write_head(&p);
	assert_int_equal(p.head.minor, 0);
	write_frame(&p, FRAME_REQUEST_BODY, 10, SPAN("body"));
	seal_with(&p, FRAME_LAST);
	struct reader *reader = reader_open(w->directory);
	assert_int_equal(reader_next(reader, &r), READER_FRAME);
	reader_close(reader);
}

static void a_newer_major_version_is_refused(void **state)
{
	struct world *w = *state;
	struct reading r;
	struct recovery found;
	struct pen p = begin(w, 1, 1, 1, 10);
	p.head.major = SEGMENT_MAJOR + 1;
	write_head(&p);
	write_bodies(&p, 3, 10);
	seal_with(&p, FRAME_LAST);
	struct reader *reader = reader_open(w->directory);
	assert_int_equal(reader_next(reader, &r), READER_ERROR);
	assert_int_equal(errno, EPROTONOSUPPORT);
	assert_non_null(strstr(segment_error(errno), "a newer version of crossfade"));
	reader_close(reader);
	assert_false(recover(w->fd, &found));
	assert_int_equal(errno, EPROTONOSUPPORT);
}

static void recovery_cuts_a_torn_tail_and_no_good_frame(void **state)
{
	struct world *w = *state;
	struct recovery found;
	struct stat s;
	struct pen p = begin(w, 1, 1, 1, 10);
	write_bodies(&p, 3, 10);
	assert_int_equal(pwrite(p.fd, "torn", 4, (off_t)p.at), 4);
	close(p.fd);
	struct pen empty = begin(w, 1, 2, 1, 10);
	assert_int_equal(pwrite(empty.fd, "x", 1, 0), 1); /* its head never was durable */
	close(empty.fd);
	close(openat(w->fd, "spare-1", O_CREAT | O_WRONLY, 0600));
	assert_true(recover(w->fd, &found));
	assert_int_equal(found.segments, 1);
	assert_int_equal(found.torn_bytes, 4);
	assert_int_equal(found.removed, 2);
	assert_int_equal(fstatat(w->fd, "00000001-00000001.capture", &s, 0), 0);
	assert_int_equal(s.st_size, p.at);
	assert_all(w, "bbb.");
	assert_true(recover(w->fd, &found));
	assert_int_equal(found.torn_bytes, 0);
}

static void recovery_leaves_alone_what_somebody_writes(void **state)
{
	struct world *w = *state;
	struct recovery found;
	struct stat s;
	struct pen p = begin(w, 1, 1, 1, 10);
	assert_int_equal(flock(p.fd, LOCK_EX), 0);
	assert_true(recover(w->fd, &found));
	assert_int_equal(fstat(p.fd, &s), 0);
	assert_int_equal(s.st_size, 100000);
	assert_int_equal(found.segments, 0);
	close(p.fd);
}

/* Its disk was full from the start: an heir begun meanwhile would write the same series. */
static void a_writer_without_a_segment_keeps_its_generation(void **state)
{
	struct world *w = *state;
	struct writer_lease m;
	uint64_t generation;
	assert_true(writer_lease_make(&m, w->fd, 7));
	assert_true(series_next(w->fd, &generation));
	assert_int_equal(generation, 8);
	writer_lease_remove(w->fd, 7);
	writer_lease_close(&m);
}

static void a_new_series_has_the_next_generation(void **state)
{
	struct world *w = *state;
	uint64_t generation;
	assert_true(series_next(w->fd, &generation));
	assert_int_equal(generation, 1);
	struct pen p = begin(w, 41, 1, 1, 10);
	close(p.fd);
	assert_true(series_next(w->fd, &generation));
	assert_int_equal(generation, 42);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_empty_directory_has_nothing),
		TEST(a_writer_without_a_segment_keeps_its_generation),
		TEST(segments_are_read_one_after_the_other),
		TEST(a_segment_that_is_being_begun_is_waited_for),
		TEST(a_segment_with_a_damaged_head_is_a_hole),
		TEST(series_are_merged_by_time),
		TEST(a_wall_clock_that_jumps_neither_reorders_nor_loses),
		TEST(a_live_segment_is_read_as_it_grows),
		TEST(a_hole_is_found_with_what_is_missing),
		TEST(frames_of_another_segment_are_none),
		TEST(a_segment_that_is_missing_between_two_is_a_hole),
		TEST(what_a_newer_minor_version_adds_is_passed_over_and_counted),
		TEST(an_unknown_frame_behind_a_hole_is_counted_once),
		TEST(version_1_0_is_read),
		TEST(a_newer_major_version_is_refused),
		TEST(recovery_cuts_a_torn_tail_and_no_good_frame),
		TEST(recovery_leaves_alone_what_somebody_writes),
		TEST(a_new_series_has_the_next_generation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
