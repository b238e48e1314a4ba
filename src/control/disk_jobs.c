#include "control/disk_jobs.h"

#include <errno.h>
#include <time.h>

#include "base/bug.h"

static struct disk_job *disk_job_of(struct list *l)
{
	return list_entry(l, struct disk_job, link);
}

/* --- on the thread --- */

/* The next job; NULL: there is none, and the thread must end. The lock is held. */
static struct disk_job *disk_jobs_await(struct disk_jobs *d)
{
	while (list_empty(&d->queued) && !d->stopping)
		pthread_cond_wait(&d->news, &d->lock);
	struct list *first = list_take_first(&d->queued);
	return first ? disk_job_of(first) : NULL;
}

static void *disk_jobs_run(void *argument)
{
	struct disk_jobs *d = argument;
	pthread_setname_np(pthread_self(), "disk");
	pthread_mutex_lock(&d->lock);
	while ((d->working = disk_jobs_await(d))) {
		pthread_mutex_unlock(&d->lock);
		d->working->work(d->working);
		pthread_mutex_lock(&d->lock);
		list_add_tail(&d->finished, &d->working->link);
		io_wake(d->io);
	}
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

/* --- on the loop --- */

bool disk_jobs_open(struct disk_jobs *d, struct io *io)
{
	*d = (struct disk_jobs){ .io = io, .threaded = io != NULL };
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->news, NULL);
	list_init(&d->queued);
	list_init(&d->finished);
	int error = d->threaded ? pthread_create(&d->thread, NULL, disk_jobs_run, d) : 0;
	if (error)
		d->threaded = false;
	errno = error;
	return error == 0;
}

void disk_jobs_put(struct disk_jobs *d, struct disk_job *j)
{
	pthread_mutex_lock(&d->lock);
	list_init(&j->link);
	list_add_tail(&d->queued, &j->link);
	d->n++;
	pthread_cond_signal(&d->news);
	pthread_mutex_unlock(&d->lock);
}

static struct disk_job *disk_jobs_take_finished(struct disk_jobs *d)
{
	pthread_mutex_lock(&d->lock);
	struct list *first = list_take_first(d->threaded ? &d->finished : &d->queued);
	pthread_mutex_unlock(&d->lock);
	if (!first)
		return NULL;
	if (!d->threaded)
		disk_job_of(first)->work(disk_job_of(first));
	return disk_job_of(first);
}

/* A done() may put the next job. */
void disk_jobs_look(struct disk_jobs *d)
{
	for (struct disk_job *j; d->n && (j = disk_jobs_take_finished(d));) {
		d->n--;
		j->done(j);
	}
}

static bool disk_jobs_end_thread(struct disk_jobs *d, uint32_t wait_ms)
{
	struct timespec until;
	pthread_mutex_lock(&d->lock);
	d->stopping = true;
	pthread_cond_signal(&d->news);
	pthread_mutex_unlock(&d->lock);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += wait_ms / 1000;
	return pthread_timedjoin_np(d->thread, NULL, &until) == 0;
}

bool disk_jobs_close(struct disk_jobs *d, uint32_t wait_ms)
{
	if (d->threaded && !disk_jobs_end_thread(d, wait_ms))
		return false;
	/* A done() that runs here may put jobs, which are run here. */
	struct list *left;
	while ((left = list_take_first(&d->finished))) {
		d->n--;
		disk_job_of(left)->done(disk_job_of(left));
	}
	d->threaded = false;
	disk_jobs_look(d);
	must(disk_jobs_are_over(d));
	pthread_cond_destroy(&d->news);
	pthread_mutex_destroy(&d->lock);
	return true;
}
