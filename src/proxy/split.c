#include "proxy/split.h"

#include "base/bug.h"
#include "base/checks.h"

void split_open(struct split *s, uint64_t seed)
{
	*s = (struct split){ .rng.state = seed };
}

/* True with the probability n / of. */
static bool split_draws(struct split *s, uint32_t n, uint32_t of)
{
	return (uint32_t)((rng_next(&s->rng) >> 32) * of >> 32) < n;
}

/*
 * The request lies within the stratum. Each part of what is left of the stratum has the same
 * probability.
 */
static bool take_within(struct split *s, struct split_block *b)
{
	bool takes = !b->taken && split_draws(s, b->target, b->left);
	b->left -= b->target;
	b->taken |= takes;
	return takes;
}

/*
 * The request begins in one stratum and ends in the next. The first stratum takes it if that has no
 * request yet. Otherwise the next one may take it: with the probability of its part among those
 * that can still come here.
 */
static bool take_across(struct split *s, struct split_block *b)
{
	uint32_t part = b->target - b->left;
	bool first = !b->taken, takes = first || split_draws(s, part, b->sum - b->left);
	b->taken = takes && !first;
	b->left = b->sum - part;
	return takes;
}

void split_check(const struct split *s)
{
	for (int i = 0; i < CLASSES; i++)
		must(s->blocks[i].target <= s->blocks[i].sum &&
		     s->blocks[i].left <= s->blocks[i].sum);
}

enum arm split_take(struct split *s, enum class class, const uint32_t weights[ARMS])
{
	uint32_t target = weights[ARM_TARGET], sum = weights[ARM_SOURCE] + target;
	struct split_block *b = &s->blocks[class];
	must(sum > 0);
	if (!target)
		return ARM_SOURCE;
	if (target == sum)
		return ARM_TARGET;
	if (b->target != target || b->sum != sum)
		*b = (struct split_block){ .target = target, .sum = sum, .taken = true };
	checks(split_check(s));
	bool takes = target <= b->left ? take_within(s, b) : take_across(s, b);
	return takes ? ARM_TARGET : ARM_SOURCE;
}
