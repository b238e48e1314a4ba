#ifndef APP_WORKER_THREADS_H
#define APP_WORKER_THREADS_H

/* The threads of a process's workers: each opens its io, serves, and ends when it was told to. */

#include "control/control.h"

struct worker_threads {
	struct worker_thread *list; /* owned */
	unsigned n;
};

/*
 * Starts one for each worker of `c`, and waits until all serve. Zero, or an errno when a thread or
 * its io could not be had: the process is of no use then and must exit.
 */
int worker_threads_start(struct worker_threads *t, struct control *c);
/* After all workers are over. */
void worker_threads_join(struct worker_threads *t);

#endif
