#include "replay/copier_private.h"

#include <stdio.h>

#include "base/least.h"
#include "base/limits.h"
#include "replay/refusal.h"

/* --- the end of a batch --- */

/* A key ends when none of its copies is made again. */
static const uint8_t lane_ranks[] = {
	[COPY_DONE] = 0,    [COPY_NO_INDEX] = 1, [COPY_UNREADABLE] = 2, [COPY_TOO_LONG] = 3,
	[COPY_REFUSED] = 4, [COPY_NEWER] = 5,	 [COPY_UNSURE] = 6,	[COPY_AGAIN] = 7,
};

static size_t lane_first_copy(const struct lane *l, size_t i)
{
	return i ? l->copies[i - 1] : 0;
}

/* Of the copies of its i-th key the one that decides what becomes of it. */
static const struct copy *lane_copy(const struct lane *l, size_t i)
{
	/* There was no room for them: it is copied again. */
	static const struct copy none = { .verdict = COPY_AGAIN };
	if (lane_first_copy(l, i) == l->copies[i])
		return &none;
	const struct copy *first = batch_copy(l->batch, lane_first_copy(l, i));
	for (size_t at = lane_first_copy(l, i) + 1; at < l->copies[i]; at++) {
		const struct copy *copy = batch_copy(l->batch, at);
		if (lane_ranks[copy->verdict] > lane_ranks[first->verdict])
			first = copy;
	}
	return first;
}

/* The key is about to leave the table. */
static void lane_tell_copies(const struct lane *l, size_t i)
{
	struct copier *c = l->copier;
	for (size_t at = lane_first_copy(l, i); at < l->copies[i]; at++) {
		const struct copy *copy = batch_copy(l->batch, at);
		c->config.over(c->config.user, &l->taken[i], copy, batch_error(l->batch, copy));
	}
}

static uint64_t lane_pause_ms(const struct lane *l)
{
	unsigned doubled = l->failures < 7 ? l->failures : 7;
	return (uint64_t)COPIER_PAUSE_MS << doubled;
}

/* The index takes nothing: not this document alone is refused. */
static bool copier_is_index_refused(const struct copy *copy, const struct cluster_error *e)
{
	struct span type = e ? cluster_error_type(e) : SPAN("");
	return copy->status == 403 || span_is(type, SPAN("cluster_block_exception")) ||
	       span_is(type, SPAN("index_closed_exception")) ||
	       span_is(type, SPAN("unavailable_shards_exception"));
}

static void lane_park_if_refused(struct lane *l, size_t i)
{
	struct copier *c = l->copier;
	const struct copy *copy = lane_copy(l, i);
	const struct cluster_error *e = batch_error(l->batch, copy);
	char why[SURROUNDING_WHY_BYTES];
	if (!copy->status || !copier_is_index_refused(copy, e))
		return;
	struct span type = e ? cluster_error_type(e) : SPAN("");
	struct span reason = e ? (struct span){ e->reason, e->reason_n } : SPAN("");
	const char *meaning =
		refusal_meaning(arm_other(c->config.owner), copy->status, type, reason);
	snprintf(why, sizeof why, "%s%s(%u %.*s: %.*s)", meaning ? meaning : "", meaning ? " " : "",
		 copy->status, (int)type.n, type.at, (int)least(reason.n, 100), reason.at);
	parked_add(&c->parked, l->taken[i].index, why, copier_now_ms(c));
}

/*
 * A deletion at the replica has a greater version until it is forgotten. What is newer still is a
 * document with another past there: it becomes what it is at the owner, and keeps its version.
 */
static void lane_settle_newer(struct lane *l, size_t i)
{
	struct copier *c = l->copier;
	const struct keys_taken *t = &l->taken[i];
	bool again = t->marks & COPIER_MARK_NEWER;
	keys_mark(c->config.keys, t->key, again ? COPIER_MARK_NEWEST : COPIER_MARK_NEWER);
	c->counts.again++;
	keys_again(c->config.keys, t->key, copier_now_ms(c) + (again ? 0 : COPIER_NEWER_MS));
}

/*
 * A document is refused when it was read and refused twice: its index may have been made anew
 * between the reading of it and of the index' mapping.
 */
static bool lane_reads_again(struct lane *l, size_t i, uint64_t again_ms)
{
	struct copier *c = l->copier;
	if (l->taken[i].marks & COPIER_MARK_REFUSED)
		return false;
	c->counts.again++;
	keys_mark(c->config.keys, l->taken[i].key, COPIER_MARK_REFUSED);
	keys_again(c->config.keys, l->taken[i].key, again_ms);
	return true;
}

static void lane_copies_again(struct lane *l, size_t i, uint64_t again_ms)
{
	struct copier *c = l->copier;
	const struct copy *copy = lane_copy(l, i);
	lane_park_if_refused(l, i);
	/* The replica has no such index, whoever has deleted it. */
	if (copy->status == 404)
		surroundings_forget(&c->surroundings, copy->of.index);
	c->counts.again++;
	keys_again(c->config.keys, l->taken[i].key, again_ms);
}

static void lane_key_done(struct lane *l, size_t i)
{
	struct copier *c = l->copier;
	lane_tell_copies(l, i);
	keys_done(c->config.keys, l->taken[i].key);
}

static void lane_settle_key(struct lane *l, size_t i, uint64_t again_ms)
{
	struct copier *c = l->copier;
	const struct copy *copy = lane_copy(l, i);
	uint32_t key = l->taken[i].key;
	switch ((enum copy_verdict)copy->verdict) {
	case COPY_NO_INDEX:
		lane_key_done(l, i);
		break;
	case COPY_DONE:
		c->counts.copies += copy->action == COPY_INDEX || copy->action == COPY_CREATE;
		c->counts.deletes += copy->action == COPY_DELETE;
		lane_key_done(l, i);
		break;
	case COPY_REFUSED:
		if (lane_reads_again(l, i, again_ms))
			break;
		/* fallthrough */
	case COPY_TOO_LONG:
		c->counts.refused++;
		lane_tell_copies(l, i);
		keys_set_aside(c->config.keys, key);
		break;
	case COPY_UNREADABLE:
		c->counts.unreadable++;
		lane_key_done(l, i);
		break;
	case COPY_NEWER:
		lane_settle_newer(l, i);
		break;
	case COPY_UNSURE:
		keys_mark(c->config.keys, key, COPIER_MARK_SEARCH);
		c->counts.again++;
		keys_again(c->config.keys, key, copier_now_ms(c));
		break;
	case COPY_AGAIN:
		lane_copies_again(l, i, again_ms);
		break;
	}
}

/* When both requests are idle: the keys go, and the lane may begin anew. */
void lane_end(struct lane *l)
{
	struct copier *c = l->copier;
	l->state = LANE_ENDING;
	unheard_forget(c->config.unheard, &l->wait);
	places_stop(&l->places);
	if (!subrequest_is_idle(&l->get) || !subrequest_is_idle(&l->put)) {
		subrequest_stop(&l->get);
		subrequest_stop(&l->put);
		return;
	}
	/* One document that cannot be read spoils the owner's whole response: fewer at a time. */
	/* The batch may have been begun when larger ones were allowed. */
	size_t most = l->read == READ_BAD && l->n > 1 ? (l->n + 1) / 2
		      : l->again		      ? c->most
						      : 2 * c->most;
	c->most = least(most, c->tuning.operations);
	l->failures = l->again ? l->failures + 1 : 0;
	uint64_t again_ms = copier_now_ms(c) + lane_pause_ms(l);
	for (size_t i = 0; i < l->n; i++)
		lane_settle_key(l, i, again_ms);
	l->not_before_ms = l->again ? again_ms : 0;
	if (!l->again)
		*c->trouble = 0;
	c->counts.batches++;
	l->n = 0;
	l->state = LANE_IDLE;
}

void lane_fail(struct lane *l)
{
	l->again = true;
	lane_end(l);
}

static void copier_note_status(struct copier *c, enum arm arm, const char *what, unsigned status)
{
	const char *meaning = refusal_meaning(arm, status, SPAN(""), SPAN(""));
	snprintf(c->trouble, sizeof c->trouble, "%s: %s: status %u%s%s", arm_name(arm), what,
		 status, meaning ? ": " : "", meaning ? meaning : "");
}

void copier_note(struct copier *c, enum arm arm, const char *what, unsigned status, enum err why)
{
	const char *cluster = arm_name(arm);
	if (why != ERR_NONE)
		snprintf(c->trouble, sizeof c->trouble, "%s: %s: %s", cluster, what,
			 err_sentence(why));
	else
		copier_note_status(c, arm, what, status);
	if (arm == c->config.owner)
		c->counts.owner_failures++;
	else
		c->counts.replica_failures++;
}
