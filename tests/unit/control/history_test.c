#include "unit/control/kit.h"

#include <errno.h>

#include "base/limits.h"
#include "control/history.h"

#define LINE "{\"when\":\"2026-01-01T00:00:00Z\",\"who\":\"alice\",\"epoch\":2}\n"

struct asker {
	struct history_asker asker;
	unsigned told_n;
	size_t changes;
	int error;
};

static void told(struct history_asker *a, const json_t *list, int error)
{
	struct asker *asker = list_entry(a, struct asker, asker);
	asker->told_n++;
	asker->changes = json_array_size(list);
	asker->error = error;
}

struct world {
	char directory[64];
	struct wheel wheel;
	struct disk_jobs disk; /* without a thread: it answers when it is looked at */
	struct history history;
	struct asker a, b;
};

static int open_world(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	assert_non_null(w);
	kit_directory(w->directory);
	wheel_open(&w->wheel, 1000);
	assert_true(disk_jobs_open(&w->disk, NULL));
	history_open(&w->history, w->directory, &w->disk, &w->wheel);
	w->a.asker.told = w->b.asker.told = told;
	*state = w;
	return 0;
}

static int close_world(void **state)
{
	struct world *w = *state;
	assert_true(disk_jobs_close(&w->disk, 0));
	history_close(&w->history);
	kit_remove(w->directory);
	free(w);
	return 0;
}

static void it_is_told_when_the_disk_has_told(void **state)
{
	struct world *w = *state;
	kit_write(w->directory, "audit.jsonl", LINE LINE);
	history_ask(&w->history, &w->a.asker);
	assert_int_equal(w->a.told_n, 0);
	disk_jobs_look(&w->disk);
	assert_int_equal(w->a.told_n, 1);
	assert_int_equal(w->a.changes, 2);
	assert_int_equal(w->a.error, 0);
}

static void without_a_file_nothing_was_changed(void **state)
{
	struct world *w = *state;
	history_ask(&w->history, &w->a.asker);
	disk_jobs_look(&w->disk);
	assert_int_equal(w->a.told_n, 1);
	assert_int_equal(w->a.changes, 0);
	assert_int_equal(w->a.error, 0);
}

/* However many ask of a disk that does not answer: it has one job of them. */
static void who_comes_during_a_reading_waits_for_the_next(void **state)
{
	struct world *w = *state;
	kit_write(w->directory, "audit.jsonl", LINE);
	history_ask(&w->history, &w->a.asker);
	history_ask(&w->history, &w->b.asker);
	assert_int_equal(w->disk.n, 1);
	disk_jobs_look(&w->disk);
	assert_int_equal(w->a.told_n, 1);
	assert_int_equal(w->b.told_n, 1);
	assert_int_equal(w->b.changes, 1);
	assert_true(disk_jobs_are_over(&w->disk));
}

static void a_disk_that_does_not_answer_is_not_waited_for(void **state)
{
	struct world *w = *state;
	history_ask(&w->history, &w->a.asker);
	wheel_turn(&w->wheel, 1000 + HISTORY_TIMEOUT_MS - 1);
	assert_int_equal(w->a.told_n, 0);
	wheel_turn(&w->wheel, 1000 + HISTORY_TIMEOUT_MS);
	assert_int_equal(w->a.told_n, 1);
	assert_int_equal(w->a.error, ETIMEDOUT);
	disk_jobs_look(&w->disk);
	assert_int_equal(w->a.told_n, 1);
}

static void who_has_gone_is_not_told(void **state)
{
	struct world *w = *state;
	history_ask(&w->history, &w->a.asker);
	history_ask(&w->history, &w->b.asker);
	history_drop(&w->a.asker);
	disk_jobs_look(&w->disk);
	assert_int_equal(w->a.told_n, 0);
	assert_int_equal(w->b.told_n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_is_told_when_the_disk_has_told, open_world,
						close_world),
		cmocka_unit_test_setup_teardown(without_a_file_nothing_was_changed, open_world,
						close_world),
		cmocka_unit_test_setup_teardown(who_comes_during_a_reading_waits_for_the_next,
						open_world, close_world),
		cmocka_unit_test_setup_teardown(a_disk_that_does_not_answer_is_not_waited_for,
						open_world, close_world),
		cmocka_unit_test_setup_teardown(who_has_gone_is_not_told, open_world, close_world),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
