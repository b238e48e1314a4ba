#include "replay/copier_private.h"

#include <stdio.h>

#include "base/least.h"
#include "base/limits.h"

/* --- surroundings --- */

static void copier_surroundings_seen(void *user);

/* Of a document of a stream that is where it stands now. */
struct span lane_index(const struct lane *l, size_t i)
{
	return l->wanted[i].owner.index.n ? l->wanted[i].owner.index : l->taken[i].index;
}

static void lane_want_surroundings(struct lane *l)
{
	struct span before = { NULL, 0 };
	for (size_t i = 0; i < l->n; i++) {
		if (before.n && span_is(before, lane_index(l, i)))
			continue;
		before = lane_index(l, i);
		surroundings_want(&l->copier->surroundings, before);
	}
}

static void copier_want(void *user, struct span index)
{
	struct copier *c = user;
	surroundings_want(&c->surroundings, index);
}

/* Parked ones that were looked at: their keys go on, or wait longer. */
static void copier_look_at_parked(void *user, struct span index)
{
	struct copier *c = user;
	const struct surrounding *s = surroundings_of(&c->surroundings, index);
	uint64_t now_ms = copier_now_ms(c);
	if (s && (s->state == SURROUNDING_GOOD || s->state == SURROUNDING_GONE))
		parked_is_well(&c->parked, index, now_ms);
	else
		parked_add(&c->parked, index, s ? s->why : "", now_ms);
}

/* Some of them at a time: all names of a look stand in one request line. */
static bool copier_recheck(struct copier *c)
{
	struct surroundings *s = &c->surroundings;
	size_t from = c->paused ? s->n : c->recheck, to = least(from + COPIER_RECHECK_N, s->n);
	for (size_t i = from; i < to; i++)
		if (!s->list[i]->recalled)
			surroundings_want(s, span_of(s->list[i]->index));
	c->recheck = c->paused ? c->recheck : to;
	return from < to;
}

void copier_surroundings_changed(struct copier *c, struct span index)
{
	if (index.n && index.n <= INDEX_NAME_BYTES_MAX && !memchr(index.at, '*', index.n) &&
	    !memchr(index.at, ',', index.n))
		surroundings_know(&c->surroundings, index);
	c->recheck = 0;
}

/* One look at a time: lanes that come meanwhile are in the next one. */
void copier_look(struct copier *c)
{
	if (!surroundings_are_idle(&c->surroundings))
		return;
	bool any = copier_recheck(c);
	any |= !c->paused && parked_each_due(&c->parked, copier_now_ms(c), copier_want, c);
	for (unsigned i = 0; i < REPLAY_IN_FLIGHT_MAX; i++)
		if (c->lanes[i].state == LANE_WAITING) {
			c->lanes[i].state = LANE_SURROUNDINGS;
			lane_want_surroundings(&c->lanes[i]);
			any = true;
		}
	if (!any)
		return;
	surroundings_look(&c->surroundings, copier_surroundings_seen, c);
}

/* The worst of what the lane's indices are; parks those that the replica refuses. */
static enum surrounding_state lane_surroundings(struct lane *l)
{
	struct copier *c = l->copier;
	enum surrounding_state worst = SURROUNDING_GOOD;
	for (size_t i = 0; i < l->n; i++) {
		const struct surrounding *s = surroundings_of(&c->surroundings, lane_index(l, i));
		enum surrounding_state state = s ? s->state : SURROUNDING_LATE;
		if (state == SURROUNDING_REFUSED)
			parked_add(&c->parked, l->taken[i].index, s->why, copier_now_ms(c));
		if (state == SURROUNDING_LATE && s && *s->why)
			snprintf(c->trouble, sizeof c->trouble, "index %.100s: %.150s", s->index,
				 s->why);
		/* The owner has no such index: its keys are deletions, and change nothing. */
		if (state != SURROUNDING_GONE && state > worst)
			worst = state;
	}
	return worst;
}

static void copier_surroundings_seen(void *user)
{
	struct copier *c = user;
	parked_each_due(&c->parked, copier_now_ms(c), copier_look_at_parked, c);
	for (unsigned i = 0; i < REPLAY_IN_FLIGHT_MAX; i++) {
		struct lane *l = &c->lanes[i];
		if (l->state != LANE_SURROUNDINGS)
			continue;
		if (lane_surroundings(l) == SURROUNDING_GOOD) {
			if (l->streams)
				lane_look_for_places(l);
			else
				lane_write(l);
		} else {
			batch_no_results(l->batch);
			lane_fail(l);
		}
	}
	copier_look(c);
}
