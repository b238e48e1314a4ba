#include "app/worker_threads.h"

#include "app/replay_thread.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/log.h"

struct worker_thread {
	pthread_t id;
	struct workers *workers;
	unsigned number;
	enum config_io wanted;
	struct start *start;
	struct bufs bufs;
	struct io *io;
};

/* Where the threads report whether they have started. */
struct start {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned said;
	int error;
};

static void say_started(struct start *s, int error)
{
	pthread_mutex_lock(&s->lock);
	s->said++;
	if (error && !s->error)
		s->error = error;
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static void await_started(struct start *s, unsigned n)
{
	pthread_mutex_lock(&s->lock);
	while (s->said < n)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

/* --- in the thread --- */

/*
 * If there is one worker for each core, each worker is pinned to its own core: caches stay warm,
 * and its sockets stay on that core.
 */
static void pin_to_core(unsigned number, unsigned worker_n)
{
	cpu_set_t cores, one;
	if (sched_getaffinity(0, sizeof cores, &cores) < 0 ||
	    (unsigned)CPU_COUNT(&cores) != worker_n)
		return;
	unsigned seen = 0;
	for (int core = 0; core < CPU_SETSIZE; core++) {
		if (!CPU_ISSET(core, &cores) || seen++ != number)
			continue;
		CPU_ZERO(&one);
		CPU_SET(core, &one);
		/* If this fails, only speed is lost. */
		(void)sched_setaffinity(0, sizeof one, &one);
		return;
	}
}

static struct io *worker_thread_open_io(struct worker_thread *t)
{
	struct io *io = NULL;
	if (t->wanted != CONFIG_IO_EPOLL)
		io = io_uring_open(&t->bufs);
	if (!io && t->wanted == CONFIG_IO_AUTO)
		log_line(LOG_WARN, "worker %u: io_uring is not available here (%s): epoll is used",
			 t->number, strerror(errno));
	if (!io && t->wanted != CONFIG_IO_URING)
		io = io_epoll_open(&t->bufs);
	return io;
}

static void worker_thread_serve(struct worker_thread *t)
{
	struct worker_config config = workers_config(t->workers, t->number);
	config.io = t->io;
	config.bufs = &t->bufs;
	struct worker *w = worker_open(&config);
	workers_up(t->workers, t->number, t->io);
	say_started(t->start, 0);
	if (workers_replay_is(t->workers, t->number))
		replay_thread_serve(t->workers, w);
	while (!worker_is_over(w))
		worker_turn(w, UINT64_MAX);
	worker_close(w);
	workers_over(t->workers, t->number);
	io_free(t->io);
	bufs_close(&t->bufs);
}

static void *worker_thread_run(void *argument)
{
	struct worker_thread *t = argument;
	char name[16];
	snprintf(name, sizeof name, "worker %u", t->number);
	pthread_setname_np(pthread_self(), name);
	pin_to_core(t->number, t->workers->accepting_n);
	tls_library_enter(t->workers->libraries[t->number]);
	bufs_open(&t->bufs);
	t->io = worker_thread_open_io(t);
	if (t->io)
		worker_thread_serve(t);
	else
		say_started(t->start, errno ? errno : ENOSYS);
	return NULL;
}

/* --- outside --- */

int worker_threads_start(struct worker_threads *threads, struct workers *w)
{
	struct start start = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0 };
	*threads = (struct worker_threads){ .n = w->n };
	threads->list = calloc(w->n, sizeof *threads->list);
	must(threads->list);
	for (unsigned i = 0; i < w->n; i++) {
		struct worker_thread *t = &threads->list[i];
		t->workers = w;
		t->number = i;
		t->wanted = (enum config_io)w->config->io;
		t->start = &start;
		int error = pthread_create(&t->id, NULL, worker_thread_run, t);
		if (error) {
			await_started(&start, i);
			return error;
		}
	}
	await_started(&start, w->n);
	return start.error;
}

void worker_threads_join(struct worker_threads *t)
{
	for (unsigned i = 0; i < t->n; i++)
		pthread_join(t->list[i].id, NULL);
	free(t->list);
}
