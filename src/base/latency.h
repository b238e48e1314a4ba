#ifndef BASE_LATENCY_H
#define BASE_LATENCY_H

/*
 * Histograms of latencies. The upper bounds of the buckets are 2^(i/2) * 64 us: from 64 us to about
 * 190 s, half an octave each. The last bucket holds everything longer.
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

/* A sum of one or several histograms, for reading. */
struct latency_seen {
	uint64_t buckets[LATENCY_BUCKETS], sum_us;
};

void latency_see(struct latency_seen *to, const struct latency *l);
uint64_t latency_count(const struct latency_seen *l);
/*
 * The upper bound of the bucket in which the given share of the latencies ends; at most the bound
 * of the last bucket but one. 0: there are no latencies.
 */
uint64_t latency_quantile_us(const struct latency_seen *l, double share);

#endif
