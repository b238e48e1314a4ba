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
	return x;
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
	free(x->buckets);
	free(x->places);
	free(x);
}

/* --- documents by id --- */

static struct sample_document **bucket_of(const struct sample_index *x, uint64_t hash)
{
	return &x->buckets[hash & (x->bucket_n - 1)];
}

static struct sample_document *document_find(const struct sample_index *x, struct span id,
					     uint64_t hash)
{
	struct sample_document *d = *bucket_of(x, hash);
	while (d && (d->hash != hash || !span_is((struct span){ d->id, d->id_n }, id)))
		d = d->next;
	return d;
}

struct sample_version *sample_index_find(const struct sample_index *x, struct span id)
{
	const struct sample_document *d = document_find(x, id, XXH3_64bits(id.at, id.n));
	return d ? d->current : NULL;
}

struct sample_version *sample_index_find_shown(const struct sample_index *x, struct span id)
{
	const struct sample_document *d = document_find(x, id, XXH3_64bits(id.at, id.n));
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

static struct sample_document *document_take(struct sample_index *x, struct span id)
{
	uint64_t hash = XXH3_64bits(id.at, id.n);
	struct sample_document *d = document_find(x, id, hash);
	if (d)
		return d;
	if (x->document_n == x->bucket_n)
		buckets_double(x);
	d = malloc(sizeof *d + id.n);
	must(d);
	*d = (struct sample_document){ .hash = hash, .id_n = id.n };
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

static void places_shift(struct sample_index *x)
{
	size_t to = 0, refreshed = 0;
	for (size_t from = 0; from < x->place_n; from++) {
		struct sample_version *v = x->places[from].version;
		if (v) {
			v->place = to;
			x->places[to++] = x->places[from];
		}
		if (from + 1 == x->refreshed_n)
			refreshed = to;
	}
	x->place_n = to;
	x->refreshed_n = refreshed;
	x->empty_n = 0;
}

static void place_take(struct sample_index *x, struct sample_version *v)
{
	if (x->empty_n > EMPTY_MIN && x->empty_n > x->place_n / 2)
		places_shift(x);
	if (x->place_n == x->place_room) {
		x->place_room = x->place_room ? x->place_room * 2 : FIRST_PLACES;
		x->places = realloc(x->places, x->place_room * sizeof *x->places);
		must(x->places);
	}
	v->place = x->place_n;
	x->places[x->place_n++] = (struct sample_place){ v->seq_no, v };
}

static void place_give(struct sample_index *x, const struct sample_version *v)
{
	must(x->places[v->place].version == v);
	x->places[v->place].version = NULL;
	x->empty_n++;
}

size_t sample_index_seek(const struct sample_index *x, uint64_t seq_no)
{
	size_t from = 0, to = x->refreshed_n;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		if (x->places[middle].seq_no < seq_no)
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
				      .seq_no = x->next_seq_no++,
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
	struct sample_document *d = document_take(x, c->id);
	struct sample_version *old = d->current, *v = version_make(x, d, c);
	x->live_n += (v->source.at != NULL) - (old && old->source.at);
	d->current = v;
	/* A deletion that searches see has no place any more. */
	if (old && old != d->shown) {
		if (list_empty(&old->forgetting))
			place_give(x, old);
		version_free(x, old);
	}
	place_take(x, v);
	return v;
}

static void refresh_one(struct sample_index *x, struct sample_version *v)
{
	struct sample_document *d = v->document;
	if (d->shown) {
		place_give(x, d->shown);
		version_free(x, d->shown);
		x->shown_n--;
	}
	d->shown = v->source.at ? v : NULL;
	x->shown_n += v->source.at != NULL;
	if (!v->source.at) {
		place_give(x, v);
		list_add_tail(&x->forgetting, &v->forgetting);
	}
}

void sample_index_refresh(struct sample_index *x)
{
	for (size_t i = x->refreshed_n; i < x->place_n; i++)
		if (x->places[i].version)
			refresh_one(x, x->places[i].version);
	x->refreshed_n = x->place_n;
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
