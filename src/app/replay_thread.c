#include "app/replay_thread.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/log.h"

static void *replay_thread_read(void *argument)
{
	pthread_setname_np(pthread_self(), "replay log");
	while (replay_read(argument))
		;
	return NULL;
}

void replay_thread_serve(struct workers *workers, struct worker *w)
{
	struct replay_config config = workers_replay_config(workers);
	const struct worker_mailbox *mailbox = &workers->mailboxes[workers->accepting_n].mailbox;
	pthread_t reading;
	config.worker = w;
	struct replay *r = replay_open(&config);
	int error = pthread_create(&reading, NULL, replay_thread_read, r);
	if (error) {
		log_line(LOG_ERROR, "replay: its thread cannot be started: %s", strerror(error));
		abort();
	}
	pthread_setname_np(pthread_self(), "replay");
	workers_use_replay(workers, r);
	while (!replay_is_over(r)) {
		if (atomic_load(&mailbox->stopping) || atomic_load(&mailbox->retiring))
			replay_stop(r, atomic_load(&mailbox->aborting));
		worker_turn(w, replay_turn(r));
	}
	workers_use_replay(workers, NULL);
	pthread_join(reading, NULL);
	replay_close(r);
}
