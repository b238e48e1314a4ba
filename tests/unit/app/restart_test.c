#include "unit/cmocka_all.h"

#include "app/restart.h"
#include "base/limits.h"

static void the_pause_doubles_up_to_five_seconds(void **state)
{
	(void)state;
	static const uint64_t pauses[] = { 100, 200, 400, 800, 1600, 3200, 5000, 5000 };
	struct restart r = { 0 };
	for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
		assert_int_equal(restart_after(&r, 1000, 1000 + RESTART_UP_LONG_MS - 1), pauses[i]);
		assert_int_equal(r.due_ms, 1000 + RESTART_UP_LONG_MS - 1 + pauses[i]);
	}
}

static void one_that_was_up_for_long_begins_anew(void **state)
{
	(void)state;
	struct restart r = { 0 };
	for (int i = 0; i < 5; i++)
		restart_after(&r, 1000, 1000);
	assert_int_equal(restart_after(&r, 1000, 1000 + RESTART_UP_LONG_MS), RESTART_PAUSE_MS);
	assert_int_equal(restart_after(&r, 1000, 1000), 2 * RESTART_PAUSE_MS);
}

static void a_crash_changes_nothing(void **state)
{
	(void)state;
	struct restart r = { .source = CONFIG_FROM_FILE };
	restart_choose_source(&r, PROCESS_SERVING);
	assert_int_equal(r.source, CONFIG_SAVED);
	restart_choose_source(&r, PROCESS_SERVING);
	assert_int_equal(r.source, CONFIG_SAVED);
}

static void what_does_not_come_up_is_tried_in_turns(void **state)
{
	(void)state;
	struct restart r = { .source = CONFIG_SAVED };
	restart_choose_source(&r, PROCESS_STARTING);
	assert_int_equal(r.source, CONFIG_FROM_FILE);
	restart_choose_source(&r, PROCESS_STARTING);
	assert_int_equal(r.source, CONFIG_SAVED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_pause_doubles_up_to_five_seconds),
		cmocka_unit_test(one_that_was_up_for_long_begins_anew),
		cmocka_unit_test(a_crash_changes_nothing),
		cmocka_unit_test(what_does_not_come_up_is_tried_in_turns),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
