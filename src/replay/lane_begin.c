#include "replay/copier_private.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/least.h"
#include "base/limits.h"

/* --- beginning a batch --- */

static struct span lane_stream(const struct lane *l, size_t i)
{
	bool is_stream = !span_is(l->wanted[i].in, l->taken[i].index);
	return is_stream ? l->wanted[i].in : (struct span){ NULL, 0 };
}

/* One external version makes all copies of its index carry theirs: a copy that counts on by itself
 * would be newer than what the client writes next. */
static enum copy_versions lane_versions(struct lane *l, size_t i)
{
	struct surroundings *s = &l->copier->surroundings;
	const struct keys_taken *t = &l->taken[i];
	if (t->marks & COPIER_MARK_EXTERNAL)
		surroundings_are_external(s, t->index);
	const struct surrounding *of = surroundings_of(s, t->index);
	bool external = of && of->external && !(t->marks & COPIER_MARK_NEWEST);
	return external ? COPY_EXTERNAL_VERSIONS : COPY_OWN_VERSIONS;
}

static enum copy_absence lane_absence(const struct lane *l, size_t i)
{
	const struct keys_taken *t = &l->taken[i];
	const struct surrounding *s = surroundings_of(&l->copier->surroundings, t->index);
	if (l->wanted[i].in.n)
		return COPY_SEARCHED;
	bool one_shard = s && s->state == SURROUNDING_GOOD && s->one_shard;
	return t->routing.n || one_shard ? COPY_ABSENCE_SURE : COPY_ABSENCE_UNSURE;
}

/* One, or one for each routing that was found. */
static enum batch_added lane_add_copies(struct lane *l, const struct place_wanted *w,
					struct copy_of of)
{
	enum batch_added added = BATCH_ADDED;
	if (!w->routing_n)
		return batch_add(l->batch, &of);
	of.absence = COPY_ABSENCE_SURE;
	for (unsigned i = 0; added == BATCH_ADDED && i < w->routing_n; i++) {
		of.routing = w->routings[i];
		added = batch_add(l->batch, &of);
	}
	return added;
}

/* False: its copies have no room in the batch. */
static bool lane_add(struct lane *l, size_t i)
{
	const struct keys_taken *t = &l->taken[i];
	const struct place_wanted *w = &l->wanted[i];
	const struct copy_of of = {
		.index = w->owner.index.n ? w->owner.index : t->index,
		.stream = lane_stream(l, i),
		.place = w->replica,
		.absence = lane_absence(l, i),
		.id = t->id,
		.routing = w->owner.index.n ? w->owner.routing : t->routing,
		.versions = lane_versions(l, i),
	};
	enum batch_added added = lane_add_copies(l, w, of);
	if (added == BATCH_NO_TEXT) {
		/* No cluster has a document of such a name. */
		keys_done(l->copier->config.keys, t->key);
		return true;
	}
	l->copies[l->n] = batch_n(l->batch);
	l->taken[l->n++] = *t;
	return added == BATCH_ADDED;
}

/* --- documents that are searched for --- */

/* Both products name backing indices so. */
static bool lane_is_to_search(const struct lane *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->taken[i].marks & COPIER_MARK_SEARCH ||
		    (l->taken[i].index.n > 4 && !memcmp(l->taken[i].index.at, ".ds-", 4)))
			return true;
	return false;
}

/* The batch anew, now that places are known. */
static void lane_placed(struct places *p, bool good)
{
	struct lane *l = list_entry(p, struct lane, places);
	size_t n = l->n;
	bool fits = true;
	if (!good) {
		snprintf(l->copier->trouble, sizeof l->copier->trouble,
			 "%s: documents cannot be searched for: %s", arm_name(p->arm), p->trouble);
		lane_fail(l);
		return;
	}
	batch_begin(l->batch);
	l->n = 0;
	for (size_t i = 0; i < n; i++)
		fits &= lane_add(l, i);
	must(l->n == n);
	if (fits) {
		lane_read(l);
		return;
	}
	/* Fewer at a time. */
	l->read = READ_BAD;
	lane_fail(l);
}

void lane_look_for_places(struct lane *l)
{
	bool any = false;
	for (size_t i = 0; i < l->n; i++) {
		const struct surrounding *s =
			surroundings_of(&l->copier->surroundings, l->taken[i].index);
		l->wanted[i] = (struct place_wanted){ .id = l->taken[i].id };
		if (s && s->state == SURROUNDING_GOOD && s->stream)
			l->wanted[i].in = span_of(s->stream);
		else if (l->taken[i].marks & COPIER_MARK_SEARCH)
			l->wanted[i] = (struct place_wanted){ .in = l->taken[i].index,
							      .id = l->taken[i].id,
							      .by_routing = true };
		any |= l->wanted[i].in.n > 0;
	}
	l->state = LANE_PLACES;
	if (any)
		places_look(&l->places, l->wanted, l->n, lane_placed);
	else
		lane_read(l);
}

static void copier_refill(struct copier *c, uint64_t now_ms)
{
	double most = c->tuning.rate;
	c->tokens += (double)(now_ms - c->tokens_ms) * most / 1000;
	if (c->tokens > most)
		c->tokens = most;
	c->tokens_ms = now_ms;
}

static size_t copier_allowed(struct copier *c)
{
	if (!c->tuning.rate)
		return c->most;
	copier_refill(c, copier_now_ms(c));
	return c->tokens >= 1 ? least(c->most, (size_t)c->tokens) : 0;
}

/* --- memory --- */

void lane_empty(struct lane *l)
{
	if (!l->operations)
		return;
	batch_close(l->batch);
	free(l->taken);
	free(l->wanted);
	free(l->copies);
	l->operations = 0;
}

/* A reload may have changed how large a batch is. */
static void lane_fit(struct lane *l)
{
	const struct tuning *t = &l->copier->tuning;
	if (l->operations == t->operations && l->bulk_bytes == t->bulk_bytes)
		return;
	lane_empty(l);
	l->operations = t->operations;
	l->bulk_bytes = t->bulk_bytes;
	l->batch = batch_open(&(struct copy_batch_config){
		.bulk_bytes = t->bulk_bytes,
		.keys_max = least(PLACE_ROUTINGS_MAX * (size_t)t->operations,
				  REPLAY_BATCH_OPERATIONS_MAX) });
	l->taken = calloc(t->operations, sizeof *l->taken);
	l->wanted = calloc(t->operations, sizeof *l->wanted);
	l->copies = calloc(t->operations, sizeof *l->copies);
	must(l->taken && l->wanted && l->copies);
}

/* --- a batch --- */

void lane_begin(struct lane *l)
{
	struct copier *c = l->copier;
	lane_fit(l);
	const struct keys_ask ask = { .now_ms = copier_now_ms(c),
				      .n_max = copier_allowed(c),
				      .bytes_max = c->tuning.bulk_bytes };
	size_t n = ask.n_max ? keys_take(c->config.keys, &ask, l->taken) : 0;
	if (!n)
		return;
	c->tokens -= (double)n;
	batch_begin(l->batch);
	l->n = 0;
	memset(l->wanted, 0, n * sizeof *l->wanted);
	for (size_t i = 0; i < n; i++)
		lane_add(l, i);
	if (lane_is_to_search(l)) {
		l->state = LANE_WAITING;
		l->streams = true;
		l->again = false;
		l->number = ++c->begun;
		copier_look(c);
	} else if (l->n) {
		lane_read(l);
	}
}
