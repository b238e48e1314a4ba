#include "app/one_process.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "app/channel.h"
#include "app/command.h"
#include "app/inherited.h"
#include "app/process.h"
#include "app/signals.h"
#include "app/work.h"
#include "base/log.h"

struct one_process {
	struct inherited inherited;
	int ends[2]; /* the thread's end; the working process's end, which that closes */
	int signals;
	pthread_t thread;
};

/* --- in place of a keeper: on a thread of its own --- */

static void hear_signal(struct one_process *p)
{
	switch (signals_hear(p->signals)) {
	case SIGTERM:
	case SIGINT:
		channel_tell(p->ends[0], CHANNEL_STOP);
		break;
	case SIGHUP:
		channel_tell(p->ends[0], CHANNEL_RELOAD);
		break;
	case SIGUSR1:
		channel_tell(p->ends[0], CHANNEL_REOPEN);
		break;
	case SIGUSR2:
		channel_say(p->ends[0], CHANNEL_UPGRADE_FAILED,
			    "the balancer runs with --one-process, which cannot be upgraded");
		break;
	}
}

static void handle_message(struct one_process *p, const struct channel_message *m, int reply)
{
	if (m->word == CHANNEL_LEFT)
		inherited_stop_listening(&p->inherited);
	else if (m->word == CHANNEL_FORGET)
		inherited_forget(&p->inherited, &m->addr);
	else if (m->word == CHANNEL_READY)
		inherited_close_old(&p->inherited);
	else if (m->word == CHANNEL_KEEP && reply >= 0)
		close(reply);
	else if (reply >= 0)
		inherited_reply(&p->inherited, m, reply);
}

static void *one_process_hold(void *self)
{
	struct one_process *p = self;
	struct channel_message m;
	int reply;
	for (;;) {
		struct pollfd fds[2] = { { .fd = p->ends[0], .events = POLLIN },
					 { .fd = p->signals, .events = POLLIN } };
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents) {
			if (!channel_hear(p->ends[0], &m, &reply))
				return NULL;
			handle_message(p, &m, reply);
		}
		if (fds[1].revents)
			hear_signal(p);
	}
}

/* --- a life --- */

static bool one_process_open(struct one_process *p)
{
	process_raise_files();
	p->signals = signals_open();
	if (p->signals < 0 || !channel_open(p->ends) || !inherited_open(&p->inherited))
		return false;
	log_count_lost_in(&p->inherited.board->log_lost);
	inherited_begin(&p->inherited);
	errno = pthread_create(&p->thread, NULL, one_process_hold, p);
	return errno == 0;
}

int one_process_run(const char *config)
{
	struct one_process p = { 0 };
	if (!one_process_open(&p)) {
		log_line(LOG_ERROR, "cannot start: %s", strerror(errno));
		return EXIT_NO;
	}
	int code = work_alone(config, p.ends[1], p.inherited.board_fd, p.inherited.tickets_fd);
	pthread_join(p.thread, NULL);
	log_count_lost_in(NULL);
	inherited_close(&p.inherited);
	close(p.ends[0]);
	close(p.signals);
	return code;
}
