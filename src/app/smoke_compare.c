#include "app/smoke_compare.h"

#include <stdlib.h>

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "replay/compare_json.h"

/* --- what does not count --- */

/* Ignored at every level. */
static const char *const ignored[] = {
	"took",		 "_shards",	  "_type",	   "_score",	"max_score", "_seq_no",
	"_primary_term", "_version",	  "_scroll_id",	   "pit_id",	"uuid",	     "cluster_uuid",
	"cluster_name",	 "creation_date", "provided_name", "timestamp", "epoch",
};

/* Ignored in the response to `GET /`. */
static const char *const ignored_of_info[] = { "name", "version", "tagline" };

/* Of the health and the list of indices, only these members are compared. */
static const char *const kept_of_health[] = { "status", "timed_out" };
static const char *const saved_of_indices[] = { "index", "docs.count" };

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static bool is_in(const char *word, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(word, list[i]))
			return true;
	return false;
}

static void json_drop_members(json_t *object, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		json_object_del(object, list[i]);
}

static void json_keep_members(json_t *object, const char *const *list, size_t n)
{
	const char *key;
	json_t *value;
	void *next;
	json_object_foreach_safe(object, next, key, value)
		if (!is_in(key, list, n))
			json_object_del(object, key);
}

static void json_drop_everywhere(json_t *j)
{
	size_t i;
	const char *key;
	json_t *value;
	json_drop_members(j, ignored, COUNT(ignored));
	json_array_foreach(j, i, value)
		json_drop_everywhere(value);
	json_object_foreach(j, key, value)
		json_drop_everywhere(value);
}

/* Yellow and green depend on the number of nodes; only red says that data is missing. */
static void calm_health(json_t *j)
{
	const char *status = json_string_value(json_object_get(j, "status"));
	json_keep_members(j, kept_of_health, COUNT(kept_of_health));
	if (status && !strcmp(status, "yellow"))
		json_object_set_new(j, "status", json_string("green"));
}

/*
 * Makes an object with the index's name as key: the order of the list means nothing, and hidden
 * indices belong to one cluster alone.
 */
static json_t *indices_by_name(json_t *list /* moved in */)
{
	size_t i;
	json_t *row, *named = json_object();
	json_array_foreach(list, i, row) {
		const char *name = json_string_value(json_object_get(row, "index"));
		if (!name || name[0] == '.')
			continue;
		json_keep_members(row, saved_of_indices, COUNT(saved_of_indices));
		json_object_set(named, name, row);
	}
	json_decref(list);
	return named;
}

static bool path_begins(const char *path, const char *with)
{
	return !strncmp(path, with, strlen(with));
}

static json_t *normalize_body(const char *path, json_t *j /* moved in */)
{
	json_drop_everywhere(j);
	if (!strcmp(path, "/"))
		json_drop_members(j, ignored_of_info, COUNT(ignored_of_info));
	if (path_begins(path, "/_cluster/health"))
		calm_health(j);
	if (path_begins(path, "/_cat/indices") && json_is_array(j))
		return indices_by_name(j);
	return j;
}

/* --- differences --- */

/* False: `text` has the first difference: "hits.total.value: 5000 / 4980". */
static bool same_values(const json_t *a, const json_t *b, char text[SMOKE_DIFFERENCE_BYTES])
{
	char where[COMPARE_WHERE_BYTES];
	char *x = json_dumps(a, JSON_COMPACT | JSON_ENCODE_ANY),
	     *y = json_dumps(b, JSON_COMPACT | JSON_ENCODE_ANY);
	bool equal = compare_json(span_of(x), span_of(y), where) == COMPARE_EQUAL;
	snprintf(text, SMOKE_DIFFERENCE_BYTES, "%s", where);
	free(x);
	free(y);
	return equal;
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
		a = normalize_body(path, a);
		b = normalize_body(path, b);
		equal = same_values(a, b, text);
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
		snprintf(difference, SMOKE_DIFFERENCE_BYTES, "no response from the %s: %.180s",
			 source->status ? "target" : "source",
			 source->status ? target->error : source->error);
		return false;
	}
	if (source->status != target->status) {
		snprintf(difference, SMOKE_DIFFERENCE_BYTES, "status %ld / %ld", source->status,
			 target->status);
		return false;
	}
	/* The bodies of two errors differ in their words only. */
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
