#include "app/signals.h"

#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

int signals_open(void)
{
	static const int theirs[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGUSR1, SIGUSR2 };
	sigset_t heard;
	sigemptyset(&heard);
	for (size_t i = 0; i < sizeof theirs / sizeof theirs[0]; i++)
		sigaddset(&heard, theirs[i]);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_SETMASK, &heard, NULL) < 0)
		return -1;
	return signalfd(-1, &heard, SFD_CLOEXEC);
}

int signals_hear(int fd)
{
	struct signalfd_siginfo s;
	return read(fd, &s, sizeof s) == sizeof s ? (int)s.ssi_signo : 0;
}
