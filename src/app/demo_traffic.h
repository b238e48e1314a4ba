#ifndef APP_DEMO_TRAFFIC_H
#define APP_DEMO_TRAFFIC_H

/* A trickle of requests through the weighted listener, from a thread of its own. */

#include "app/demo_stage.h"

struct demo_traffic; /* opaque */

struct demo_counts {
	unsigned long answered[ARMS]; /* by the cluster that says it was it */
	unsigned long failed;	      /* no answer, or a status of 400 and more */
	char failure[256];	      /* the last one, in words */
};

/* Puts the same documents on both sides first. NULL after a complaint. */
struct demo_traffic *demo_traffic_start(const struct demo_stage *s);
void demo_traffic_stop(struct demo_traffic *t);

struct demo_counts demo_traffic_counts(struct demo_traffic *t);

#endif
