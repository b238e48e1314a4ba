#include "control/values.h"

#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"

struct state_values values_of_board(const struct board_values *b, uint64_t wall_ns)
{
	return (struct state_values){ .epoch = b->epoch,
				      .weights = { b->weights[0], b->weights[1] },
				      .wall_ns = wall_ns,
				      .rolled_back = b->rolled_back,
				      .owner = (enum arm)b->owner,
				      .since = b->since,
				      .phase = (enum board_phase)b->phase };
}

struct board_values values_for_board(const struct board_values *now, const struct state_values *v)
{
	struct board_values b = *now;
	b.epoch = v->epoch;
	memcpy(b.weights, v->weights, sizeof b.weights);
	b.rolled_back = v->rolled_back;
	b.owner = v->owner;
	b.since = v->since;
	b.phase = v->phase;
	if (!board_holds(&b))
		b.deadline_ns = 0;
	return b;
}

/* --- a start --- */

/*
 * The audit has the weights only. A rollback that was not saved has changed no owner, so the owner
 * is taken from the state file.
 */
static struct state_values values_of_rollback(const struct state_values *kept,
					      const struct state_values *audited)
{
	struct state_values v = *audited;
	v.owner = kept->owner;
	v.since = kept->since;
	v.phase = kept->phase;
	return v;
}

static void values_end_hold(struct state_values *v)
{
	if (v->phase == BOARD_PHASE_OPEN)
		return;
	v->phase = BOARD_PHASE_OPEN;
	v->epoch += HELD_EPOCHS;
	log_line(LOG_WARN,
		 "weights: the previous process ended while writes were held: writes go to the %s "
		 "again, as before (epoch %llu)",
		 v->owner == ARM_TARGET ? "target" : "source", (unsigned long long)v->epoch);
}

struct state_values values_at_start(const struct board_values *b, const struct state_values *kept,
				    const struct state_values *audited,
				    const uint32_t initial[ARMS])
{
	struct state_values now = *kept;
	if (!b->epoch && !kept->epoch)
		now = (struct state_values){ .epoch = 1,
					     .weights = { initial[0], initial[1] },
					     .wall_ns = clock_wall_ns() };
	else if (b->epoch > kept->epoch)
		now = values_of_board(b, clock_wall_ns());
	else if (!b->epoch && audited->epoch > kept->epoch)
		now = values_of_rollback(kept, audited);
	values_end_hold(&now);
	return now;
}
