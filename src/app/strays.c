#include "app/strays.h"

#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/log.h"

#define STRAYS_LOOK_MS 500

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
 * They were ignored since before the exec. Blocked first: what comes in between is still ignored.
 * With a handler, for what is ignored does not wait, and a thread of a library that blocks nothing
 * ends nobody.
 */
void strays_hold(void)
{
	struct sigaction nothing = { .sa_handler = do_nothing, .sa_flags = SA_RESTART };
	sigset_t theirs;
	strays_set(&theirs);
	sigprocmask(SIG_BLOCK, &theirs, NULL);
	for (int n = 1; n < NSIG; n++)
		if (sigismember(&theirs, n) == 1)
			sigaction(n, &nothing, NULL);
}

/* A terminal's, as Ctrl-C, come to the keeper too. */
static void say(const struct strays *s, const siginfo_t *i)
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

static void look_is_due(struct timer *t)
{
	static const struct timespec at_once;
	struct strays *s = list_entry(t, struct strays, look);
	sigset_t theirs;
	siginfo_t info;
	strays_set(&theirs);
	while (sigtimedwait(&theirs, &info, &at_once) > 0)
		say(s, &info);
	timer_set(s->wheel, t, s->wheel->now_ms + STRAYS_LOOK_MS);
}

void strays_open(struct strays *s, struct wheel *wheel, pid_t keeper, const bool *stopping)
{
	*s = (struct strays){ .wheel = wheel, .keeper = keeper, .stopping = stopping };
	timer_init(&s->look, look_is_due);
	timer_set(wheel, &s->look, wheel->now_ms + STRAYS_LOOK_MS);
}

void strays_close(struct strays *s)
{
	timer_clear(&s->look);
}
