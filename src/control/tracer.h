#ifndef CONTROL_TRACER_H
#define CONTROL_TRACER_H

/*
 * One trace at a time: the clients whose requests are traced, and the trace's lines for the admin
 * API. A trace ends by itself when nobody takes its lines.
 */

#include <jansson.h>

#include "base/wheel.h"
#include "control/publish.h"
#include "proxy/tracing.h"

struct tracer {
	struct publisher *publisher; /* borrowed */
	struct wheel *wheel;	     /* borrowed */
	struct tracing *list;	     /* owned: one for each worker */
	unsigned n;
	uint32_t change; /* of the workers' node_admin, when tracing was last turned off */
	bool on;
	struct timer lease;
};

/* Call it before any worker is made. */
void tracer_open(struct tracer *t, struct publisher *publisher, unsigned worker_n);
/* All workers must be closed. */
void tracer_close(struct tracer *t);
/*
 * Call tracer_attach() when the loop of that wheel was opened, and tracer_detach() before it is
 * closed.
 */
void tracer_attach(struct tracer *t, struct wheel *wheel);
void tracer_detach(struct tracer *t);

struct tracing *tracer_of(struct tracer *t, unsigned worker);

enum tracer_begun {
	TRACER_BEGUN,
	TRACER_BUSY,	   /* another trace is under way, or is ending */
	TRACER_NO_NETWORK, /* `clients` is neither an address nor a network */
};
/* Traces requests of these clients from now on, also on connections that are open already. */
enum tracer_begun tracer_begin(struct tracer *t, const char *clients);
void tracer_end(struct tracer *t);

/*
 * The lines since the last call, owned by the caller; each line is given once. The trace goes on
 * for another TRACE_LEASE_MS.
 */
json_t *tracer_take(struct tracer *t);

#endif
