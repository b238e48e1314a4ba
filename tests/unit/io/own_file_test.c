#include "unit/cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/own_file.h"

struct place {
	char path[64];
	int fd;
};

static int open_place(void **state)
{
	struct place *p = calloc(1, sizeof *p);
	snprintf(p->path, sizeof p->path, "/tmp/crossfade-test-XXXXXX");
	assert_non_null(mkdtemp(p->path));
	p->fd = open(p->path, O_RDONLY | O_DIRECTORY);
	*state = p;
	return 0;
}

static int close_place(void **state)
{
	struct place *p = *state;
	static const char *const names[] = { "a", "b", "made", "a.new" };
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		unlinkat(p->fd, names[i], 0);
	close(p->fd);
	rmdir(p->path);
	free(p);
	return 0;
}

static void a_file_is_ours_when_nobody_else_can_have_written_it(void **state)
{
	(void)state;
	const uid_t me = geteuid(), other = me + 4711;
	const struct {
		mode_t mode;
		uid_t owner;
		nlink_t names;
		enum own_file_fault fault;
	} rows[] = {
		{ S_IFREG | 0600, me, 1, OWN_FILE_GOOD },
		{ S_IFREG | 0644, me, 1, OWN_FILE_GOOD },
		{ S_IFREG | 0600, 0, 1, OWN_FILE_GOOD },
		{ S_IFREG | 0664, me, 1, OWN_FILE_GROUP },
		{ S_IFREG | 0666, me, 1, OWN_FILE_OTHERS },
		{ S_IFREG | 0602, 0, 1, OWN_FILE_OTHERS },
		{ S_IFREG | 0600, other, 1, OWN_FILE_OWNER },
		{ S_IFREG | 0600, me, 2, OWN_FILE_NAMES },
		{ S_IFLNK | 0777, me, 1, OWN_FILE_LINK },
		{ S_IFIFO | 0600, me, 1, OWN_FILE_LINK },
		{ S_IFDIR | 0700, me, 2, OWN_FILE_LINK },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct stat s = { .st_mode = rows[i].mode,
				  .st_uid = rows[i].owner,
				  .st_nlink = rows[i].names };
		assert_int_equal(own_file_fault(&s), rows[i].fault);
	}
}

static void make(const struct place *p, const char *name, mode_t mode, const char *text)
{
	int fd = openat(p->fd, name, O_CREAT | O_EXCL | O_WRONLY, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void nothing_is_written_through_a_link(void **state)
{
	const struct place *p = *state;
	char text[8] = "";
	make(p, "a", 0600, "secret");
	assert_int_equal(symlinkat("a", p->fd, "b"), 0);
	assert_int_equal(own_file_open(p->fd, "b", O_RDWR | O_CREAT | O_TRUNC, 0600), -1);
	assert_int_equal(errno, ELOOP);
	assert_int_equal(unlinkat(p->fd, "b", 0), 0);
	assert_int_equal(linkat(p->fd, "a", p->fd, "b", 0), 0);
	assert_int_equal(own_file_open(p->fd, "b", O_RDWR | O_CREAT | O_TRUNC, 0600), -1);
	assert_int_equal(errno, EPERM);
	int fd = openat(p->fd, "a", O_RDONLY);
	assert_int_equal(read(fd, text, sizeof text), 6);
	close(fd);
}

static void a_file_that_anybody_may_write_is_not_taken(void **state)
{
	const struct place *p = *state;
	make(p, "a", 0666, "planted");
	assert_int_equal(own_file_open_in(p->path, "a", O_RDONLY, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(own_file_open_shared(p->fd, "a", O_RDONLY, 0), -1);
}

/* Whose directory it is may replace it at any time. Only root can try that. */
static void in_a_shared_directory_its_owners_files_are_taken_and_nobody_elses(void **state)
{
	const struct place *p = *state;
	static const struct {
		uid_t directory, file;
		bool taken, taken_shared;
	} rows[] = {
		{ 0, 0, true, true },	     { 4711, 0, true, true },
		{ 4711, 4711, false, true }, { 4711, 4712, false, false },
		{ 0, 4711, false, false },
	};
	if (geteuid() != 0)
		skip();
	make(p, "a", 0600, "text");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(fchown(p->fd, rows[i].directory, (gid_t)-1), 0);
		assert_int_equal(fchownat(p->fd, "a", rows[i].file, (gid_t)-1, 0), 0);
		int own = own_file_open(p->fd, "a", O_RDONLY, 0);
		int shared = own_file_open_shared(p->fd, "a", O_RDONLY, 0);
		assert_int_equal(own >= 0, rows[i].taken);
		assert_int_equal(shared >= 0, rows[i].taken_shared);
		if (own >= 0)
			close(own);
		if (shared >= 0)
			close(shared);
	}
}

static void one_that_waits_for_a_writer_holds_nobody_up(void **state)
{
	const struct place *p = *state;
	assert_int_equal(mkfifoat(p->fd, "a", 0600), 0);
	assert_int_equal(own_file_open(p->fd, "a", O_RDONLY, 0), -1);
	assert_int_equal(errno, EPERM);
}

static void what_is_not_there_is_made(void **state)
{
	const struct place *p = *state;
	struct stat s;
	int fd = own_file_open_in(p->path, "made", O_RDWR | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &s), 0);
	assert_int_equal(s.st_mode & 07777, 0600);
	close(fd);
	fd = own_file_open(p->fd, "made", O_RDWR, 0);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(own_file_open(p->fd, "a", O_RDWR, 0), -1);
	assert_int_equal(errno, ENOENT);
}

static void a_file_is_replaced_as_a_whole_or_not_at_all(void **state)
{
	const struct place *p = *state;
	char text[8] = "";
	struct stat s;
	assert_true(own_file_replace(p->path, "a", SPAN("before")));
	assert_int_equal(faccessat(p->fd, "a.new", F_OK, 0), -1);
	/* Somebody's link is not written through. */
	make(p, "b", 0600, "secret");
	assert_int_equal(symlinkat("b", p->fd, "a.new"), 0);
	assert_false(own_file_replace(p->path, "a", SPAN("now")));
	assert_int_equal(errno, ELOOP);
	int fd = openat(p->fd, "a", O_RDONLY);
	assert_int_equal(read(fd, text, sizeof text), 6);
	assert_memory_equal(text, "before", 6);
	close(fd);
	assert_int_equal(unlinkat(p->fd, "a.new", 0), 0);
	assert_true(own_file_replace(p->path, "a", SPAN("now")));
	assert_int_equal(fstatat(p->fd, "a", &s, 0), 0);
	assert_int_equal(s.st_size, 3);
	assert_int_equal(s.st_mode & 07777, 0600);
	assert_true(own_directory_sync(p->path));
	assert_false(own_directory_sync("/nowhere/at/all"));
	assert_int_equal(errno, ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_place, close_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_is_ours_when_nobody_else_can_have_written_it),
		TEST(nothing_is_written_through_a_link),
		TEST(a_file_that_anybody_may_write_is_not_taken),
		TEST(in_a_shared_directory_its_owners_files_are_taken_and_nobody_elses),
		TEST(one_that_waits_for_a_writer_holds_nobody_up),
		TEST(what_is_not_there_is_made),
		TEST(a_file_is_replaced_as_a_whole_or_not_at_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
