#include "unit/cmocka_all.h"

#include <math.h>

#include "proxy/split.h"

static void no_arm_is_ever_more_than_one_away_from_its_share(void **state)
{
	(void)state;
	for (uint32_t source = 0; source <= 40; source++) {
		for (uint32_t target = source ? 0 : 1; target <= 40; target++) {
			uint32_t weights[ARMS] = { source, target };
			struct split s;
			split_open(&s, source % 3, 3);
			double share = (double)target / (source + target);
			unsigned taken = 0;
			for (unsigned n = 1; n <= 300; n++) {
				taken += split_take(&s, weights) == ARM_TARGET;
				assert_true(fabs(taken - share * n) <= 1.0 + 1e-9);
			}
		}
	}
}

static void an_arm_of_weight_0_is_never_taken(void **state)
{
	(void)state;
	struct split s;
	split_open(&s, 0, 4);
	uint32_t all_target[ARMS] = { 0, 999 }, all_source[ARMS] = { 1, 0 }, half[ARMS] = { 1, 1 };
	for (int i = 0; i < 1000; i++) {
		split_take(&s, half);
		assert_int_equal(split_take(&s, all_target), ARM_TARGET);
		assert_int_equal(split_take(&s, all_source), ARM_SOURCE);
	}
}

static void ties_go_to_the_source(void **state)
{
	(void)state;
	struct split s;
	split_open(&s, 0, 1);
	uint32_t half[ARMS] = { 1, 1 };
	assert_int_equal(split_take(&s, half), ARM_SOURCE);
	assert_int_equal(split_take(&s, half), ARM_TARGET);
}

/* Changes do not begin anew: else a small arm would starve under frequent ones. */
static void frequent_changes_do_not_starve_the_small_arm(void **state)
{
	(void)state;
	struct split s;
	split_open(&s, 0, 1);
	unsigned taken = 0;
	for (int i = 0; i < 10000; i++) {
		uint32_t weights[ARMS] = { 99 + (i & 1), 1 };
		taken += split_take(&s, weights) == ARM_TARGET;
	}
	assert_true(taken >= 98 && taken <= 101);
}

static void workers_start_staggered(void **state)
{
	(void)state;
	uint32_t weights[ARMS] = { 3, 1 };
	unsigned first_target[4];
	for (unsigned w = 0; w < 4; w++) {
		struct split s;
		split_open(&s, w, 4);
		for (first_target[w] = 0; split_take(&s, weights) == ARM_SOURCE;)
			first_target[w]++;
	}
	assert_int_not_equal(first_target[0], first_target[3]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_arm_is_ever_more_than_one_away_from_its_share),
		cmocka_unit_test(an_arm_of_weight_0_is_never_taken),
		cmocka_unit_test(ties_go_to_the_source),
		cmocka_unit_test(frequent_changes_do_not_starve_the_small_arm),
		cmocka_unit_test(workers_start_staggered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
