#include "unit/app/kit.h"

#include <sys/mman.h>

#include "app/saved_config.h"
#include "base/limits.h"

struct stage {
	struct slab chunks;
	struct arena arena;
	struct saved_files files;
};

static int open_stage(void **state)
{
	static struct stage s;
	s = (struct stage){ .files = { NULL } };
	slab_open(&s.chunks, ARENA_CHUNK_BYTES, 4);
	arena_open(&s.arena, &s.chunks);
	*state = &s;
	return 0;
}

static int close_stage(void **state)
{
	struct stage *s = *state;
	arena_close(&s->arena);
	slab_close(&s->chunks);
	return 0;
}

static void what_is_kept_is_read_by_another_process(void **state)
{
	struct stage *s = *state;
	saved_files_add(&s->files, &s->arena, "a.key", SPAN("secret"));
	saved_files_add(&s->files, &s->arena, "empty", SPAN(""));
	int fd = saved_config_make(&s->files), status;
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	pid_t child = fork();
	if (child == 0) {
		struct saved_files read = { NULL };
		struct span bytes, text;
		bool good =
			saved_config_map(fd, &bytes) && saved_files_read(&read, &s->arena, bytes) &&
			saved_files_find(&read, "a.key", &text) && span_is(text, SPAN("secret")) &&
			saved_files_find(&read, "empty", &text) && !text.n &&
			!saved_files_find(&read, "another", &text);
		_exit(good ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(fd);
}

static void what_is_no_memory_of_ours_is_nothing(void **state)
{
	struct stage *s = *state;
	struct saved_files read = { NULL };
	struct span bytes;
	int ends[2], fd = memfd_create("other", 0);
	assert_false(saved_config_map(-1, &bytes));
	assert_int_equal(pipe(ends), 0);
	assert_false(saved_config_map(ends[0], &bytes));
	assert_false(saved_config_map(fd, &bytes));
	assert_int_equal(write(fd, "nonsense", 8), 8);
	assert_true(saved_config_map(fd, &bytes));
	assert_false(saved_files_read(&read, &s->arena, bytes));
	saved_config_unmap(&bytes);
	saved_config_unmap(&bytes);
	close(ends[0]);
	close(ends[1]);
	close(fd);
}

/* "VmFlags: rd mr lo dd": locked, and not in a core. */
static bool is_guarded(const struct span *bytes)
{
	char line[512], start[32];
	bool here = false, guarded = false;
	FILE *f = fopen("/proc/self/smaps", "r");
	snprintf(start, sizeof start, "%lx-", (unsigned long)(uintptr_t)bytes->at);
	while (fgets(line, sizeof line, f)) {
		if (!strncmp(line, start, strlen(start)))
			here = true;
		if (here && !strncmp(line, "VmFlags:", 8)) {
			guarded = strstr(line, " lo") && strstr(line, " dd");
			here = false;
		}
	}
	fclose(f);
	return guarded;
}

static void what_is_locked_reaches_neither_swap_nor_a_core(void **state)
{
	struct stage *s = *state;
	struct span bytes;
	saved_files_add(&s->files, &s->arena, "a.key", SPAN("secret"));
	int fd = saved_config_make(&s->files);
	if (!saved_config_lock(fd, &bytes))
		skip(); /* the limit of locked memory is lower than a page */
	assert_true(is_guarded(&bytes));
	saved_config_unmap(&bytes);
	close(fd);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_stage, close_stage)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_kept_is_read_by_another_process),
		TEST(what_is_no_memory_of_ours_is_nothing),
		TEST(what_is_locked_reaches_neither_swap_nor_a_core),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
