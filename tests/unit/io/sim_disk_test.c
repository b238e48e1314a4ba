/* What sim_disk.h promises: what was synced stays, what was not is anybody's guess. */

#include "unit/cmocka_all.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io/sim_disk.h"

struct world {
	struct sim *sim;
	struct sim_store *store;
	struct disk *disk;
	struct disk_op op;
	struct disk_file *file;
	bool over;
};

static void over(struct disk_op *op)
{
	struct world *w = (struct world *)((char *)op - offsetof(struct world, op));
	w->over = true;
}

static struct world *open_world(uint64_t seed, const struct sim_disk_faults *f)
{
	static const struct sim_faults none = { 0 };
	struct world *w = calloc(1, sizeof *w);
	w->sim = sim_open(seed, &none);
	w->store = sim_store_open(w->sim);
	sim_store_set_faults(w->store, f);
	w->disk = sim_disk_open(w->store);
	w->op.done = over;
	return w;
}

static void close_world(struct world *w)
{
	sim_close(w->sim);
	sim_store_close(w->store);
	free(w);
}

static int await(struct world *w)
{
	assert_false(w->over);
	while (!sim_disk_run(w->disk))
		assert_true(sim_advance(w->sim, UINT64_MAX));
	assert_true(w->over);
	w->over = false;
	return w->op.result;
}

static int create(struct world *w, const char *name)
{
	disk_create(w->disk, &w->op, name, 1 << 20);
	int result = await(w);
	if (!result)
		w->file = w->op.file;
	return result;
}

static void start_write(struct world *w, const struct iovec *v, uint64_t at)
{
	disk_write(w->disk, &w->op, w->file, v, 1, at);
}

static int write_text(struct world *w, const char *text, uint64_t at)
{
	struct iovec v = { (char *)(uintptr_t)text, strlen(text) };
	start_write(w, &v, at);
	return await(w);
}

static int sync_it(struct world *w)
{
	disk_sync(w->disk, &w->op, w->file);
	return await(w);
}

static struct sim_file look(const struct world *w)
{
	struct sim_file f = { 0 };
	(void)sim_store_look(w->store, 0, &f);
	return f;
}

static bool has(const struct world *w, const char *text)
{
	struct sim_file f = look(w);
	return f.n >= strlen(text) && !memcmp(f.bytes, text, strlen(text));
}

static const struct sim_disk_faults none = { 0 };

static void what_was_synced_outlasts_a_power_cut(void **state)
{
	(void)state;
	struct world *w = open_world(1, &none);
	assert_int_equal(create(w, "a"), 0);
	assert_int_equal(create(w, "a"), -EEXIST);
	assert_int_equal(write_text(w, "hello", 0), 0);
	assert_int_equal(look(w).n, 0);
	assert_int_equal(sync_it(w), 0);
	sim_store_crash(w->store, true);
	assert_true(has(w, "hello"));
	assert_int_equal(look(w).size, 1 << 20);
	close_world(w);
}

/* Over many seeds each fate of an unsynced write is seen: kept, lost, torn. */
static void what_was_not_synced_is_kept_lost_or_torn(void **state)
{
	(void)state;
	unsigned kept = 0, lost = 0, torn = 0;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct world *w = open_world(seed, &none);
		create(w, "a");
		write_text(w, "hello", 0);
		sim_store_crash(w->store, true);
		size_t n = look(w).n;
		kept += n == 5;
		lost += n == 0;
		torn += n > 0 && n < 5;
		close_world(w);
	}
	assert_true(kept > 20 && lost > 20 && torn > 5);
}

static void a_kill_takes_nothing_that_was_written(void **state)
{
	(void)state;
	struct world *w = open_world(1, &none);
	create(w, "a");
	write_text(w, "hello", 0);
	sim_store_crash(w->store, false);
	assert_true(has(w, "hello"));
	close_world(w);
}

static void a_write_under_way_at_a_crash_is_there_in_part(void **state)
{
	(void)state;
	unsigned part = 0;
	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct world *w = open_world(seed, &none);
		struct iovec v = { (char *)(uintptr_t) "hello", 5 };
		create(w, "a");
		start_write(w, &v, 0);
		sim_store_crash(w->store, false);
		assert_false(sim_disk_run(w->disk));
		part += look(w).n > 0 && look(w).n < 5;
		close_world(w);
	}
	assert_true(part > 20);
}

/* As in the kernel: the pages count as clean. */
static void what_a_failed_sync_has_lost_no_later_one_brings_back(void **state)
{
	(void)state;
	unsigned lost = 0;
	struct sim_disk_faults sick = { .sick = 1000 };
	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct world *w = open_world(seed, &none);
		create(w, "a");
		write_text(w, "hello", 0);
		sim_store_set_faults(w->store, &sick);
		assert_int_equal(sync_it(w), -EIO);
		sim_store_set_faults(w->store, &none);
		assert_int_equal(sync_it(w), 0);
		lost += !has(w, "hello");
		close_world(w);
	}
	assert_true(lost > 20);
}

static void a_cut_is_durable_and_a_full_disk_writes_a_part(void **state)
{
	(void)state;
	struct sim_disk_faults full = { .full = 1000 };
	struct world *w = open_world(3, &none);
	create(w, "a");
	write_text(w, "hello", 0);
	disk_cut(w->disk, &w->op, w->file, 4);
	assert_int_equal(await(w), 0);
	sim_store_set_faults(w->store, &full);
	assert_int_equal(write_text(w, "more", 4), -ENOSPC);
	int error = create(w, "b");
	assert_true(error == -ENOSPC || error == -EDQUOT);
	sim_store_crash(w->store, true);
	assert_true(has(w, "hell") && look(w).n >= 4);
	close_world(w);
}

static void where_the_directory_has_gone_nothing_is_durable(void **state)
{
	(void)state;
	struct sim_disk_faults gone = { .gone = true };
	struct world *w = open_world(1, &none);
	create(w, "a");
	sim_store_set_faults(w->store, &gone);
	sim_store_remove_directory(w->store);
	assert_int_equal(write_text(w, "hello", 0), 0);
	assert_int_equal(sync_it(w), -ENOENT);
	assert_int_equal(create(w, "b"), -ENOENT);
	disk_close(w->disk, w->file);
	assert_null(look(w).name);
	close_world(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_synced_outlasts_a_power_cut),
		cmocka_unit_test(what_was_not_synced_is_kept_lost_or_torn),
		cmocka_unit_test(a_kill_takes_nothing_that_was_written),
		cmocka_unit_test(a_write_under_way_at_a_crash_is_there_in_part),
		cmocka_unit_test(what_a_failed_sync_has_lost_no_later_one_brings_back),
		cmocka_unit_test(a_cut_is_durable_and_a_full_disk_writes_a_part),
		cmocka_unit_test(where_the_directory_has_gone_nothing_is_durable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
