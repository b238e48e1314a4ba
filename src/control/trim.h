#ifndef CONTROL_TRIM_H
#define CONTROL_TRIM_H

/*
 * Gives free memory of malloc back to the system after many connections have closed: OpenSSL
 * allocates TLS sessions there, mixed with each other. Workers give back their slabs themselves.
 */

#include "ends/loop.h"
#include "proxy/counters.h"

struct trim {
	struct loop *loop;		 /* borrowed */
	const struct counters *counters; /* borrowed: one for each worker */
	unsigned worker_n;
	struct timer due;
	uint64_t gone; /* connections closed, as of the last look */
	bool going;    /* some closed in the interval before */
};

void trim_open(struct trim *t, struct loop *loop, const struct counters *counters,
	       unsigned worker_n);
void trim_close(struct trim *t);

#endif
