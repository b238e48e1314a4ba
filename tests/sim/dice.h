#ifndef TESTS_SIM_DICE_H
#define TESTS_SIM_DICE_H

/*
 * Random numbers for scripts. They are separate from the simulator's, so that scripts do not depend
 * on the faults of the network.
 */

#include <stdbool.h>
#include <stdint.h>

struct dice {
	uint64_t state; /* of splitmix64 */
};

static inline uint64_t dice_mix(uint64_t z)
{
	z += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* A number from 0 to n - 1; n must be above 0. */
static inline uint64_t dice_roll(struct dice *d, uint64_t n)
{
	uint64_t z = dice_mix(d->state += 0x9e3779b97f4a7c15);
	return (uint64_t)(((unsigned __int128)z * n) >> 64);
}

/* A number from least to most, both included. */
static inline uint64_t dice_between(struct dice *d, uint64_t least, uint64_t most)
{
	return least + dice_roll(d, most - least + 1);
}

/* True with the probability of_1000 / 1000. */
static inline bool dice_chance(struct dice *d, unsigned of_1000)
{
	return dice_roll(d, 1000) < of_1000;
}

/*
 * A number from 0 to most, small numbers more often: each order of magnitude has the same
 * probability.
 */
static inline uint64_t dice_size(struct dice *d, uint64_t most)
{
	if (!most)
		return 0;
	unsigned bits = 64 - (unsigned)__builtin_clzll(most);
	uint64_t n = dice_roll(d, (uint64_t)1 << dice_roll(d, bits + 1));
	return n < most ? n : most;
}

#define dice_pick(d, array) ((array)[dice_roll(d, sizeof(array) / sizeof *(array))])

#endif
