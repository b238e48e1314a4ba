#include "replay/replay_private.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bug.h"
#include "base/least.h"
#include "base/log.h"

/* --- effects become keys --- */

static void replay_count_unknown(struct replay *r, struct span name)
{
	struct replay_seen *s = &r->seen;
	char text[sizeof s->unknown[0].name];
	snprintf(text, sizeof text, "%.*s", (int)least(name.n, sizeof text - 1), name.at);
	pthread_mutex_lock(&r->lock);
	unsigned i = 0;
	while (i < s->unknown_n && strcmp(s->unknown[i].name, text) != 0)
		i++;
	if (i == s->unknown_n && i < REPLAY_UNKNOWN_NAMES)
		memcpy(s->unknown[s->unknown_n++].name, text, sizeof text);
	if (i < REPLAY_UNKNOWN_NAMES)
		s->unknown[i].n++;
	pthread_mutex_unlock(&r->lock);
}

/* The tag is the caller's still where false. */
static bool replay_add_key(struct replay *r, const struct keys_write *w)
{
	switch (keys_add(r->keys, w)) {
	case KEYS_ADDED:
	case KEYS_REPLACED:
		return true;
	case KEYS_FULL:
		return false;
	case KEYS_PARKED_FULL:
		upkeep_not_exact_write(&r->upkeep, w->index,
				       "the replica takes nothing of it, and too many keys wait",
				       w->tag);
		return true;
	case KEYS_ILLEGAL:
		upkeep_not_exact_write(&r->upkeep, w->index.n ? w->index : SPAN("*"),
				       "a document's id or routing is too long", w->tag);
		return true;
	}
	return true;
}

static void replay_add_later(struct replay *r, const struct keys_write *w)
{
	struct later *l = malloc(sizeof *l + w->index.n + w->id.n + w->routing.n);
	must(l);
	*l = (struct later){ .due_ms = loop_now_ms(r->loop) + r->tuning.response_ms,
			     .tag = w->tag,
			     .wall_ns = w->time_ns,
			     .origin = w->origin,
			     .marks = w->marks,
			     .index_n = (uint32_t)w->index.n,
			     .id_n = (uint32_t)w->id.n,
			     .routing_n = (uint32_t)w->routing.n };
	memcpy(l->text, w->index.at, w->index.n);
	memcpy(l->text + w->index.n, w->id.at, w->id.n);
	if (w->routing.n)
		memcpy(l->text + w->index.n + w->id.n, w->routing.at, w->routing.n);
	*r->later_end = l;
	r->later_end = &l->next;
	r->later_n++;
}

void replay_look_later(struct replay *r)
{
	for (struct later *l; (l = r->later) && l->due_ms <= loop_now_ms(r->loop);) {
		const struct keys_write w = {
			.index = { l->text, l->index_n },
			.id = { l->text + l->index_n, l->id_n },
			.routing = { l->text + l->index_n + l->id_n, l->routing_n },
			.marks = l->marks,
			.tag = l->tag,
			.time_ns = l->wall_ns,
			.origin = l->origin,
		};
		if (!replay_add_key(r, &w))
			return;
		r->later = l->next;
		if (!r->later)
			r->later_end = &r->later;
		r->later_n--;
		free(l);
	}
}

bool replay_belongs(void *user, struct span index)
{
	struct replay *r = user;
	if (index_filter_has(&r->config.filter, index))
		return true;
	r->left_out++;
	return false;
}

static bool replay_knows_index(const struct replay *r, const struct handed *h)
{
	const struct surrounding *s =
		surroundings_of(copier_surroundings(r->copier), handed_span(&r->batch, h->index));
	return s && s->state == SURROUNDING_GOOD;
}

/* The second of an uncertain write's two waits. False: the table is full. */
static bool replay_take_key(struct replay *r, const struct handed *h)
{
	/* An alias cannot be asked for among others: its indices first. */
	if (h->marks & HANDED_BY_REQUEST && !replay_knows_index(r, h))
		return jobs_add(r->jobs, &r->batch, h);
	struct keys_write w = {
		.index = handed_span(&r->batch, h->index),
		.id = handed_span(&r->batch, h->id),
		.routing = handed_span(&r->batch, h->routing),
		.marks = h->marks & HANDED_EXTERNAL ? COPIER_MARK_EXTERNAL : 0,
		.tag = h->tag,
		.time_ns = h->wall_ns,
		.origin = h->origin,
	};
	if (!replay_belongs(r, w.index)) {
		replay_tag_back(r, h->tag);
		return true;
	}
	if (!(h->marks & HANDED_UNCERTAIN))
		return replay_add_key(r, &w);
	replay_add_later(r, &w);
	return true;
}

/* Any document may be concerned: a comparison finds which. */
static void replay_take_lost(struct replay *r, const struct handed *h)
{
	char why[128];
	struct span name = handed_span(&r->batch, h->name);
	snprintf(why, sizeof why, "%.*s", (int)least(name.n, sizeof why - 1), name.at);
	log_line(LOG_ERROR,
		 "replay: %s. `crossfade capture gaps` tells more; `crossfade compare --all "
		 "--repair` finds what the replica lacks, and copies it",
		 why);
	upkeep_not_exact_write(&r->upkeep, SPAN("*"), why, h->tag);
}

static bool replay_is_behind_stream(struct span index)
{
	return index.n > 4 && !memcmp(index.at, ".ds-", 4);
}

bool replay_take(struct replay *r, struct handed *h)
{
	switch (h->kind) {
	case EFFECT_KEY:
		return replay_take_key(r, h);
	case EFFECT_SURROUNDINGS:
		copier_surroundings_changed(r->copier, handed_span(&r->batch, h->index));
		objects_want(&r->objects, h->tag);
		return true;
	case EFFECT_UNKNOWN:
		replay_count_unknown(r, handed_span(&r->batch, h->name));
		break;
	case EFFECT_FENCE:
		/* One of a stream's indices: the replica has others of its documents there. */
		if (!replay_is_behind_stream(handed_span(&r->batch, h->index)))
			return jobs_add(r->jobs, &r->batch, h);
		upkeep_not_exact_write(&r->upkeep, handed_span(&r->batch, h->index),
				       "an index behind a data stream was deleted at the owner",
				       h->tag);
		return true;
	case EFFECT_LOST:
		replay_take_lost(r, h);
		return true;
	case EFFECT_SCAN:
	case EFFECT_SWEEP:
	case EFFECT_WALK:
		return jobs_add(r->jobs, &r->batch, h);
	case EFFECT_KINDS:
		break;
	}
	replay_tag_back(r, h->tag);
	return true;
}
