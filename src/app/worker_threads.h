#ifndef APP_WORKER_THREADS_H
#define APP_WORKER_THREADS_H

/*
 * The threads of a process's workers. Each opens its io, serves, and ends when its worker is over.
 */

#include "control/workers.h"

struct worker_threads {
	struct worker_thread *list; /* owned */
	unsigned n;
};

/*
 * Starts one thread for each worker of `w`, and waits until all serve. Returns 0, or an errno when
 * a thread or its io could not be made: then the process is useless and must exit.
 */
int worker_threads_start(struct worker_threads *t, struct workers *w);
/* Waits for the threads. To be called after all workers are over. */
void worker_threads_join(struct worker_threads *t);

#endif
