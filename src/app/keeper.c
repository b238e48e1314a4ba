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
#include "app/sd_notify.h"
#include "app/upgrade.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"

enum keeper_state {
	KEEPER_STARTING, /* no working process was ready yet */
	KEEPER_RUNNING,
	KEEPER_PAUSING,	 /* the serving process has died; the next one starts after a pause */
	KEEPER_STOPPING, /* all processes were told to drain */
	KEEPER_OVER,
};

struct keeper {
	enum keeper_state state;
	const char *config; /* borrowed */
	int binary;	    /* our own program, opened when we started */
	int signals;
	struct handover own; /* what the keeper holds, and hands over in an upgrade */
	struct logger logger;
	struct upgrade upgrade;
	struct restart restart;
	unsigned stops; /* how many SIGTERM and SIGINT have come */
	unsigned skips; /* how many of them came while `leaving` was set */
	bool leaving;	/* the serving process is in timeouts.leave: it still accepts connections */
	unsigned unlocked_said;
	int exit_code;
};

static uint64_t keeper_now_ms(void)
{
	return clock_monotonic_ns() / 1000000;
}

static struct process *keeper_find(struct keeper *k, enum process_state state)
{
	return processes_find(&k->own.processes, state);
}

/* --- starting --- */

static bool keeper_start_process(struct keeper *k)
{
	struct process *p = keeper_find(k, PROCESS_NONE);
	inherited_begin(&k->own.inherited);
	return process_start(p, k->binary, k->config, k->restart.source, &k->own.inherited);
}

static void keeper_pause_before_restart(struct keeper *k, uint64_t started_ms)
{
	uint64_t pause_ms = restart_after(&k->restart, started_ms, keeper_now_ms());
	log_line(LOG_ERROR, "keeper: a working process is started again in %llu ms",
		 (unsigned long long)pause_ms);
	k->state = KEEPER_PAUSING;
}

static void keeper_restart(struct keeper *k)
{
	k->state = KEEPER_RUNNING;
	if (keeper_start_process(k))
		return;
	log_line(LOG_ERROR, "keeper: cannot start a working process: %s", strerror(errno));
	keeper_pause_before_restart(k, keeper_now_ms());
}

/* --- ends --- */

/* After SIGTERM or SIGINT, keeper_stop() itself sends SIGKILL: that is no crash. */
static bool has_crashed(const struct keeper *k, int status)
{
	return WIFSIGNALED(status) && !(k->stops && WTERMSIG(status) == SIGKILL);
}

/* No process is started after this one: the balancer stops, or has never served. */
static void keeper_end_with(struct keeper *k, int status)
{
	if (WIFEXITED(status) ? WEXITSTATUS(status) : has_crashed(k, status))
		k->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	if (processes_n(&k->own.processes) == 0)
		k->state = KEEPER_OVER;
}

/* Logs the message, and sends it to the serving process, which shows it in its status. */
__attribute__((format(printf, 2, 3))) static void say_upgrade(struct keeper *k, const char *format,
							      ...)
{
	const struct process *serving = keeper_find(k, PROCESS_SERVING);
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
		    "the new working process did not become ready; process %d, of the version "
		    "before, goes on serving",
		    (int)serving->pid);
	sd_notify_upgrade_failed();
}

/* The serving process accepts no more connections: the keeper's sockets are closed too. */
static void process_has_left(struct keeper *k, const struct process *p)
{
	if (k->state != KEEPER_STOPPING || p->state == PROCESS_RETIRED)
		return;
	k->leaving = false;
	inherited_stop_listening(&k->own.inherited);
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
	process_has_left(k, &was);
	process_forget(p);
	board_free_slots_of(k->own.inherited.board, (uint32_t)was.pid);
	if (was.state == PROCESS_STARTING)
		inherited_close_fresh(&k->own.inherited);
	if (k->state == KEEPER_STOPPING || k->state == KEEPER_STARTING)
		keeper_end_with(k, status);
	else if (was.state == PROCESS_STARTING && keeper_find(k, PROCESS_SERVING))
		say_upgrade_failed(k, keeper_find(k, PROCESS_SERVING));
	else if (was.state != PROCESS_RETIRED && !keeper_find(k, PROCESS_STARTING)) {
		restart_choose_source(&k->restart, was.state);
		keeper_pause_before_restart(k, was.started_ms);
	}
}

/* --- upgrades --- */

static const char *why_no_upgrade(struct keeper *k)
{
	if (k->state == KEEPER_STOPPING)
		return "the balancer is stopping";
	if (k->upgrade.checker || keeper_find(k, PROCESS_STARTING))
		return "an upgrade is under way, or a working process is starting";
	if (!keeper_find(k, PROCESS_NONE))
		return "too many working processes of earlier upgrades are still draining";
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
		sd_notify_reloading("Upgrading");
		logger_flush(&k->logger);
		upgrade_become(&k->upgrade, &k->own, k->config);
		say_upgrade(k, "nothing has changed: %s could not take over", k->own.program);
		sd_notify_upgraded();
		return;
	}
	process_describe_end(status, how);
	say_upgrade(k, "nothing has changed: the check of %s %s", k->own.program, how);
	upgrade_end(&k->upgrade);
}

/* --- what comes in --- */

/* Sends what was asked for while the process was starting. */
static void process_catch_up(struct process *p)
{
	process_tell(p, CHANNEL_LOOK);
	if (p->reload_due)
		process_tell(p, CHANNEL_RELOAD);
	if (p->reopen_due)
		process_tell(p, CHANNEL_REOPEN);
}

static void process_replace(struct process *before, const struct process *by)
{
	log_line(LOG_INFO, "upgrade: process %d serves; process %d drains", (int)by->pid,
		 (int)before->pid);
	before->state = PROCESS_RETIRED;
	process_tell(before, CHANNEL_RETIRE);
}

/* The process has started, or has read the configuration again. */
static void process_is_ready(struct keeper *k, struct process *p)
{
	struct process *before = keeper_find(k, PROCESS_SERVING);
	if (p->state == PROCESS_RETIRED)
		return;
	if (p->state == PROCESS_STARTING) {
		p->state = PROCESS_SERVING;
		inherited_close_old(&k->own.inherited);
		process_catch_up(p);
		if (before)
			process_replace(before, p);
	}
	if (k->state == KEEPER_STARTING)
		k->state = KEEPER_RUNNING;
	sd_notify_serving(p->pid);
}

/*
 * Only the serving process, or the one that is about to serve, may replace the saved configuration.
 */
static void keeper_keep_config(struct keeper *k, const struct process *p, int fd)
{
	if (fd < 0)
		return;
	if (p->state == PROCESS_RETIRED)
		close(fd);
	else if (!inherited_keep(&k->own.inherited, fd) && !k->unlocked_said++)
		log_line(LOG_WARN,
			 "keeper: the configuration that is kept for a crash, with its keys, "
			 "cannot be locked into memory and may be written to swap: %s (raise "
			 "LimitMEMLOCK=, ulimit -l)",
			 strerror(errno));
}

/*
 * After a crash the serving process had to start without something, which is available again:
 * another process takes its place.
 */
static void keeper_renew(struct keeper *k, const struct process *p)
{
	if (p->state != PROCESS_SERVING || k->state == KEEPER_STOPPING || why_no_upgrade(k))
		return;
	k->restart.source = CONFIG_SAVED;
	log_line(LOG_INFO, "keeper: what was missing after a crash is available again: another "
			   "working process takes over");
	if (!keeper_start_process(k))
		log_line(LOG_ERROR, "keeper: cannot start a working process: %s", strerror(errno));
}

static void channel_is_readable(struct keeper *k, struct process *p)
{
	struct channel_message m;
	int reply;
	if (!channel_hear(p->channel, &m, &reply)) {
		close(p->channel); /* SIGCHLD follows */
		p->channel = -1;
	} else if (m.word == CHANNEL_KEEP) {
		keeper_keep_config(k, p, reply);
	} else if (m.word == CHANNEL_LEFT) {
		process_has_left(k, p);
	} else if (m.word == CHANNEL_RENEW) {
		keeper_renew(k, p);
	} else if (reply >= 0) {
		inherited_reply(&k->own.inherited, &m, reply);
	} else if (m.word == CHANNEL_READY) {
		process_is_ready(k, p);
	} else if (m.word == CHANNEL_LOOK) {
		processes_tell(&k->own.processes, p, CHANNEL_LOOK);
	} else if (m.word == CHANNEL_FORGET) {
		inherited_forget(&k->own.inherited, &m.addr);
	}
}

static void stop_process(struct keeper *k, struct process *p)
{
	/* A process that is not ready serves nobody, and does not read its channel. */
	if (p->state == PROCESS_STARTING || (p->state != PROCESS_NONE && k->stops - k->skips > 2))
		kill(p->pid, SIGKILL);
	else if (p->state != PROCESS_NONE)
		process_tell(p, CHANNEL_STOP);
}

static void keeper_stop(struct keeper *k)
{
	k->stops++;
	if (k->leaving)
		k->skips++;
	else if (k->stops == 1)
		k->leaving = keeper_find(k, PROCESS_SERVING) != NULL;
	sd_notify_stopping();
	if (k->upgrade.checker)
		kill(k->upgrade.checker, SIGKILL);
	for (int i = 0; i < PROCESSES_MAX; i++)
		stop_process(k, &k->own.processes.list[i]);
	if (!k->leaving)
		inherited_stop_listening(&k->own.inherited);
	k->state = processes_n(&k->own.processes) ? KEEPER_STOPPING : KEEPER_OVER;
}

static void keeper_reopen_logs(struct keeper *k)
{
	struct process *starting = keeper_find(k, PROCESS_STARTING);
	if (starting)
		starting->reopen_due = true;
	processes_tell(&k->own.processes, NULL, CHANNEL_REOPEN);
}

/* A process that is started later must read the file too, so restart.source is set. */
static void keeper_reload(struct keeper *k)
{
	struct process *starting = keeper_find(k, PROCESS_STARTING),
		       *serving = keeper_find(k, PROCESS_SERVING);
	if (starting)
		starting->reload_due = true;
	if (!serving)
		k->restart.source = CONFIG_FROM_FILE;
	if (!serving || k->state == KEEPER_STOPPING)
		return;
	sd_notify_reloading("Reading the configuration anew");
	process_tell(serving, CHANNEL_RELOAD);
}

/*
 * One SIGCHLD may stand for several children. As the first process of a container, the keeper also
 * gets children that it has not started; they are reaped and ignored.
 */
static void keeper_reap(struct keeper *k)
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

static void keeper_signal_came(struct keeper *k)
{
	switch (signals_hear(k->signals)) {
	case SIGTERM:
	case SIGINT:
		keeper_stop(k);
		break;
	case SIGHUP:
		keeper_reload(k);
		break;
	case SIGUSR1:
		keeper_reopen_logs(k);
		break;
	case SIGUSR2:
		upgrade_is_asked(k);
		break;
	case SIGCHLD:
		keeper_reap(k);
		break;
	}
}

/* --- the loop --- */

static void due_sooner(uint64_t *due, uint64_t other)
{
	if (other < *due)
		*due = other;
}

static struct process *upgraded_to(struct keeper *k)
{
	return keeper_find(k, PROCESS_SERVING) ? keeper_find(k, PROCESS_STARTING) : NULL;
}

static int keeper_until_next_ms(struct keeper *k)
{
	uint64_t due = k->own.rotate_ms, now = keeper_now_ms();
	if (k->state == KEEPER_PAUSING)
		due_sooner(&due, k->restart.due_ms);
	if (k->upgrade.checker)
		due_sooner(&due, k->upgrade.due_ms);
	if (upgraded_to(k))
		due_sooner(&due, upgraded_to(k)->started_ms + UPGRADE_READY_MS);
	return due > now ? (int)(due - now) : 0;
}

static void keeper_give_up_waiting(struct keeper *k, uint64_t now)
{
	const struct process *next = upgraded_to(k);
	upgrade_give_up_waiting(&k->upgrade, now);
	if (next && now >= next->started_ms + UPGRADE_READY_MS)
		kill(next->pid, SIGKILL);
}

static void keeper_do_what_is_due(struct keeper *k)
{
	uint64_t now = keeper_now_ms();
	if (now >= k->own.rotate_ms) {
		if (!ticket_keys_rotate(k->own.inherited.tickets))
			log_line(LOG_ERROR, "keeper: cannot make new ticket keys: no random bytes");
		k->own.rotate_ms = now + TICKETS_ROTATE_MS;
	}
	if (k->state == KEEPER_PAUSING && now >= k->restart.due_ms)
		keeper_restart(k);
	keeper_give_up_waiting(k, now);
}

static void keeper_turn(struct keeper *k)
{
	struct process *list = k->own.processes.list;
	struct pollfd fds[1 + PROCESSES_MAX] = { { .fd = k->signals, .events = POLLIN } };
	for (int i = 0; i < PROCESSES_MAX; i++)
		fds[1 + i] = (struct pollfd){ .fd = list[i].channel, .events = POLLIN };
	/* Interrupted, or the kernel had no memory: then nothing is ready. */
	if (poll(fds, 1 + PROCESSES_MAX, keeper_until_next_ms(k)) < 0)
		for (int i = 0; i < 1 + PROCESSES_MAX; i++)
			fds[i].revents = 0;
	/* Channels first: a working process may send a message and then die. */
	for (int i = 0; i < PROCESSES_MAX; i++)
		if (fds[1 + i].revents)
			channel_is_readable(k, &list[i]);
	if (fds[0].revents)
		keeper_signal_came(k);
	keeper_do_what_is_due(k);
}

/* Without the logger, each process writes to standard error itself, and may have to wait for it. */
static void keeper_open_log(struct keeper *k)
{
	if (!logger_open(&k->logger))
		log_line(
			LOG_WARN,
			"keeper: cannot start the log's thread, processes may wait for the log: %s",
			strerror(errno));
	k->own.log_from = k->logger.from;
	k->own.log_to = k->logger.to;
}

static bool take_log_over(struct keeper *k)
{
	if (k->own.log_from < 0)
		return keeper_open_log(k), true;
	return logger_open_from(&k->logger, k->own.log_from, k->own.log_to);
}

static bool keeper_open(struct keeper *k)
{
	upgrade_find_program(k->own.program);
	processes_open(&k->own.processes);
	k->own.rotate_ms = keeper_now_ms() + TICKETS_ROTATE_MS;
	keeper_open_log(k);
	if (inherited_open(&k->own.inherited)) {
		log_count_lost_in(&k->own.inherited.board->log_lost);
		if (keeper_start_process(k))
			return true;
	}
	log_line(LOG_ERROR, "keeper: cannot start: %s", strerror(errno));
	return false;
}

/* Replaces the version before in the same process: its children are our children. */
static bool keeper_take_over(struct keeper *k, int handed_over)
{
	char error[HANDOVER_ERROR_BYTES];
	if (!handover_read(handed_over, &k->own, error)) {
		log_line(LOG_ERROR, "upgrade: %s", error);
		return false;
	}
	handover_keep(&k->own, handed_over, false);
	close(handed_over);
	log_count_lost_in(&k->own.inherited.board->log_lost);
	if (!take_log_over(k))
		log_line(LOG_ERROR, "upgrade: cannot start the log's thread: %s", strerror(errno));
	log_line(LOG_INFO, "upgrade: crossfade %s has taken over", CROSSFADE_VERSION);
	keeper_restart(k);
	/* SIGCHLD for a child that died during the exec may have been consumed before it. */
	keeper_reap(k);
	return true;
}

/* Returns the exit code. */
static int keeper_open_and_turn(struct keeper *k, int handed_over)
{
	if (!(handed_over < 0 ? keeper_open(k) : keeper_take_over(k, handed_over)))
		return 1;
	while (k->state != KEEPER_OVER)
		keeper_turn(k);
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
	int code = keeper_open_and_turn(&k, handed_over);
	logger_close(&k.logger);
	log_count_lost_in(NULL);
	inherited_close(&k.own.inherited);
	close(k.binary);
	close(k.signals);
	return code;
}
