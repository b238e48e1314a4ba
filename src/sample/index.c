#include "sample/index.h"

#include <stdio.h>
#include <stdlib.h>

#include <xxhash.h>

#include "base/bug.h"

#define FIRST_BUCKETS 64
#define FIRST_PLACES 64
/* Fewer empty places are not worth a walk over all of them. */
#define EMPTY_MIN 1024

/* --- a life --- */

struct sample_index *sample_index_open(const char *name, const char *uuid, uint64_t now_ms,
				       uint64_t *bytes)
{
	struct sample_index *x = calloc(1, sizeof *x);
	must(x);
	snprintf(x->name, sizeof x->name, "%s", name);
	snprintf(x->uuid, sizeof x->uuid, "%s", uuid);
	x->created_ms = now_ms;
	x->mappings = json_object();
	x->settings = json_object();
	x->aliases = json_object();
	x->mapping_version = x->settings_version = x->aliases_version = x->primary_term = 1;
	x->bucket_n = FIRST_BUCKETS;
	x->buckets = calloc(x->bucket_n, sizeof(void *));
	must(x->mappings && x->settings && x->aliases && x->buckets);
	list_init(&x->forgetting);
	x->bytes = bytes;
	sample_index_divide(x, 1);
	return x;
}

void sample_index_divide(struct sample_index *x, unsigned shard_n)
{
	must(!x->document_n && shard_n >= 1 && shard_n <= SAMPLE_SHARDS_MAX);
	for (unsigned i = 0; i < x->shard_n; i++)
		free(x->shards[i].places);
	free(x->shards);
	x->shards = calloc(shard_n, sizeof *x->shards);
	must(x->shards);
	x->shard_n = shard_n;
}

static size_t version_bytes(const struct sample_version *v)
{
	return sizeof *v + v->routing.n + v->source.n;
}

static void version_free(struct sample_index *x, struct sample_version *v)
{
	*x->bytes -= version_bytes(v);
	list_remove(&v->forgetting);
	free(v);
}

static void document_free(struct sample_index *x, struct sample_document *d)
{
	if (d->shown && d->shown != d->current)
		version_free(x, d->shown);
	if (d->current)
		version_free(x, d->current);
	*x->bytes -= sizeof *d + d->id_n;
	free(d);
}

void sample_index_close(struct sample_index *x)
{
	for (size_t i = 0; i < x->bucket_n; i++)
		for (struct sample_document *d = x->buckets[i], *next; d; d = next) {
			next = d->next;
			document_free(x, d);
		}
	json_decref(x->mappings);
	json_decref(x->settings);
	json_decref(x->aliases);
	for (unsigned i = 0; i < x->shard_n; i++)
		free(x->shards[i].places);
	free(x->shards);
	free(x->buckets);
	free(x);
}

/* --- documents by id --- */

unsigned sample_index_shard(const struct sample_index *x, struct span id, struct span routing)
{
	struct span by = routing.n ? routing : id;
	return x->shard_n == 1 ? 0 : (unsigned)(XXH3_64bits(by.at, by.n) % x->shard_n);
}

static uint64_t document_hash(unsigned shard, struct span id)
{
	return XXH3_64bits_withSeed(id.at, id.n, shard);
}

static struct sample_document **bucket_of(const struct sample_index *x, uint64_t hash)
{
	return &x->buckets[hash & (x->bucket_n - 1)];
}

static struct sample_document *document_find(const struct sample_index *x, unsigned shard,
					     struct span id)
{
	uint64_t hash = document_hash(shard, id);
	struct sample_document *d = *bucket_of(x, hash);
	while (d && (d->hash != hash || d->shard != shard ||
		     !span_is((struct span){ d->id, d->id_n }, id)))
		d = d->next;
	return d;
}

struct sample_version *sample_index_find(const struct sample_index *x, unsigned shard,
					 struct span id)
{
	const struct sample_document *d = document_find(x, shard, id);
	return d ? d->current : NULL;
}

struct sample_version *sample_index_find_shown(const struct sample_index *x, unsigned shard,
					       struct span id)
{
	const struct sample_document *d = document_find(x, shard, id);
	return d ? d->shown : NULL;
}

static void document_link(struct sample_index *x, struct sample_document *d)
{
	struct sample_document **bucket = bucket_of(x, d->hash);
	d->next = *bucket;
	*bucket = d;
}

static void buckets_double(struct sample_index *x)
{
	struct sample_document **old = x->buckets;
	size_t old_n = x->bucket_n;
	x->bucket_n *= 2;
	x->buckets = calloc(x->bucket_n, sizeof(void *));
	must(x->buckets);
	for (size_t i = 0; i < old_n; i++)
		for (struct sample_document *d = old[i], *next; d; d = next) {
			next = d->next;
			document_link(x, d);
		}
	free(old);
}

static struct sample_document *document_take(struct sample_index *x, unsigned shard, struct span id)
{
	struct sample_document *d = document_find(x, shard, id);
	if (d)
		return d;
	if (x->document_n == x->bucket_n)
		buckets_double(x);
	d = malloc(sizeof *d + id.n);
	must(d);
	*d = (struct sample_document){ .hash = document_hash(shard, id),
				       .shard = shard,
				       .id_n = id.n };
	memcpy(d->id, id.at, id.n);
	document_link(x, d);
	x->document_n++;
	*x->bytes += sizeof *d + id.n;
	return d;
}

static void document_forget(struct sample_index *x, struct sample_document *d)
{
	struct sample_document **at = bucket_of(x, d->hash);
	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	x->document_n--;
	document_free(x, d);
}

/* --- places --- */

static struct sample_shard *shard_of(const struct sample_index *x, const struct sample_version *v)
{
	return &x->shards[v->document->shard];
}

static void places_shift(struct sample_shard *s)
{
	size_t to = 0, refreshed = 0;
	for (size_t from = 0; from < s->place_n; from++) {
		struct sample_version *v = s->places[from].version;
		if (v) {
			v->place = to;
			s->places[to++] = s->places[from];
		}
		if (from + 1 == s->refreshed_n)
			refreshed = to;
	}
	s->place_n = to;
	s->refreshed_n = refreshed;
	s->empty_n = 0;
}

static void place_take(struct sample_shard *s, struct sample_version *v)
{
	if (s->empty_n > EMPTY_MIN && s->empty_n > s->place_n / 2)
		places_shift(s);
	if (s->place_n == s->place_room) {
		s->place_room = s->place_room ? s->place_room * 2 : FIRST_PLACES;
		s->places = realloc(s->places, s->place_room * sizeof *s->places);
		must(s->places);
	}
	v->place = s->place_n;
	s->places[s->place_n++] = (struct sample_place){ v->seq_no, v };
}

static void place_give(struct sample_shard *s, const struct sample_version *v)
{
	must(s->places[v->place].version == v);
	s->places[v->place].version = NULL;
	s->empty_n++;
}

size_t sample_shard_seek(const struct sample_shard *s, uint64_t seq_no)
{
	size_t from = 0, to = s->refreshed_n;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		if (s->places[middle].seq_no < seq_no)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

/* --- changes --- */

static struct sample_version *version_make(struct sample_index *x, struct sample_document *d,
					   const struct sample_change *c)
{
	struct sample_version *v = malloc(sizeof *v + c->routing.n + c->source.n);
	must(v);
	*v = (struct sample_version){ .document = d,
				      .seq_no = x->shards[d->shard].next_seq_no++,
				      .primary_term = x->primary_term,
				      .version = c->version,
				      .at_ms = c->now_ms };
	list_init(&v->forgetting);
	if (c->routing.at)
		v->routing = (struct span){ v->bytes, c->routing.n };
	if (c->source.at)
		v->source = (struct span){ v->bytes + c->routing.n, c->source.n };
	memcpy(v->bytes, c->routing.at ? c->routing.at : "", c->routing.n);
	memcpy(v->bytes + c->routing.n, c->source.at ? c->source.at : "", c->source.n);
	*x->bytes += version_bytes(v);
	return v;
}

struct sample_version *sample_index_change(struct sample_index *x, const struct sample_change *c)
{
	struct sample_document *d =
		document_take(x, sample_index_shard(x, c->id, c->routing), c->id);
	struct sample_version *old = d->current, *v = version_make(x, d, c);
	x->live_n += (v->source.at != NULL) - (old && old->source.at);
	d->current = v;
	/* A deletion that searches see has no place any more. */
	if (old && old != d->shown) {
		if (list_empty(&old->forgetting))
			place_give(shard_of(x, old), old);
		version_free(x, old);
	}
	place_take(shard_of(x, v), v);
	return v;
}

static void refresh_one(struct sample_index *x, struct sample_version *v)
{
	struct sample_document *d = v->document;
	if (d->shown) {
		place_give(shard_of(x, v), d->shown);
		version_free(x, d->shown);
		x->shown_n--;
	}
	d->shown = v->source.at ? v : NULL;
	x->shown_n += v->source.at != NULL;
	if (!v->source.at) {
		place_give(shard_of(x, v), v);
		list_add_tail(&x->forgetting, &v->forgetting);
	}
}

static void shard_refresh(struct sample_index *x, struct sample_shard *s)
{
	for (size_t i = s->refreshed_n; i < s->place_n; i++)
		if (s->places[i].version)
			refresh_one(x, s->places[i].version);
	s->refreshed_n = s->place_n;
}

void sample_index_refresh(struct sample_index *x)
{
	for (unsigned i = 0; i < x->shard_n; i++)
		shard_refresh(x, &x->shards[i]);
	must(x->shown_n == x->live_n);
}

void sample_index_forget(struct sample_index *x, uint64_t now_ms)
{
	list_each_safe(at, &x->forgetting) {
		struct sample_version *v = list_entry(at, struct sample_version, forgetting);
		if (now_ms - v->at_ms < SAMPLE_FORGET_MS)
			break;
		document_forget(x, v->document);
	}
}
