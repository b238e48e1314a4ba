/* Indices by name, and of each its keys: in the order in which they came, and those that came
 * again in a heap. */

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/bug.h"
#include "replay/keys_private.h"

/* --- names --- */

static uint32_t keys_index_hash(const struct keys *k, struct span name)
{
	return (uint32_t)XXH3_64bits_withSeed(name.at, name.n, k->config.seed);
}

static uint32_t *keys_index_bucket(struct keys *k, uint32_t hash)
{
	return &k->index_buckets[hash % KEYS_INDEX_BUCKETS];
}

uint32_t keys_index_find(const struct keys *k, struct span name)
{
	uint32_t hash = keys_index_hash(k, name);
	uint32_t index = k->index_buckets[hash % KEYS_INDEX_BUCKETS];
	while (index && (k->indices[index].hash != hash ||
			 !span_is(keys_index_name(&k->indices[index]), name)))
		index = k->indices[index].chain;
	return index;
}

#define INDICES_AT_FIRST 16

/* 0: all are in use. */
static uint32_t keys_index_number(struct keys *k)
{
	uint32_t index = k->index_unused;
	if (index) {
		k->index_unused = k->indices[index].chain;
		return index;
	}
	if (k->index_n > REPLAY_INDICES_MAX)
		return 0;
	if (k->index_n == k->index_room) {
		k->index_room = k->index_room ? 2 * k->index_room : INDICES_AT_FIRST;
		k->indices = realloc(k->indices, k->index_room * sizeof *k->indices);
		must(k->indices);
	}
	if (!k->index_n)
		k->indices[k->index_n++] = (struct keys_index){ 0 };
	return k->index_n++;
}

uint32_t keys_index_get(struct keys *k, struct span name)
{
	uint32_t index = keys_index_find(k, name);
	if (index || !(index = keys_index_number(k)))
		return index;
	struct keys_index *x = &k->indices[index];
	uint32_t hash = keys_index_hash(k, name), *bucket = keys_index_bucket(k, hash);
	*x = (struct keys_index){ .name = malloc(name.n + 1),
				  .name_n = (uint32_t)name.n,
				  .chain = *bucket,
				  .hash = hash,
				  .active_at = KEYS_NOT_ACTIVE,
				  .newest = keys_fences_of(k, name) };
	must(x->name);
	memcpy(x->name, name.at, name.n);
	k->index_bytes += name.n + 1;
	*bucket = index;
	return index;
}

static void keys_index_free(struct keys *k, uint32_t index)
{
	struct keys_index *x = &k->indices[index];
	uint32_t *link = keys_index_bucket(k, x->hash);
	while (*link != index)
		link = &k->indices[*link].chain;
	*link = x->chain;
	k->index_bytes -= x->name_n + 1 + x->returned_room * sizeof *x->returned;
	free(x->name);
	free(x->returned);
	*x = (struct keys_index){ .chain = k->index_unused };
	k->index_unused = index;
}

void keys_indices_free(struct keys *k)
{
	for (uint32_t i = 1; i < k->index_n; i++) {
		free(k->indices[i].name);
		free(k->indices[i].returned);
	}
	free(k->indices);
}

/* --- which are active --- */

static void keys_active_add(struct keys *k, uint32_t index)
{
	if (k->active_n == k->active_room) {
		k->active_room = k->active_room ? 2 * k->active_room : INDICES_AT_FIRST;
		k->active = realloc(k->active, k->active_room * sizeof *k->active);
		k->candidates = realloc(k->candidates, k->active_room * sizeof *k->candidates);
		must(k->active && k->candidates);
	}
	k->indices[index].active_at = k->active_n;
	k->active[k->active_n++] = index;
}

static void keys_active_remove(struct keys *k, uint32_t index)
{
	uint32_t at = k->indices[index].active_at, last = k->active[--k->active_n];
	k->active[at] = last;
	k->indices[last].active_at = at;
	k->indices[index].active_at = KEYS_NOT_ACTIVE;
}

void keys_index_settle(struct keys *k, uint32_t index)
{
	const struct keys_index *x = &k->indices[index];
	bool is = x->active_at != KEYS_NOT_ACTIVE;
	bool should = !x->parked && (x->fresh || x->returned_n);
	if (should && !is)
		keys_active_add(k, index);
	if (!should && is)
		keys_active_remove(k, index);
	if (!x->n && !x->parked)
		keys_index_free(k, index);
}

/* --- keys in the order in which they came --- */

void keys_index_add(struct keys *k, uint32_t key)
{
	struct keys_entry *e = keys_entry(k, key);
	struct keys_index *x = &k->indices[e->index];
	e->older = x->youngest;
	e->younger = 0;
	if (x->youngest)
		keys_entry(k, x->youngest)->younger = key;
	else
		x->oldest = key;
	x->youngest = key;
	if (!x->fresh)
		x->fresh = key;
	x->n++;
}

void keys_index_remove(struct keys *k, uint32_t key)
{
	const struct keys_entry *e = keys_entry(k, key);
	struct keys_index *x = &k->indices[e->index];
	bool was_oldest = x->oldest == key;
	if (x->fresh == key)
		x->fresh = e->younger;
	*(e->older ? &keys_entry(k, e->older)->younger : &x->oldest) = e->younger;
	*(e->younger ? &keys_entry(k, e->younger)->older : &x->youngest) = e->older;
	x->n--;
	if (was_oldest)
		keys_fences_passed(k, x, e->generation);
}

/* --- keys that came again --- */

static bool keys_returned_before(const struct keys *k, const struct keys_returned *a,
				 const struct keys_returned *b)
{
	if (a->not_before_ms != b->not_before_ms)
		return a->not_before_ms < b->not_before_ms;
	return keys_entry(k, a->key)->time_ns < keys_entry(k, b->key)->time_ns;
}

static void keys_returned_put(struct keys *k, struct keys_index *x, uint32_t at,
			      struct keys_returned r)
{
	x->returned[at] = r;
	keys_entry(k, r.key)->heap_at = at;
}

static void keys_returned_rise(struct keys *k, struct keys_index *x, uint32_t at)
{
	struct keys_returned r = x->returned[at];
	for (; at > 0; at = (at - 1) / 2) {
		if (!keys_returned_before(k, &r, &x->returned[(at - 1) / 2]))
			break;
		keys_returned_put(k, x, at, x->returned[(at - 1) / 2]);
	}
	keys_returned_put(k, x, at, r);
}

static void keys_returned_sink(struct keys *k, struct keys_index *x, uint32_t at)
{
	struct keys_returned r = x->returned[at];
	for (uint32_t below; (below = 2 * at + 1) < x->returned_n; at = below) {
		if (below + 1 < x->returned_n &&
		    keys_returned_before(k, &x->returned[below + 1], &x->returned[below]))
			below++;
		if (!keys_returned_before(k, &x->returned[below], &r))
			break;
		keys_returned_put(k, x, at, x->returned[below]);
	}
	keys_returned_put(k, x, at, r);
}

#define RETURNED_AT_FIRST 16

static void keys_returned_resize(struct keys *k, struct keys_index *x, uint32_t room)
{
	k->index_bytes -= x->returned_room * sizeof *x->returned;
	k->index_bytes += room * sizeof *x->returned;
	x->returned = realloc(x->returned, room * sizeof *x->returned);
	must(x->returned);
	x->returned_room = room;
}

void keys_index_return(struct keys *k, uint32_t key, uint64_t not_before_ms)
{
	struct keys_entry *e = keys_entry(k, key);
	struct keys_index *x = &k->indices[e->index];
	e->state = KEYS_RETURNED;
	if (x->returned_n == x->returned_room)
		keys_returned_resize(k, x,
				     x->returned_room ? 2 * x->returned_room : RETURNED_AT_FIRST);
	x->returned[x->returned_n++] = (struct keys_returned){ not_before_ms, key };
	keys_returned_rise(k, x, x->returned_n - 1);
}

void keys_index_take_returned(struct keys *k, uint32_t key)
{
	const struct keys_entry *e = keys_entry(k, key);
	struct keys_index *x = &k->indices[e->index];
	uint32_t at = e->heap_at;
	must(e->state == KEYS_RETURNED && x->returned[at].key == key);
	struct keys_returned last = x->returned[--x->returned_n];
	if (last.key != key) {
		keys_returned_put(k, x, at, last);
		keys_returned_rise(k, x, at);
		keys_returned_sink(k, x, keys_entry(k, last.key)->heap_at);
	}
	if (x->returned_room > RETURNED_AT_FIRST && x->returned_n < x->returned_room / 4)
		keys_returned_resize(k, x, x->returned_room / 2);
}

/* --- what goes next --- */

/* Passes those that have an elder: they come back by the heap when that is done. */
static uint32_t keys_index_fresh(struct keys *k, struct keys_index *x)
{
	while (x->fresh) {
		struct keys_entry *e = keys_entry(k, x->fresh);
		if (e->generation != x->open)
			return 0;
		if (!e->has_elder)
			return x->fresh;
		e->state = KEYS_HELD;
		x->fresh = e->younger;
	}
	return 0;
}

uint32_t keys_index_next(struct keys *k, uint32_t index, uint64_t now_ms)
{
	struct keys_index *x = &k->indices[index];
	if (x->returned_n && x->returned[0].not_before_ms <= now_ms)
		return x->returned[0].key;
	return keys_index_fresh(k, x);
}
