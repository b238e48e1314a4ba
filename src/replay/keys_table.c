/*
 * Which keys there are, by linear hashing: the table has about as many buckets as keys, and grows
 * and shrinks by one bucket at a time. Entries of one key stand in their chain youngest first.
 */

#include <stdlib.h>
#include <xxhash.h>

#include "base/bug.h"
#include "replay/keys_private.h"

#define SEGMENT_BUCKETS_LOG2 12
#define SEGMENT_BUCKETS (1u << SEGMENT_BUCKETS_LOG2)

static uint32_t *keys_table_bucket(const struct keys_table *t, uint32_t bucket)
{
	return &t->segments[bucket >> SEGMENT_BUCKETS_LOG2][bucket & (SEGMENT_BUCKETS - 1)];
}

static uint32_t *keys_table_of(const struct keys_table *t, uint32_t hash)
{
	uint32_t bucket = hash & (2 * t->low_n - 1);
	return keys_table_bucket(t, bucket < t->bucket_n ? bucket : bucket - t->low_n);
}

uint32_t keys_table_hash(const struct keys *k, uint32_t index, struct span id)
{
	uint64_t seed = k->config.seed ^ index * 0x9e3779b97f4a7c15u;
	return (uint32_t)XXH3_64bits_withSeed(id.at, id.n, seed);
}

/* --- size --- */

static void keys_table_add_segment(struct keys_table *t)
{
	uint32_t segment = t->bucket_n >> SEGMENT_BUCKETS_LOG2;
	if (segment == t->segment_room) {
		t->segment_room *= 2;
		t->segments = realloc(t->segments, t->segment_room * sizeof *t->segments);
		must(t->segments);
	}
	t->segments[segment] = calloc(SEGMENT_BUCKETS, sizeof **t->segments);
	must(t->segments[segment]);
}

/* The new bucket gets its keys out of one other, and their order stays. */
static void keys_table_grow(struct keys *k)
{
	struct keys_table *t = &k->table;
	if (t->bucket_n % SEGMENT_BUCKETS == 0)
		keys_table_add_segment(t);
	if (t->bucket_n == 2 * t->low_n)
		t->low_n *= 2;
	uint32_t *stays = keys_table_bucket(t, t->bucket_n - t->low_n);
	uint32_t *goes = keys_table_bucket(t, t->bucket_n);
	uint32_t key = *stays;
	for (; key; key = keys_entry(k, key)->chain) {
		uint32_t **to = keys_entry(k, key)->hash & t->low_n ? &goes : &stays;
		**to = key;
		*to = &keys_entry(k, key)->chain;
	}
	*stays = *goes = 0;
	t->bucket_n++;
}

static void keys_table_shrink(struct keys *k)
{
	struct keys_table *t = &k->table;
	if (t->bucket_n == t->low_n)
		t->low_n /= 2;
	t->bucket_n--;
	uint32_t *to = keys_table_bucket(t, t->bucket_n - t->low_n);
	while (*to)
		to = &keys_entry(k, *to)->chain;
	*to = *keys_table_bucket(t, t->bucket_n);
	*keys_table_bucket(t, t->bucket_n) = 0;
	if (t->bucket_n % SEGMENT_BUCKETS == 0)
		free(t->segments[t->bucket_n >> SEGMENT_BUCKETS_LOG2]);
}

/* --- entries --- */

/* From there on in its chain. */
static uint32_t keys_table_find_from(const struct keys *k, uint32_t key, uint32_t index,
				     struct span id, uint32_t hash)
{
	for (; key; key = keys_entry(k, key)->chain) {
		const struct keys_entry *e = keys_entry(k, key);
		if (e->hash == hash && e->index == index && span_is(keys_id(e), id))
			return key;
	}
	return 0;
}

uint32_t keys_table_find(const struct keys *k, uint32_t index, struct span id, uint32_t hash)
{
	return keys_table_find_from(k, *keys_table_of(&k->table, hash), index, id, hash);
}

uint32_t keys_table_older(const struct keys *k, uint32_t key)
{
	const struct keys_entry *e = keys_entry(k, key);
	return keys_table_find_from(k, e->chain, e->index, keys_id(e), e->hash);
}

void keys_table_add(struct keys *k, uint32_t key)
{
	struct keys_table *t = &k->table;
	uint32_t *bucket = keys_table_of(t, keys_entry(k, key)->hash);
	keys_entry(k, key)->chain = *bucket;
	*bucket = key;
	if (++t->n > t->bucket_n)
		keys_table_grow(k);
}

/* What refers to the entry in its chain. */
static uint32_t *keys_table_link(const struct keys *k, uint32_t key, uint32_t *younger)
{
	const struct keys_entry *e = keys_entry(k, key);
	uint32_t *link = keys_table_of(&k->table, e->hash);
	*younger = 0;
	for (; *link != key; link = &keys_entry(k, *link)->chain) {
		must(*link);
		const struct keys_entry *o = keys_entry(k, *link);
		if (o->hash == e->hash && o->index == e->index && span_is(keys_id(o), keys_id(e)))
			*younger = *link;
	}
	return link;
}

uint32_t keys_table_younger(const struct keys *k, uint32_t key)
{
	uint32_t younger;
	keys_table_link(k, key, &younger);
	return younger;
}

uint32_t keys_table_remove(struct keys *k, uint32_t key)
{
	struct keys_table *t = &k->table;
	uint32_t younger, *link = keys_table_link(k, key, &younger);
	*link = keys_entry(k, key)->chain;
	t->n--;
	/* By two at most, for a quarter more than keys is what it comes down to: with less room it
	 * would go up and down with each key. */
	for (int i = 0; i < 2 && t->n + t->n / 4 < t->bucket_n && t->bucket_n > SEGMENT_BUCKETS;
	     i++)
		keys_table_shrink(k);
	return younger;
}

/* --- a life --- */

#define SEGMENTS_AT_FIRST 16

void keys_table_open(struct keys_table *t)
{
	*t = (struct keys_table){ .segment_room = SEGMENTS_AT_FIRST };
	t->segments = calloc(t->segment_room, sizeof *t->segments);
	must(t->segments);
	keys_table_add_segment(t);
	t->bucket_n = t->low_n = SEGMENT_BUCKETS;
}

static uint32_t keys_table_segments(const struct keys_table *t)
{
	return (t->bucket_n + SEGMENT_BUCKETS - 1) >> SEGMENT_BUCKETS_LOG2;
}

size_t keys_table_bytes(const struct keys_table *t)
{
	return t->segment_room * sizeof *t->segments +
	       keys_table_segments(t) * (size_t)SEGMENT_BUCKETS * sizeof **t->segments;
}

void keys_table_close(struct keys_table *t)
{
	for (uint32_t i = 0; i < keys_table_segments(t); i++)
		free(t->segments[i]);
	free(t->segments);
	*t = (struct keys_table){ 0 };
}
