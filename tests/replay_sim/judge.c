#include "replay_sim/judge.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "replay_sim/world.h"

void judge_fail(const struct world *w, const char *promise, const char *format, ...)
{
	char why[1024];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(why, sizeof why, format, arguments);
	va_end(arguments);
	printf("seed %llu, after %.3f s: %s: %s\n", (unsigned long long)w->seed,
	       (double)sim_now_ns(w->sim) / 1e9, promise, why);
	fflush(stdout);
	log_mirror_close((struct log_mirror *)(uintptr_t)&w->mirror);
	_Exit(1);
}

/* --- requests --- */

static bool judge_ends(struct span path, const char *end)
{
	size_t n = strlen(end);
	return path.n >= n && !memcmp(path.at + path.n - n, end, n);
}

static bool judge_only_reads(enum method method, struct span path)
{
	return method == METHOD_GET || method == METHOD_HEAD ||
	       (method == METHOD_POST &&
		(judge_ends(path, "/_mget") || judge_ends(path, "/_search") ||
		 judge_ends(path, "/_refresh")));
}

void judge_request(struct world *w, enum arm arm, bool ours, enum method method, struct span target)
{
	const char *mark = memchr(target.at, '?', target.n);
	struct span path = { target.at, mark ? (size_t)(mark - target.at) : target.n };
	w->judge.requests[arm]++;
	if (arm == ARM_SOURCE && ours && !judge_only_reads(method, path))
		judge_fail(w, "replay only reads at the owner", "%.*s", (int)target.n, target.at);
	if (arm == ARM_TARGET && !ours)
		judge_fail(w, "clients' writes go to the owner", "%.*s", (int)target.n, target.at);
}

/* --- at rest --- */

static json_t *judge_json(struct span text)
{
	json_t *j = json_loadb(text.at, text.n, JSON_DECODE_ANY, NULL);
	must(j);
	return j;
}

static bool judge_versions_are_equal(const struct sample_version *a, const struct sample_version *b)
{
	if (!a->routing.at != !b->routing.at || (a->routing.at && !span_is(a->routing, b->routing)))
		return false;
	json_t *x = judge_json(a->source), *y = judge_json(b->source);
	bool equal = json_equal(x, y);
	json_decref(x);
	json_decref(y);
	return equal;
}

static const char *judge_source(const struct sample_version *v, char text[200])
{
	snprintf(text, 200, "%.*s", v && v->source.at ? (int)v->source.n : 7,
		 v && v->source.at ? v->source.at : "nothing");
	return text;
}

/*
 * A client's version is the replica's, too. What a balancer that was killed knew of versions is
 * gone (docs/migration.md, What does not work yet).
 */
static void judge_version(const struct world *w, const struct sample_document *d,
			  const struct sample_version *there, const char *index)
{
	struct span id = { d->id, d->id_n };
	const struct history *h = histories_find(&w->histories, index, d->shard, id);
	if (!w->restarts && h && h->external && there->version != d->current->version)
		judge_fail(w, "a client's version is kept",
			   "document %.*s in shard %u of index %s has version %llu, and %llu at "
			   "the replica",
			   (int)id.n, id.at, d->shard, index,
			   (unsigned long long)d->current->version,
			   (unsigned long long)there->version);
}

#define JUDGE_NAME_BYTES (SAMPLE_NAME_BYTES + SAMPLE_ID_BYTES + 16)

static void judge_name(char name[JUDGE_NAME_BYTES], const char *index, unsigned shard,
		       struct span id)
{
	snprintf(name, JUDGE_NAME_BYTES, "%s/%u/%.*s", index, shard, (int)id.n, id.at);
}

/* Of what is set aside the replica may have an older state, or none. */
static bool judge_is_aside(const struct world *w, const char *index, unsigned shard, struct span id)
{
	char name[JUDGE_NAME_BYTES];
	judge_name(name, index, shard, id);
	return json_object_get(w->judge.aside, name) != NULL;
}

static void judge_document(const struct world *w, const struct sample_document *d, enum arm arm,
			   const struct sample_index *other)
{
	char at[200], there[200];
	struct span id = { d->id, d->id_n };
	const struct sample_version *v = sample_index_find(other, d->shard, id);
	if (!d->current->source.at || judge_is_aside(w, other->name, d->shard, id))
		return;
	if (!v || !v->source.at || !judge_versions_are_equal(d->current, v))
		judge_fail(w, "at rest both are equal",
			   "document %.*s in shard %u of index %s is at the %s %s, and at the "
			   "other %s",
			   (int)id.n, id.at, d->shard, other->name, world_arm_name(arm),
			   judge_source(d->current, at), judge_source(v, there));
	if (arm == ARM_SOURCE)
		judge_version(w, d, v, other->name);
}

static void judge_index(const struct world *w, const struct sample_index *x, enum arm arm)
{
	const struct sample_store *store = &w->clusters[arm_other(arm)].sample.store;
	const struct sample_index *other = sample_store_find(store, span_of(x->name));
	/* An index without documents is not brought (docs/migration.md). */
	if (!other && arm == ARM_SOURCE && !x->live_n)
		return;
	if (!other)
		judge_fail(w, "at rest both are equal", "only the %s has index %s",
			   world_arm_name(arm), x->name);
	if (x->shard_n != other->shard_n)
		judge_fail(w, "at rest both are equal", "index %s has %u shards at the %s, and %u",
			   x->name, x->shard_n, world_arm_name(arm), other->shard_n);
	for (size_t i = 0; i < x->bucket_n; i++)
		for (const struct sample_document *d = x->buckets[i]; d; d = d->next)
			judge_document(w, d, arm, other);
}

static bool judge_is_part(const json_t *part, const json_t *whole)
{
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)part, name, value) {
		json_t *there = json_object_get(whole, name);
		if (!there || (json_is_object(value) ? !judge_is_part(value, there)
						     : !json_equal(value, there)))
			return false;
	}
	return true;
}

static void judge_mapping(const struct world *w, const struct sample_index *x)
{
	const struct sample_index *other =
		sample_store_find(&w->clusters[ARM_TARGET].sample.store, span_of(x->name));
	/* What the owner's mapping got of a document that it refused may be not there yet. */
	if (!other || w->plot.simple_indices || judge_is_part(other->mappings, x->mappings))
		return;
	char *ours = json_dumps(x->mappings, 0), *theirs = json_dumps(other->mappings, 0);
	judge_fail(w, "at rest mappings are equal", "index %s: %.300s and %.300s", x->name, ours,
		   theirs);
}

static void judge_replay(const struct world *w)
{
	json_t *upkeep = replay_upkeep_json(w->balancer.replay);
	char *not_exact = json_dumps(json_object_get(upkeep, "not_exact"), 0);
	if (json_object_size(json_object_get(upkeep, "not_exact")))
		judge_fail(w, "all is exact", "%.300s", not_exact);
	free(not_exact);
	json_decref(upkeep);
}

/*
 * No other document here is one that a cluster refuses, when its index' mapping is there. What was
 * deleted since by a query stays set aside until it is retried: the query finds nothing of it at
 * the replica.
 */
static void judge_aside(const struct world *w, const struct sample_index *x, const char *name,
			unsigned shard, struct span id)
{
	const struct sample_version *v = sample_index_find(x, shard, id);
	bool there = v && v->source.at;
	if (!w->clusters[ARM_TARGET].refuses || (there && !document_cluster_may_refuse(v->source)))
		judge_fail(w, "nothing is set aside without a reason", "%s", name);
}

static struct span judge_word(const json_t *one, const char *name)
{
	const json_t *word = json_object_get(one, name);
	return (struct span){ json_string_value(word), json_string_length(word) };
}

/* By their names. */
static json_t *judge_all_aside(const struct world *w)
{
	char name[JUDGE_NAME_BYTES];
	size_t i;
	json_t *one, *page = replay_aside_json(w->balancer.replay, 0), *all = json_object();
	json_array_foreach(json_object_get(page, "documents"), i, one) {
		struct span index = judge_word(one, "index"), id = judge_word(one, "id");
		const struct sample_index *x =
			sample_store_find(&w->clusters[ARM_SOURCE].sample.store, index);
		if (!x)
			judge_fail(w, "nothing is set aside without a reason",
				   "a document of index %.*s, which is deleted", (int)index.n,
				   index.at);
		unsigned shard = sample_index_shard(x, id, judge_word(one, "routing"));
		judge_name(name, x->name, shard, id);
		judge_aside(w, x, name, shard, id);
		json_object_set_new(all, name, json_null());
	}
	json_decref(page);
	return all;
}

void judge_rest(struct world *w)
{
	w->judge.aside = judge_all_aside(w);
	judge_replay(w);
	for (int arm = 0; arm < ARMS; arm++) {
		const struct sample_store *s = &w->clusters[arm].sample.store;
		for (size_t i = 0; i < s->n; i++)
			judge_index(w, s->indices[i], (enum arm)arm);
	}
	const struct sample_store *s = &w->clusters[ARM_SOURCE].sample.store;
	for (size_t i = 0; i < s->n; i++)
		judge_mapping(w, s->indices[i]);
	json_decref(w->judge.aside);
}
