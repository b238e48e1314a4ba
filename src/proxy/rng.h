#ifndef PROXY_RNG_H
#define PROXY_RNG_H

/* Random numbers that need not be secret: for ids, and for the order of things. */

#include <stdint.h>

struct rng {
	uint64_t state; /* of splitmix64; one worker's, from its seed */
};

static inline uint64_t rng_next(struct rng *c)
{
	uint64_t z = c->state += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

#endif
