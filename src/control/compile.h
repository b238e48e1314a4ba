#ifndef CONTROL_COMPILE_H
#define CONTROL_COMPILE_H

/*
 * Makes a plan of a configuration and of what is known about the nodes. TLS contexts are built for
 * each worker in its own library; those whose certificate, policy and trust are the previous plan's
 * are taken over from it.
 */

#include "control/config.h"
#include "control/listeners.h"
#include "control/nodes.h"
#include "control/room.h"

struct compile {
	struct config *config;	     /* the plan holds it: names point into it */
	const struct nodes *nodes;   /* borrowed; their states, for the plan's life */
	struct listeners *listeners; /* borrowed for the plan's life */
	unsigned worker_n;
	uint64_t files; /* that the process may have open; 0: any number */
	/* One for each worker, and behind them control's own, for health checks. */
	struct tls_library *const *libraries;
	const struct ticket_keys *tickets; /* borrowed for the plan's life; may be NULL */
	const struct plan *previous;	   /* NULL: there is none */
};

/*
 * How the open files are shared out for that configuration. False: there are too few. What it has
 * of addresses and nodes counts.
 */
bool compile_room(const struct config *c, unsigned worker_n, uint64_t files, struct room *room);

/* NULL, and complaints at the places in question, when a certificate or its key is no good. */
const struct plan *plan_compile(const struct compile *c, struct complaints *complaints);

/*
 * Every worker has left it for a newer one, though exchanges may still pin it: its TLS contexts and
 * certificates go. What is left is small.
 */
void plan_let_go_of_tls(const struct plan *p);

/* No worker may use it any more: see publish.h. */
void plan_free(const struct plan *p);

/* How many pins the workers hold on it. */
unsigned plan_pinned(const struct plan *p);

#endif
