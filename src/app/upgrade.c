#include "app/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "app/keeper.h"
#include "base/clock.h"
#include "base/log.h"

#define FALLBACK "/proc/self/exe"

void upgrade_find_program(char path[1024])
{
	const char *executed = (const char *)(uintptr_t)getauxval(AT_EXECFN);
	char here[1024];
	int n = -1;
	if (executed && executed[0] == '/')
		n = snprintf(path, 1024, "%s", executed);
	else if (executed && executed[0] && getcwd(here, sizeof here))
		n = snprintf(path, 1024, "%s/%s", here, executed);
	if (n < 0 || n >= 1024)
		snprintf(path, 1024, FALLBACK);
}

/* --- asking --- */

static _Noreturn void upgrade_execute_check(const struct upgrade *u, const struct handover *h,
					    int list, const char *config, pid_t keeper)
{
	char number[16];
	snprintf(number, sizeof number, "%d", list);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != keeper)
		_exit(1);
	handover_keep(h, list, true);
	process_leave_signals();
	const char *const arguments[] = { h->program, HANDOVER_COMMAND, config, number, NULL };
	fexecve(u->binary, (char *const *)(uintptr_t)arguments, environ);
	log_line(LOG_ERROR, "upgrade: cannot execute %s: %s", h->program, strerror(errno));
	_exit(1);
}

bool upgrade_begin(struct upgrade *u, const struct handover *h, const char *config)
{
	int list = handover_write(h);
	*u = (struct upgrade){ .binary = open(h->program, O_RDONLY | O_CLOEXEC),
			       .due_ms = clock_monotonic_ns() / 1000000 + UPGRADE_CHECK_MS };
	pid_t keeper = getpid(), child = -1;
	if (u->binary >= 0 && list >= 0)
		child = fork();
	if (child == 0)
		upgrade_execute_check(u, h, list, config, keeper);
	if (child < 0)
		log_line(LOG_ERROR, "upgrade: nothing has changed: cannot start %s: %s", h->program,
			 strerror(errno));
	else
		log_line(LOG_INFO, "upgrade: checking whether %s can take over", h->program);
	if (list >= 0)
		close(list);
	if (child > 0)
		u->checker = child;
	else
		upgrade_end(u);
	return child > 0;
}

void upgrade_give_up_waiting(struct upgrade *u, uint64_t now_ms)
{
	if (!u->checker || now_ms < u->due_ms)
		return;
	log_line(LOG_ERROR, "upgrade: the check has not ended within %d s: it is killed",
		 UPGRADE_CHECK_MS / 1000);
	kill(u->checker, SIGKILL);
	u->due_ms = UINT64_MAX;
}

void upgrade_end(struct upgrade *u)
{
	if (u->binary >= 0)
		close(u->binary);
	*u = (struct upgrade){ .binary = -1 };
}

/* --- becoming --- */

void upgrade_become(struct upgrade *u, const struct handover *h, const char *config)
{
	static const char option[] = "--" KEEPER_HANDOVER_OPTION;
	char number[16];
	/* Processes may have died since the check: the list is written again. */
	int list = handover_write(h);
	if (list >= 0) {
		snprintf(number, sizeof number, "%d", list);
		const char *const arguments[] = { h->program, "run",  "-c", config,
						  option,     number, NULL };
		handover_keep(h, list, true);
		fexecve(u->binary, (char *const *)(uintptr_t)arguments, environ);
	}
	log_line(LOG_ERROR, "upgrade: nothing has changed: cannot execute %s: %s", h->program,
		 strerror(errno));
	if (list >= 0) {
		handover_keep(h, list, false);
		close(list);
	}
	upgrade_end(u);
}
