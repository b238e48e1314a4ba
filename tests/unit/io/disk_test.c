/* What disk.h promises of the kernel's: bytes where they belong, names, room, and errors said. */

#include "unit/cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "io/disk.h"

enum { ROOM = 1024 * 1024, LONG = 4 * DISK_GATHER_BYTES + 123 };

struct world {
	char directory[64];
	struct disk *disk;
	struct disk_op op;
	struct disk_file *file;
	bool over;
	char *text; /* LONG bytes */
};

static void over(struct disk_op *op)
{
	struct world *w = (struct world *)((char *)op - offsetof(struct world, op));
	w->over = true;
}

static int open_world(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	snprintf(w->directory, sizeof w->directory, "/tmp/disk-XXXXXX");
	assert_non_null(mkdtemp(w->directory));
	w->disk = disk_open(w->directory);
	assert_non_null(w->disk);
	w->op.done = over;
	w->text = malloc(LONG);
	for (size_t i = 0; i < LONG; i++)
		w->text[i] = (char)('a' + (i * 7 + i / 251) % 26);
	*state = w;
	return 0;
}

static int take_away(const char *path, const struct stat *s, int flag, struct FTW *f)
{
	(void)s, (void)flag, (void)f;
	return remove(path);
}

static int close_world(void **state)
{
	struct world *w = *state;
	if (w->file)
		disk_close(w->disk, w->file);
	disk_free(w->disk);
	nftw(w->directory, take_away, 8, FTW_DEPTH | FTW_PHYS);
	free(w->text);
	free(w);
	return 0;
}

static int await(struct world *w)
{
	assert_false(w->over);
	assert_true(disk_run(w->disk));
	assert_true(w->over);
	assert_false(disk_run(w->disk));
	w->over = false;
	return w->op.result;
}

static int create(struct world *w, const char *name)
{
	disk_create(w->disk, &w->op, name, ROOM);
	int result = await(w);
	if (!result)
		w->file = w->op.file;
	return result;
}

static int put(struct world *w, const struct iovec *v, unsigned n, uint64_t at)
{
	disk_write(w->disk, &w->op, w->file, v, n, at);
	return await(w);
}

static int sync_it(struct world *w)
{
	disk_sync(w->disk, &w->op, w->file);
	return await(w);
}

static void path_of(const struct world *w, const char *name, char path[128])
{
	snprintf(path, 128, "%s/%s", w->directory, name);
}

/* Behind it there are zeros, as far as the file goes. */
static void assert_has(const struct world *w, const char *name, const char *text, size_t n)
{
	char path[128], *found = malloc(8 * ROOM);
	path_of(w, name, path);
	int fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	ssize_t got = read(fd, found, 8 * ROOM);
	close(fd);
	assert_true(got >= (ssize_t)n);
	assert_memory_equal(found, text, n);
	for (ssize_t i = (ssize_t)n; i < got; i++)
		assert_int_equal(found[i], 0);
	free(found);
}

static void a_file_has_its_mode_its_lock_and_its_room(void **state)
{
	struct world *w = *state;
	char path[128];
	struct stat file;
	assert_int_equal(create(w, "one"), 0);
	path_of(w, "one", path);
	assert_int_equal(stat(path, &file), 0);
	assert_int_equal(file.st_mode & 0777, 0600);
	assert_true(file.st_blocks * 512 >= ROOM);
	int fd = open(path, O_RDONLY);
	assert_int_equal(flock(fd, LOCK_SH | LOCK_NB), -1);
	disk_close(w->disk, w->file);
	w->file = NULL;
	assert_int_equal(flock(fd, LOCK_SH | LOCK_NB), 0);
	close(fd);
	assert_int_equal(create(w, "one"), -EEXIST);
	assert_int_equal(create(w, "two"), 0);
}

/* Pieces of all sizes around a block and a buffer, one behind the other. */
static void bytes_are_where_they_were_written(void **state)
{
	struct world *w = *state;
	static const size_t sizes[] = { 1,
					4095,
					1,
					4096,
					4097,
					100,
					DISK_GATHER_BYTES - 1,
					DISK_GATHER_BYTES,
					7,
					DISK_GATHER_BYTES + 1,
					3 };
	size_t at = 0;
	assert_int_equal(create(w, "one"), 0);
	for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct iovec v = { w->text + at, sizes[i] };
		assert_int_equal(put(w, &v, 1, at), 0);
		at += sizes[i];
		assert_has(w, "one", w->text, at);
	}
	assert_int_equal(sync_it(w), 0);
	assert_has(w, "one", w->text, at);
}

static void many_runs_are_one_write(void **state)
{
	struct world *w = *state;
	struct iovec v[LOG_VECTORS];
	size_t at = 0;
	for (unsigned i = 0; i < LOG_VECTORS; i++) {
		size_t n = i % 3 ? (size_t)i % 700 : 0;
		v[i] = (struct iovec){ w->text + at, n };
		at += n;
	}
	assert_int_equal(create(w, "one"), 0);
	assert_int_equal(put(w, v, LOG_VECTORS, 0), 0);
	assert_int_equal(put(w, &(struct iovec){ w->text + at, LONG - at }, 1, at), 0);
	assert_int_equal(sync_it(w), 0);
	assert_has(w, "one", w->text, LONG);
}

/* The second is the one that was made ahead of time; what the first had is not in it. */
static void each_file_begins_at_its_beginning(void **state)
{
	struct world *w = *state;
	static const char *const names[] = { "one", "two", "three" };
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(create(w, names[i]), 0);
		assert_int_equal(put(w, &(struct iovec){ w->text + i, 5000 }, 1, 0), 0);
		assert_int_equal(sync_it(w), 0);
		disk_close(w->disk, w->file);
		w->file = NULL;
	}
	for (unsigned i = 0; i < 3; i++)
		assert_has(w, names[i], w->text + i, 5000);
}

static void a_cut_ends_the_file(void **state)
{
	struct world *w = *state;
	char path[128];
	struct stat file;
	assert_int_equal(create(w, "one"), 0);
	assert_int_equal(put(w, &(struct iovec){ w->text, 9000 }, 1, 0), 0);
	disk_cut(w->disk, &w->op, w->file, 5001);
	assert_int_equal(await(w), 0);
	path_of(w, "one", path);
	assert_int_equal(stat(path, &file), 0);
	assert_int_equal(file.st_size, 5001);
	assert_has(w, "one", w->text, 5001);
}

static void a_file_whose_name_is_gone_is_not_durable(void **state)
{
	struct world *w = *state;
	char path[128];
	assert_int_equal(create(w, "one"), 0);
	assert_int_equal(put(w, &(struct iovec){ w->text, 10 }, 1, 0), 0);
	path_of(w, "one", path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(sync_it(w), -ENOENT);
}

/* A limit on the size of files stands for a disk that takes no more. */
static void what_cannot_be_written_is_said(void **state)
{
	struct world *w = *state;
	struct rlimit before, little = { ROOM, RLIM_INFINITY };
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(create(w, "one"), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
	assert_int_equal(put(w, &(struct iovec){ w->text, 10 }, 1, 0), 0);
	assert_int_equal(put(w, &(struct iovec){ w->text + 10, ROOM }, 1, 10), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
}

static void a_directory_that_was_made_anew_is_used(void **state)
{
	struct world *w = *state;
	assert_int_equal(create(w, "one"), 0);
	disk_close(w->disk, w->file);
	w->file = NULL;
	/* The next file is being made in it meanwhile. */
	while (nftw(w->directory, take_away, 8, FTW_DEPTH | FTW_PHYS))
		;
	assert_int_equal(create(w, "two"), -ENOENT);
	assert_int_equal(mkdir(w->directory, 0700), 0);
	assert_int_equal(create(w, "two"), 0);
	assert_int_equal(put(w, &(struct iovec){ w->text, 10 }, 1, 0), 0);
	assert_int_equal(sync_it(w), 0);
	assert_has(w, "two", w->text, 10);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)
	const struct CMUnitTest tests[] = {
		TEST(a_file_has_its_mode_its_lock_and_its_room),
		TEST(bytes_are_where_they_were_written),
		TEST(many_runs_are_one_write),
		TEST(each_file_begins_at_its_beginning),
		TEST(a_cut_ends_the_file),
		TEST(a_file_whose_name_is_gone_is_not_durable),
		TEST(what_cannot_be_written_is_said),
		TEST(a_directory_that_was_made_anew_is_used),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
