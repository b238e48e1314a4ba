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

static void a_worker_is_late_until_it_has_read(void **state)
{
	(void)state;
	board_publish(&board, &(struct board_values){ .epoch = 1, .weights = { 1, 0 } });
	struct board_slot *a = board_take_slot(&board, 10, 0), *b = board_take_slot(&board, 10, 1);
	board_acknowledge(&board, a);
	board_acknowledge(&board, b);
	board_publish(&board, &(struct board_values){ .epoch = 2, .weights = { 3, 4 } });
	uint64_t in_flight;
	unsigned late = 99;
	assert_int_equal(board_late(&board, 2, &in_flight, &late), 2);
	assert_int_equal(board_acknowledge(&board, a).weights[ARM_TARGET], 4);
	assert_int_equal(board_late(&board, 2, &in_flight, &late), 1);
	assert_ptr_equal(&board.slots[late], b);
	board_acknowledge(&board, b);
	assert_int_equal(board_late(&board, 2, &in_flight, &late), 0);
}

static void requests_decided_before_are_counted(void **state)
{
	(void)state;
	board_publish(&board, &(struct board_values){ .epoch = 1, .weights = { 1, 0 } });
	struct board_slot *a = board_take_slot(&board, 10, 0), *b = board_take_slot(&board, 10, 1);
	board_acknowledge(&board, a);
	board_acknowledge(&board, b);
	a->in_flight_now = 3;
	b->in_flight_now = 4;
	b->in_flight_before = 5;
	board_publish(&board, &(struct board_values){ .epoch = 2, .weights = { 1, 1 } });
	board_acknowledge(&board, a);
	a->in_flight_before = 3;
	a->in_flight_now = 0;
	uint64_t in_flight;
	unsigned late;
	board_late(&board, 2, &in_flight, &late);
	assert_int_equal(in_flight, 3 + 4 + 5);
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_worker_is_late_until_it_has_read, format),
		cmocka_unit_test_setup(requests_decided_before_are_counted, format),
		cmocka_unit_test_setup(the_slots_of_a_dead_process_are_free_again, format),
		cmocka_unit_test_setup(a_writer_killed_midway_hurts_nobody, format),
		cmocka_unit_test_setup(a_reader_never_sees_half_a_change, format),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
