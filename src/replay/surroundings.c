#include "replay/surroundings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/limits.h"
#include "http/percent.h"
#include "replay/index_filter.h"

enum { SEEN_MAPPING, SEEN_SETTINGS, SEEN_ALIASES };

/* --- what is known --- */

static struct surrounding **surroundings_place(const struct surroundings *s, struct span index,
					       bool *found)
{
	size_t from = 0, to = s->n;
	*found = false;
	while (from < to && !*found) {
		size_t middle = (from + to) / 2;
		const char *name = s->list[middle]->index;
		size_t n = strlen(name);
		int order = memcmp(name, index.at, n < index.n ? n : index.n);
		if (!order)
			order = n < index.n ? -1 : n > index.n;
		*found = !order;
		if (order < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return s->list + to;
}

const struct surrounding *surroundings_of(const struct surroundings *s, struct span index)
{
	bool found;
	struct surrounding **at = surroundings_place(s, index, &found);
	return found ? *at : NULL;
}

static struct surrounding *surroundings_take(struct surroundings *s, struct span index)
{
	bool found;
	if (s->n == s->room) {
		s->room = 2 * s->room + 16;
		s->list = realloc(s->list, s->room * sizeof(struct surrounding *));
		must(s->list);
	}
	struct surrounding **at = surroundings_place(s, index, &found);
	if (found)
		return *at;
	struct surrounding *one = calloc(1, sizeof *one);
	must(one);
	one->index = strndup(index.at, index.n);
	must(one->index);
	memmove(at + 1, at, (size_t)(s->list + s->n - at) * sizeof(struct surrounding *));
	*at = one;
	s->n++;
	return one;
}

static void surroundings_learn(struct surroundings *s, struct surrounding *one)
{
	one->learned = true;
	if (s->learned)
		s->learned(s->learner, one);
}

static struct surrounding *surroundings_add(struct surroundings *s, struct span index)
{
	struct surrounding *one = surroundings_take(s, index);
	one->recalled = false;
	if (!one->learned)
		surroundings_learn(s, one);
	return one;
}

/* --- what is remembered --- */

json_t *surroundings_memory(const struct surrounding *one)
{
	json_t *j = json_pack("{s:s*,s:s*}", "uuid", one->uuid, "stream", one->stream);
	if (j && one->external)
		json_object_set_new(j, "external", json_true());
	return j;
}

static char *surroundings_copy(const json_t *memory, const char *member)
{
	const char *text = json_string_value(json_object_get(memory, member));
	return text ? strdup(text) : NULL;
}

void surroundings_recall(struct surroundings *s, struct span index, const json_t *memory, bool same)
{
	struct surrounding *one = surroundings_take(s, index);
	one->external |= json_is_true(json_object_get(memory, "external"));
	if (one->learned)
		return;
	one->recalled = true;
	one->learned = same;
	if (!same)
		return;
	one->uuid = surroundings_copy(memory, "uuid");
	one->stream = surroundings_copy(memory, "stream");
}

/* --- known indices --- */

void surroundings_want(struct surroundings *s, struct span index)
{
	must(surroundings_are_idle(s));
	struct surrounding *one = surroundings_add(s, index);
	if (one->due)
		return;
	one->due = true;
	one->forgotten = false;
	if (s->wanted_n == s->wanted_room) {
		s->wanted_room = 2 * s->wanted_room + 16;
		s->wanted = realloc(s->wanted, s->wanted_room * sizeof(struct surrounding *));
		must(s->wanted);
	}
	s->wanted[s->wanted_n++] = one;
}

void surroundings_forget_stream(struct surroundings *s, const char *stream)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->list[i]->stream && !strcmp(s->list[i]->stream, stream))
			surroundings_forget(s, span_of(s->list[i]->index));
}

/* What the owner has not said of an index, because it is gone, its name says. */
bool surroundings_know_stream(const struct surroundings *s, const char *stream)
{
	for (size_t i = 0; i < s->n; i++) {
		const char *of = s->list[i]->stream;
		if (span_is(of ? span_of(of) : index_filter_stream(span_of(s->list[i]->index)),
			    span_of(stream)))
			return true;
	}
	return false;
}

void surroundings_are_external(struct surroundings *s, struct span index)
{
	struct surrounding *one = surroundings_add(s, index);
	if (one->external)
		return;
	one->external = true;
	surroundings_learn(s, one);
}

void surroundings_know(struct surroundings *s, struct span index)
{
	surroundings_add(s, index);
}

void surroundings_forget(struct surroundings *s, struct span index)
{
	bool found;
	struct surrounding **at = surroundings_place(s, index, &found);
	if (!found)
		return;
	(*at)->mapping_version = (*at)->settings_version = (*at)->aliases_version = 0;
	(*at)->replaced = (*at)->learned = false;
	(*at)->forgotten = true;
}

/* --- pure --- */

/* Each is made anew by the cluster that makes the index, or acts on documents by itself. */
static const char *const surroundings_not_copied[] = {
	"uuid",	      "creation_date",	  "provided_name",  "version",
	"resize",     "routing",	  "lifecycle",	    "plugins",
	"opendistro", "default_pipeline", "final_pipeline", "blocks",
	"history",    "frozen",		  "store",	    "soft_deletes",
};

json_t *surroundings_settings(const json_t *settings)
{
	json_t *index = json_deep_copy(json_object_get(settings, "index"));
	size_t n = sizeof surroundings_not_copied / sizeof *surroundings_not_copied;
	for (size_t i = 0; i < n; i++)
		json_object_del(index, surroundings_not_copied[i]);
	return index ? index : json_object();
}

/* What the replica's index does by it is its own business, and no document's. */
static const char *const surroundings_may_change[] = {
	"number_of_replicas",
	"auto_expand_replicas",
	"refresh_interval",
	"max_",
	"highlight.",
	"analyze.",
	"mapping.",
	"query.",
	"search.",
	"indexing.",
	"gc_deletes",
	"hidden",
	"translog.",
	"merge.",
	"priority",
};

static void surroundings_flatten(json_t *to, const char *prefix, const json_t *settings)
{
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)settings, name, value) {
		char whole[512];
		snprintf(whole, sizeof whole, "%s%s%s", prefix, *prefix ? "." : "", name);
		if (json_is_object(value))
			surroundings_flatten(to, whole, value);
		else
			json_object_set(to, whole, value);
	}
}

static bool surroundings_is_changeable(const char *name)
{
	size_t n = sizeof surroundings_may_change / sizeof *surroundings_may_change;
	for (size_t i = 0; i < n; i++) {
		const char *row = surroundings_may_change[i];
		size_t row_n = strlen(row);
		bool prefix = strchr("._", row[row_n - 1]);
		if (prefix ? !strncmp(name, row, row_n) : !strcmp(name, row))
			return true;
	}
	return false;
}

json_t *surroundings_changeable(const json_t *settings)
{
	json_t *all = json_object(), *value;
	const char *name;
	void *next;
	surroundings_flatten(all, "", json_object_get(settings, "index"));
	json_object_foreach_safe(all, next, name, value)
		if (!surroundings_is_changeable(name))
			json_object_del(all, name);
	return all;
}

json_t *surroundings_changes(const json_t *before, const json_t *now)
{
	json_t *changes = json_object(), *value;
	const char *name;
	json_object_foreach((json_t *)(uintptr_t)now, name, value)
		if (!json_equal(value, json_object_get(before, name)))
			json_object_set(changes, name, value);
	json_object_foreach((json_t *)(uintptr_t)before, name, value)
		if (!json_object_get(now, name))
			json_object_set_new(changes, name, json_null());
	return changes;
}

json_t *surroundings_mapping(json_t *mappings)
{
	static const char *const own[] = { "properties",	"dynamic",
					   "_source",		"_routing",
					   "dynamic_templates", "_meta",
					   "_field_names",	"date_detection",
					   "numeric_detection", "dynamic_date_formats",
					   "runtime",		"_data_stream_timestamp" };
	if (json_object_size(mappings) != 1)
		return mappings;
	const char *key = json_object_iter_key(json_object_iter(mappings));
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		if (!strcmp(key, own[i]))
			return mappings;
	return json_object_get(mappings, key);
}

/* --- a look --- */

static void surroundings_next(struct surroundings *s);

static void surroundings_end(struct surroundings *s)
{
	for (size_t i = 0; i < s->wanted_n; i++)
		s->wanted[i]->due = false;
	s->wanted_n = s->at = 0;
	s->looking = false;
	s->done(s->user);
}

/* `index` NULL: it has not changed. */
static void surroundings_remember(struct surrounding *one, const json_t *index)
{
	if (!index)
		return;
	json_decref(one->settings);
	one->settings = surroundings_changeable(json_object_get(index, "settings"));
}

/* This one is over: the next. */
static void surroundings_settle(struct surroundings *s, enum surrounding_state state)
{
	struct surrounding *one = s->wanted[s->at++];
	bool good = state == SURROUNDING_GOOD && !one->forgotten;
	one->state = good || state != SURROUNDING_GOOD ? state : SURROUNDING_LATE;
	if (good) {
		one->mapping_version = one->seen[SEEN_MAPPING];
		one->settings_version = one->seen[SEEN_SETTINGS];
		one->aliases_version = one->seen[SEEN_ALIASES];
		*one->why = 0;
		surroundings_remember(one, s->index);
	}
	json_decref(s->index);
	s->index = NULL;
	surroundings_next(s);
}

/* Whether trying again soon is of no use. That an index is there already is none: somebody made it
 * meanwhile. */
static bool surroundings_is_refusal(const struct ask *a)
{
	const json_t *error = json_object_get(a->json, "error");
	const char *type = json_string_value(json_object_get(error, "type"));
	unsigned status = a->subrequest.status;
	if (type && !strcmp(type, "resource_already_exists_exception"))
		return false;
	if (type && !strcmp(type, "cluster_block_exception"))
		return status < 500;
	return status >= 400 && status < 500 && status != 401 && status != 403 && status != 429;
}

/* What a cluster said to what was asked last, that is no success. */
static void surroundings_trouble(struct surroundings *s, enum err why)
{
	struct surrounding *one = s->wanted[s->at];
	bool refused = why == ERR_NONE && surroundings_is_refusal(&s->ask);
	ask_trouble(&s->ask, why, one->why, sizeof one->why);
	surroundings_settle(s, refused ? SURROUNDING_REFUSED : SURROUNDING_LATE);
}

/* --- bringing one over --- */

static void surroundings_put(struct ask *a, enum err why)
{
	struct surroundings *s = a->user;
	if (!ask_succeeded(a, why)) {
		surroundings_trouble(s, why);
		return;
	}
	s->brought++;
	surroundings_settle(s, SURROUNDING_GOOD);
}

static json_t *surroundings_alias_actions(const struct surroundings *s)
{
	json_t *actions = json_array(), *aliases = json_object_get(s->index, "aliases"), *alias;
	const char *name;
	if (s->wanted[s->at]->stream)
		return actions;
	json_object_foreach(aliases, name, alias) {
		json_t *add = json_deep_copy(alias);
		json_object_set_new(add, "index", json_string(s->wanted[s->at]->index));
		json_object_set_new(add, "alias", json_string(name));
		json_array_append_new(actions, json_pack("{s:o}", "add", add));
	}
	return actions;
}

/* The replica has the index, and its mapping now: aliases are last. */
static void surroundings_mapped(struct ask *a, enum err why)
{
	struct surroundings *s = a->user;
	if (!ask_succeeded(a, why)) {
		surroundings_trouble(s, why);
		return;
	}
	s->brought++;
	json_t *actions = surroundings_alias_actions(s);
	if (!json_array_size(actions)) {
		json_decref(actions);
		surroundings_settle(s, SURROUNDING_GOOD);
		return;
	}
	json_t *body = json_pack("{s:o}", "actions", actions);
	ask_change(a, arm_other(s->owner), "POST", strdup("/_aliases"), body, ASK_TIMEOUT_MS,
		   surroundings_put);
	json_decref(body);
}

/* Its name at the replica: a stream has indices of its own there. */
static const char *surroundings_there(const struct surroundings *s)
{
	const struct surrounding *one = s->wanted[s->at];
	return one->stream ? one->stream : one->index;
}

/* The replica has the index, and its settings now: they may be what the mapping needs. */
static void surroundings_set(struct ask *a, enum err why)
{
	struct surroundings *s = a->user;
	json_t *mappings = surroundings_mapping(json_object_get(s->index, "mappings"));
	if (!ask_succeeded(a, why)) {
		surroundings_trouble(s, why);
		return;
	}
	json_object_del(mappings, "_data_stream_timestamp");
	if (json_object_size(mappings))
		ask_change(a, arm_other(s->owner), "PUT",
			   ask_target("/", surroundings_there(s), "/_mapping"), mappings,
			   ASK_TIMEOUT_MS, surroundings_mapped);
	else
		surroundings_mapped(a, ERR_NONE);
}

/* The replica has the index: settings that have changed at the owner are first. */
static void surroundings_made(struct ask *a, enum err why)
{
	struct surroundings *s = a->user;
	struct surrounding *one = s->wanted[s->at];
	if (!ask_succeeded(a, why)) {
		surroundings_trouble(s, why);
		return;
	}
	json_t *now = surroundings_changeable(json_object_get(s->index, "settings"));
	json_t *changes = one->settings ? surroundings_changes(one->settings, now) : json_object();
	if (json_object_size(changes))
		ask_change(a, arm_other(s->owner), "PUT",
			   ask_target("/", surroundings_there(s), "/_settings"), changes,
			   ASK_TIMEOUT_MS, surroundings_set);
	else
		surroundings_set(a, ERR_NONE);
	json_decref(now);
	json_decref(changes);
}

static void surroundings_make(struct surroundings *s)
{
	json_t *mappings = surroundings_mapping(json_object_get(s->index, "mappings"));
	json_t *body =
		json_pack("{s:o, s:O*, s:O*}", "settings",
			  surroundings_settings(json_object_get(s->index, "settings")), "mappings",
			  mappings, "aliases", json_object_get(s->index, "aliases"));
	ask_change(&s->ask, arm_other(s->owner), "PUT",
		   ask_target("/", s->wanted[s->at]->index, ""), body, ASK_TIMEOUT_MS,
		   surroundings_put);
	json_decref(body);
}

/* Its template was put before (replay/objects.h). */
static void surroundings_make_stream(struct surroundings *s)
{
	ask_change(&s->ask, arm_other(s->owner), "PUT",
		   ask_target("/_data_stream/", surroundings_there(s), ""), NULL, ASK_TIMEOUT_MS,
		   surroundings_made);
}

static void surroundings_freed(struct ask *a, enum err why)
{
	struct surroundings *s = a->user;
	if (ask_succeeded(a, why))
		surroundings_make(s);
	else
		surroundings_trouble(s, why);
}

/*
 * An alias of the replica has the name of the owner's index: the owner has no such alias any more,
 * and what was written to it would get into other indices.
 */
static void surroundings_free_name(struct surroundings *s)
{
	json_t *actions = json_array(), *value;
	const char *index;
	json_object_foreach(s->ask.json, index, value)
		json_array_append_new(actions, json_pack("{s:{s:s, s:s}}", "remove", "index", index,
							 "alias", s->wanted[s->at]->index));
	json_t *body = json_pack("{s:o}", "actions", actions);
	ask_change(&s->ask, arm_other(s->owner), "POST", strdup("/_aliases"), body, ASK_TIMEOUT_MS,
		   surroundings_freed);
	json_decref(body);
}

static void surroundings_replica_seen(struct ask *a, enum err why)
{
	struct surroundings *s = a->user;
	const struct surrounding *one = s->wanted[s->at];
	bool missing = why == ERR_NONE && a->subrequest.status == 404;
	if (missing && one->stream)
		surroundings_make_stream(s);
	else if (missing)
		surroundings_make(s);
	else if (!ask_succeeded(a, why))
		surroundings_trouble(s, why);
	else if (!one->stream && !json_object_size(a->json))
		surroundings_settle(s, SURROUNDING_LATE);
	else if (!one->stream && !json_object_get(a->json, one->index))
		surroundings_free_name(s);
	else
		surroundings_made(a, ERR_NONE);
}

static void surroundings_take_stream(struct surroundings *s, struct surrounding *one,
				     const json_t *index)
{
	const char *stream = json_string_value(json_object_get(index, "data_stream"));
	/* Lanes borrow it. No index goes to another stream. */
	if (!stream || one->stream)
		return;
	one->stream = strdup(stream);
	surroundings_learn(s, one);
}

static bool surroundings_have_one_shard(const json_t *index)
{
	const json_t *settings = json_object_get(json_object_get(index, "settings"), "index");
	const char *n = json_string_value(json_object_get(settings, "number_of_shards"));
	return n && !strcmp(n, "1");
}

static void surroundings_owner_seen(struct ask *a, enum err why)
{
	struct surroundings *s = a->user;
	const char *index = s->wanted[s->at]->index;
	if (why == ERR_NONE && a->subrequest.status == 404) {
		surroundings_settle(s, SURROUNDING_GONE);
		return;
	}
	if (!ask_succeeded(a, why)) {
		surroundings_trouble(s, why);
		return;
	}
	s->index = json_incref(json_object_get(a->json, index));
	if (!s->index) {
		surroundings_settle(s, SURROUNDING_LATE);
		return;
	}
	s->wanted[s->at]->one_shard = surroundings_have_one_shard(s->index);
	surroundings_take_stream(s, s->wanted[s->at], s->index);
	if (s->wanted[s->at]->stream)
		ask_json(a, arm_other(s->owner), "GET",
			 ask_target("/_data_stream/", surroundings_there(s), ""), NULL,
			 ASK_TIMEOUT_MS, surroundings_replica_seen);
	else
		ask_json(a, arm_other(s->owner), "GET",
			 ask_target("/", index, "?filter_path=*.settings.index.uuid"), NULL,
			 ASK_TIMEOUT_MS, surroundings_replica_seen);
}

static bool surrounding_is_current(const struct surrounding *one)
{
	return one->state == SURROUNDING_GOOD && one->mapping_version == one->seen[SEEN_MAPPING] &&
	       one->settings_version == one->seen[SEEN_SETTINGS] &&
	       one->aliases_version == one->seen[SEEN_ALIASES];
}

/* To the next of them that has changed; or the look is over. */
static void surroundings_next(struct surroundings *s)
{
	while (s->at < s->wanted_n && (surrounding_is_current(s->wanted[s->at]) ||
				       s->wanted[s->at]->state == SURROUNDING_GONE))
		s->at++;
	if (s->at == s->wanted_n)
		surroundings_end(s);
	else
		ask_json(&s->ask, s->owner, "GET", ask_target("/", s->wanted[s->at]->index, ""),
			 NULL, ASK_TIMEOUT_MS, surroundings_owner_seen);
}

/* --- versions --- */

static void surrounding_see(struct surroundings *s, struct surrounding *one, const json_t *of)
{
	const char *uuid = json_string_value(
		json_object_get(json_object_get(json_object_get(of, "settings"), "index"), "uuid"));
	if (!of) {
		one->state = SURROUNDING_GONE;
		return;
	}
	if (one->state == SURROUNDING_GONE)
		one->state = SURROUNDING_UNKNOWN;
	if (uuid && (!one->uuid || strcmp(uuid, one->uuid) != 0)) {
		one->state = SURROUNDING_UNKNOWN;
		one->replaced |= one->uuid != NULL;
		free(one->uuid);
		one->uuid = strdup(uuid);
		one->learned = false;
	}
	if (!one->learned)
		surroundings_learn(s, one);
	one->seen[SEEN_MAPPING] = json_integer_value(json_object_get(of, "mapping_version"));
	one->seen[SEEN_SETTINGS] = json_integer_value(json_object_get(of, "settings_version"));
	one->seen[SEEN_ALIASES] = json_integer_value(json_object_get(of, "aliases_version"));
}

static void surroundings_versions(struct ask *a, enum err why)
{
	struct surroundings *s = a->user;
	const json_t *indices = json_object_get(json_object_get(a->json, "metadata"), "indices");
	bool good = ask_succeeded(a, why) && a->json;
	for (size_t i = 0; i < s->wanted_n; i++) {
		struct surrounding *one = s->wanted[i];
		if (good && i < s->listed_n)
			surrounding_see(s, one, json_object_get(indices, one->index));
		else
			one->state = SURROUNDING_LATE;
	}
	/* Only what was listed is brought over. */
	for (size_t i = good ? s->listed_n : 0; i < s->wanted_n; i++)
		s->wanted[i]->due = false;
	s->wanted_n = good ? s->listed_n : 0;
	surroundings_next(s);
}

/*
 * Names of concrete indices need few bytes beside the limit of a request line; those that do not
 * fit are looked at in the next batch's look.
 */
static char *surroundings_list(struct surroundings *s)
{
	size_t room = SURROUNDINGS_TARGET_BYTES, n = 0;
	char *names = calloc(1, room);
	must(names);
	s->listed_n = 0;
	for (size_t i = 0; i < s->wanted_n; i++, s->listed_n++) {
		char name[3 * INDEX_NAME_BYTES_MAX + 1];
		percent_encode(span_of(s->wanted[i]->index), name);
		if (n + strlen(name) + 1 >= room)
			break;
		n += (size_t)sprintf(names + n, "%s%s", i ? "," : "", name);
	}
	return names;
}

void surroundings_look(struct surroundings *s, void (*done)(void *user), void *user)
{
	must(!s->looking);
	s->looking = true;
	s->done = done;
	s->user = user;
	if (!s->wanted_n) {
		surroundings_end(s);
		return;
	}
	char *names = surroundings_list(s), *target;
	must(asprintf(&target,
		      "/_cluster/state/metadata/%s?filter_path=metadata.indices.*.mapping_version,"
		      "metadata.indices.*.settings_version,metadata.indices.*.aliases_version,"
		      "metadata.indices.*.settings.index.uuid&ignore_unavailable=true"
		      "&allow_no_indices=true&expand_wildcards=all",
		      names) > 0);
	free(names);
	ask_json(&s->ask, s->owner, "GET", target, NULL, ASK_TIMEOUT_MS, surroundings_versions);
}

/* --- a life --- */

void surroundings_open(struct surroundings *s, struct subrequests *subrequests, enum arm owner)
{
	*s = (struct surroundings){ .owner = owner };
	ask_open(&s->ask, subrequests, s);
}

void surroundings_close(struct surroundings *s)
{
	ask_close(&s->ask);
	json_decref(s->index);
	for (size_t i = 0; i < s->n; i++) {
		free(s->list[i]->index);
		free(s->list[i]->uuid);
		free(s->list[i]->stream);
		json_decref(s->list[i]->settings);
		free(s->list[i]);
	}
	free(s->list);
	free(s->wanted);
}

bool surroundings_are_idle(const struct surroundings *s)
{
	return !s->looking;
}
