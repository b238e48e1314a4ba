#include "base/latency.h"

#include "base/bug.h"

#define FIRST_BOUND_US 64
/* The bound between the two halves of an octave: the square root of 2, in 1/1024. */
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

void latency_see(struct latency_seen *to, const struct latency *l)
{
	for (unsigned b = 0; b < LATENCY_BUCKETS; b++)
		to->buckets[b] += counter_read(&l->buckets[b]);
	to->sum_us += counter_read(&l->sum_us);
}

uint64_t latency_count(const struct latency_seen *l)
{
	uint64_t all = 0;
	for (unsigned b = 0; b < LATENCY_BUCKETS; b++)
		all += l->buckets[b];
	return all;
}

uint64_t latency_quantile_us(const struct latency_seen *l, double share)
{
	uint64_t all = latency_count(l), seen = 0;
	for (unsigned b = 0; all && b < LATENCY_BUCKETS - 1; b++) {
		seen += l->buckets[b];
		if ((double)seen >= share * (double)all)
			return latency_bound_us(b);
	}
	return all ? latency_bound_us(LATENCY_BUCKETS - 2) : 0;
}
