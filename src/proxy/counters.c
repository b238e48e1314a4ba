#include "proxy/counters.h"

#include "base/bug.h"

#define FIRST_BOUND_US 64
/* Where the upper half of an octave begins: the square root of 2, in 1/1024. */
#define HALF_OCTAVE 1448

uint64_t latency_bound_us(unsigned bucket)
{
	must(bucket < LATENCY_BUCKETS);
	if (bucket == LATENCY_BUCKETS - 1)
		return UINT64_MAX;
	uint64_t octave = (uint64_t)FIRST_BOUND_US << (bucket / 2);
	return bucket % 2 ? octave * HALF_OCTAVE / 1024 : octave;
}

unsigned latency_bucket(uint64_t us)
{
	if (us <= FIRST_BOUND_US)
		return 0;
	unsigned octave = 63 - (unsigned)__builtin_clzll((us - 1) / FIRST_BOUND_US);
	unsigned bucket = octave * 2 + 1;
	if (bucket >= LATENCY_BUCKETS - 1)
		return LATENCY_BUCKETS - 1;
	return us <= latency_bound_us(bucket) ? bucket : bucket + 1;
}
