#include "app/stray_signals.h"

#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "base/log.h"

static void strays_set(sigset_t *s)
{
	static const int theirs[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2 };
	sigemptyset(s);
	for (size_t i = 0; i < sizeof theirs / sizeof theirs[0]; i++)
		sigaddset(s, theirs[i]);
}

static void do_nothing(int signal)
{
	(void)signal;
}

/*
 * The signals have been ignored since before the exec. First they are blocked: one that comes in
 * between is still ignored. Then they get a handler: an ignored signal would not wait to be read,
 * and a library's thread that does not block signals must not be killed by one.
 */
void stray_signals_hold(void)
{
	struct sigaction nothing = { .sa_handler = do_nothing, .sa_flags = SA_RESTART };
	sigset_t theirs;
	strays_set(&theirs);
	sigprocmask(SIG_BLOCK, &theirs, NULL);
	for (int n = 1; n < NSIG; n++)
		if (sigismember(&theirs, n) == 1)
			sigaction(n, &nothing, NULL);
}

/* A signal from a terminal, such as Ctrl-C, has gone to the keeper too: it is not logged. */
static void stray_signal_say(const struct stray_signals *s, const siginfo_t *i)
{
	const char *name = sigabbrev_np(i->si_signo);
	bool stops = i->si_signo == SIGTERM || i->si_signo == SIGINT;
	if (i->si_code > 0 || (stops && *s->stopping))
		return;
	log_line(LOG_WARN,
		 "signal SIG%s from process %d does nothing here: signals are for the keeper, "
		 "process %d (kill -%s %d)",
		 name, (int)i->si_pid, (int)s->keeper, name, (int)s->keeper);
}

static void strays_look_is_due(struct timer *t)
{
	static const struct timespec at_once;
	struct stray_signals *s = list_entry(t, struct stray_signals, look);
	sigset_t theirs;
	siginfo_t info;
	strays_set(&theirs);
	while (sigtimedwait(&theirs, &info, &at_once) > 0)
		stray_signal_say(s, &info);
	timer_set(s->wheel, t, s->wheel->now_ms + STRAYS_LOOK_MS);
}

void stray_signals_open(struct stray_signals *s, struct wheel *wheel, pid_t keeper,
			const bool *stopping)
{
	*s = (struct stray_signals){ .wheel = wheel, .keeper = keeper, .stopping = stopping };
	timer_init(&s->look, strays_look_is_due);
	timer_set(wheel, &s->look, wheel->now_ms + STRAYS_LOOK_MS);
}

void stray_signals_close(struct stray_signals *s)
{
	timer_clear(&s->look);
}
