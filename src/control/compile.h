#ifndef CONTROL_COMPILE_H
#define CONTROL_COMPILE_H

/*
 * Compiles a plan from a configuration and from what is known about the nodes. TLS contexts are
 * built for each worker in its own library. A context whose certificate, policy and trust are those
 * of the previous plan is taken over from that plan.
 */

#include "control/config.h"
#include "control/listeners.h"
#include "control/nodes.h"
#include "control/file_limits.h"

struct compile {
	struct config *config;	     /* the plan holds it: the plan's texts point into it */
	const struct nodes *nodes;   /* borrowed; their states for the plan's life */
	struct listeners *listeners; /* borrowed for the plan's life */
	unsigned worker_n;	     /* all workers of the process */
	unsigned accepting_n;	     /* the first of them, which accept clients */
	uint64_t files;		     /* open files that the process may have; 0: any number */
	/* One for each worker; the last one is the control thread's own, for health checks. */
	struct tls_library *const *libraries;
	const struct ticket_keys *tickets; /* borrowed for the plan's life; may be NULL */
	const struct plan *previous;	   /* NULL: there is no earlier plan */
};

/*
 * How the open files are shared out for that configuration; its numbers of addresses and of nodes
 * count. False: there are too few files.
 */
bool compile_room(const struct config *c, unsigned worker_n, uint64_t files,
		  struct file_limits *room);

/* NULL, with diagnostics at the places in question, when a certificate or its key is not usable. */
const struct plan *plan_compile(const struct compile *c, struct diagnostics *diagnostics);

/*
 * Call it when every worker has adopted a newer plan. Exchanges may still pin this one. Frees its
 * TLS contexts and certificates; the rest of the plan is small.
 */
void plan_let_go_of_tls(const struct plan *p);

/* No worker may use the plan any more: see publish.h. */
void plan_free(const struct plan *p);

/* The number of pins that workers hold on the plan. */
unsigned plan_pinned(const struct plan *p);

#endif
