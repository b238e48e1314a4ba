#include "app/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "app/channel.h"
#include "app/holdings.h"
#include "app/work.h"
#include "base/clock.h"
#include "base/log.h"

/* A working process that dies is started again after 100 ms, then twice that, up to 5 s. */
#define RESTART_PAUSE_MS 100
#define RESTART_PAUSE_MAX_MS 5000
/* One that was up for so long had a reason of its own to die: the pause begins anew. */
#define UP_LONG_ENOUGH_MS 10000
/* Tickets live for a rotation or two: RFC 8446, 4.6.1 allows seven days, forward secrecy wants
 * less. */
#define TICKETS_ROTATE_MS (12 * 3600 * 1000ull)

enum keeper_state {
	KEEPER_STARTING, /* no working process was ever ready */
	KEEPER_RUNNING,
	KEEPER_PAUSING,	 /* the working process died; the next one waits */
	KEEPER_STOPPING, /* it was told to drain */
	KEEPER_OVER,
};

struct keeper {
	enum keeper_state state;
	const char *config; /* borrowed */
	int binary;	    /* our own, as it was when we started */
	int signals;
	int channel; /* -1: there is no working process */
	pid_t child;
	struct holdings holdings;
	uint64_t started_ms, restart_ms, rotate_ms, pause_ms;
	unsigned stops; /* asked for so far */
	int exit_code;
};

static uint64_t now_ms(void)
{
	return clock_monotonic_ns() / 1000000;
}

/* --- the working process --- */

static void keep_over_exec(int fd)
{
	fcntl(fd, F_SETFD, fcntl(fd, F_GETFD) & ~FD_CLOEXEC);
}

/* In the child, between fork and exec. */
static _Noreturn void execute(const struct keeper *k, int channel, pid_t keeper)
{
	char numbers[4][16];
	const int values[4] = { channel, k->holdings.board_fd, k->holdings.tickets_fd,
				(int)keeper };
	for (int i = 0; i < 4; i++)
		snprintf(numbers[i], sizeof numbers[i], "%d", values[i]);
	for (int i = 0; i < 3; i++)
		keep_over_exec(values[i]);
	const char *const arguments[] = { "crossfade", WORK_COMMAND, k->config,	 numbers[0],
					  numbers[1],  numbers[2],   numbers[3], NULL };
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	fexecve(k->binary, (char *const *)(uintptr_t)arguments, environ);
	log_line(LOG_ERROR, "keeper: cannot execute the working process: %s", strerror(errno));
	_exit(1);
}

static bool start(struct keeper *k)
{
	int ends[2];
	if (!channel_open(ends))
		return false;
	pid_t keeper = getpid();
	k->child = fork();
	if (k->child == 0)
		execute(k, ends[1], keeper);
	close(ends[1]);
	if (k->child < 0) {
		close(ends[0]);
		return false;
	}
	k->channel = ends[0];
	k->started_ms = now_ms();
	return true;
}

static void close_channel(struct keeper *k)
{
	if (k->channel >= 0)
		close(k->channel);
	k->channel = -1;
}

static void describe_end(int status, char text[64])
{
	if (WIFSIGNALED(status))
		snprintf(text, 64, "was ended by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(text, 64, "ended with code %d", WEXITSTATUS(status));
}

static void pause_before_restart(struct keeper *k, const char *how)
{
	if (now_ms() - k->started_ms >= UP_LONG_ENOUGH_MS)
		k->pause_ms = RESTART_PAUSE_MS;
	log_line(LOG_ERROR, "keeper: the working process %d %s; it is started again in %llu ms",
		 (int)k->child, how, (unsigned long long)k->pause_ms);
	k->restart_ms = now_ms() + k->pause_ms;
	k->pause_ms =
		k->pause_ms * 2 < RESTART_PAUSE_MAX_MS ? k->pause_ms * 2 : RESTART_PAUSE_MAX_MS;
	k->state = KEEPER_PAUSING;
}

static void child_ended(struct keeper *k, int status)
{
	char how[64];
	describe_end(status, how);
	close_channel(k);
	board_free_slots_of(k->holdings.board, (uint32_t)k->child);
	if (k->state == KEEPER_RUNNING) {
		pause_before_restart(k, how);
		return;
	}
	/* SIGKILL after a signal to us is our own doing: see stop(). */
	bool crashed = WIFSIGNALED(status) && !(k->stops && WTERMSIG(status) == SIGKILL);
	if (crashed)
		log_line(LOG_ERROR, "keeper: the working process %d %s", (int)k->child, how);
	k->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : crashed;
	k->state = KEEPER_OVER;
}

static void restart(struct keeper *k)
{
	k->state = KEEPER_RUNNING;
	if (start(k))
		return;
	char how[64];
	snprintf(how, sizeof how, "could not be started: %s", strerror(errno));
	k->child = 0;
	pause_before_restart(k, how);
}

/* --- what comes in --- */

static void is_ready(struct keeper *k)
{
	sd_notify(0, "READY=1");
	if (k->state == KEEPER_STARTING)
		k->state = KEEPER_RUNNING;
}

static void answer(struct keeper *k, const struct channel_message *m, int reply)
{
	int descriptors[WORKERS_MAX];
	int error = EINVAL;
	unsigned count = 0;
	switch ((enum channel_word)m->word) {
	case CHANNEL_LISTEN:
		count = m->count;
		if (count > 0 && count <= WORKERS_MAX)
			error = holdings_listen(&k->holdings, &m->addr, count, descriptors);
		break;
	case CHANNEL_LOCK:
		count = 1;
		error = holdings_lock(&k->holdings, m->path, descriptors);
		break;
	case CHANNEL_READY:
	case CHANNEL_STOP:
	case CHANNEL_RELOAD:
	case CHANNEL_FORGET:
		break;
	}
	channel_answer(reply, error, descriptors, error ? 0 : count);
}

static void channel_is_readable(struct keeper *k)
{
	struct channel_message m;
	int reply;
	if (!channel_hear(k->channel, &m, &reply))
		close_channel(k); /* its end is told by SIGCHLD */
	else if (reply >= 0)
		answer(k, &m, reply);
	else if (m.word == CHANNEL_READY)
		is_ready(k);
	else if (m.word == CHANNEL_FORGET)
		holdings_forget(&k->holdings, &m.addr);
}

static void stop(struct keeper *k)
{
	k->stops++;
	sd_notify(0, "STOPPING=1");
	if (k->state == KEEPER_PAUSING) {
		k->state = KEEPER_OVER;
		return;
	}
	/* One that is not ready yet serves nobody and listens to nobody. */
	if (k->state == KEEPER_STARTING || k->stops > 2)
		kill(k->child, SIGKILL);
	else if (k->channel >= 0)
		channel_tell(k->channel, CHANNEL_STOP);
	holdings_stop_listening(&k->holdings);
	k->state = KEEPER_STOPPING;
}

/* Whoever is started later reads the configuration anyway. */
static void reload(struct keeper *k)
{
	if (k->channel < 0 || k->state == KEEPER_STOPPING)
		return;
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
		   (unsigned long long)(clock_monotonic_ns() / 1000));
	channel_tell(k->channel, CHANNEL_RELOAD);
}

static void signal_came(struct keeper *k)
{
	struct signalfd_siginfo s;
	if (read(k->signals, &s, sizeof s) != sizeof s)
		return;
	if (s.ssi_signo == SIGTERM || s.ssi_signo == SIGINT)
		stop(k);
	if (s.ssi_signo == SIGHUP)
		reload(k);
	int status;
	/* One SIGCHLD may stand for several, and there is one child. */
	if (s.ssi_signo == SIGCHLD && waitpid(k->child, &status, WNOHANG) == k->child)
		child_ended(k, status);
}

/* --- the loop --- */

static int until_next(const struct keeper *k)
{
	uint64_t due = k->rotate_ms, now = now_ms();
	if (k->state == KEEPER_PAUSING && k->restart_ms < due)
		due = k->restart_ms;
	return due > now ? (int)(due - now) : 0;
}

static void do_what_is_due(struct keeper *k)
{
	uint64_t now = now_ms();
	if (now >= k->rotate_ms) {
		if (!ticket_keys_rotate(k->holdings.tickets))
			log_line(LOG_ERROR, "keeper: no random bytes for new ticket keys");
		k->rotate_ms = now + TICKETS_ROTATE_MS;
	}
	if (k->state == KEEPER_PAUSING && now >= k->restart_ms)
		restart(k);
}

static void turn(struct keeper *k)
{
	struct pollfd fds[2] = { { .fd = k->signals, .events = POLLIN },
				 { .fd = k->channel, .events = POLLIN } };
	if (poll(fds, 2, until_next(k)) < 0 && errno != EINTR) {
		log_line(LOG_ERROR, "keeper: poll: %s", strerror(errno));
		k->exit_code = 1;
		k->state = KEEPER_OVER;
		return;
	}
	/* Requests first: a working process may ask, and die. */
	if (fds[1].revents)
		channel_is_readable(k);
	if (fds[0].revents)
		signal_came(k);
	do_what_is_due(k);
}

static int open_signals(void)
{
	sigset_t heard;
	sigemptyset(&heard);
	sigaddset(&heard, SIGTERM);
	sigaddset(&heard, SIGINT);
	sigaddset(&heard, SIGHUP);
	sigaddset(&heard, SIGCHLD);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_SETMASK, &heard, NULL) < 0)
		return -1;
	return signalfd(-1, &heard, SFD_CLOEXEC);
}

static bool open_keeper(struct keeper *k)
{
	k->binary = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	k->signals = open_signals();
	if (k->binary < 0 || k->signals < 0 || !holdings_open(&k->holdings))
		return false;
	return start(k);
}

int keeper_run(const char *config)
{
	struct keeper k = {
		.config = config,
		.channel = -1,
		.pause_ms = RESTART_PAUSE_MS,
		.rotate_ms = now_ms() + TICKETS_ROTATE_MS,
	};
	if (!open_keeper(&k)) {
		log_line(LOG_ERROR, "keeper: cannot start: %s", strerror(errno));
		return 1;
	}
	while (k.state != KEEPER_OVER)
		turn(&k);
	close_channel(&k);
	holdings_close(&k.holdings);
	close(k.binary);
	close(k.signals);
	return k.exit_code;
}
