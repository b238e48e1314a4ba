#include "unit/control/kit.h"

#include "control/values.h"

static void a_start_goes_on_with_the_newest(void **state)
{
	(void)state;
	static const uint32_t initial[ARMS] = { 5, 6 };
	static const struct {
		struct board_values board;
		struct state_values kept, audited;
		uint64_t epoch;
		uint32_t target; /* weight */
		enum arm owner;
		uint64_t since;
	} rows[] = {
		/* A first start. */
		{ .epoch = 1, .target = 6 },
		/* The machine was started again; then a process was, and the file is behind. */
		{ .kept = { .epoch = 4, .weights = { 1, 2 }, .owner = ARM_TARGET, .since = 3 },
		  .epoch = 4,
		  .target = 2,
		  .owner = ARM_TARGET,
		  .since = 3 },
		{ .board = { .epoch = 5, .weights = { 1, 7 }, .owner = ARM_TARGET, .since = 2 },
		  .kept = { .epoch = 4, .weights = { 1, 2 } },
		  .epoch = 5,
		  .target = 7,
		  .owner = ARM_TARGET,
		  .since = 2 },
		/* A flip that was saved, and whose process was killed before it published it. */
		{ .board = { .epoch = 5, .weights = { 1, 7 }, .phase = BOARD_PHASE_HOLD },
		  .kept = { .epoch = 6, .weights = { 1, 7 }, .owner = ARM_TARGET, .since = 6 },
		  .epoch = 6,
		  .target = 7,
		  .owner = ARM_TARGET,
		  .since = 6 },
		/* A rollback that the audit alone knows leaves the writes where they are. */
		{ .kept = { .epoch = 4, .weights = { 1, 2 }, .owner = ARM_TARGET, .since = 3 },
		  .audited = { .epoch = 5, .weights = { 1, 0 }, .rolled_back = true },
		  .epoch = 5,
		  .target = 0,
		  .owner = ARM_TARGET,
		  .since = 3 },
		/* A hold whose process was killed: on the board, in both, and in the file alone. */
		{ .board = { .epoch = 5,
			     .weights = { 1, 7 },
			     .phase = BOARD_PHASE_HOLD,
			     .owner = ARM_TARGET,
			     .since = 2 },
		  .kept = { .epoch = 4, .weights = { 1, 7 }, .owner = ARM_TARGET, .since = 2 },
		  .epoch = 5 + HELD_EPOCHS,
		  .target = 7,
		  .owner = ARM_TARGET,
		  .since = 2 },
		{ .board = { .epoch = 5, .weights = { 1, 7 }, .phase = BOARD_PHASE_HOLD },
		  .kept = { .epoch = 5, .weights = { 1, 7 }, .phase = BOARD_PHASE_HOLD },
		  .epoch = 5 + HELD_EPOCHS,
		  .target = 7 },
		{ .kept = { .epoch = 5, .weights = { 1, 7 }, .phase = BOARD_PHASE_HOLD },
		  .epoch = 5 + HELD_EPOCHS,
		  .target = 7 },
		/* It was taken back, and that was not saved. */
		{ .board = { .epoch = 6, .weights = { 1, 7 } },
		  .kept = { .epoch = 5, .weights = { 1, 7 }, .phase = BOARD_PHASE_HOLD },
		  .epoch = 6,
		  .target = 7 },
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		struct state_values now =
			values_at_start(&rows[i].board, &rows[i].kept, &rows[i].audited, initial);
		assert_int_equal(now.epoch, rows[i].epoch);
		assert_int_equal(now.weights[ARM_TARGET], rows[i].target);
		assert_int_equal(now.owner, rows[i].owner);
		assert_int_equal(now.since, rows[i].since);
		assert_int_equal(now.phase, BOARD_PHASE_OPEN);
	}
}

static void what_is_published_keeps_what_a_newer_version_has_there(void **state)
{
	(void)state;
	const struct state_values v = { .epoch = 6,
					.weights = { 1, 9 },
					.rolled_back = true,
					.owner = ARM_TARGET,
					.since = 6 };
	struct board_values now = {
		.epoch = 5, .phase = BOARD_PHASE_HOLD, .deadline_ns = 77, .room = { 1, 2, 3 }
	};
	struct board_values b = values_for_board(&now, &v);
	assert_memory_equal(b.room, now.room, sizeof now.room);
	assert_int_equal(b.deadline_ns, 0);
	struct state_values again = values_of_board(&b, 4711);
	assert_int_equal(again.epoch, 6);
	assert_int_equal(again.weights[ARM_TARGET], 9);
	assert_true(again.rolled_back);
	assert_int_equal(again.owner, ARM_TARGET);
	assert_int_equal(again.since, 6);
	assert_int_equal(again.phase, BOARD_PHASE_OPEN);
	assert_int_equal(again.wall_ns, 4711);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_start_goes_on_with_the_newest),
		cmocka_unit_test(what_is_published_keeps_what_a_newer_version_has_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
