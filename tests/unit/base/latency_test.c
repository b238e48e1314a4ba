#include "unit/cmocka_all.h"

#include "base/latency.h"

static void bounds_grow_by_half_octaves(void **state)
{
	(void)state;
	assert_int_equal(latency_bound_us(0), 64);
	assert_int_equal(latency_bound_us(1), 90);
	assert_int_equal(latency_bound_us(2), 128);
	for (unsigned i = 1; i < LATENCY_BUCKETS; i++)
		assert_true(latency_bound_us(i) > latency_bound_us(i - 1));
	assert_true(latency_bound_us(LATENCY_BUCKETS - 1) == UINT64_MAX);
}

static void a_latency_falls_into_the_first_bucket_that_holds_it(void **state)
{
	(void)state;
	for (uint64_t us = 0; us < 300000000; us += us / 100 + 1) {
		unsigned b = latency_bucket(us);
		assert_true(us <= latency_bound_us(b));
		assert_true(b == 0 || us > latency_bound_us(b - 1));
	}
	for (unsigned i = 0; i < LATENCY_BUCKETS - 1; i++) {
		assert_int_equal(latency_bucket(latency_bound_us(i)), i);
		assert_int_equal(latency_bucket(latency_bound_us(i) + 1), i + 1);
	}
	assert_int_equal(latency_bucket(UINT64_MAX), LATENCY_BUCKETS - 1);
}

static void a_quantile_is_the_bound_of_the_bucket_in_which_it_ends(void **state)
{
	(void)state;
	struct latency l = { 0 }, other = { 0 };
	struct latency_seen seen = { 0 };
	assert_int_equal(latency_quantile_us(&seen, 0.5), 0);
	for (int i = 0; i < 98; i++)
		latency_add(&l, 60);
	latency_add(&other, 1000);
	latency_add(&other, 1000000000000);
	latency_see(&seen, &l);
	latency_see(&seen, &other);
	assert_int_equal(latency_count(&seen), 100);
	assert_int_equal(seen.sum_us, 98 * 60 + 1000 + 1000000000000);
	assert_int_equal(latency_quantile_us(&seen, 0.5), 64);
	assert_int_equal(latency_quantile_us(&seen, 0.98), 64);
	assert_int_equal(latency_quantile_us(&seen, 0.99), 1024);
	/* The last bucket has no bound. */
	assert_int_equal(latency_quantile_us(&seen, 1), latency_bound_us(LATENCY_BUCKETS - 2));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds_grow_by_half_octaves),
		cmocka_unit_test(a_latency_falls_into_the_first_bucket_that_holds_it),
		cmocka_unit_test(a_quantile_is_the_bound_of_the_bucket_in_which_it_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
