#include "sample/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "sample/pattern.h"
#include "sample/settings.h"
#include "base/bug.h"
#include "base/fmt.h"

/* --- a life --- */

/* Letters by chance; `n` without the NUL. */
static void store_dice(char *text, size_t n)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	unsigned char bytes[32];
	must(n <= sizeof bytes && getrandom(bytes, n, 0) == (ssize_t)n);
	for (size_t i = 0; i < n; i++)
		text[i] = letters[bytes[i] % (sizeof letters - 1)];
	text[n] = 0;
}

void sample_store_open(struct sample_store *s)
{
	*s = (struct sample_store){ .bytes_max = SAMPLE_STORE_BYTES };
	s->indices = calloc(SAMPLE_INDICES_MAX, sizeof(void *));
	s->streams = json_object();
	must(s->indices && s->streams);
	store_dice(s->origin, sizeof s->origin - 1);
}

void sample_store_close(struct sample_store *s)
{
	for (size_t i = 0; i < s->n; i++)
		sample_index_close(s->indices[i]);
	free(s->indices);
	json_decref(s->streams);
	must(s->bytes == 0);
}

/* --- by name --- */

static int store_compare(const struct sample_index *x, struct span name)
{
	int order = strncmp(x->name, name.at, name.n);
	return order ? order : x->name[name.n] != 0;
}

/* Where it stands, or would. */
static size_t store_place(const struct sample_store *s, struct span name, bool *there)
{
	size_t from = 0, to = s->n;
	*there = false;
	while (from < to && !*there) {
		size_t middle = from + (to - from) / 2;
		int order = store_compare(s->indices[middle], name);
		*there = order == 0;
		if (order < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return *there ? to : from;
}

struct sample_index *sample_store_find(const struct sample_store *s, struct span name)
{
	bool there;
	size_t at = store_place(s, name, &there);
	return there ? s->indices[at] : NULL;
}

/* OpenSearch's rules for names. */
static bool store_takes_name(struct span name)
{
	if (!name.n || name.n > SAMPLE_NAME_BYTES || strchr("-_+", name.at[0]) ||
	    span_is(name, SPAN(".")) || span_is(name, SPAN("..")))
		return false;
	for (size_t i = 0; i < name.n; i++)
		if ((name.at[i] >= 'A' && name.at[i] <= 'Z') ||
		    strchr("\\/*?\"<>| ,#:", name.at[i]))
			return false;
	return true;
}

static bool store_has_alias(const struct sample_store *s, struct span name)
{
	for (size_t i = 0; i < s->n; i++)
		if (json_object_getn(s->indices[i]->aliases, name.at, name.n))
			return true;
	return false;
}

static bool store_may_create(const struct sample_store *s, struct span name,
			     struct sample_trouble *t)
{
	if (!store_takes_name(name))
		return sample_refuse(t, 400, "invalid_index_name_exception",
				     "Invalid index name [%.*s]", (int)name.n, name.at);
	if (sample_store_find(s, name))
		return sample_refuse(t, 400, "resource_already_exists_exception",
				     "index [%.*s] already exists", (int)name.n, name.at);
	if (store_has_alias(s, name))
		return sample_refuse(t, 400, "invalid_index_name_exception",
				     "Invalid index name [%.*s], already exists as alias",
				     (int)name.n, name.at);
	if (s->n == SAMPLE_INDICES_MAX)
		return sample_refuse(t, 400, "validation_exception",
				     "this action would add [1] total shards, but this cluster "
				     "currently has [%d]/[%d] maximum shards open",
				     SAMPLE_INDICES_MAX, SAMPLE_INDICES_MAX);
	return true;
}

struct sample_index *sample_store_create(struct sample_store *s, struct span name,
					 struct sample_trouble *t)
{
	char text[SAMPLE_NAME_BYTES + 1], uuid[23];
	bool there;
	if (!store_may_create(s, name, t))
		return NULL;
	memcpy(text, name.at, name.n);
	text[name.n] = 0;
	store_dice(uuid, sizeof uuid - 1);
	size_t at = store_place(s, name, &there);
	memmove(s->indices + at + 1, s->indices + at, (s->n - at) * sizeof(void *));
	s->n++;
	return s->indices[at] = sample_index_open(text, uuid, s->now_ms, &s->bytes);
}

void sample_store_delete(struct sample_store *s, struct sample_index *x)
{
	bool there;
	size_t at = store_place(s, span_of(x->name), &there);
	must(there);
	s->n--;
	memmove(s->indices + at, s->indices + at + 1, (s->n - at) * sizeof(void *));
	sample_index_close(x);
}

/* --- data streams --- */

struct span sample_store_stream_of(const struct sample_store *s, const struct sample_index *x)
{
	const char *stream;
	json_t *names, *name;
	size_t i;
	json_object_foreach(s->streams, stream, names)
		json_array_foreach(names, i, name)
			if (!strcmp(json_string_value(name), x->name))
				return span_of(stream);
	return (struct span){ 0 };
}

/* The one that takes documents. */
static struct sample_index *store_of_stream(const struct sample_store *s, struct span stream)
{
	const json_t *names = json_object_getn(s->streams, stream.at, stream.n);
	size_t n = json_array_size(names);
	return n ? sample_store_find(s, span_of(json_string_value(json_array_get(names, n - 1))))
		 : NULL;
}

struct sample_index *sample_store_roll(struct sample_store *s, struct span stream,
				       struct sample_trouble *t)
{
	char name[SAMPLE_NAME_BYTES + 1];
	json_t *names = json_object_getn(s->streams, stream.at, stream.n);
	snprintf(name, sizeof name, ".ds-%.*s-%06zu", (int)stream.n, stream.at,
		 json_array_size(names) + 1);
	struct sample_index *x = sample_store_create(s, span_of(name), t);
	if (!x)
		return NULL;
	if (!names) {
		names = json_array();
		json_object_setn_new(s->streams, stream.at, stream.n, names);
	}
	json_array_append_new(names, json_string(x->name));
	return x;
}

/* --- one of an alias --- */

static bool store_refuse_missing(struct span name, struct sample_trouble *t)
{
	return sample_refuse(t, 404, "index_not_found_exception", "no such index [%.*s]",
			     (int)name.n, name.at);
}

/* The only index of an alias, or the one that says is_write_index. NULL: of many none does. */
static struct sample_index *store_of_alias(const struct sample_store *s, struct span name,
					   size_t *n)
{
	struct sample_index *only = NULL, *writes = NULL;
	*n = 0;
	for (size_t i = 0; i < s->n; i++) {
		const json_t *alias = json_object_getn(s->indices[i]->aliases, name.at, name.n);
		if (!alias)
			continue;
		++*n;
		only = s->indices[i];
		if (json_is_true(json_object_get(alias, "is_write_index")))
			writes = only;
	}
	return writes ? writes : *n == 1 ? only : NULL;
}

static void store_route(const struct sample_index *x, struct span alias, const char *member,
			struct span *routing)
{
	const json_t *a = json_object_getn(x->aliases, alias.at, alias.n);
	const char *own = json_string_value(json_object_get(a, member));
	if (own)
		*routing = span_of(own);
}

struct sample_index *sample_store_target(struct sample_store *s, struct span name, bool makes,
					 struct span *routing, struct sample_trouble *t)
{
	size_t n;
	struct sample_index *x = sample_store_find(s, name);
	x = x ? x : store_of_stream(s, name);
	if (x)
		return x;
	x = store_of_alias(s, name, &n);
	if (x) {
		store_route(x, name, "index_routing", routing);
		return x;
	}
	if (!n && makes)
		return sample_store_create(s, name, t);
	if (!n) {
		store_refuse_missing(name, t);
		return NULL;
	}
	sample_refuse(t, 400, "illegal_argument_exception",
		      "no write index is defined for alias [%.*s]", (int)name.n, name.at);
	return NULL;
}

struct sample_index *sample_store_source(const struct sample_store *s, struct span name,
					 struct sample_trouble *t)
{
	size_t n;
	struct sample_index *x = sample_store_find(s, name);
	if (!x)
		x = store_of_alias(s, name, &n);
	if (x)
		return x;
	if (!n)
		store_refuse_missing(name, t);
	else
		sample_refuse(t, 400, "illegal_argument_exception",
			      "alias [%.*s] has more than one index associated with it",
			      (int)name.n, name.at);
	return NULL;
}

/* --- many --- */

static bool store_is_named(const struct sample_store *s, const struct sample_index *x,
			   struct span expression)
{
	const char *alias;
	json_t *value;
	struct span stream = sample_store_stream_of(s, x);
	if (sample_list_names(expression, span_of(x->name)) ||
	    (stream.at && sample_list_names(expression, stream)))
		return true;
	json_object_foreach(x->aliases, alias, value)
		if (sample_list_names(expression, span_of(alias)))
			return true;
	return false;
}

bool sample_store_resolve(const struct sample_store *s, struct span expression,
			  struct sample_index **found, size_t *n, struct sample_trouble *t)
{
	struct span rest = expression, name;
	bool all = true;
	*n = 0;
	while (all && sample_list_next_plain(&rest, &name))
		all = sample_store_find(s, name) || store_has_alias(s, name) ||
		      store_of_stream(s, name) || store_refuse_missing(name, t);
	for (size_t i = 0; i < s->n; i++)
		if (store_is_named(s, s->indices[i], expression))
			found[(*n)++] = s->indices[i];
	return all;
}

/* --- time --- */

void sample_store_refresh(struct sample_store *s)
{
	for (size_t i = 0; i < s->n; i++)
		sample_index_refresh(s->indices[i]);
}

void sample_store_second(struct sample_store *s)
{
	for (size_t i = 0; i < s->n; i++) {
		if (sample_settings_refresh_by_themselves(s->indices[i]))
			sample_index_refresh(s->indices[i]);
		sample_index_forget(s->indices[i], s->now_ms);
	}
}

struct span sample_store_make_id(struct sample_store *s, char text[SAMPLE_MADE_BYTES])
{
	size_t n = sizeof s->origin - 1;
	memcpy(text, s->origin, n);
	n += fmt_decimal(text + n, ++s->made_n);
	return (struct span){ text, n };
}
