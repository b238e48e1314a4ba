#include "unit/app/kit.h"

#include "app/saved_config.h"
#include "app/process.h"

#include <signal.h>

static int open_processes(void **state)
{
	static struct processes s;
	processes_open(&s);
	*state = &s;
	return 0;
}

static void all_places_are_free_at_first(void **state)
{
	struct processes *s = *state;
	assert_int_equal(processes_n(s), 0);
	assert_ptr_equal(processes_find(s, PROCESS_NONE), &s->list[0]);
	assert_null(processes_find(s, PROCESS_SERVING));
	assert_int_equal(s->list[PROCESSES_MAX - 1].channel, -1);
}

static void a_process_is_found_by_state_and_by_pid(void **state)
{
	struct processes *s = *state;
	s->list[1] = (struct process){ .state = PROCESS_RETIRED, .pid = 11, .channel = -1 };
	s->list[2] = (struct process){ .state = PROCESS_SERVING, .pid = 12, .channel = -1 };
	assert_int_equal(processes_n(s), 2);
	assert_ptr_equal(processes_find(s, PROCESS_SERVING), &s->list[2]);
	assert_ptr_equal(processes_of_pid(s, 11), &s->list[1]);
	assert_null(processes_of_pid(s, 13));
}

/* A free place may still show whose it was. */
static void a_pid_that_has_gone_is_nobody(void **state)
{
	struct processes *s = *state;
	s->list[0] = (struct process){ .state = PROCESS_SERVING, .pid = 11, .channel = -1 };
	process_forget(&s->list[0]);
	assert_null(processes_of_pid(s, 11));
	assert_null(processes_of_pid(s, 0));
	assert_int_equal(processes_n(s), 0);
}

static void the_last_place_is_one_too(void **state)
{
	struct processes *s = *state;
	for (int i = 0; i < PROCESSES_MAX; i++) {
		struct process *p = processes_find(s, PROCESS_NONE);
		assert_non_null(p);
		*p = (struct process){ .state = PROCESS_RETIRED, .pid = 100 + i, .channel = -1 };
	}
	assert_null(processes_find(s, PROCESS_NONE));
	assert_int_equal(processes_n(s), PROCESSES_MAX);
}

/* --- starting one: a shell in the program's place reads the file `work` --- */

static void write_program(const char *text)
{
	FILE *f = fopen("work", "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void start_shell(struct process *p, enum config_source source, const struct inherited *h,
			const char *text)
{
	char directory[64];
	kit_directory(directory);
	assert_int_equal(chdir(directory), 0);
	write_program(text);
	int binary = open("/bin/sh", O_RDONLY | O_CLOEXEC);
	assert_true(process_start(p, binary, "FILE", source, h));
	close(binary);
	assert_int_equal(p->state, PROCESS_STARTING);
}

static int end_of(const struct process *p)
{
	int status;
	char directory[128];
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	assert_non_null(getcwd(directory, sizeof directory));
	assert_int_equal(unlink("work"), 0);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(directory), 0);
	return status;
}

static void a_working_process_is_told_what_it_needs(void **state)
{
	struct process *p = &((struct processes *)*state)->list[0];
	struct inherited h;
	assert_true(inherited_open(&h));
	(void)inherited_keep(&h, saved_config_make(&(struct saved_files){ NULL }));
	start_shell(p, CONFIG_FROM_FILE, &h,
		    "test \"$1 $2\" = 'FILE file' || exit 10\n"
		    "test -e /proc/self/fd/$3 || exit 11\n"
		    "readlink /proc/self/fd/$4 | grep -q crossfade-board || exit 12\n"
		    "readlink /proc/self/fd/$5 | grep -q crossfade-tickets || exit 13\n"
		    "readlink /proc/self/fd/$6 | grep -q 'secretmem\\|crossfade-kept' || exit 14\n"
		    "test $7 = $PPID || exit 15\n"
		    "test $# = 7 || exit 16\n");
	int status = end_of(p);
	assert_int_equal(WEXITSTATUS(status), 0);
	process_forget(p);
	inherited_close(&h);
}

static void after_a_crash_it_is_told_to_take_what_was_in_force(void **state)
{
	struct process *p = &((struct processes *)*state)->list[0];
	struct inherited h;
	assert_true(inherited_open(&h));
	start_shell(p, CONFIG_SAVED, &h, "test \"$1 $2 $6\" = 'FILE kept 0'\n");
	int status = end_of(p);
	assert_int_equal(WEXITSTATUS(status), 0);
	process_forget(p);
	inherited_close(&h);
}

/* What the keeper holds besides is not for it to close. */
static void nothing_else_is_open_in_it(void **state)
{
	struct process *p = &((struct processes *)*state)->list[0];
	struct addr a = kit_free_address();
	struct inherited h;
	int fds[WORKERS_MAX];
	unsigned n;
	char text[128];
	assert_true(inherited_open(&h));
	assert_int_equal(inherited_listen(&h, &a, 1, fds, &n), 0);
	struct stat st;
	assert_int_equal(fstat(fds[0], &st), 0);
	snprintf(text, sizeof text, "ls -l /proc/$$/fd | grep -q 'socket:.%llu.'; exit $((! $?))",
		 (unsigned long long)st.st_ino);
	start_shell(p, CONFIG_FROM_FILE, &h, text);
	int status = end_of(p);
	assert_int_equal(WEXITSTATUS(status), 0);
	process_forget(p);
	inherited_close(&h);
}

static void its_end_is_seen_on_the_channel(void **state)
{
	struct process *p = &((struct processes *)*state)->list[0];
	struct channel_message m;
	struct inherited h;
	int reply;
	assert_true(inherited_open(&h));
	start_shell(p, CONFIG_FROM_FILE, &h, "exit 3\n");
	assert_false(channel_hear(p->channel, &m, &reply));
	int status = end_of(p);
	assert_int_equal(WEXITSTATUS(status), 3);
	int channel = p->channel;
	process_forget(p);
	assert_false(kit_is_open(channel));
	inherited_close(&h);
}

/* --- telling --- */

/* A child that sleeps behind a channel which nobody reads. */
static int deaf(struct process *p)
{
	int ends[2];
	assert_true(channel_open(ends));
	pid_t child = fork();
	if (child == 0)
		for (;;)
			pause();
	*p = (struct process){ .state = PROCESS_SERVING, .pid = child, .channel = ends[0] };
	while (channel_tell(p->channel, CHANNEL_LOOK))
		;
	assert_int_equal(errno, EAGAIN);
	return ends[1];
}

static void who_has_not_listened_for_long_is_killed(void **state)
{
	struct process *p = &((struct processes *)*state)->list[0];
	int status, other = deaf(p);
	process_tell(p, CHANNEL_STOP);
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	close(other);
	process_forget(p);
}

static void for_a_look_nobody_is_killed(void **state)
{
	struct process *p = &((struct processes *)*state)->list[0];
	int status, other = deaf(p);
	process_tell(p, CHANNEL_LOOK);
	assert_int_equal(kill(p->pid, SIGTERM), 0);
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	assert_int_equal(WTERMSIG(status), SIGTERM);
	close(other);
	process_forget(p);
}

static void who_has_closed_its_end_is_told_nothing(void **state)
{
	struct process *p = &((struct processes *)*state)->list[0];
	*p = (struct process){ .state = PROCESS_RETIRED, .pid = getpid(), .channel = -1 };
	process_tell(p, CHANNEL_STOP);
	int ends[2];
	assert_true(channel_open(ends));
	close(ends[1]);
	p->channel = ends[0];
	process_tell(p, CHANNEL_STOP); /* a kill would be ours */
	process_forget(p);
}

static void those_that_have_served_are_told_at_once(void **state)
{
	struct processes *s = *state;
	static const enum process_state states[] = { PROCESS_STARTING, PROCESS_SERVING,
						     PROCESS_RETIRED, PROCESS_RETIRED };
	int others[4];
	for (int i = 0; i < 4; i++) {
		int ends[2];
		assert_true(channel_open(ends));
		s->list[i] = (struct process){ .state = states[i], .pid = 1, .channel = ends[0] };
		others[i] = ends[1];
	}
	processes_tell(s, &s->list[3], CHANNEL_LOOK);
	for (int i = 0; i < 4; i++) {
		struct channel_message m;
		ssize_t n = recv(others[i], &m, sizeof m, MSG_DONTWAIT);
		assert_int_equal(n, i == 1 || i == 2 ? (ssize_t)sizeof m : -1);
		close(others[i]);
		process_forget(&s->list[i]);
	}
}

static void an_end_is_said_in_words(void **state)
{
	(void)state;
	char text[64];
	process_describe_end(3 << 8, text);
	assert_string_equal(text, "ended with code 3");
	process_describe_end(SIGKILL, text);
	assert_string_equal(text, "was ended by signal 9 (Killed)");
}

#define with_processes(f) cmocka_unit_test_setup(f, open_processes)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_processes(all_places_are_free_at_first),
		with_processes(a_process_is_found_by_state_and_by_pid),
		with_processes(a_pid_that_has_gone_is_nobody),
		with_processes(the_last_place_is_one_too),
		with_processes(a_working_process_is_told_what_it_needs),
		with_processes(after_a_crash_it_is_told_to_take_what_was_in_force),
		with_processes(nothing_else_is_open_in_it),
		with_processes(its_end_is_seen_on_the_channel),
		with_processes(who_has_not_listened_for_long_is_killed),
		with_processes(for_a_look_nobody_is_killed),
		with_processes(who_has_closed_its_end_is_told_nothing),
		with_processes(those_that_have_served_are_told_at_once),
		with_processes(an_end_is_said_in_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
