#ifndef BASE_LEAST_H
#define BASE_LEAST_H

/* The smaller and the larger of two numbers, and their order. */

#include <stdint.h>

static inline uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/*
 * For qsort() and similar functions: below 0, 0 or above 0, as `a` is below, equal to or above `b`.
 */
static inline int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

#endif
