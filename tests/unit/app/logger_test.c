#include "unit/app/kit.h"

#include <poll.h>

#include "app/logger.h"
#include "base/log.h"

/*
 * Each runs in a process of its own, whose standard error is a pipe: its code says what went wrong.
 */
struct world {
	int ours; /* the end that is read here */
	pid_t child;
};

static void begin(struct world *w, int (*child)(void))
{
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	fflush(NULL);
	w->child = fork();
	if (w->child == 0) {
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		alarm(20);
		_exit(child());
	}
	close(ends[1]);
	w->ours = ends[0];
}

static void assert_good(struct world *w)
{
	int status;
	assert_int_equal(waitpid(w->child, &status, 0), w->child);
	assert_int_equal(status, 0);
	close(w->ours);
}

/* All that comes until its end. */
static char *read_all(struct world *w)
{
	static char text[1 << 20];
	size_t have = 0;
	for (ssize_t n; (n = read(w->ours, text + have, sizeof text - 1 - have)) > 0;)
		have += (size_t)n;
	text[have] = 0;
	return text;
}

static int say_and_close(void)
{
	struct logger l;
	if (!logger_open(&l))
		return 1;
	for (int i = 0; i < 100; i++)
		log_line(LOG_INFO, "line %d", i);
	log_text("one\ntwo\nand no end");
	logger_close(&l);
	return atomic_load(&log_lost()->lines) ? 2 : 0;
}

static void what_was_said_is_written_before_the_end(void **state)
{
	(void)state;
	struct world w;
	char line[32];
	begin(&w, say_and_close);
	const char *text = read_all(&w);
	for (int i = 0; i < 100; i++) {
		snprintf(line, sizeof line, " line %d\n", i);
		text = strstr(text, line);
		assert_non_null(text);
	}
	assert_non_null(strstr(text, "\none\ntwo\nand no end"));
	assert_good(&w);
}

#define MANY 20000

/* Far more than all pipes on the way hold; returns when it is said, and says how much was not. */
static int say_much(void)
{
	static struct log_lost shared;
	struct logger l;
	if (!logger_open(&l))
		return 1;
	log_lose(1);
	log_count_lost_in(&shared);
	for (int i = 0; i < MANY; i++)
		log_line(LOG_INFO, "%d %0100d", i, 0);
	uint64_t lost = atomic_load(&shared.lines);
	if (lost < MANY / 2 || lost > MANY)
		return 2;
	if (!shared.since_ns)
		return 3;
	/* The one who reads begins now. */
	if (write(STDOUT_FILENO, "", 0) < 0 || kill(getppid(), SIGUSR1) < 0)
		return 4;
	while (shared.told != lost)
		usleep(1000);
	logger_close(&l);
	return atomic_load(&shared.since_ns) ? 5 : 0;
}

static void ignore(int number)
{
	(void)number;
}

static void nobody_waits_for_a_log_that_nobody_reads(void **state)
{
	(void)state;
	struct world w;
	sigset_t one, before;
	int came;
	signal(SIGUSR1, ignore);
	sigemptyset(&one);
	sigaddset(&one, SIGUSR1);
	sigprocmask(SIG_BLOCK, &one, &before);
	begin(&w, say_much);
	sigwait(&one, &came);
	sigprocmask(SIG_SETMASK, &before, NULL);
	const char *text = read_all(&w), *said = strstr(text, "warn  log: ");
	assert_non_null(said);
	unsigned long long lost = 0, lines = 0, told = 0;
	assert_non_null(strstr(said, " lines were lost since 2"));
	for (; said; said = strstr(said + 1, "warn  log: "), told++)
		lost += strtoull(said + strlen("warn  log: "), NULL, 10);
	for (const char *at = text; (at = strchr(at, '\n')); at++)
		lines++;
	/* And the one that was lost before memory was shared. */
	assert_int_equal(lines - told + lost, MANY + 1);
	assert_good(&w);
}

static int say_and_end(void)
{
	struct logger l;
	if (!logger_open(&l))
		return 1;
	for (int i = 0; i < MANY; i++)
		log_line(LOG_INFO, "%d %0100d", i, 0);
	logger_close(&l);
	return 0;
}

static void an_end_waits_a_bounded_moment(void **state)
{
	(void)state;
	struct world w;
	begin(&w, say_and_end);
	int status;
	assert_int_equal(waitpid(w.child, &status, 0), w.child);
	assert_int_equal(status, 0);
	close(w.ours);
}

/* The program is executed anew in its own place, as by an upgrade: threads end, descriptors stay.
 */
static int say_in_two_executions(void)
{
	struct logger l;
	char from[16], to[16];
	if (!logger_open(&l))
		return 1;
	log_line(LOG_INFO, "before");
	logger_flush(&l);
	log_line(LOG_INFO, "between");
	snprintf(from, sizeof from, "%d", l.from);
	snprintf(to, sizeof to, "%d", l.to);
	fcntl(l.from, F_SETFD, 0);
	fcntl(l.to, F_SETFD, 0);
	execl("/proc/self/exe", "logger_test", from, to, NULL);
	return 2;
}

static int say_behind(char **argv)
{
	struct logger l;
	if (!logger_open_from(&l, atoi(argv[1]), atoi(argv[2])))
		return 3;
	log_line(LOG_INFO, "behind");
	logger_close(&l);
	return 0;
}

static void an_upgrade_loses_no_line(void **state)
{
	(void)state;
	struct world w;
	begin(&w, say_in_two_executions);
	const char *text = read_all(&w);
	assert_non_null(text = strstr(text, "before\n"));
	assert_non_null(text = strstr(text, "between\n"));
	assert_non_null(strstr(text, "behind\n"));
	assert_good(&w);
}

static int say_to_nobody(void)
{
	struct logger l;
	signal(SIGPIPE, SIG_IGN);
	if (!logger_open(&l))
		return 1;
	while (!atomic_load(&log_lost()->lines)) {
		log_line(LOG_INFO, "is anybody there?");
		usleep(1000);
	}
	logger_close(&l);
	return 0;
}

static void what_a_reader_that_has_gone_did_not_get_is_counted(void **state)
{
	(void)state;
	struct world w;
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	begin(&w, say_to_nobody);
	close(w.ours);
	w.ours = ends[0];
	close(ends[1]);
	assert_good(&w);
}

static int open_without_standard_descriptors(void)
{
	close(STDIN_FILENO);
	close(STDERR_FILENO);
	logger_keep_standard_descriptors();
	return kit_is_open(STDIN_FILENO) && kit_is_open(STDERR_FILENO) ? 0 : 1;
}

static void no_other_file_becomes_standard_error(void **state)
{
	(void)state;
	struct world w;
	begin(&w, open_without_standard_descriptors);
	assert_good(&w);
}

int main(int argc, char **argv)
{
	if (argc == 3)
		return say_behind(argv);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_said_is_written_before_the_end),
		cmocka_unit_test(nobody_waits_for_a_log_that_nobody_reads),
		cmocka_unit_test(an_end_waits_a_bounded_moment),
		cmocka_unit_test(an_upgrade_loses_no_line),
		cmocka_unit_test(what_a_reader_that_has_gone_did_not_get_is_counted),
		cmocka_unit_test(no_other_file_becomes_standard_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
