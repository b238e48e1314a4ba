#include "app/smoke_compare.h"

#include <stdlib.h>

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* --- what does not count --- */

/* Wherever they stand. */
static const char *const ignored[] = {
	"took",		 "_shards",	  "_type",	   "_score",	"max_score", "_seq_no",
	"_primary_term", "_version",	  "_scroll_id",	   "pit_id",	"uuid",	     "cluster_uuid",
	"cluster_name",	 "creation_date", "provided_name", "timestamp", "epoch",
};

/* Of `GET /`. */
static const char *const ignored_of_info[] = { "name", "version", "tagline" };

/* What is left of the others is whether it is red. */
static const char *const kept_of_health[] = { "status", "timed_out" };
static const char *const kept_of_indices[] = { "index", "docs.count" };

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static bool is_in(const char *word, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(word, list[i]))
			return true;
	return false;
}

static void drop(json_t *object, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		json_object_del(object, list[i]);
}

static void keep(json_t *object, const char *const *list, size_t n)
{
	const char *key;
	json_t *value;
	void *next;
	json_object_foreach_safe(object, next, key, value)
		if (!is_in(key, list, n))
			json_object_del(object, key);
}

static void drop_everywhere(json_t *j)
{
	size_t i;
	const char *key;
	json_t *value;
	drop(j, ignored, COUNT(ignored));
	json_array_foreach(j, i, value)
		drop_everywhere(value);
	json_object_foreach(j, key, value)
		drop_everywhere(value);
}

/* Yellow and green say how many nodes there are; red says that something is missing. */
static void calm_health(json_t *j)
{
	const char *status = json_string_value(json_object_get(j, "status"));
	keep(j, kept_of_health, COUNT(kept_of_health));
	if (status && !strcmp(status, "yellow"))
		json_object_set_new(j, "status", json_string("green"));
}

/* As an object by index: the order is of no meaning, and hidden indices are a cluster's own. */
static json_t *indices_by_name(json_t *list /* moved in */)
{
	size_t i;
	json_t *row, *named = json_object();
	json_array_foreach(list, i, row) {
		const char *name = json_string_value(json_object_get(row, "index"));
		if (!name || name[0] == '.')
			continue;
		keep(row, kept_of_indices, COUNT(kept_of_indices));
		json_object_set(named, name, row);
	}
	json_decref(list);
	return named;
}

static bool begins(const char *path, const char *with)
{
	return !strncmp(path, with, strlen(with));
}

static json_t *normalize(const char *path, json_t *j /* moved in */)
{
	drop_everywhere(j);
	if (!strcmp(path, "/"))
		drop(j, ignored_of_info, COUNT(ignored_of_info));
	if (begins(path, "/_cluster/health"))
		calm_health(j);
	if (begins(path, "/_cat/indices") && json_is_array(j))
		return indices_by_name(j);
	return j;
}

/* --- differences --- */

static void show(const json_t *j, char text[96])
{
	char *whole = j ? json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	snprintf(text, 96, "%.80s%s", whole ? whole : "nothing",
		 whole && strlen(whole) > 80 ? "..." : "");
	free(whole);
}

/* The first place where they differ: ".hits.total.value: 5000 / 4980". */
static bool same(json_t *a, json_t *b, const char *at, char text[SMOKE_DIFFERENCE_BYTES]);

static bool differ(json_t *a, json_t *b, const char *at, char text[SMOKE_DIFFERENCE_BYTES])
{
	char left[96], right[96];
	show(a, left);
	show(b, right);
	snprintf(text, SMOKE_DIFFERENCE_BYTES, "%.60s: %.90s / %.90s", *at ? at : "the body", left,
		 right);
	return false;
}

static bool same_members(json_t *a, json_t *b, const char *at, char text[SMOKE_DIFFERENCE_BYTES])
{
	const char *key;
	json_t *value;
	char below[128];
	json_object_foreach(a, key, value) {
		snprintf(below, sizeof below, "%.60s.%.60s", at, key);
		if (!same(value, json_object_get(b, key), below, text))
			return false;
	}
	json_object_foreach(b, key, value) {
		snprintf(below, sizeof below, "%.60s.%.60s", at, key);
		if (!json_object_get(a, key))
			return differ(NULL, value, below, text);
	}
	return true;
}

static bool same_items(json_t *a, json_t *b, const char *at, char text[SMOKE_DIFFERENCE_BYTES])
{
	char below[128];
	size_t n = json_array_size(a);
	if (n != json_array_size(b)) {
		snprintf(text, SMOKE_DIFFERENCE_BYTES, "%.60s: %zu / %zu items",
			 *at ? at : "the body", n, json_array_size(b));
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		snprintf(below, sizeof below, "%.60s[%zu]", at, i);
		if (!same(json_array_get(a, i), json_array_get(b, i), below, text))
			return false;
	}
	return true;
}

static bool same(json_t *a, json_t *b, const char *at, char text[SMOKE_DIFFERENCE_BYTES])
{
	if (json_is_object(a) && json_is_object(b))
		return same_members(a, b, at, text);
	if (json_is_array(a) && json_is_array(b))
		return same_items(a, b, at, text);
	return (a && b && json_equal(a, b)) || differ(a, b, at, text);
}

static bool same_json(const char *path, const struct smoke_side *source,
		      const struct smoke_side *target, char text[SMOKE_DIFFERENCE_BYTES],
		      bool *is_json)
{
	json_t *a = json_loadb(source->text, source->n, JSON_DECODE_ANY, NULL);
	json_t *b = json_loadb(target->text, target->n, JSON_DECODE_ANY, NULL);
	bool equal = false;
	*is_json = a && b;
	if (*is_json) {
		a = normalize(path, a);
		b = normalize(path, b);
		equal = same(a, b, "", text);
	}
	json_decref(a);
	json_decref(b);
	return equal;
}

bool smoke_compare(const char *path, const struct smoke_side *source,
		   const struct smoke_side *target, char difference[SMOKE_DIFFERENCE_BYTES])
{
	bool is_json;
	difference[0] = 0;
	if (!source->status || !target->status) {
		snprintf(difference, SMOKE_DIFFERENCE_BYTES, "no answer of the %s: %.180s",
			 source->status ? "target" : "source",
			 source->status ? target->error : source->error);
		return false;
	}
	if (source->status != target->status) {
		snprintf(difference, SMOKE_DIFFERENCE_BYTES, "status %ld / %ld", source->status,
			 target->status);
		return false;
	}
	/* Two refusals say the same in words of their own. */
	if (source->status >= 400)
		return true;
	if (same_json(path, source, target, difference, &is_json))
		return true;
	if (is_json)
		return false;
	if (source->n == target->n && !memcmp(source->text, target->text, source->n))
		return true;
	snprintf(difference, SMOKE_DIFFERENCE_BYTES, "the bodies differ: %zu / %zu bytes",
		 source->n, target->n);
	return false;
}
