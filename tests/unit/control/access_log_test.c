#include "unit/control/kit.h"

#include <errno.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/access_log.h"
#include "control/slow_file.h"

#define WORKERS 2
#define LINES 2000

struct world {
	char directory[64], path[128];
	struct counters *counters;
	struct access_log log;
};

static int open_world(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	kit_directory(w->directory);
	snprintf(w->path, sizeof w->path, "%s/access.log", w->directory);
	w->counters = calloc(WORKERS, sizeof *w->counters);
	access_log_open(&w->log, WORKERS, w->counters);
	*state = w;
	return 0;
}

static int close_world(void **state)
{
	struct world *w = *state;
	free(w->counters);
	kit_remove(w->directory);
	free(w);
	return 0;
}

static void use(struct world *w, const char *path)
{
	int fd = access_log_file(path);
	assert_true(fd >= 0);
	assert_int_equal(access_log_use(&w->log, fd), 0);
}

static void put(struct world *w, unsigned worker, unsigned number)
{
	char line[32];
	int n = snprintf(line, sizeof line, "%u %u\n", worker, number);
	assert_true(ring_put(&w->log.ends[worker].ring, (struct span){ line, (size_t)n }));
}

static void put_lines(struct world *w, unsigned first)
{
	for (unsigned i = first; i < first + LINES; i++)
		for (unsigned worker = 0; worker < WORKERS; worker++)
			put(w, worker, i);
}

/* Every worker's lines from `first` on stand there, whole and in their order. */
static void assert_lines(const char *path, unsigned first)
{
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	unsigned next[WORKERS] = { first, first }, worker, number;
	while (fscanf(f, "%u %u\n", &worker, &number) == 2) {
		assert_true(worker < WORKERS);
		assert_int_equal(number, next[worker]++);
	}
	assert_true(feof(f));
	fclose(f);
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(next[i], first + LINES);
}

static bool is_taken(const struct world *w)
{
	for (unsigned i = 0; i < WORKERS; i++)
		if (ring_used(&w->log.ends[i].ring))
			return false;
	return true;
}

static void await_taken(const struct world *w)
{
	for (uint64_t until = clock_monotonic_ns() + 10000000000ull; !is_taken(w);)
		assert_true(clock_monotonic_ns() < until);
}

static void what_is_there_is_written_before_it_is_closed(void **state)
{
	struct world *w = *state;
	struct stat s;
	use(w, w->path);
	put_lines(w, 0);
	access_log_close(&w->log);
	assert_lines(w->path, 0);
	assert_int_equal(stat(w->path, &s), 0);
	assert_int_equal(s.st_mode & 07777 & ~0640, 0);
}

static void a_file_goes_on_where_it_ended(void **state)
{
	struct world *w = *state;
	kit_write(w->directory, "access.log", "0 0\n1 0\n");
	use(w, w->path);
	put(w, 0, 1);
	access_log_close(&w->log);
	FILE *f = fopen(w->path, "r");
	char text[64] = "";
	assert_int_equal(fread(text, 1, sizeof text - 1, f), 12);
	fclose(f);
	assert_string_equal(text, "0 0\n1 0\n0 1\n");
}

/* What is in a pipe, and is then no longer. */
static size_t empty_pipe(int fd, char *text, size_t bytes)
{
	size_t n = 0;
	for (ssize_t got; (got = read(fd, text + n, bytes - n)) > 0;)
		n += (size_t)got;
	return n;
}

/* Lines of a size that no pipe's is a multiple of, until one of them stands there in part. */
static void put_until_it_is_torn(struct world *w)
{
	static char line[3000];
	memset(line, 'x', sizeof line);
	line[sizeof line - 1] = '\n';
	for (int i = 0; i < 40; i++)
		assert_true(ring_put(&w->log.ends[0].ring, (struct span){ line, sizeof line }));
	uint64_t until = clock_monotonic_ns() + 10000000000ull;
	while (!atomic_load(&w->log.ends[0].ring.taken) && clock_monotonic_ns() < until)
		;
}

static void count_whole_lines(const char *text, size_t n, unsigned *whole, size_t *rest)
{
	*whole = 0;
	for (const char *lf; n && (lf = memchr(text, '\n', n)); (*whole)++) {
		assert_true(lf + 1 - text == 3000 || lf[-1] == 'x');
		n -= (size_t)(lf + 1 - text);
		text = lf + 1;
	}
	*rest = n;
}

static void a_new_file_begins_with_a_whole_line(void **state)
{
	struct world *w = *state;
	int ends[2];
	static char text[200000];
	unsigned old_n, new_n;
	size_t rest;
	assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	assert_int_equal(access_log_use(&w->log, ends[1]), 0);
	put_until_it_is_torn(w);
	use(w, w->path);
	await_taken(w);
	access_log_close(&w->log);
	count_whole_lines(text, empty_pipe(ends[0], text, sizeof text), &old_n, &rest);
	assert_true(rest > 0 && rest < 3000);
	FILE *f = fopen(w->path, "r");
	count_whole_lines(text, fread(text, 1, sizeof text, f), &new_n, &rest);
	fclose(f);
	assert_int_equal(rest, 0);
	assert_int_equal(old_n + new_n, 40);
	close(ends[0]);
}

static void a_line_goes_on_in_a_file_that_has_room_again(void **state)
{
	struct world *w = *state;
	int ends[2];
	static char text[200000];
	unsigned whole;
	size_t rest, n = 0;
	assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	assert_int_equal(access_log_use(&w->log, ends[1]), 0);
	put_until_it_is_torn(w);
	while (!is_taken(w))
		n += empty_pipe(ends[0], text + n, sizeof text - n);
	access_log_close(&w->log);
	n += empty_pipe(ends[0], text + n, sizeof text - n);
	count_whole_lines(text, n, &whole, &rest);
	assert_int_equal(n, 40 * 3000);
	assert_true(whole == 40 && rest == 0);
	close(ends[0]);
}

static void a_log_that_was_moved_away_is_begun_anew(void **state)
{
	struct world *w = *state;
	char old[140];
	snprintf(old, sizeof old, "%s.1", w->path);
	use(w, w->path);
	put_lines(w, 0);
	await_taken(w);
	assert_int_equal(rename(w->path, old), 0);
	use(w, w->path);
	/* What comes in before the thread has heard of it may stand in either. */
	for (uint64_t until = clock_monotonic_ns() + 10000000000ull;
	     atomic_load(&w->log.next_fd) >= 0;)
		assert_true(clock_monotonic_ns() < until);
	put_lines(w, LINES);
	access_log_close(&w->log);
	assert_lines(old, 0);
	assert_lines(w->path, LINES);
}

static void a_full_disk_costs_no_line_while_there_is_room(void **state)
{
	struct world *w = *state;
	use(w, "/dev/full");
	put_lines(w, 0);
	use(w, w->path);
	access_log_close(&w->log);
	assert_lines(w->path, 0);
}

static void a_file_that_cannot_be_made_is_an_error(void **state)
{
	struct world *w = *state;
	char path[160];
	snprintf(path, sizeof path, "%s/missing/access.log", w->directory);
	assert_int_equal(access_log_file(path), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(access_log_file(w->directory), -1);
	assert_int_equal(errno, EISDIR);
	access_log_close(&w->log);
}

/* A pipe with its reader's end, full to the last byte. */
static int full_pipe(int flags, int *reader)
{
	int ends[2];
	static const char page[4096];
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	while (write(ends[1], page, sizeof page) > 0)
		;
	assert_int_equal(fcntl(ends[1], F_SETFL, flags), 0);
	*reader = ends[0];
	return ends[1];
}

static void a_pipe_that_nobody_reads_holds_no_end_up(void **state)
{
	struct world *w = *state;
	int reader, fd = full_pipe(O_NONBLOCK, &reader);
	assert_int_equal(access_log_use(&w->log, fd), 0);
	put_lines(w, 0);
	uint64_t began_ns = clock_monotonic_ns();
	assert_true(access_log_close(&w->log));
	assert_true(clock_monotonic_ns() - began_ns < ACCESS_LAST_MS * 1000000ull);
	close(reader);
}

/* As on a file server that is gone: the write does not return. */
static void a_file_that_takes_nothing_holds_no_end_up_for_long(void **state)
{
	struct world *w = *state;
	int reader, fd = full_pipe(0, &reader);
	assert_int_equal(access_log_use(&w->log, fd), 0);
	put_lines(w, 0);
	assert_false(access_log_close(&w->log));
	/* Its write comes back, and it ends: what it used may go. */
	static char taken[1 << 20];
	while (read(reader, taken, sizeof taken) > 0 || !is_taken(w))
		;
	assert_int_equal(pthread_join(w->log.thread, NULL), 0);
	w->log.running = false;
	assert_true(access_log_close(&w->log));
	close(reader);
}

static void an_open_that_does_not_come_back_is_given_up(void **state)
{
	struct world *w = *state;
	assert_int_equal(mkfifo(w->path, 0600), 0);
	/* Nobody reads it: to open it for writing waits without O_NONBLOCK. */
	assert_int_equal(slow_file_open(w->path, O_WRONLY, 0, 50), -1);
	assert_int_equal(errno, ETIMEDOUT);
	int reader = open(w->path, O_RDONLY | O_NONBLOCK), writer;
	assert_true((writer = slow_file_open(w->path, O_WRONLY, 0, 10000)) >= 0);
	close(writer);
	close(reader);
	access_log_close(&w->log);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_there_is_written_before_it_is_closed),
		TEST(a_file_goes_on_where_it_ended),
		TEST(a_new_file_begins_with_a_whole_line),
		TEST(a_line_goes_on_in_a_file_that_has_room_again),
		TEST(a_log_that_was_moved_away_is_begun_anew),
		TEST(a_full_disk_costs_no_line_while_there_is_room),
		TEST(a_file_that_cannot_be_made_is_an_error),
		TEST(a_pipe_that_nobody_reads_holds_no_end_up),
		TEST(a_file_that_takes_nothing_holds_no_end_up_for_long),
		TEST(an_open_that_does_not_come_back_is_given_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
