#ifndef PROXY_CHANCE_H
#define PROXY_CHANCE_H

/* Random numbers for what need not be secret: ids, and who comes first. */

#include <stdint.h>

struct chance {
	uint64_t state; /* of splitmix64: one worker's, from its seed */
};

static inline uint64_t chance_next(struct chance *c)
{
	uint64_t z = c->state += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

#endif
