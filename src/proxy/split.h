#ifndef PROXY_SPLIT_H
#define PROXY_SPLIT_H

/*
 * Which arm a request goes to, exactly as the weights say: after any number of requests no arm is
 * more than one away from its share. Each worker has a split of its own.
 */

#include "proxy/plan.h"

struct split {
	double debt[ARMS]; /* requests that the arm is owed; they add up to 0 */
};

/* Workers start staggered, so that many of them together do not all favour the same arm. */
void split_open(struct split *s, unsigned worker, unsigned worker_n);

/* At least one weight is above 0. An arm of weight 0 is never taken; ties go to the source. */
enum arm split_take(struct split *s, const uint32_t weights[ARMS]);

#endif
