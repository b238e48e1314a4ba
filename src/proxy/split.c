#include "proxy/split.h"

#include "base/bug.h"

void split_open(struct split *s, unsigned worker, unsigned worker_n)
{
	must(worker < worker_n);
	double ahead = (worker + 0.5) / worker_n - 0.5;
	s->debt[ARM_SOURCE] = ahead;
	s->debt[ARM_TARGET] = -ahead;
}

enum arm split_take(struct split *s, const uint32_t weights[ARMS])
{
	double sum = (double)weights[ARM_SOURCE] + weights[ARM_TARGET];
	must(sum > 0);
	/* An arm without weight neither gains nor pays: its debt waits for the next change. */
	if (!weights[ARM_TARGET])
		return ARM_SOURCE;
	if (!weights[ARM_SOURCE])
		return ARM_TARGET;
	for (int arm = 0; arm < ARMS; arm++)
		s->debt[arm] += weights[arm] / sum;
	enum arm taken = s->debt[ARM_TARGET] > s->debt[ARM_SOURCE] ? ARM_TARGET : ARM_SOURCE;
	s->debt[taken] -= 1;
	return taken;
}
