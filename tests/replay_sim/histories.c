#include "replay_sim/histories.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "sample/index.h"
#include "base/bug.h"
#include "replay_sim/world.h"

#define NOTHING 0

/* What is wrapped has no argument that could tell the world. */
static struct world *histories_world;

struct sample_version *__real_sample_index_change(struct sample_index *x,
						  const struct sample_change *c);
struct sample_version *__wrap_sample_index_change(struct sample_index *x,
						  const struct sample_change *c);
void __real_sample_store_delete(struct sample_store *s, struct sample_index *x);
void __wrap_sample_store_delete(struct sample_store *s, struct sample_index *x);

void histories_are_of(struct world *w)
{
	histories_world = w;
}

#define KEY_BYTES 800

static void history_name(char key[KEY_BYTES], const char *index, unsigned shard, struct span id)
{
	snprintf(key, KEY_BYTES, "%s/%u/%.*s", index, shard, (int)id.n, id.at);
}

static size_t history_bucket(const char *key)
{
	return XXH3_64bits(key, strlen(key)) % HISTORY_BUCKETS;
}

static struct history *history_find(struct history *first, const char *key)
{
	while (first && strcmp(first->key, key) != 0)
		first = first->next;
	return first;
}

const struct history *histories_find(const struct histories *h, const char *index, unsigned shard,
				     struct span id)
{
	char key[KEY_BYTES];
	history_name(key, index, shard, id);
	return history_find(h->buckets[history_bucket(key)], key);
}

static struct history *history_of(const char *index, unsigned shard, struct span id)
{
	char key[KEY_BYTES];
	history_name(key, index, shard, id);
	struct history **bucket = &histories_world->histories.buckets[history_bucket(key)];
	struct history *h = history_find(*bucket, key);
	if (h)
		return h;
	h = calloc(1, sizeof *h);
	must(h);
	*h = (struct history){ .next = *bucket, .key = strdup(key), .n = 1, .room = 8 };
	h->states = calloc(h->room, sizeof *h->states);
	must(h->states);
	return *bucket = h;
}

static uint64_t history_fingerprint(const struct sample_change *c)
{
	if (!c->source.at)
		return NOTHING;
	json_t *j = json_loadb(c->source.at, c->source.n, 0, NULL);
	char *text = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);
	must(text);
	uint64_t print = XXH3_64bits(text, strlen(text)) +
			 (c->routing.at ? XXH3_64bits(c->routing.at, c->routing.n) : 0);
	free(text);
	json_decref(j);
	return print | 1;
}

static void history_add(struct history *h, uint64_t state)
{
	if (h->states[h->n - 1] == state)
		return;
	if (h->n == h->room) {
		h->room *= 2;
		h->states = realloc(h->states, h->room * sizeof *h->states);
		must(h->states);
	}
	h->states[h->n++] = state;
}

static void history_follow(struct history *h, uint64_t state, const struct sample_change *c)
{
	unsigned at = h->at;
	while (at < h->n && h->states[at] != state)
		at++;
	if (at < h->n) {
		h->at = at;
		return;
	}
	judge_fail(histories_world, "no document goes back",
		   "%s of the replica becomes %.*s, which it was no more at the owner", h->key,
		   c->source.at ? (int)c->source.n : 7, c->source.at ? c->source.at : "nothing");
}

static bool histories_is_of(const struct sample_index *x, enum arm arm)
{
	return x->bytes == &histories_world->clusters[arm].sample.store.bytes;
}

struct sample_version *__wrap_sample_index_change(struct sample_index *x,
						  const struct sample_change *c)
{
	unsigned shard = sample_index_shard(x, c->id, c->routing);
	struct history *h = history_of(x->name, shard, c->id);
	uint64_t state = history_fingerprint(c);
	const struct sample_version *now = sample_index_find(x, shard, c->id);
	if (histories_is_of(x, ARM_SOURCE)) {
		h->external = c->version != (now ? now->version + 1 : 1);
		history_add(h, state);
	} else {
		history_follow(h, state, c);
	}
	return __real_sample_index_change(x, c);
}

/* After a crash a deletion of an index may be played again: its documents begin anew. */
void __wrap_sample_store_delete(struct sample_store *s, struct sample_index *x)
{
	for (size_t i = 0; i < x->bucket_n; i++)
		for (const struct sample_document *d = x->buckets[i]; d; d = d->next) {
			struct history *h =
				history_of(x->name, d->shard, (struct span){ d->id, d->id_n });
			if (histories_is_of(x, ARM_SOURCE))
				history_add(h, NOTHING);
			else
				h->at = 0;
		}
	__real_sample_store_delete(s, x);
}

void histories_close(struct histories *h)
{
	for (size_t i = 0; i < HISTORY_BUCKETS; i++)
		for (struct history *at; (at = h->buckets[i]);) {
			h->buckets[i] = at->next;
			free(at->states);
			free(at->key);
			free(at);
		}
}
