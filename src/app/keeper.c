#include "app/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/logger.h"
#include "app/restart.h"
#include "app/signals.h"
#include "app/supervisor.h"
#include "app/upgrade.h"
#include "base/clock.h"
#include "base/log.h"

/* Tickets live for a rotation or two: RFC 8446, 4.6.1 allows seven days, forward secrecy wants
 * less. */
#define TICKETS_ROTATE_MS (12 * 3600 * 1000ull)

enum keeper_state {
	KEEPER_STARTING, /* no working process was ever ready */
	KEEPER_RUNNING,
	KEEPER_PAUSING,	 /* the one that served has died; the next one waits */
	KEEPER_STOPPING, /* all were told to drain */
	KEEPER_OVER,
};

struct keeper {
	enum keeper_state state;
	const char *config; /* borrowed */
	int binary;	    /* our own, as it was when we started */
	int signals;
	struct handover own; /* what we hold, and would hand over */
	struct logger logger;
	struct upgrade upgrade;
	struct restart restart;
	unsigned stops; /* asked for so far */
	unsigned skips; /* of those: they ended the time in which the one that serves leaves */
	bool leaving;	/* it may, and has not said that it accepts nobody any more */
	unsigned unlocked_said;
	int exit_code;
};

static uint64_t now_ms(void)
{
	return clock_monotonic_ns() / 1000000;
}

static struct process *find(struct keeper *k, enum process_state state)
{
	return processes_find(&k->own.processes, state);
}

/* --- starting --- */

static bool start(struct keeper *k)
{
	struct process *p = find(k, PROCESS_NONE);
	holdings_begin(&k->own.holdings);
	return process_start(p, k->binary, k->config, k->restart.source, &k->own.holdings);
}

static void pause_before_restart(struct keeper *k, uint64_t started_ms)
{
	uint64_t pause_ms = restart_after(&k->restart, started_ms, now_ms());
	log_line(LOG_ERROR, "keeper: a working process is started again in %llu ms",
		 (unsigned long long)pause_ms);
	k->state = KEEPER_PAUSING;
}

static void restart(struct keeper *k)
{
	k->state = KEEPER_RUNNING;
	if (start(k))
		return;
	log_line(LOG_ERROR, "keeper: cannot start a working process: %s", strerror(errno));
	pause_before_restart(k, now_ms());
}

/* --- ends --- */

/* SIGKILL after a signal to us is our own doing: see stop(). */
static bool has_crashed(const struct keeper *k, int status)
{
	return WIFSIGNALED(status) && !(k->stops && WTERMSIG(status) == SIGKILL);
}

/* Nothing is to follow, whatever it was: we stop, or have never served. */
static void end_with(struct keeper *k, int status)
{
	if (WIFEXITED(status) ? WEXITSTATUS(status) : has_crashed(k, status))
		k->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	if (processes_n(&k->own.processes) == 0)
		k->state = KEEPER_OVER;
}

/* In the log; and to who serves, for whoever asks there. */
__attribute__((format(printf, 2, 3))) static void say_upgrade(struct keeper *k, const char *format,
							      ...)
{
	const struct process *serving = find(k, PROCESS_SERVING);
	char why[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(why, sizeof why, format, args);
	va_end(args);
	log_line(LOG_ERROR, "upgrade: %s", why);
	if (serving && serving->channel >= 0)
		channel_say(serving->channel, CHANNEL_UPGRADE_FAILED, why);
}

static void say_upgrade_failed(struct keeper *k, const struct process *serving)
{
	say_upgrade(k,
		    "the new working process never served; process %d, of the version before, goes "
		    "on",
		    (int)serving->pid);
	supervisor_upgrade_failed();
}

/* Nobody is to come any more: the one that serves has closed its sockets. */
static void has_left(struct keeper *k, const struct process *p)
{
	if (k->state != KEEPER_STOPPING || p->state == PROCESS_RETIRED)
		return;
	k->leaving = false;
	holdings_stop_listening(&k->own.holdings);
}

static void process_ended(struct keeper *k, struct process *p, int status)
{
	const struct process was = *p;
	char how[64];
	process_describe_end(status, how);
	bool expected = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (!expected || was.state == PROCESS_RETIRED)
		log_line(expected ? LOG_INFO : LOG_ERROR, "keeper: the %sworking process %d %s",
			 was.state == PROCESS_RETIRED ? "retired " : "", (int)was.pid, how);
	has_left(k, &was);
	process_forget(p);
	board_free_slots_of(k->own.holdings.board, (uint32_t)was.pid);
	if (was.state == PROCESS_STARTING)
		holdings_take_back(&k->own.holdings);
	if (k->state == KEEPER_STOPPING || k->state == KEEPER_STARTING)
		end_with(k, status);
	else if (was.state == PROCESS_STARTING && find(k, PROCESS_SERVING))
		say_upgrade_failed(k, find(k, PROCESS_SERVING));
	else if (was.state != PROCESS_RETIRED && !find(k, PROCESS_STARTING)) {
		restart_choose_source(&k->restart, was.state);
		pause_before_restart(k, was.started_ms);
	}
}

/* --- upgrades --- */

static const char *why_no_upgrade(struct keeper *k)
{
	if (k->state == KEEPER_STOPPING)
		return "the balancer stops";
	if (k->upgrade.checker || find(k, PROCESS_STARTING))
		return "one is under way, or a working process is just starting";
	if (!find(k, PROCESS_NONE))
		return "too many working processes of earlier upgrades still drain";
	return NULL;
}

static void upgrade_is_asked(struct keeper *k)
{
	const char *no = why_no_upgrade(k);
	if (no)
		say_upgrade(k, "refused: %s", no);
	else if (!upgrade_begin(&k->upgrade, &k->own, k->config))
		say_upgrade(k, "nothing has changed: %s could not be started", k->own.program);
}

static void checker_ended(struct keeper *k, int status)
{
	char how[64];
	if (k->state != KEEPER_STOPPING && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		supervisor_reloading("Upgrading");
		logger_rest(&k->logger);
		upgrade_become(&k->upgrade, &k->own, k->config);
		say_upgrade(k, "nothing has changed: %s could not take over", k->own.program);
		supervisor_upgraded();
		return;
	}
	process_describe_end(status, how);
	say_upgrade(k, "nothing has changed: the check of %s %s", k->own.program, how);
	upgrade_end(&k->upgrade);
}

/* --- what comes in --- */

/* What was missed while it was starting. */
static void catch_up(struct process *p)
{
	process_tell(p, CHANNEL_LOOK);
	if (p->reload_due)
		process_tell(p, CHANNEL_RELOAD);
	if (p->reopen_due)
		process_tell(p, CHANNEL_REOPEN);
}

static void replace(struct process *before, const struct process *by)
{
	log_line(LOG_INFO, "upgrade: process %d serves; process %d drains", (int)by->pid,
		 (int)before->pid);
	before->state = PROCESS_RETIRED;
	process_tell(before, CHANNEL_RETIRE);
}

/* It was started, or has read the configuration anew. */
static void process_is_ready(struct keeper *k, struct process *p)
{
	struct process *before = find(k, PROCESS_SERVING);
	if (p->state == PROCESS_RETIRED)
		return;
	if (p->state == PROCESS_STARTING) {
		p->state = PROCESS_SERVING;
		holdings_settle(&k->own.holdings);
		catch_up(p);
		if (before)
			replace(before, p);
	}
	if (k->state == KEEPER_STARTING)
		k->state = KEEPER_RUNNING;
	supervisor_serving(p->pid);
}

/* By the one that serves, or will in a moment. */
static void keep(struct keeper *k, const struct process *p, int fd)
{
	if (fd < 0)
		return;
	if (p->state == PROCESS_RETIRED)
		close(fd);
	else if (!holdings_keep(&k->own.holdings, fd) && !k->unlocked_said++)
		log_line(LOG_WARN,
			 "keeper: keys that are held for a crash may be written to swap: they "
			 "cannot be locked into memory: %s (LimitMEMLOCK=, ulimit -l)",
			 strerror(errno));
}

/* What it had to do without after a crash is there again: another one takes its place. */
static void renew(struct keeper *k, const struct process *p)
{
	if (p->state != PROCESS_SERVING || k->state == KEEPER_STOPPING || why_no_upgrade(k))
		return;
	k->restart.source = CONFIG_KEPT;
	log_line(LOG_INFO, "keeper: what a crash had to do without is there: another working "
			   "process takes over");
	if (!start(k))
		log_line(LOG_ERROR, "keeper: cannot start a working process: %s", strerror(errno));
}

static void channel_is_readable(struct keeper *k, struct process *p)
{
	struct channel_message m;
	int reply;
	if (!channel_hear(p->channel, &m, &reply)) {
		close(p->channel); /* its end is told by SIGCHLD */
		p->channel = -1;
	} else if (m.word == CHANNEL_KEEP) {
		keep(k, p, reply);
	} else if (m.word == CHANNEL_LEFT) {
		has_left(k, p);
	} else if (m.word == CHANNEL_RENEW) {
		renew(k, p);
	} else if (reply >= 0) {
		holdings_answer(&k->own.holdings, &m, reply);
	} else if (m.word == CHANNEL_READY) {
		process_is_ready(k, p);
	} else if (m.word == CHANNEL_LOOK) {
		processes_tell(&k->own.processes, p, CHANNEL_LOOK);
	} else if (m.word == CHANNEL_FORGET) {
		holdings_forget(&k->own.holdings, &m.addr);
	}
}

static void stop_process(struct keeper *k, struct process *p)
{
	/* One that is not ready yet serves nobody and listens to nobody. */
	if (p->state == PROCESS_STARTING || (p->state != PROCESS_NONE && k->stops - k->skips > 2))
		kill(p->pid, SIGKILL);
	else if (p->state != PROCESS_NONE)
		process_tell(p, CHANNEL_STOP);
}

static void stop(struct keeper *k)
{
	k->stops++;
	if (k->leaving)
		k->skips++;
	else if (k->stops == 1)
		k->leaving = find(k, PROCESS_SERVING) != NULL;
	supervisor_stopping();
	if (k->upgrade.checker)
		kill(k->upgrade.checker, SIGKILL);
	for (int i = 0; i < PROCESSES_MAX; i++)
		stop_process(k, &k->own.processes.list[i]);
	if (!k->leaving)
		holdings_stop_listening(&k->own.holdings);
	k->state = processes_n(&k->own.processes) ? KEEPER_STOPPING : KEEPER_OVER;
}

static void reopen(struct keeper *k)
{
	struct process *starting = find(k, PROCESS_STARTING);
	if (starting)
		starting->reopen_due = true;
	processes_tell(&k->own.processes, NULL, CHANNEL_REOPEN);
}

/* Whoever is started later is to read the file too. */
static void reload(struct keeper *k)
{
	struct process *starting = find(k, PROCESS_STARTING), *serving = find(k, PROCESS_SERVING);
	if (starting)
		starting->reload_due = true;
	if (!serving)
		k->restart.source = CONFIG_FROM_FILE;
	if (!serving || k->state == KEEPER_STOPPING)
		return;
	supervisor_reloading("Reading the configuration anew");
	process_tell(serving, CHANNEL_RELOAD);
}

/* One SIGCHLD may stand for several. Strangers are those who come to us as the first process of a
 * container. */
static void reap(struct keeper *k)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct process *p = processes_of_pid(&k->own.processes, pid);
		if (p)
			process_ended(k, p, status);
		else if (pid == k->upgrade.checker)
			checker_ended(k, status);
	}
}

static void signal_came(struct keeper *k)
{
	switch (signals_hear(k->signals)) {
	case SIGTERM:
	case SIGINT:
		stop(k);
		break;
	case SIGHUP:
		reload(k);
		break;
	case SIGUSR1:
		reopen(k);
		break;
	case SIGUSR2:
		upgrade_is_asked(k);
		break;
	case SIGCHLD:
		reap(k);
		break;
	}
}

/* --- the loop --- */

static void sooner(uint64_t *due, uint64_t other)
{
	if (other < *due)
		*due = other;
}

static struct process *upgraded_to(struct keeper *k)
{
	return find(k, PROCESS_SERVING) ? find(k, PROCESS_STARTING) : NULL;
}

static int until_next(struct keeper *k)
{
	uint64_t due = k->own.rotate_ms, now = now_ms();
	if (k->state == KEEPER_PAUSING)
		sooner(&due, k->restart.due_ms);
	if (k->upgrade.checker)
		sooner(&due, k->upgrade.due_ms);
	if (upgraded_to(k))
		sooner(&due, upgraded_to(k)->started_ms + UPGRADE_READY_MS);
	return due > now ? (int)(due - now) : 0;
}

static void lose_patience(struct keeper *k, uint64_t now)
{
	const struct process *next = upgraded_to(k);
	upgrade_lose_patience(&k->upgrade, now);
	if (next && now >= next->started_ms + UPGRADE_READY_MS)
		kill(next->pid, SIGKILL);
}

static void do_what_is_due(struct keeper *k)
{
	uint64_t now = now_ms();
	if (now >= k->own.rotate_ms) {
		if (!ticket_keys_rotate(k->own.holdings.tickets))
			log_line(LOG_ERROR, "keeper: no random bytes for new ticket keys");
		k->own.rotate_ms = now + TICKETS_ROTATE_MS;
	}
	if (k->state == KEEPER_PAUSING && now >= k->restart.due_ms)
		restart(k);
	lose_patience(k, now);
}

static void turn(struct keeper *k)
{
	struct process *list = k->own.processes.list;
	struct pollfd fds[1 + PROCESSES_MAX] = { { .fd = k->signals, .events = POLLIN } };
	for (int i = 0; i < PROCESSES_MAX; i++)
		fds[1 + i] = (struct pollfd){ .fd = list[i].channel, .events = POLLIN };
	/* Interrupted, or the kernel had no memory for it: then nothing is ready. */
	if (poll(fds, 1 + PROCESSES_MAX, until_next(k)) < 0)
		for (int i = 0; i < 1 + PROCESSES_MAX; i++)
			fds[i].revents = 0;
	/* Requests first: a working process may ask, and die. */
	for (int i = 0; i < PROCESSES_MAX; i++)
		if (fds[1 + i].revents)
			channel_is_readable(k, &list[i]);
	if (fds[0].revents)
		signal_came(k);
	do_what_is_due(k);
}

/* Without it the log is written by whoever has something to say, and waits where it must. */
static void open_log(struct keeper *k)
{
	if (!logger_open(&k->logger))
		log_line(LOG_WARN, "keeper: the log has no thread of its own: %s", strerror(errno));
	k->own.log_from = k->logger.from;
	k->own.log_to = k->logger.to;
}

static bool take_log_over(struct keeper *k)
{
	if (k->own.log_from < 0)
		return open_log(k), true;
	return logger_open_from(&k->logger, k->own.log_from, k->own.log_to);
}

static bool open_keeper(struct keeper *k)
{
	upgrade_find_program(k->own.program);
	processes_open(&k->own.processes);
	k->own.rotate_ms = now_ms() + TICKETS_ROTATE_MS;
	open_log(k);
	if (holdings_open(&k->own.holdings)) {
		log_count_lost_in(&k->own.holdings.board->log_lost);
		if (start(k))
			return true;
	}
	log_line(LOG_ERROR, "keeper: cannot start: %s", strerror(errno));
	return false;
}

/* In place of the version before, whose children are ours. */
static bool take_over(struct keeper *k, int handed_over)
{
	char error[HANDOVER_ERROR_BYTES];
	if (!handover_read(handed_over, &k->own, error)) {
		log_line(LOG_ERROR, "upgrade: %s", error);
		return false;
	}
	handover_keep(&k->own, handed_over, false);
	close(handed_over);
	log_count_lost_in(&k->own.holdings.board->log_lost);
	if (!take_log_over(k))
		log_line(LOG_ERROR, "upgrade: the log's thread cannot be started: %s",
			 strerror(errno));
	log_line(LOG_INFO, "upgrade: crossfade %s has taken over", CROSSFADE_VERSION);
	restart(k);
	/* The signal for one that died meanwhile may have been heard before. */
	reap(k);
	return true;
}

/* The exit code. */
static int run(struct keeper *k, int handed_over)
{
	if (!(handed_over < 0 ? open_keeper(k) : take_over(k, handed_over)))
		return 1;
	while (k->state != KEEPER_OVER)
		turn(k);
	return k->exit_code;
}

int keeper_run(const char *config, int handed_over)
{
	struct keeper k = { .config = config, .upgrade.binary = -1 };
	logger_keep_standard_descriptors();
	process_forbid_cores();
	process_raise_files();
	k.binary = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	k.signals = signals_open();
	if (k.binary < 0 || k.signals < 0) {
		log_line(LOG_ERROR, "keeper: cannot start: %s", strerror(errno));
		return 1;
	}
	int code = run(&k, handed_over);
	logger_close(&k.logger);
	log_count_lost_in(NULL);
	holdings_close(&k.own.holdings);
	close(k.binary);
	close(k.signals);
	return code;
}
