#ifndef BASE_LATENCY_H
#define BASE_LATENCY_H

/*
 * Latencies, in buckets whose upper bounds are 2^(i/2) * 64 us: from 64 us to about 190 s, half an
 * octave each. The last holds all that took longer.
 */

#include "base/counter.h"

#define LATENCY_BUCKETS 44
unsigned latency_bucket(uint64_t us);
/* Upper bound in microseconds; UINT64_MAX for the last. */
uint64_t latency_bound_us(unsigned bucket);

struct latency {
	counter buckets[LATENCY_BUCKETS];
	counter sum_us;
};

static inline void latency_add(struct latency *l, uint64_t us)
{
	counter_add(&l->buckets[latency_bucket(us)], 1);
	counter_add(&l->sum_us, us);
}

/* As somebody reads it: of one, or of several together. */
struct latency_seen {
	uint64_t buckets[LATENCY_BUCKETS], sum_us;
};

void latency_see(struct latency_seen *to, const struct latency *l);
uint64_t latency_count(const struct latency_seen *l);
/*
 * The upper bound of the bucket in which that share of them ends, of the last but one at most; 0:
 * there were none.
 */
uint64_t latency_quantile_us(const struct latency_seen *l, double share);

#endif
