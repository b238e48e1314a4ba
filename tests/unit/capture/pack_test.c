#include "unit/cmocka_all.h"

#include <sys/file.h>

#include "base/limits.h"
#include "capture/pack.h"
#include "capture/packed.h"
#include "capture/packer.h"
#include "capture/reader.h"
#include "capture/recovery.h"
#include "capture/retention.h"
#include "capture/segment.h"
#include "unit/capture/directory.h"

static const char name[] = "00000001-00000001.capture";
static const char next_name[] = "00000001-00000002.capture";

static atomic_bool go_on; /* false: nobody stops it */

/* Bodies that are no two alike, and can be compressed. */
static void write_texts(struct pen *p, unsigned n, size_t bytes)
{
	char *text = malloc(bytes);
	assert_non_null(text);
	for (unsigned i = 0; i < n; i++) {
		for (size_t k = 0; k < bytes; k++)
			text[k] = (char)('a' + (k * (i + 3) >> 7) % 17);
		write_frame(p, FRAME_REQUEST_BODY, i, (struct span){ text, bytes - i % 8 });
	}
	free(text);
}

static void write_segment(const struct world *w, unsigned n, size_t bytes)
{
	struct pen p = begin(w, 1, 1, 1, 0);
	write_texts(&p, n, bytes);
	seal(&p);
}

static uint64_t bytes_of(const struct world *w, const char *file)
{
	struct stat s;
	return fstatat(w->fd, file, &s, 0) ? 0 : (uint64_t)s.st_size;
}

static enum pack_verdict pack_it(const struct world *w)
{
	struct pack_gain gain;
	return pack(w->fd, name, &go_on, &gain);
}

struct read {
	unsigned frames, holes;
	bool lost_table, sealed;
	uint32_t sum; /* of all that frames have */
	uint64_t missing, hole_at, place;
};

static struct read read_all(const struct world *w)
{
	struct read all = { 0 };
	struct reader *r = reader_open(w->directory);
	struct reading n;
	enum reader_verdict v;
	while ((v = reader_next(r, &n)) != READER_END) {
		assert_int_not_equal(v, READER_ERROR);
		if (v == READER_HOLE) {
			all.holes++;
			all.lost_table |= n.lost == LOST_TABLE;
			all.missing += n.missing_last + 1 - n.missing_first;
			all.hole_at = n.hole_at;
			all.place = n.place;
			continue;
		}
		all.frames++;
		all.sealed |= n.frame.type == FRAME_SEAL;
		all.sum = crc32c(all.sum, &n.frame, sizeof n.frame);
		all.sum = crc32c(all.sum, n.payload.at, n.payload.n);
	}
	reader_close(r);
	return all;
}

static void a_packed_segment_reads_as_before(void **state)
{
	struct world *w = *state;
	write_segment(w, 12, 400000);
	struct read before = read_all(w);
	uint64_t bytes = bytes_of(w, name);
	struct pack_gain gain;
	assert_int_equal(pack(w->fd, name, &go_on, &gain), PACK_DONE);
	struct read after = read_all(w);
	assert_int_equal(after.frames, 13);
	assert_int_equal(after.sum, before.sum);
	assert_int_equal(after.holes, 0);
	assert_int_equal(gain.raw_bytes, bytes);
	assert_int_equal(gain.packed_bytes, bytes_of(w, name));
	assert_true(gain.packed_bytes < bytes / 4);
	assert_int_equal(pack_it(w), PACK_ALREADY);
}

/* Each frame is found wherever it begins, by a reader that was never before it. */
static void a_packed_segment_is_read_from_anywhere(void **state)
{
	struct world *w = *state;
	write_segment(w, 12, 400000);
	assert_int_equal(pack_it(w), PACK_DONE);
	struct segment s;
	struct frame f;
	struct span payload;
	assert_int_equal(segment_open(&s, w->fd, name), SEGMENT_FRAME);
	size_t n;
	const struct packed_block *blocks = packed_blocks(s.packed, &n);
	assert_in_range(n, 4, 6);
	for (size_t i = n; i-- > 0;) {
		s.at = blocks[i].raw_at;
		s.used = s.n = 0;
		s.sealed = false;
		s.last_sequence = blocks[i].sequence - 1;
		assert_int_equal(segment_next(&s, &f, &payload), SEGMENT_FRAME);
		assert_int_equal(f.sequence, blocks[i].sequence);
		assert_int_equal(f.mono_ns, blocks[i].mono_ns);
	}
	segment_close(&s);
}

static void whoever_has_it_open_reads_on(void **state)
{
	struct world *w = *state;
	struct reading n;
	write_segment(w, 12, 400000);
	struct reader *r = reader_open(w->directory);
	assert_int_equal(reader_next(r, &n), READER_FRAME);
	assert_int_equal(pack_it(w), PACK_DONE);
	for (unsigned i = 0; i < 12; i++)
		assert_int_equal(reader_next(r, &n), READER_FRAME);
	assert_int_equal(n.frame.type, FRAME_SEAL);
	reader_close(r);
}

static void what_is_not_a_whole_segment_stays_as_it_is(void **state)
{
	struct world *w = *state;
	struct pen p = begin(w, 1, 1, 1, 0);
	write_bodies(&p, 100, 0);
	assert_int_equal(pack_it(w), PACK_NOT);
	assert_int_equal(flock(p.fd, LOCK_EX), 0);
	write_frame(&p, FRAME_SEAL, 0, SPAN(""));
	assert_int_equal(ftruncate(p.fd, (off_t)p.at), 0);
	assert_int_equal(pack_it(w), PACK_LATER);
	assert_int_equal(pwrite(p.fd, "x", 1, 1000), 1);
	close(p.fd);
	assert_int_equal(pack_it(w), PACK_NOT);
	assert_int_equal(bytes_of(w, PACK_UNFINISHED "00000001-00000001.capture"), 0);
	struct pack_gain gain;
	assert_int_equal(pack(w->fd, next_name, &go_on, &gain), PACK_LATER);
	/* One that is being begun: its head comes in a moment. */
	int next = openat(w->fd, next_name, O_RDWR | O_CREAT, 0600);
	assert_int_equal(ftruncate(next, 100000), 0);
	assert_int_equal(pack(w->fd, next_name, &go_on, &gain), PACK_LATER);
	close(next);
}

static void what_cannot_be_compressed_stays_as_it_is(void **state)
{
	struct world *w = *state;
	static char noise[200000];
	uint32_t x = 1;
	for (size_t i = 0; i < sizeof noise; i++)
		noise[i] = (char)((x = x * 1664525 + 1013904223) >> 24);
	struct pen p = begin(w, 1, 1, 1, 0);
	write_frame(&p, FRAME_REQUEST_BODY, 0, (struct span){ noise, sizeof noise });
	seal(&p);
	assert_int_equal(pack_it(w), PACK_NOT);
	assert_int_equal(read_all(w).frames, 2);
}

static void a_stop_leaves_it_as_it_was(void **state)
{
	struct world *w = *state;
	atomic_bool stop = true;
	struct pack_gain gain;
	write_segment(w, 12, 400000);
	uint64_t bytes = bytes_of(w, name);
	assert_int_equal(pack(w->fd, name, &stop, &gain), PACK_LATER);
	assert_int_equal(bytes_of(w, name), bytes);
}

static void what_a_crash_leaves_unfinished_is_removed(void **state)
{
	struct world *w = *state;
	struct recovery found;
	write_segment(w, 12, 4000);
	int fd = openat(w->fd, PACK_UNFINISHED "00000001-00000001.capture", O_CREAT | O_RDWR, 0600);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(pack_it(w), PACK_LATER); /* another process is at it */
	assert_true(recover(w->fd, &found));
	assert_int_equal(found.removed, 0);
	close(fd);
	assert_true(recover(w->fd, &found));
	assert_int_equal(found.removed, 1);
	assert_int_equal(pack_it(w), PACK_DONE);
	assert_true(recover(w->fd, &found));
	assert_int_equal(found.segments, 0);
	assert_int_equal(read_all(w).frames, 13);
}

static void age_and_size_are_those_on_the_disk(void **state)
{
	struct world *w = *state;
	struct retained kept;
	const struct followers none = { 0 };
	write_segment(w, 12, 400000);
	struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
	assert_int_equal(utimensat(w->fd, name, old, 0), 0);
	assert_int_equal(pack_it(w), PACK_DONE);
	struct pen p = begin(w, 1, 2, 14, 1);
	seal(&p);
	assert_true(retain(w->fd, &(struct retention){ 0 }, 0, &none, &kept));
	assert_true(kept.bytes < 1200000);
	struct retention age = { .age_ns = 10000000000 };
	assert_true(retain(w->fd, &age, 1009000000000, &none, &kept));
	assert_int_equal(kept.removed, 0);
	assert_true(retain(w->fd, &age, 1011000000000, &none, &kept));
	assert_int_equal(kept.removed, 1);
}

static void flip(const struct world *w, uint64_t at)
{
	uint8_t byte;
	int fd = openat(w->fd, name, O_RDWR);
	assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
	byte ^= 0x10;
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
	close(fd);
}

static void a_damaged_block_is_told_with_its_place(void **state)
{
	struct world *w = *state;
	write_segment(w, 12, 400000);
	assert_int_equal(pack_it(w), PACK_DONE);
	struct segment s;
	size_t n;
	assert_int_equal(segment_open(&s, w->fd, name), SEGMENT_FRAME);
	struct packed_block second = packed_blocks(s.packed, &n)[1];
	segment_close(&s);
	flip(w, second.at + 64 + second.n / 2);
	struct read all = read_all(w);
	assert_int_equal(all.holes, 1);
	assert_int_equal(all.place, second.at);
	assert_int_equal(all.hole_at, second.raw_at);
	assert_int_equal(all.missing, 3);
	assert_int_equal(all.frames, 10);
	assert_true(all.sealed);
}

/* Nothing of the file can change without being told, but for padding. */
static void any_flipped_bit_is_found(void **state)
{
	struct world *w = *state;
	write_segment(w, 8, 200);
	assert_int_equal(pack_it(w), PACK_DONE);
	struct read whole = read_all(w);
	unsigned silent = 0;
	for (uint64_t at = sizeof(struct segment_head); at < bytes_of(w, name); at++) {
		flip(w, at);
		struct read all = read_all(w);
		silent += !all.holes;
		if (!all.holes)
			assert_int_equal(all.sum, whole.sum);
		if (all.lost_table)
			assert_int_equal(all.frames, whole.frames);
		flip(w, at);
	}
	assert_true(silent < FRAME_ALIGN + 64); /* padding, and the block's head beside its table */
}

static void a_lost_end_is_told(void **state)
{
	struct world *w = *state;
	write_segment(w, 12, 400000);
	assert_int_equal(pack_it(w), PACK_DONE);
	struct segment s;
	size_t n;
	assert_int_equal(segment_open(&s, w->fd, name), SEGMENT_FRAME);
	struct packed_block last = packed_blocks(s.packed, &n)[n - 1];
	segment_close(&s);
	flip(w, last.at + 64 + 5);
	struct read all = read_all(w);
	assert_int_equal(all.holes, 1);
	assert_int_equal(all.place, last.at);
	assert_false(all.sealed);
}

static void the_thread_packs_what_is_sealed(void **state)
{
	struct world *w = *state;
	struct packer p;
	_Atomic uint64_t segments = 1;
	write_segment(w, 12, 400000);
	packer_open(&p, w->directory, &segments);
	while (atomic_load(&p.counts.segments) < 1)
		usleep(1000);
	struct pen second = begin(w, 1, 2, 14, 1);
	write_texts(&second, 12, 4000);
	seal(&second);
	atomic_store(&segments, 2);
	while (atomic_load(&p.counts.segments) < 2)
		usleep(1000);
	packer_close(&p);
	assert_int_equal(p.counts.failures, 0);
	struct read all = read_all(w);
	assert_int_equal(all.frames, 26);
	assert_int_equal(all.holes, 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_packed_segment_reads_as_before),
		TEST(a_packed_segment_is_read_from_anywhere),
		TEST(whoever_has_it_open_reads_on),
		TEST(what_is_not_a_whole_segment_stays_as_it_is),
		TEST(what_cannot_be_compressed_stays_as_it_is),
		TEST(a_stop_leaves_it_as_it_was),
		TEST(what_a_crash_leaves_unfinished_is_removed),
		TEST(age_and_size_are_those_on_the_disk),
		TEST(a_damaged_block_is_told_with_its_place),
		TEST(any_flipped_bit_is_found),
		TEST(a_lost_end_is_told),
		TEST(the_thread_packs_what_is_sealed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
