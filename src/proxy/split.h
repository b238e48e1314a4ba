#ifndef PROXY_SPLIT_H
#define PROXY_SPLIT_H

/*
 * Which arm a request goes to, exactly as the weights say, of reads and of writes: after any number
 * of requests of a class no arm is more than one away from its share, and over each block of as
 * many requests as the weights' sum (or the sum of the same weights without a common divisor) it
 * has exactly that. Each worker has a split of its own. A change of the weights begins a new block.
 *
 * Which requests of a block are the target's is drawn, so that no client's rhythm falls in with
 * it: each request goes there with just the probability that the weights give.
 */

#include "proxy/chance.h"
#include "proxy/class.h"
#include "proxy/plan.h"

/*
 * A stratum is as many requests as the target gets one of, not always a whole number: 1 in 10, 2
 * in 5. One request weighs the target's weight, a stratum the sum of both.
 */
struct split_block {
	uint32_t target, sum; /* by which it was begun; 0: there is none */
	uint32_t left;	      /* of the stratum */
	bool taken;	      /* the stratum has its request */
};

struct split {
	struct chance chance;
	struct split_block blocks[CLASSES];
};

/* Each worker has a seed of its own, or they would all favour the same arm at once. */
void split_open(struct split *s, uint64_t seed);

/* At least one weight is above 0. An arm of weight 0 is never taken, and takes no turn. */
enum arm split_take(struct split *s, enum class class, const uint32_t weights[ARMS]);

#endif
