#include "unit/cmocka_all.h"

#include <math.h>

#include "proxy/split.h"

#define SEEDS 20000

static unsigned take_n(struct split *s, enum class class, const uint32_t weights[ARMS], unsigned n)
{
	unsigned taken = 0;
	while (n--)
		taken += split_take(s, class, weights) == ARM_TARGET;
	return taken;
}

static void no_arm_is_ever_more_than_one_away_from_its_share(void **state)
{
	(void)state;
	for (uint32_t source = 0; source <= 40; source++) {
		for (uint32_t target = source ? 0 : 1; target <= 40; target++) {
			uint32_t weights[ARMS] = { source, target };
			struct split s;
			split_open(&s, 41 * source + target);
			double share = (double)target / (source + target);
			unsigned taken = 0;
			for (unsigned n = 1; n <= 300; n++) {
				taken += take_n(&s, CLASS_READ, weights, 1);
				assert_true(fabs(taken - share * n) <= 1.0 + 1e-9);
			}
		}
	}
}

static unsigned divisor(unsigned a, unsigned b)
{
	return b ? divisor(b, a % b) : a;
}

static void each_block_has_exactly_its_share(void **state)
{
	(void)state;
	static const uint32_t all[][ARMS] = { { 1, 1 },	  { 90, 10 },	{ 50, 50 },   { 2, 3 },
					      { 999, 1 }, { 999, 998 }, { 998, 999 }, { 1, 999 },
					      { 7, 993 }, { 60, 40 } };
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		unsigned by = divisor(all[i][0], all[i][1]);
		struct split s;
		split_open(&s, i);
		for (int block = 0; block < 50; block++)
			for (int class = 0; class < CLASSES; class ++)
				assert_int_equal(take_n(&s, (enum class) class, all[i],
							(all[i][0] + all[i][1]) / by),
						 all[i][ARM_TARGET] / by);
	}
}

/* One that writes, reads, writes, reads would have all its writes at one cluster. */
static void reads_and_writes_are_counted_apart(void **state)
{
	(void)state;
	uint32_t weights[ARMS] = { 90, 10 };
	struct split s;
	unsigned taken[CLASSES] = { 0 };
	split_open(&s, 7);
	for (int i = 0; i < 2000; i++)
		taken[i % 2] += take_n(&s, i % 2 ? CLASS_WRITE : CLASS_READ, weights, 1);
	assert_int_equal(taken[CLASS_READ], 100);
	assert_int_equal(taken[CLASS_WRITE], 100);
	/* One write in ten requests, and nine reads. */
	for (int i = 0; i < 10000; i++)
		taken[i % 10 == 0] += take_n(&s, i % 10 ? CLASS_READ : CLASS_WRITE, weights, 1);
	assert_int_equal(taken[CLASS_WRITE], 200);
}

/* Whatever the place of a request in its block, the target has its share of such requests. */
static void no_place_in_a_block_is_anybodys(void **state)
{
	(void)state;
	static const uint32_t all[][ARMS] = { { 1, 1 }, { 9, 1 }, { 3, 2 }, { 2, 5 }, { 99, 98 } };
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		double share = (double)all[i][ARM_TARGET] / (all[i][0] + all[i][1]);
		unsigned taken[12] = { 0 };
		for (uint64_t seed = 0; seed < SEEDS; seed++) {
			struct split s;
			split_open(&s, seed);
			for (int n = 0; n < 12; n++)
				taken[n] += take_n(&s, CLASS_WRITE, all[i], 1);
		}
		for (int n = 0; n < 12; n++)
			if (fabs(taken[n] / (double)SEEDS - share) > 0.02)
				fail_msg("%u:%u: place %d has %u of %u", all[i][0], all[i][1], n,
					 taken[n], SEEDS);
	}
}

/* A client that sends one thing every so many requests of a class. */
static void no_rhythm_has_more_than_its_share(void **state)
{
	(void)state;
	static const uint32_t all[][ARMS] = { { 1, 1 },	    { 50, 50 }, { 90, 10 }, { 3, 2 },
					      { 999, 998 }, { 1, 3 },	{ 80, 20 } };
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		double share = (double)all[i][ARM_TARGET] / (all[i][0] + all[i][1]);
		for (unsigned rhythm = 1; rhythm <= 20; rhythm++) {
			struct split s;
			unsigned taken = 0, n = 4000;
			split_open(&s, 20 * i + rhythm);
			for (unsigned k = 0; k < n; k++) {
				taken += take_n(&s, CLASS_WRITE, all[i], 1);
				take_n(&s, CLASS_WRITE, all[i], rhythm - 1);
			}
			if (fabs(taken / (double)n - share) > 0.04)
				fail_msg("%u:%u: every %u. gets %u of %u", all[i][0], all[i][1],
					 rhythm, taken, n);
		}
	}
}

static void an_arm_of_weight_0_is_never_taken_and_takes_no_turn(void **state)
{
	(void)state;
	struct split s;
	split_open(&s, 4);
	uint32_t all_target[ARMS] = { 0, 999 }, all_source[ARMS] = { 1, 0 }, tenth[ARMS] = { 9, 1 };
	unsigned taken = 0;
	for (int i = 0; i < 1000; i++) {
		taken += take_n(&s, CLASS_READ, tenth, 1);
		assert_int_equal(take_n(&s, CLASS_READ, all_target, 1), 1);
		assert_int_equal(take_n(&s, CLASS_READ, all_source, 1), 0);
	}
	assert_int_equal(taken, 100);
}

/* Each begins a block: its first request is the target's as often as any other. */
static void frequent_changes_do_not_starve_the_small_arm(void **state)
{
	(void)state;
	struct split s;
	split_open(&s, 0);
	unsigned taken = 0;
	for (unsigned i = 0; i < 100000; i++) {
		uint32_t weights[ARMS] = { 99 + (i & 1), 1 };
		taken += take_n(&s, CLASS_READ, weights, 1);
	}
	assert_true(taken >= 900 && taken <= 1100);
}

static void workers_do_not_begin_alike(void **state)
{
	(void)state;
	uint32_t weights[ARMS] = { 3, 1 };
	unsigned first[4] = { 0 };
	for (uint64_t seed = 0; seed < 400; seed++) {
		struct split s;
		unsigned n = 0;
		split_open(&s, seed);
		while (split_take(&s, CLASS_READ, weights) == ARM_SOURCE)
			n++;
		assert_in_range(n, 0, 3);
		first[n]++;
	}
	for (int n = 0; n < 4; n++)
		assert_in_range(first[n], 60, 140);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_arm_is_ever_more_than_one_away_from_its_share),
		cmocka_unit_test(each_block_has_exactly_its_share),
		cmocka_unit_test(reads_and_writes_are_counted_apart),
		cmocka_unit_test(no_place_in_a_block_is_anybodys),
		cmocka_unit_test(no_rhythm_has_more_than_its_share),
		cmocka_unit_test(an_arm_of_weight_0_is_never_taken_and_takes_no_turn),
		cmocka_unit_test(frequent_changes_do_not_starve_the_small_arm),
		cmocka_unit_test(workers_do_not_begin_alike),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
