#ifndef PROXY_SPLIT_H
#define PROXY_SPLIT_H

/*
 * Which arm a request goes to, exactly as the weights say, separately for reads and for writes.
 * After any number of requests of a class, no arm is more than one away from its share. Over each
 * block of as many requests as the weights' sum (or the sum of the same weights without a common
 * divisor) each arm has exactly its share. Each worker has a split of its own. A change of the
 * weights begins a new block.
 *
 * The target's requests in a block are drawn at random, so that no client's rhythm coincides with
 * them: each request goes to the target with exactly the probability that the weights give.
 */

#include "proxy/rng.h"
#include "proxy/class.h"
#include "proxy/plan.h"

/*
 * A stratum is the number of requests of which the target gets one; not always a whole number: 1 in
 * 10, 2 in 5. One request counts as the target's weight, a stratum as the sum of both weights.
 */
struct split_block {
	uint32_t target, sum; /* the weights of this block; 0: no block */
	uint32_t left;	      /* of the stratum */
	bool taken;	      /* the target has its request of the stratum */
};

struct split {
	struct rng rng;
	struct split_block blocks[CLASSES];
};

/* Each worker needs a seed of its own, or all would favour the same arm at once. */
void split_open(struct split *s, uint64_t seed);

void split_check(const struct split *s);

/*
 * At least one weight must be above 0. An arm of weight 0 is never chosen. While one weight is 0,
 * choices do not change the block.
 */
enum arm split_take(struct split *s, enum class class, const uint32_t weights[ARMS]);

#endif
