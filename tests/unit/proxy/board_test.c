#include "unit/cmocka_all.h"

#include <pthread.h>
#include <string.h>

#include "proxy/board.h"

static struct board board;

static int format(void **state)
{
	(void)state;
	board_format(&board, 7);
	return 0;
}

/* As a worker of no traffic does at the beginning of a turn. */
static struct board_values look(struct board_slot *s)
{
	struct board_values v = { 0 };
	if (board_look(&board, &v))
		board_acknowledge(s, v.epoch, &(struct board_counts){ 0 });
	return v;
}

static void a_worker_is_late_until_it_has_read(void **state)
{
	(void)state;
	board_publish(&board, &(struct board_values){ .epoch = 1, .weights = { 1, 0 } });
	struct board_slot *a = board_take_slot(&board, 10, 0), *b = board_take_slot(&board, 10, 1);
	look(a);
	look(b);
	board_publish(&board, &(struct board_values){ .epoch = 2, .weights = { 3, 4 } });
	uint64_t in_flight;
	unsigned late = 99;
	assert_int_equal(board_late(&board, 2, &in_flight, &late), 2);
	assert_int_equal(look(a).weights[ARM_TARGET], 4);
	assert_int_equal(board_late(&board, 2, &in_flight, &late), 1);
	assert_ptr_equal(&board.slots[late], b);
	look(b);
	assert_int_equal(board_late(&board, 2, &in_flight, &late), 0);
}

static void who_looks_is_told_of_each_epoch_once(void **state)
{
	(void)state;
	struct board_values v = { 0 };
	assert_false(board_look(&board, &v));
	for (uint64_t epoch = 1; epoch < 5; epoch++) {
		board_publish(&board, &(struct board_values){ .epoch = epoch,
							      .weights = { (uint32_t)epoch, 1 } });
		assert_true(board_look(&board, &v));
		assert_int_equal(v.epoch, epoch);
		assert_int_equal(v.weights[ARM_SOURCE], epoch);
		assert_false(board_look(&board, &v));
	}
}

static void requests_decided_before_are_counted(void **state)
{
	(void)state;
	board_publish(&board, &(struct board_values){ .epoch = 1, .weights = { 1, 0 } });
	struct board_slot *a = board_take_slot(&board, 10, 0), *b = board_take_slot(&board, 10, 1);
	board_acknowledge(a, 1, &(struct board_counts){ .in_flight_now = 3 });
	board_acknowledge(b, 1,
			  &(struct board_counts){ .in_flight_now = 4, .in_flight_before = 5 });
	board_publish(&board, &(struct board_values){ .epoch = 2, .weights = { 1, 1 } });
	board_acknowledge(a, 2, &(struct board_counts){ .in_flight_before = 3 });
	uint64_t in_flight;
	unsigned late;
	board_late(&board, 2, &in_flight, &late);
	assert_int_equal(in_flight, 3 + 4 + 5);
	/* What comes later is none of it. */
	board_show(a, &(struct board_counts){ .in_flight_now = 9, .in_flight_before = 2 });
	board_late(&board, 2, &in_flight, &late);
	assert_int_equal(in_flight, 2 + 4 + 5);
}

/* A worker that stops between the two is late, and hides nothing. */
static void counts_are_there_before_their_acknowledgment(void **state)
{
	(void)state;
	uint64_t in_flight, writes[ARMS];
	unsigned late;
	struct board_slot *s = board_take_slot(&board, 10, 0);
	board_acknowledge(s, 1, &(struct board_counts){ .in_flight_now = 4, .writes = { 2, 1 } });
	board_show(s, &(struct board_counts){ .in_flight_before = 4, .writes = { 2, 1 } });
	assert_int_equal(board_late(&board, 2, &in_flight, &late), 1);
	assert_int_equal(in_flight, 4);
	board_writes(&board, writes);
	assert_int_equal(writes[ARM_SOURCE], 2);
	assert_int_equal(writes[ARM_TARGET], 1);
}

static void writes_of_all_taken_slots_are_counted_by_their_arm(void **state)
{
	(void)state;
	uint64_t writes[ARMS];
	struct board_slot *a = board_take_slot(&board, 10, 0), *b = board_take_slot(&board, 11, 0);
	board_show(a, &(struct board_counts){ .writes = { 1, 20 } });
	board_show(b, &(struct board_counts){ .writes = { 300, 4000 } });
	board_writes(&board, writes);
	assert_int_equal(writes[ARM_SOURCE], 301);
	assert_int_equal(writes[ARM_TARGET], 4020);
	board_free_slots_of(&board, 10);
	board_writes(&board, writes);
	assert_int_equal(writes[ARM_SOURCE], 300);
	assert_int_equal(writes[ARM_TARGET], 4000);
	/* The next worker that takes the slot begins with none, whatever a newer version left. */
	memset(a->room, 0xff, sizeof a->room);
	assert_ptr_equal(board_take_slot(&board, 12, 0), a);
	board_writes(&board, writes);
	assert_int_equal(writes[ARM_SOURCE], 300);
	assert_int_equal(a->room[0], 0);
}

/* --- versions --- */

static void a_newer_minor_version_is_taken_and_a_major_one_is_not(void **state)
{
	(void)state;
	assert_true(board_fits(&board));
	board.minor++;
	assert_true(board_fits(&board));
	board.major++;
	assert_false(board_fits(&board));
	/* As boards were before they had two numbers. */
	board.major = 4;
	board.minor = 0;
	assert_false(board_fits(&board));
}

/* It stands in the room of the values and of the board, and a program that knows it reads it. */
static void what_a_newer_version_has_published_outlives_an_older_one(void **state)
{
	(void)state;
	struct board_values newer = { .epoch = 1,
				      .weights = { 1, 0 },
				      .owner = ARM_TARGET,
				      .since = 1,
				      .deadline_ns = 77,
				      .phase = BOARD_PHASE_HOLD,
				      .room_32 = 5 };
	const size_t room_n = sizeof newer.room / sizeof newer.room[0];
	board.minor++;
	for (size_t i = 0; i < room_n; i++)
		newer.room[i] = 100 + i;
	memset(board.room, 0x5a, sizeof board.room);
	board_publish(&board, &newer);
	struct board_values v = board_read(&board);
	v.epoch = 2;
	v.weights[ARM_TARGET] = 9;
	board_publish(&board, &v);
	v = board_read(&board);
	newer.epoch = 2;
	newer.weights[ARM_TARGET] = 9;
	assert_memory_equal(&v, &newer, sizeof v);
	for (size_t i = 0; i < sizeof board.room / sizeof board.room[0]; i++)
		assert_int_equal(board.room[i], 0x5a5a5a5a5a5a5a5a);
	assert_int_equal(board.minor, BOARD_MINOR + 1);
}

static void writes_are_held_in_a_phase_that_is_not_known(void **state)
{
	(void)state;
	assert_false(board_holds(&(struct board_values){ .phase = BOARD_PHASE_OPEN }));
	assert_true(board_holds(&(struct board_values){ .phase = BOARD_PHASE_HOLD }));
	assert_true(board_holds(&(struct board_values){ .phase = BOARD_PHASE_HOLD + 1 }));
}

static void the_slots_of_a_dead_process_are_free_again(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BOARD_SLOTS; i++)
		assert_non_null(board_take_slot(&board, i % 2 ? 10 : 11, i));
	assert_null(board_take_slot(&board, 12, 0));
	board_free_slots_of(&board, 10);
	for (unsigned i = 0; i < BOARD_SLOTS / 2; i++)
		assert_non_null(board_take_slot(&board, 12, 0));
	assert_null(board_take_slot(&board, 12, 0));
}

/* A writer that dies between writing the other copy and moving the index has changed nothing. */
static void a_writer_killed_midway_hurts_nobody(void **state)
{
	(void)state;
	board_publish(&board, &(struct board_values){ .epoch = 1, .weights = { 7, 8 } });
	struct board_values *unused = &board.copies[!(board.changes & 1)];
	memset(unused, 0xff, sizeof *unused);
	struct board_values v = board_read(&board);
	assert_int_equal(v.epoch, 1);
	assert_int_equal(v.weights[ARM_SOURCE], 7);
	board_publish(&board, &(struct board_values){ .epoch = 2, .weights = { 9, 9 } });
	assert_int_equal(board_read(&board).epoch, 2);
}

#define PUBLISHED 200000

static void *publish_many(void *unused)
{
	(void)unused;
	for (uint64_t epoch = 1; epoch <= PUBLISHED; epoch++) {
		uint32_t w = (uint32_t)(epoch % 1000);
		board_publish(&board,
			      &(struct board_values){ .epoch = epoch, .weights = { w, 999 - w } });
	}
	return NULL;
}

static void a_reader_never_sees_half_a_change(void **state)
{
	(void)state;
	pthread_t writer;
	assert_int_equal(pthread_create(&writer, NULL, publish_many, NULL), 0);
	uint64_t last = 0;
	while (last < PUBLISHED) {
		struct board_values v = board_read(&board);
		if (!v.epoch)
			continue;
		assert_true(v.epoch >= last);
		assert_int_equal(v.weights[0], v.epoch % 1000);
		assert_int_equal(v.weights[0] + v.weights[1], 999);
		last = v.epoch;
	}
	pthread_join(writer, NULL);
}

/*
 * A worker that had as many requests under way as the last epoch says, all decided before, and as
 * many writes. Whoever sees that it has acknowledged an epoch sees no count of an earlier one.
 */
static void *acknowledge_many(void *slot)
{
	struct board_values v = { 0 };
	while (v.epoch < PUBLISHED) {
		if (!board_look(&board, &v))
			continue;
		board_acknowledge(slot, v.epoch,
				  &(struct board_counts){ .in_flight_before = v.epoch,
							  .writes = { v.epoch, v.epoch } });
	}
	return NULL;
}

static void who_sees_an_acknowledgment_sees_its_counts(void **state)
{
	(void)state;
	pthread_t writer, worker;
	struct board_slot *s = board_take_slot(&board, 10, 0);
	assert_int_equal(pthread_create(&worker, NULL, acknowledge_many, s), 0);
	assert_int_equal(pthread_create(&writer, NULL, publish_many, NULL), 0);
	for (uint64_t seen = 0; seen < PUBLISHED;) {
		uint64_t in_flight, writes[ARMS];
		unsigned late;
		seen = atomic_load_explicit(&s->acknowledged, memory_order_acquire);
		board_writes(&board, writes);
		assert_true(writes[ARM_SOURCE] >= seen && writes[ARM_TARGET] >= seen);
		assert_int_equal(board_late(&board, seen, &in_flight, &late), 0);
		assert_true(in_flight >= seen);
	}
	pthread_join(writer, NULL);
	pthread_join(worker, NULL);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, format)
	static const struct CMUnitTest tests[] = {
		TEST(a_worker_is_late_until_it_has_read),
		TEST(who_looks_is_told_of_each_epoch_once),
		TEST(requests_decided_before_are_counted),
		TEST(counts_are_there_before_their_acknowledgment),
		TEST(writes_of_all_taken_slots_are_counted_by_their_arm),
		TEST(a_newer_minor_version_is_taken_and_a_major_one_is_not),
		TEST(what_a_newer_version_has_published_outlives_an_older_one),
		TEST(writes_are_held_in_a_phase_that_is_not_known),
		TEST(the_slots_of_a_dead_process_are_free_again),
		TEST(a_writer_killed_midway_hurts_nobody),
		TEST(a_reader_never_sees_half_a_change),
		TEST(who_sees_an_acknowledgment_sees_its_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
