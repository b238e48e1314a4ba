#ifndef CONTROL_DISK_JOBS_H
#define CONTROL_DISK_JOBS_H

/*
 * Runs work that waits for a disk on a thread of its own, one job after the other. The control
 * thread's loop never waits for a sync, nor for the directory of a file server that does not
 * answer. The loop learns the outcome of each job.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/list.h"
#include "io/io.h"

struct disk_job {
	void (*work)(struct disk_job *j); /* on the thread */
	void (*done)(struct disk_job *j); /* on the loop, after a turn; it may free the job */
	struct list link;
};

struct disk_jobs {
	struct io *io; /* borrowed: of the loop that calls done(); NULL: no thread */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t news;
	struct list queued, finished; /* guarded by `lock` */
	struct disk_job *working;     /* guarded by `lock` */
	bool stopping;		      /* guarded by `lock` */
	bool threaded;
	unsigned n; /* used by the loop: jobs that were put and are not done */
};

/*
 * Starts the thread, which wakes `io` when a job is finished. Where `io` is NULL, as in tests,
 * there is no thread, and disk_jobs_look() runs the jobs. False with errno.
 */
bool disk_jobs_open(struct disk_jobs *d, struct io *io);
/*
 * The jobs that were put are finished, for at most `wait_ms`, and their done() is called. False:
 * the disk does not answer. Then all that the jobs use must stay until the process ends.
 */
bool disk_jobs_close(struct disk_jobs *d, uint32_t wait_ms);

void disk_jobs_put(struct disk_jobs *d, struct disk_job *j);
/* Calls done() of the finished jobs. Call it after each turn of the loop. */
void disk_jobs_look(struct disk_jobs *d);

/* No job is queued or working, and every done() has been called. */
static inline bool disk_jobs_are_over(const struct disk_jobs *d)
{
	return d->n == 0;
}

#endif
