#include "unit/cmocka_all.h"

#include <stdlib.h>

#include "capture/rounds.h"

static int open_rounds(void **state)
{
	struct rounds *r = calloc(1, sizeof *r);
	rounds_open(r);
	*state = r;
	return 0;
}

static int close_rounds(void **state)
{
	rounds_close(*state);
	free(*state);
	return 0;
}

static void they_are_settled_in_the_order_of_the_log(void **state)
{
	struct rounds *r = *state;
	struct round *a = rounds_last(r), *b = rounds_begin(r);
	a->out = b->out = 1;
	rounds_begin(r);
	b->out = 0;
	assert_null(rounds_settled(r, true));
	a->out = 0;
	assert_ptr_equal(rounds_settled(r, false), a);
	rounds_drop_oldest(r);
	assert_ptr_equal(rounds_settled(r, false), b);
	rounds_drop_oldest(r);
	/* The last one is being filled. */
	assert_null(rounds_settled(r, false));
	assert_non_null(rounds_settled(r, true));
}

static void the_ring_is_full_and_goes_around(void **state)
{
	struct rounds *r = *state;
	for (unsigned i = 1; i < KAFKA_ROUNDS; i++) {
		assert_true(rounds_have_room(r));
		rounds_begin(r)->frames = 1;
	}
	assert_false(rounds_have_room(r));
	assert_int_equal(rounds_frames(r), KAFKA_ROUNDS - 1);
	rounds_drop_oldest(r);
	assert_true(rounds_have_room(r));
	assert_int_equal(rounds_tag(r, rounds_begin(r)), 0);
	assert_int_equal(rounds_last(r)->frames, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rounds, close_rounds)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(they_are_settled_in_the_order_of_the_log),
		TEST(the_ring_is_full_and_goes_around),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
