#include "proxy/split.h"

#include "base/bug.h"

void split_open(struct split *s, uint64_t seed)
{
	*s = (struct split){ .chance.state = seed };
}

/* True in `n` of `of` cases. */
static bool split_draws(struct split *s, uint32_t n, uint32_t of)
{
	return (uint32_t)((chance_next(&s->chance) >> 32) * of >> 32) < n;
}

/* The request lies within the stratum: of what is left, each part is as likely. */
static bool take_within(struct split *s, struct split_block *b)
{
	bool takes = !b->taken && split_draws(s, b->target, b->left);
	b->left -= b->target;
	b->taken |= takes;
	return takes;
}

/*
 * It begins in one stratum and ends in the next one. The first takes it when it has none yet. Else
 * the next one may: by its own part, of what could have come to that.
 */
static bool take_across(struct split *s, struct split_block *b)
{
	uint32_t part = b->target - b->left;
	bool first = !b->taken, takes = first || split_draws(s, part, b->sum - b->left);
	b->taken = takes && !first;
	b->left = b->sum - part;
	return takes;
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
	bool takes = target <= b->left ? take_within(s, b) : take_across(s, b);
	return takes ? ARM_TARGET : ARM_SOURCE;
}
