#include "replay/copier_private.h"

#include <stdlib.h>

#include "base/bug.h"
#include "base/least.h"

static struct lane *copier_idle_lane(struct copier *c, uint64_t now_ms)
{
	for (unsigned i = 0; i < c->tuning.in_flight; i++)
		if (c->lanes[i].state == LANE_IDLE && c->lanes[i].not_before_ms <= now_ms)
			return &c->lanes[i];
	return NULL;
}

/* When the keys that may go are enough for a batch, or have waited for others. */
static uint64_t copier_full_ms(const struct copier *c, uint64_t now_ms)
{
	size_t out = keys_in_flight_n(c->config.keys), all = keys_n(c->config.keys);
	if (!c->tuning.wait_ms || all >= out + c->most)
		return now_ms;
	return (c->since_ms ? c->since_ms : now_ms) + c->tuning.wait_ms;
}

static bool copier_is_due(struct copier *c, uint64_t now_ms)
{
	if (c->paused || keys_due_ms(c->config.keys, now_ms) > now_ms)
		return false;
	if (!c->since_ms)
		c->since_ms = now_ms;
	return copier_full_ms(c, now_ms) <= now_ms;
}

void copier_turn(struct copier *c)
{
	uint64_t now_ms = copier_now_ms(c);
	for (struct lane *l; copier_is_due(c, now_ms) && (l = copier_idle_lane(c, now_ms));) {
		c->since_ms = 0;
		lane_begin(l);
		if (l->state == LANE_IDLE)
			break;
	}
	copier_look(c);
}

/* While a look is under way nothing is due for the next one. */
static uint64_t copier_parked_ms(const struct copier *c, uint64_t now_ms)
{
	uint64_t due = parked_due_ms(&c->parked);
	if (c->recheck < c->surroundings.n && surroundings_are_idle(&c->surroundings))
		return now_ms;
	return due <= now_ms && !surroundings_are_idle(&c->surroundings) ? UINT64_MAX : due;
}

uint64_t copier_due_ms(struct copier *c)
{
	uint64_t now_ms = copier_now_ms(c), due = keys_due_ms(c->config.keys, now_ms);
	uint64_t lane_ms = UINT64_MAX;
	if (c->paused)
		return UINT64_MAX;
	if (due == UINT64_MAX)
		return copier_parked_ms(c, now_ms);
	if (due <= now_ms)
		due = copier_full_ms(c, now_ms);
	for (unsigned i = 0; i < c->tuning.in_flight; i++)
		if (c->lanes[i].state == LANE_IDLE)
			lane_ms = least(lane_ms, c->lanes[i].not_before_ms);
	if (lane_ms == UINT64_MAX)
		return copier_parked_ms(c, now_ms);
	due = least(due > lane_ms ? due : lane_ms, copier_parked_ms(c, now_ms));
	/* A rate lets the next ones go within a hundredth of a second. */
	return c->tuning.rate && due <= now_ms ? now_ms + 10 : due;
}

/* --- a life --- */

struct copier *copier_open(const struct copier_config *config)
{
	struct copier *c = calloc(1, sizeof *c);
	must(c);
	c->config = *config;
	c->recheck = SIZE_MAX;
	surroundings_open(&c->surroundings, config->subrequests, config->owner);
	parked_open(&c->parked, config->keys);
	c->lanes = calloc(REPLAY_IN_FLIGHT_MAX, sizeof *c->lanes);
	must(c->lanes);
	for (unsigned i = 0; i < REPLAY_IN_FLIGHT_MAX; i++) {
		struct lane *l = &c->lanes[i];
		l->copier = c;
		places_open(&l->places, config->subrequests, config->owner);
		subrequest_init(&l->get, config->subrequests, &lane_get_user);
		subrequest_init(&l->put, config->subrequests, &lane_put_user);
	}
	return c;
}

void copier_close(struct copier *c)
{
	must(copier_is_quiet(c));
	for (unsigned i = 0; i < REPLAY_IN_FLIGHT_MAX; i++) {
		lane_empty(&c->lanes[i]);
		places_close(&c->lanes[i].places);
	}
	free(c->lanes);
	surroundings_close(&c->surroundings);
	parked_close(&c->parked);
	free(c);
}

/* What was allowed by another rate is not carried over. */
static void copier_set_rate(struct copier *c, uint32_t rate)
{
	if (rate == c->tuning.rate)
		return;
	c->tokens = 0;
	c->tokens_ms = copier_now_ms(c);
}

void copier_tune(struct copier *c, const struct tuning *t)
{
	must(t->in_flight >= 1 && t->in_flight <= REPLAY_IN_FLIGHT_MAX && t->operations >= 1);
	copier_set_rate(c, t->rate);
	if (t->operations != c->tuning.operations)
		c->most = t->operations;
	c->tuning = *t;
	for (unsigned i = t->in_flight; i < REPLAY_IN_FLIGHT_MAX; i++)
		if (c->lanes[i].state == LANE_IDLE)
			lane_empty(&c->lanes[i]);
}

void copier_pause(struct copier *c, bool paused)
{
	c->paused = paused;
}

void copier_stop(struct copier *c)
{
	c->paused = true;
	ask_stop(&c->surroundings.ask);
	for (unsigned i = 0; i < REPLAY_IN_FLIGHT_MAX; i++) {
		struct lane *l = &c->lanes[i];
		if (l->put.state == SUBREQUEST_SENT)
			unheard_lose(c->config.unheard);
		if (l->state != LANE_IDLE)
			lane_fail(l);
	}
}

uint64_t copier_begun_batches(const struct copier *c)
{
	return c->begun;
}

uint64_t copier_oldest_batch(const struct copier *c)
{
	uint64_t oldest = UINT64_MAX;
	for (unsigned i = 0; i < REPLAY_IN_FLIGHT_MAX; i++)
		if (c->lanes[i].state != LANE_IDLE)
			oldest = least(oldest, c->lanes[i].number);
	return oldest;
}

bool copier_is_quiet(const struct copier *c)
{
	for (unsigned i = 0; i < REPLAY_IN_FLIGHT_MAX; i++)
		if (c->lanes[i].state != LANE_IDLE || !ask_is_idle(&c->lanes[i].places.ask))
			return false;
	return subrequest_is_idle(&c->surroundings.ask.subrequest);
}

const struct copier_counts *copier_counts(const struct copier *c)
{
	return &c->counts;
}

struct surroundings *copier_surroundings(struct copier *c)
{
	return &c->surroundings;
}

const char *copier_trouble(const struct copier *c)
{
	return *c->trouble ? c->trouble : parked_why(&c->parked);
}
