#ifndef CONTROL_PUBLISH_H
#define CONTROL_PUBLISH_H

/*
 * Publishes plans to the workers and takes them back. A plan is freed when every worker has adopted
 * a newer one and no worker holds a pin on it.
 */

#include <pthread.h>

#include "base/limits.h"
#include "control/compile.h"
#include "proxy/worker.h"

struct publish_worker {
	struct worker_mailbox mailbox;
	pthread_mutex_t io_lock; /* held while a worker comes or goes, and to wake it */
	struct io *io;		 /* borrowed; NULL: its thread does not run */
};

struct publisher {
	struct publish_worker *workers; /* borrowed */
	unsigned worker_n;
	const struct plan *plans[PLANS_MAX]; /* owned; the newest is last */
	size_t plan_n;
};

/* `first`, moved in, is in every mailbox afterwards. */
void publisher_open(struct publisher *p, struct publish_worker *workers, unsigned worker_n,
		    const struct plan *first);
/* All workers must be closed. */
void publisher_close(struct publisher *p);

const struct plan *publisher_newest(const struct publisher *p);

/* `plan` is moved in. False, without any effect, when PLANS_MAX plans are still in use. */
bool publish(struct publisher *p, const struct plan *plan);
/* Frees unused plans; call it periodically. True when a plan was freed. */
bool publisher_sweep(struct publisher *p);
/* Sets named[number] for each node that a plan has, and clears all others. */
void publisher_name_nodes(const struct publisher *p, bool named[NODES_MAX]);
void publisher_name_listeners(const struct publisher *p, bool named[LISTENERS_MAX]);

/*
 * Call it on a worker's thread: `io` may be woken from now on. NULL: it may not be woken any more.
 */
void publish_worker_io(struct publish_worker *w, struct io *io);

/*
 * An operator's change of nodes is in their states: tells the workers. Returns the number of the
 * change for publisher_unacknowledged(), which returns how many running workers have not looked at
 * it yet.
 */
uint32_t publisher_change_node_admin(struct publisher *p);
unsigned publisher_unacknowledged(struct publisher *p, uint32_t change);

/* Every worker looks at its mailbox and at the board soon. */
void publisher_wake(struct publisher *p);

#endif
