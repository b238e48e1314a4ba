#include "unit/cmocka_all.h"

#include <stdlib.h>

#include "capture/inflight.h"

static int open_inflight(void **state)
{
	struct inflight *r = calloc(1, sizeof *r);
	inflight_open(r);
	*state = r;
	return 0;
}

static int close_inflight(void **state)
{
	inflight_close(*state);
	free(*state);
	return 0;
}

static void they_are_settled_in_the_order_of_the_log(void **state)
{
	struct inflight *r = *state;
	struct inflight_run *a = inflight_last(r), *b = inflight_begin(r);
	a->out = b->out = 1;
	inflight_begin(r);
	b->out = 0;
	assert_null(inflight_settled(r, true));
	a->out = 0;
	assert_ptr_equal(inflight_settled(r, false), a);
	inflight_drop_oldest(r);
	assert_ptr_equal(inflight_settled(r, false), b);
	inflight_drop_oldest(r);
	/* The last one is being filled. */
	assert_null(inflight_settled(r, false));
	assert_non_null(inflight_settled(r, true));
}

static void the_ring_is_full_and_goes_around(void **state)
{
	struct inflight *r = *state;
	for (unsigned i = 1; i < KAFKA_INFLIGHT; i++) {
		assert_true(inflight_have_room(r));
		inflight_begin(r)->frames = 1;
	}
	assert_false(inflight_have_room(r));
	assert_int_equal(inflight_frames(r), KAFKA_INFLIGHT - 1);
	inflight_drop_oldest(r);
	assert_true(inflight_have_room(r));
	assert_int_equal(inflight_tag(r, inflight_begin(r)), 0);
	assert_int_equal(inflight_last(r)->frames, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_inflight, close_inflight)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(they_are_settled_in_the_order_of_the_log),
		TEST(the_ring_is_full_and_goes_around),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
