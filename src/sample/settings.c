#include "sample/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"

/* A setting with its whole name is shorter in OpenSearch, and nobody nests as deep. */
#define SETTING_BYTES 256
#define NESTING_MAX 8

/* --- what is given --- */

static json_t *setting_text(const json_t *value)
{
	if (json_is_string(value))
		return json_deep_copy(value);
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	json_t *j = json_string(text);
	must(j);
	free(text);
	return j;
}

static bool setting_set(json_t *into, const char *name, const json_t *value)
{
	if (!strncmp(name, "index.", 6))
		name += 6;
	if (json_is_null(value))
		return json_object_del(into, name) == 0;
	json_t *text = setting_text(value);
	bool same = json_equal(text, json_object_get(into, name));
	json_object_set_new(into, name, text);
	return !same;
}

static bool settings_merge_under(json_t *into, const char *prefix, const json_t *given,
				 unsigned depth)
{
	const char *name;
	json_t *value;
	bool changed = false;
	json_object_foreach((json_t *)(uintptr_t)given, name, value) {
		char whole[SETTING_BYTES];
		int n = snprintf(whole, sizeof whole, "%s%s%s", prefix, *prefix ? "." : "", name);
		if (n >= (int)sizeof whole || depth > NESTING_MAX)
			continue;
		if (json_is_object(value))
			changed |= settings_merge_under(into, whole, value, depth + 1);
		else
			changed |= setting_set(into, whole, value);
	}
	return changed;
}

bool sample_settings_merge(json_t *into, const json_t *given)
{
	return settings_merge_under(into, "", given, 0);
}

static bool settings_name(const json_t *flat, const char *name)
{
	return json_object_get(flat, name) != NULL;
}

/* 1 where they do not say it; 0: no index can have so many. */
static unsigned settings_shards(const json_t *flat)
{
	const char *text = json_string_value(json_object_get(flat, "number_of_shards"));
	unsigned long long n = 1;
	if (text && !span_to_u64(span_of(text), SAMPLE_SHARDS_MAX, &n))
		return 0;
	return (unsigned)n;
}

static bool settings_flat_are_good(const json_t *flat, bool there, struct sample_trouble *t)
{
	static const char *const private[] = { "uuid", "creation_date", "provided_name",
					       "version.created" };
	for (size_t i = 0; i < sizeof private / sizeof private[0]; i++)
		if (settings_name(flat, private[i]))
			return sample_refuse(t, 400, "illegal_argument_exception",
					     "private index setting [index.%s] can not be set "
					     "explicitly",
					     private[i]);
	if (!settings_shards(flat))
		return sample_refuse(t, 400, "illegal_argument_exception",
				     "Failed to parse value for setting [index.number_of_shards]: "
				     "it must be from 1 to %d",
				     SAMPLE_SHARDS_MAX);
	if (there && settings_name(flat, "number_of_shards"))
		return sample_refuse(t, 400, "illegal_argument_exception",
				     "final setting [index.number_of_shards], not updateable");
	return true;
}

bool sample_settings_are_good(const json_t *given, bool there, struct sample_trouble *t)
{
	json_t *flat = json_object();
	must(flat);
	sample_settings_merge(flat, given);
	bool good = settings_flat_are_good(flat, there, t);
	json_decref(flat);
	return good;
}

/* --- what is shown --- */

/* "a.b" goes into "a". */
static void setting_nest(json_t *into, const char *name, const json_t *value)
{
	for (const char *dot; (dot = strchr(name, '.')); name = dot + 1) {
		json_t *inner = json_object_getn(into, name, (size_t)(dot - name));
		if (!json_is_object(inner)) {
			inner = json_object();
			json_object_setn_new(into, name, (size_t)(dot - name), inner);
		}
		into = inner;
	}
	json_object_set_new(into, name, json_deep_copy(value));
}

json_t *sample_settings_json(const struct sample_index *x)
{
	char created[24];
	const char *name;
	json_t *value, *index;
	snprintf(created, sizeof created, "%ju", (uintmax_t)x->created_ms);
	json_t *j = json_pack("{s:{s:s,s:s,s:s,s:s,s:s,s:{s:s}}}", "index", "number_of_shards", "1",
			      "number_of_replicas", "1", "uuid", x->uuid, "creation_date", created,
			      "provided_name", x->name, "version", "created", "136407827");
	index = json_object_get(j, "index");
	json_object_foreach(x->settings, name, value)
		setting_nest(index, name, value);
	return j;
}

bool sample_settings_refresh_by_themselves(const struct sample_index *x)
{
	const char *interval = json_string_value(json_object_get(x->settings, "refresh_interval"));
	return !interval || strcmp(interval, "-1") != 0;
}

void sample_settings_divide(struct sample_index *x)
{
	unsigned n = settings_shards(x->settings);
	if (!x->document_n && n)
		sample_index_divide(x, n);
}
