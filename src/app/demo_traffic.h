#ifndef APP_DEMO_TRAFFIC_H
#define APP_DEMO_TRAFFIC_H

/* Sends a few requests a second through the weighted listener, on a thread of its own. */

#include "app/demo_stage.h"

struct demo_traffic; /* opaque */

struct demo_counts {
	unsigned long responded[ARMS]; /* by the cluster that X-Demo-Cluster names */
	unsigned long failed;	       /* no response, or a status of 400 and more */
	char failure[256];	       /* why the last one failed, in words */
};

/*
 * How many documents the source has from the beginning, for reads; replay brings them to the
 * target.
 */
#define DEMO_SEEDED 20

/* First puts documents into the source. NULL after a diagnostic. */
struct demo_traffic *demo_traffic_start(const struct demo_stage *s);
void demo_traffic_stop(struct demo_traffic *t);

struct demo_counts demo_traffic_counts(struct demo_traffic *t);

#endif
