#ifndef CONTROL_PUBLISH_H
#define CONTROL_PUBLISH_H

/*
 * Gives plans to workers and takes them back. A plan is freed when every worker has adopted a newer
 * one and none of them holds a pin on it.
 */

#include <pthread.h>

#include "control/compile.h"
#include "proxy/worker.h"

/*
 * Plans that exchanges and connections may still hold, some 20 KiB each: a reload an hour for six
 * weeks, with a tunnel of each. A change that finds no room waits.
 */
#define PLANS_MAX 1024

struct publish_worker {
	struct worker_door door;
	pthread_mutex_t io_lock; /* taken when a worker comes and goes, and to wake it */
	struct io *io;		 /* borrowed; NULL: its thread does not serve */
};

struct publisher {
	struct publish_worker *workers; /* borrowed */
	unsigned worker_n;
	const struct plan *plans[PLANS_MAX]; /* owned; the newest is last */
	size_t plan_n;
};

/* `first`, moved in, stands in every door afterwards. */
void publisher_open(struct publisher *p, struct publish_worker *workers, unsigned worker_n,
		    const struct plan *first);
/* All workers must be closed. */
void publisher_close(struct publisher *p);

const struct plan *publisher_newest(const struct publisher *p);

/* False, and nothing is done, when PLANS_MAX of them are still in use. The plan is moved in. */
bool publish(struct publisher *p, const struct plan *plan);
/* Frees what nobody uses; call it now and then. True when that was something. */
bool publisher_sweep(struct publisher *p);
/* named[number] of each node that any of the plans has, and of no other. */
void publisher_name_nodes(const struct publisher *p, bool named[NODES_MAX]);
void publisher_name_listeners(const struct publisher *p, bool named[LISTENERS_MAX]);

/* On a worker's thread: `io` can be woken from now on; NULL: and is not any more. */
void publish_worker_io(struct publish_worker *w, struct io *io);

/*
 * States of nodes have other duties than before: tells the workers. The number of this change, for
 * publisher_heedless(): how many of the workers that serve have not looked at it yet.
 */
uint32_t publisher_change_duties(struct publisher *p);
unsigned publisher_heedless(struct publisher *p, uint32_t change);

/* Every worker looks at its door and at the board soon. */
void publisher_wake(struct publisher *p);

#endif
