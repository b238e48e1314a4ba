#include "unit/cmocka_all.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/own_path.h"

/* a/b/c, and beside `a` links: to a/b, and of which each leads to the other. */
static int open_place(void **state)
{
	static const char *const directories[] = { "a", "a/b", "a/b/c", "other" };
	char *path = strdup("/tmp/crossfade-test-XXXXXX");
	assert_non_null(mkdtemp(path));
	int at = open(path, O_RDONLY | O_DIRECTORY);
	for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++)
		assert_int_equal(mkdirat(at, directories[i], 0700), 0);
	assert_int_equal(symlinkat("a/b", at, "link"), 0);
	assert_int_equal(symlinkat("round", at, "around"), 0);
	assert_int_equal(symlinkat("around", at, "round"), 0);
	close(at);
	*state = path;
	return 0;
}

static int take_away(const char *path, const struct stat *s, int flag, struct FTW *f)
{
	(void)s;
	(void)flag;
	(void)f;
	return remove(path);
}

static int close_place(void **state)
{
	nftw(*state, take_away, 8, FTW_DEPTH | FTW_PHYS);
	free(*state);
	return 0;
}

static void a_way_is_safe_when_nobody_else_can_change_a_step(void **state)
{
	static const struct {
		const char *opened; /* this directory has that mode */
		mode_t mode;
		const char *path;
		enum own_file_fault fault;
	} rows[] = {
		{ "a", 0755, "a/b/c", OWN_FILE_GOOD },
		{ "a", 0777, "a/b/c", OWN_FILE_OTHERS },
		{ "a", 01777, "a/b/c", OWN_FILE_GOOD },
		{ "a/b", 0702, "a/b/c", OWN_FILE_OTHERS },
		{ "a/b", 0702, "./a//b/../b/./c", OWN_FILE_OTHERS },
		/* The last one is somebody else's affair. */
		{ "a/b/c", 0777, "a/b/c", OWN_FILE_GOOD },
		{ "a/b/c", 0777, "a/b/c/", OWN_FILE_GOOD },
		{ "a/b/c", 0777, "a/b/c/not-there-yet", OWN_FILE_OTHERS },
		{ "a/b", 0777, "not/there/yet", OWN_FILE_GOOD },
		/* What a link leads through counts, and what it does not lead through does not. */
		{ "a", 0777, "link/c", OWN_FILE_OTHERS },
		{ "a", 0777, "link", OWN_FILE_OTHERS },
		{ "a/b", 0777, "link", OWN_FILE_GOOD },
		{ "a/b", 0777, "link/c", OWN_FILE_OTHERS },
		{ "a/b", 0777, "link/../../other/x", OWN_FILE_GOOD },
		{ "a", 0777, "round/c", OWN_FILE_GOOD },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char path[256], opened[256];
		struct own_path p = { .also = geteuid() };
		snprintf(path, sizeof path, "%s/%s", (char *)*state, rows[i].path);
		snprintf(opened, sizeof opened, "%s/%s", (char *)*state, rows[i].opened);
		assert_int_equal(chmod(opened, rows[i].mode), 0);
		assert_int_equal(own_path_look(path, &p), rows[i].fault);
		if (rows[i].fault)
			assert_string_equal(p.where, opened);
		assert_int_equal(chmod(opened, 0700), 0);
	}
}

static void a_relative_way_begins_where_we_are(void **state)
{
	char opened[256];
	struct own_path p = { .also = geteuid() };
	int before = open(".", O_RDONLY | O_DIRECTORY);
	snprintf(opened, sizeof opened, "%s/a", (char *)*state);
	assert_int_equal(chmod(opened, 0777), 0);
	assert_int_equal(chdir(opened), 0);
	assert_int_equal(own_path_look("b", &p), OWN_FILE_OTHERS);
	assert_string_equal(p.where, opened);
	assert_int_equal(fchdir(before), 0);
	close(before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_place, close_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_way_is_safe_when_nobody_else_can_change_a_step),
		TEST(a_relative_way_begins_where_we_are),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
