#include "app/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/work.h"
#include "base/clock.h"
#include "base/log.h"

void processes_open(struct processes *s)
{
	for (int i = 0; i < PROCESSES_MAX; i++)
		s->list[i] = (struct process){ .channel = -1 };
}

struct process *processes_find(struct processes *s, enum process_state state)
{
	for (int i = 0; i < PROCESSES_MAX; i++)
		if (s->list[i].state == state)
			return &s->list[i];
	return NULL;
}

struct process *processes_of_pid(struct processes *s, pid_t pid)
{
	for (int i = 0; i < PROCESSES_MAX; i++)
		if (s->list[i].state != PROCESS_NONE && s->list[i].pid == pid)
			return &s->list[i];
	return NULL;
}

unsigned processes_n(const struct processes *s)
{
	unsigned n = 0;
	for (int i = 0; i < PROCESSES_MAX; i++)
		n += s->list[i].state != PROCESS_NONE;
	return n;
}

void keep_over_exec(int fd, bool keep)
{
	int flags = fcntl(fd, F_GETFD);
	fcntl(fd, F_SETFD, keep ? flags & ~FD_CLOEXEC : flags | FD_CLOEXEC);
}

void process_forbid_cores(void)
{
	if (!getenv(PROCESS_MAY_DUMP))
		prctl(PR_SET_DUMPABLE, 0);
}

/*
 * The keeper handles signals and passes them on: `pkill crossfade` must not skip the drain. An
 * ignored signal stays ignored over exec, so that a process ignores it from its first instruction
 * on.
 */
void process_leave_signals(void)
{
	static const int theirs[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2 };
	for (size_t i = 0; i < sizeof theirs / sizeof theirs[0]; i++)
		signal(theirs[i], SIG_IGN);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Runs in the child, between fork and exec. */
static _Noreturn void process_execute(int binary, const char *config, enum config_source source,
				      const struct inherited *h, int channel, pid_t keeper)
{
	static const char *const sources[] = { CONFIG_SOURCE_FILE, CONFIG_SOURCE_SAVED };
	char numbers[5][16];
	/* 0: no configuration is in force yet. */
	const int values[5] = { channel, h->board_fd, h->tickets_fd,
				h->saved_config_fd < 0 ? 0 : h->saved_config_fd, (int)keeper };
	for (int i = 0; i < 5; i++)
		snprintf(numbers[i], sizeof numbers[i], "%d", values[i]);
	for (int i = 0; i < 4; i++)
		if (values[i])
			keep_over_exec(values[i], true);
	const char *const arguments[] = { "crossfade", WORK_COMMAND, config,	 sources[source],
					  numbers[0],  numbers[1],   numbers[2], numbers[3],
					  numbers[4],  NULL };
	process_leave_signals();
	fexecve(binary, (char *const *)(uintptr_t)arguments, environ);
	log_line(LOG_ERROR, "keeper: cannot execute the working process: %s", strerror(errno));
	_exit(1);
}

bool process_start(struct process *p, int binary, const char *config, enum config_source source,
		   const struct inherited *h)
{
	int ends[2];
	if (!channel_open(ends))
		return false;
	pid_t keeper = getpid(), child = fork();
	if (child == 0)
		process_execute(binary, config, source, h, ends[1], keeper);
	int why = errno;
	close(ends[1]);
	if (child < 0) {
		close(ends[0]);
		errno = why;
		return false;
	}
	*p = (struct process){ .state = PROCESS_STARTING,
			       .pid = child,
			       .channel = ends[0],
			       .started_ms = clock_monotonic_ns() / 1000000 };
	return true;
}

void process_forget(struct process *p)
{
	if (p->channel >= 0)
		close(p->channel);
	*p = (struct process){ .channel = -1 };
}

void process_describe_end(int status, char text[64])
{
	if (WIFSIGNALED(status))
		snprintf(text, 64, "was ended by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(text, 64, "ended with code %d", WEXITSTATUS(status));
}

void process_tell(struct process *p, enum channel_word word)
{
	if (p->channel < 0 || channel_tell(p->channel, word) || errno != EAGAIN)
		return;
	/* So many messages are waiting that one CHANNEL_LOOK more makes no difference. */
	if (word == CHANNEL_LOOK)
		return;
	log_line(LOG_ERROR,
		 "keeper: the working process %d does not read its messages: it is killed",
		 (int)p->pid);
	kill(p->pid, SIGKILL);
}

void processes_tell(struct processes *s, const struct process *but, enum channel_word word)
{
	for (int i = 0; i < PROCESSES_MAX; i++) {
		struct process *p = &s->list[i];
		if (p != but && (p->state == PROCESS_SERVING || p->state == PROCESS_RETIRED))
			process_tell(p, word);
	}
}

void process_raise_files(void)
{
	struct rlimit l;
	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return;
	l.rlim_cur = l.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &l) < 0)
		log_line(LOG_WARN, "cannot raise the limit of open files: %s", strerror(errno));
}
