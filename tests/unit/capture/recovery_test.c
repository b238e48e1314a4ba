/* What a start finds damaged, and tells. */

#include "unit/cmocka_all.h"

#include "capture/recovery.h"
#include "unit/capture/directory.h"

static void flip(const struct pen *p, uint64_t at)
{
	assert_int_equal(pwrite(p->fd, "\xff", 1, (off_t)at), 1);
}

static void write_commit(struct pen *p, uint64_t durable)
{
	struct record_commit c = { durable };
	write_frame(p, FRAME_COMMIT, 0, (struct span){ (const char *)&c, sizeof c });
}

/* A frame of write_bodies() takes. */
#define BODY (sizeof(struct frame) + 8)

static void a_torn_tail_is_told_once_with_its_place(void **state)
{
	struct world *w = *state;
	struct recovery found;
	struct pen p = begin(w, 1, 1, 7, 10);
	write_bodies(&p, 3, 10);
	assert_int_equal(pwrite(p.fd, "torn", 4, (off_t)p.at), 4);
	close(p.fd);
	assert_true(recover(w->fd, &found));
	assert_int_equal(found.damage_n, 1);
	const struct record_damage *d = found.damages;
	assert_int_equal(d->gap.reason, GAP_DAMAGE);
	assert_int_equal(d->kind, DAMAGE_TORN);
	assert_int_equal(d->generation, 1);
	assert_int_equal(d->index, 1);
	assert_int_equal(d->at, p.at);
	assert_int_equal(d->bytes, 4);
	assert_int_equal(d->first_sequence, 10);
	assert_int_equal(d->last_sequence, 0);
	assert_true(d->gap.last_wall_ns > 0);
	assert_true(recover(w->fd, &found));
	assert_int_equal(found.damage_n, 0);
	assert_int_equal(found.segments, 0);
}

static void a_hole_is_damage_when_it_had_been_durable(void **state)
{
	struct world *w = *state;
	struct recovery found;
	for (unsigned i = 0; i < 2; i++) {
		struct pen p = begin(w, 1 + i, 1, 1, 10);
		write_bodies(&p, 5, 10);
		write_commit(&p, i ? 4 : 1);
		flip(&p, sizeof p.head + 2 * BODY + 65);
		flip(&p, sizeof p.head + 3 * BODY + 5);
		close(p.fd);
	}
	assert_true(recover(w->fd, &found));
	assert_int_equal(found.damage_n, 2);
	assert_int_equal(found.holes, 2);
	for (unsigned i = 0; i < 2; i++) {
		const struct record_damage *d = &found.damages[i];
		assert_int_equal(d->kind, d->generation == 2 ? DAMAGE_LOST : DAMAGE_HOLE);
		assert_int_equal(d->at, sizeof(struct segment_head) + 2 * BODY);
		assert_int_equal(d->bytes, 2 * BODY);
		assert_int_equal(d->first_sequence, 3);
		assert_int_equal(d->last_sequence, 4);
		assert_int_equal(d->gap.first_mono_ns, 11);
		assert_int_equal(d->gap.last_mono_ns, 14);
	}
	assert_true(recover(w->fd, &found));
	assert_int_equal(found.damage_n, 0);
}

/* Frames may be behind it, that other means get out. */
static void a_file_whose_head_is_damaged_is_kept_and_told_of(void **state)
{
	struct world *w = *state;
	struct recovery found;
	struct stat s;
	struct pen p = begin(w, 3, 2, 1, 10);
	write_bodies(&p, 5, 10);
	seal(&p);
	int fd = openat(w->fd, "00000003-00000002.capture", O_RDWR);
	assert_int_equal(pwrite(fd, "x", 1, 20), 1);
	close(fd);
	assert_true(recover(w->fd, &found));
	assert_int_equal(found.removed, 0);
	assert_int_equal(found.damage_n, 1);
	assert_int_equal(found.damages[0].kind, DAMAGE_HEAD);
	assert_int_equal(found.damages[0].generation, 3);
	assert_int_equal(found.damages[0].index, 2);
	assert_int_equal(found.damages[0].bytes, p.at);
	assert_int_equal(fstatat(w->fd, "00000003-00000002.capture", &s, 0), 0);
	assert_true(recover(w->fd, &found));
	assert_int_equal(found.damage_n, 0);
}

static void so_many_places_are_told_one_by_one(void **state)
{
	struct world *w = *state;
	struct recovery found;
	for (unsigned extra = 0; extra < 2; extra++) {
		struct pen p = begin(w, 1 + extra, 1, 1, 10);
		write_bodies(&p, 2 * (DAMAGES_MAX + extra) + 1, 10);
		for (unsigned i = 0; i < DAMAGES_MAX + extra; i++)
			flip(&p, sizeof p.head + (2 * i + 1) * BODY);
		close(p.fd);
		assert_true(recover(w->fd, &found));
		assert_int_equal(found.damage_n, DAMAGES_MAX);
		assert_int_equal(found.damages[DAMAGES_MAX - 1].places, 1 + extra);
		assert_int_equal(found.damages[DAMAGES_MAX - 1].bytes, (1 + extra) * BODY);
	}
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_torn_tail_is_told_once_with_its_place),
		TEST(a_hole_is_damage_when_it_had_been_durable),
		TEST(a_file_whose_head_is_damaged_is_kept_and_told_of),
		TEST(so_many_places_are_told_one_by_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
