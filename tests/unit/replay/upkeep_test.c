#include "unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "replay/upkeep.h"

/* Upkeep with a directory of its own, and a table of keys; nothing is sent. */
struct kit {
	char directory[64];
	struct subrequests subrequests;
	struct index_filter filter;
	struct keys *keys;
	struct upkeep upkeep;
};

static void kit_tag_back(void *user, uintptr_t tag)
{
	struct kit *k = user;
	upkeep_tag_back(&k->upkeep, tag);
}

static void kit_start(struct kit *k)
{
	k->keys = keys_open(&(struct keys_config){ .seed = 1, .back = kit_tag_back, .user = k });
	upkeep_open(&k->upkeep, &(struct upkeep_config){ .directory = k->directory,
							 .subrequests = &k->subrequests,
							 .keys = k->keys,
							 .filter = &k->filter,
							 .back = kit_tag_back,
							 .user = k });
	assert_true(upkeep_load(&k->upkeep, 0));
}

static struct kit *kit_open(void)
{
	static const char *const patterns[] = INDEX_FILTER_PRESET;
	struct kit *k = calloc(1, sizeof *k);
	assert_non_null(k);
	k->filter = (struct index_filter){ patterns, 2 };
	snprintf(k->directory, sizeof k->directory, "/tmp/crossfade-upkeep-XXXXXX");
	assert_non_null(mkdtemp(k->directory));
	kit_start(k);
	return k;
}

static void kit_stop(struct kit *k)
{
	kept_save(&k->upkeep.kept, true);
	upkeep_close(&k->upkeep);
	keys_close(k->keys);
}

static void kit_start_again(struct kit *k)
{
	kit_stop(k);
	kit_start(k);
}

static void kit_close(struct kit *k)
{
	char path[128];
	kit_stop(k);
	snprintf(path, sizeof path, "%s/" MARKS_FILE, k->directory);
	unlink(path);
	assert_int_equal(rmdir(k->directory), 0);
	free(k);
}

/* --- not exact --- */

static bool is_not_exact(const struct kit *k, const char *index)
{
	return json_object_get(marks_all_not_exact(&k->upkeep.kept.marks), index);
}

static void what_a_comparison_found_equal_is_exact_also_after_a_start(void **state)
{
	struct kit *k = kit_open();
	(void)state;
	upkeep_not_exact(&k->upkeep, SPAN("books"), "why");
	upkeep_not_exact(&k->upkeep, SPAN("films"), "why");
	upkeep_compare_begun(&k->upkeep);
	upkeep_exact(&k->upkeep, "books");
	upkeep_exact(&k->upkeep, "others");
	assert_false(is_not_exact(k, "books"));
	assert_true(is_not_exact(k, "films"));
	kit_start_again(k);
	assert_false(is_not_exact(k, "books"));
	assert_true(is_not_exact(k, "films"));
	kit_close(k);
}

static void what_becomes_not_exact_during_a_comparison_stays_so(void **state)
{
	struct kit *k = kit_open();
	(void)state;
	upkeep_not_exact(&k->upkeep, SPAN("books"), "why");
	upkeep_compare_begun(&k->upkeep);
	upkeep_not_exact(&k->upkeep, SPAN("books"), "why");
	upkeep_not_exact(&k->upkeep, SPAN("films"), "why");
	upkeep_not_exact(&k->upkeep, SPAN("*"), "why");
	upkeep_exact(&k->upkeep, "books");
	upkeep_exact(&k->upkeep, "films");
	upkeep_exact(&k->upkeep, NULL);
	assert_true(is_not_exact(k, "books"));
	assert_true(is_not_exact(k, "films"));
	assert_true(is_not_exact(k, "*"));
	/* The next one began behind them. */
	upkeep_compare_begun(&k->upkeep);
	upkeep_exact(&k->upkeep, NULL);
	assert_false(is_not_exact(k, "books"));
	assert_false(is_not_exact(k, "films"));
	assert_false(is_not_exact(k, "*"));
	kit_close(k);
}

static void a_comparison_without_names_says_nothing_of_hidden_indices(void **state)
{
	static const char *const all[] = { "*" };
	struct kit *k = kit_open();
	(void)state;
	k->filter = (struct index_filter){ all, 1 };
	upkeep_not_exact(&k->upkeep, SPAN("*"), "why");
	upkeep_not_exact(&k->upkeep, SPAN(".own"), "why");
	upkeep_not_exact(&k->upkeep, SPAN(".ds-logs-2026.11.24-000001"), "why");
	upkeep_compare_begun(&k->upkeep);
	upkeep_exact(&k->upkeep, NULL);
	assert_true(is_not_exact(k, "*"));
	assert_true(is_not_exact(k, ".own"));
	assert_false(is_not_exact(k, ".ds-logs-2026.11.24-000001"));
	upkeep_exact(&k->upkeep, ".own");
	assert_false(is_not_exact(k, ".own"));
	kit_close(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_comparison_found_equal_is_exact_also_after_a_start),
		cmocka_unit_test(what_becomes_not_exact_during_a_comparison_stays_so),
		cmocka_unit_test(a_comparison_without_names_says_nothing_of_hidden_indices),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
