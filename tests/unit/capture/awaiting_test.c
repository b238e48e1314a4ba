#include "unit/cmocka_all.h"

#include "capture/awaiting.h"
#include "capture/kafka_limits.h"

#define MS 1000000ull
#define LATE (KAFKA_LATE_MS * MS)

struct follower {
	uint64_t has;
};

static uint64_t acknowledged(void *world)
{
	const struct follower *f = world;
	return f->has;
}

static struct awaiting open_awaiting(struct follower *f)
{
	return (struct awaiting){ .acknowledged = acknowledged, .world = f };
}

static struct batch batch(uint64_t sequence, bool urgent)
{
	return (struct batch){ .sequence = sequence, .urgent = urgent };
}

static void the_disk_is_enough_where_nobody_follows(void **state)
{
	(void)state;
	struct awaiting a = { .acknowledged = NULL };
	struct batch b = batch(1, true);
	enum batch_state became;
	assert_false(awaiting_takes(&a, &b, 0, &became));
	assert_int_equal(became, BATCH_DURABLE);
	assert_null(awaiting_next(&a, 1, 10 * LATE, &became));
	assert_int_equal(awaiting_deadline_ns(&a, 0), UINT64_MAX);
}

static void who_does_not_wait_is_not_kept(void **state)
{
	(void)state;
	struct follower f = { 0 };
	struct awaiting a = open_awaiting(&f);
	struct batch b = batch(1, false);
	enum batch_state became;
	assert_false(awaiting_takes(&a, &b, 0, &became));
	assert_int_equal(became, BATCH_DURABLE);
}

static void who_waits_waits_for_his_own_sequence(void **state)
{
	(void)state;
	struct follower f = { .has = 9 };
	struct awaiting a = open_awaiting(&f);
	struct batch b = batch(10, true), c = batch(20, true);
	enum batch_state became;
	assert_true(awaiting_takes(&a, &b, 0, &became));
	assert_true(awaiting_takes(&a, &c, 0, &became));
	assert_null(awaiting_next(&a, 20, LATE - 1, &became));
	f.has = 10;
	assert_ptr_equal(awaiting_next(&a, 20, LATE - 1, &became), &b);
	assert_int_equal(became, BATCH_DURABLE);
	assert_null(awaiting_next(&a, 20, LATE - 1, &became));
	f.has = 20;
	/* It was there, however late that is looked at. */
	assert_ptr_equal(awaiting_next(&a, 20, 10 * LATE, &became), &c);
	assert_int_equal(became, BATCH_DURABLE);
}

static void nobody_waits_longer_than_that(void **state)
{
	(void)state;
	struct follower f = { .has = 9 };
	struct awaiting a = open_awaiting(&f);
	struct batch b = batch(10, true), c = batch(20, true), d = batch(30, true);
	enum batch_state became;
	assert_true(awaiting_takes(&a, &b, 0, &became));
	assert_true(awaiting_takes(&a, &c, LATE / 2, &became));
	assert_ptr_equal(awaiting_next(&a, 20, LATE, &became), &b);
	assert_int_equal(became, BATCH_LATE);
	assert_ptr_equal(awaiting_next(&a, 20, LATE, &became), &c);
	assert_int_equal(became, BATCH_LATE);
	assert_false(awaiting_takes(&a, &d, LATE, &became));
	assert_int_equal(became, BATCH_LATE);
	assert_true(awaiting_deadline_ns(&a, LATE) < 2 * LATE);
}

static void who_has_caught_up_is_waited_for_again(void **state)
{
	(void)state;
	struct follower f = { .has = 9 };
	struct awaiting a = open_awaiting(&f);
	struct batch b = batch(10, true), c = batch(50, true);
	enum batch_state became;
	assert_true(awaiting_takes(&a, &b, 0, &became));
	assert_ptr_equal(awaiting_next(&a, 20, LATE, &became), &b);
	/* It has all that there was, but that took too long: there is more meanwhile. */
	f.has = 20;
	assert_null(awaiting_next(&a, 40, 3 * LATE, &became));
	assert_false(awaiting_takes(&a, &c, 3 * LATE, &became));
	f.has = 40;
	assert_null(awaiting_next(&a, 50, 3 * LATE + LATE / 2, &became));
	assert_true(awaiting_takes(&a, &c, 4 * LATE, &became));
	assert_ptr_equal(awaiting_give_up(&a), &c);
	assert_null(awaiting_give_up(&a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_disk_is_enough_where_nobody_follows),
		cmocka_unit_test(who_does_not_wait_is_not_kept),
		cmocka_unit_test(who_waits_waits_for_his_own_sequence),
		cmocka_unit_test(nobody_waits_longer_than_that),
		cmocka_unit_test(who_has_caught_up_is_waited_for_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
