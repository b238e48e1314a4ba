#include "replay/compare_around.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/plain.h"
#include "replay/compare_json.h"
#include "replay/surroundings.h"

/* Names, or patterns of them, and why a difference there says nothing. */
struct around_known {
	const char *name, *why;
};

#define OWN_COPIES "how many copies a cluster keeps, and where, is its own business"
#define OWN_WORK "how a cluster does its work; documents are the same"
#define UNTIL_BARRIER "it stays out of the replica until the cutover"

static const struct around_known known_settings[] = {
	{ "number_of_replicas", OWN_COPIES },
	{ "auto_expand_replicas", OWN_COPIES },
	{ "allocation", OWN_COPIES },
	{ "unassigned", OWN_COPIES },
	{ "priority", OWN_COPIES },
	{ "refresh_interval", OWN_WORK },
	{ "translog", OWN_WORK },
	{ "merge", OWN_WORK },
	{ "codec", OWN_WORK },
	{ "search", OWN_WORK },
	{ "indexing", OWN_WORK },
	{ "replication", "OpenSearch alone has it" },
	{ "knn", "OpenSearch alone has it" },
	{ "knn.*", "OpenSearch alone has it" },
	{ "composite_index", "OpenSearch alone has it" },
	{ "hidden", "it hides the index from patterns; documents are the same" },
};

/* Templates and pipelines that come with a product. */
static const struct around_known known_names[] = {
	{ ".*", "a product's own" },
	{ "logs", "Elasticsearch's own" },
	{ "logs-settings", "Elasticsearch's own" },
	{ "logs-mappings", "Elasticsearch's own" },
	{ "metrics", "Elasticsearch's own" },
	{ "metrics-settings", "Elasticsearch's own" },
	{ "metrics-mappings", "Elasticsearch's own" },
	{ "synthetics", "Elasticsearch's own" },
	{ "synthetics-settings", "Elasticsearch's own" },
	{ "synthetics-mappings", "Elasticsearch's own" },
	{ "ilm-history", "Elasticsearch's own" },
	{ "slm-history", "Elasticsearch's own" },
	{ "xpack_monitoring_*", "Elasticsearch's own" },
	{ "tenant_template", "OpenSearch's own" },
	{ "ss4o_*", "OpenSearch's own" },
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static const char *around_known(const struct around_known *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!fnmatch(list[i].name, name, 0))
			return list[i].why;
	return NULL;
}

/* --- two bodies --- */

struct around {
	around_told *told;
	void *user;
	bool equal;
};

static void around_tell(struct around *a, const char *what, const char *name, const char *where,
			const char *known)
{
	char text[2 * COMPARE_WHERE_BYTES + INDEX_NAME_BYTES_MAX], plain[sizeof text];
	snprintf(text, sizeof text, "%s%s%.255s%s%s", what, *name ? " " : "", name,
		 *where ? ": " : "", where);
	plain_copy(plain, sizeof plain, text);
	a->told(a->user, plain, known);
	a->equal &= known != NULL;
}

/* NULL is nothing. */
static void around_compare(struct around *a, const char *what, const char *name,
			   const json_t *owner, const json_t *replica, const char *known)
{
	char where[COMPARE_WHERE_BYTES];
	if (!owner || !replica) {
		if (owner || replica)
			around_tell(a, what, name,
				    owner ? "the replica does not have it"
					  : "the owner does not have it",
				    known);
		return;
	}
	char *x = json_dumps(owner, JSON_COMPACT | JSON_ENCODE_ANY),
	     *y = json_dumps(replica, JSON_COMPACT | JSON_ENCODE_ANY);
	must(x && y);
	if (compare_json(span_of(x), span_of(y), where) != COMPARE_EQUAL)
		around_tell(a, what, name, where, known);
	free(x);
	free(y);
}

/* Each member of both. */
static void around_compare_members(struct around *a, const char *what, const json_t *owner,
				   const json_t *replica, const struct around_known *known,
				   size_t known_n)
{
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)owner, name, value)
		around_compare(a, what, name, value, json_object_get(replica, name),
			       around_known(known, known_n, name));
	json_object_foreach((json_t *)(uintptr_t)replica, name, value)
		if (!json_object_get(owner, name))
			around_compare(a, what, name, NULL, value,
				       around_known(known, known_n, name));
}

/* --- an index --- */

static void around_compare_pipelines(struct around *a, const json_t *owner, const json_t *replica)
{
	static const char *const names[] = { "default_pipeline", "final_pipeline" };
	const json_t *x = json_object_get(json_object_get(owner, "settings"), "index");
	const json_t *y = json_object_get(json_object_get(replica, "settings"), "index");
	for (size_t i = 0; i < COUNT(names); i++)
		around_compare(a, "setting", names[i], json_object_get(x, names[i]),
			       json_object_get(y, names[i]), UNTIL_BARRIER);
}

bool around_compare_index(const json_t *owner, const json_t *replica, around_told *told, void *user)
{
	struct around a = { .told = told, .user = user, .equal = true };
	json_t *x = surroundings_settings(json_object_get(owner, "settings")),
	       *y = surroundings_settings(json_object_get(replica, "settings"));
	json_t *none = json_object();
	json_t *ours = surroundings_mapping(json_object_get(owner, "mappings")),
	       *theirs = surroundings_mapping(json_object_get(replica, "mappings"));
	around_compare(&a, "mapping", "", ours ? ours : none, theirs ? theirs : none, NULL);
	around_compare_members(&a, "alias", json_object_get(owner, "aliases"),
			       json_object_get(replica, "aliases"), NULL, 0);
	around_compare_members(&a, "setting", x, y, known_settings, COUNT(known_settings));
	around_compare_pipelines(&a, owner, replica);
	json_decref(x);
	json_decref(y);
	json_decref(none);
	return a.equal;
}

/* --- what belongs to no index --- */

static const struct around_row {
	const char *path, *what;
	/* Of a list of objects with names: the list, and the member of each. NULL: an object. */
	const char *list, *member;
} rows[AROUND_KINDS] = {
	[AROUND_INDEX_TEMPLATES] = { "/_index_template", "index template", "index_templates",
				     "index_template" },
	[AROUND_COMPONENT_TEMPLATES] = { "/_component_template", "component template",
					 "component_templates", "component_template" },
	[AROUND_TEMPLATES] = { "/_template", "template", NULL, NULL },
	[AROUND_PIPELINES] = { "/_ingest/pipeline", "pipeline", NULL, NULL },
};

const char *around_path(enum around_kind kind)
{
	return rows[kind].path;
}

/* By name; a new reference. */
static json_t *around_by_name(const struct around_row *r, const json_t *response)
{
	size_t i;
	json_t *one, *named = json_object();
	if (!r->list) {
		json_object_update(named, (json_t *)(uintptr_t)response);
		return named;
	}
	json_array_foreach(json_object_get(response, r->list), i, one) {
		const char *name = json_string_value(json_object_get(one, "name"));
		if (name)
			json_object_set(named, name, json_object_get(one, r->member));
	}
	return named;
}

bool around_compare_kind(enum around_kind kind, const json_t *owner, const json_t *replica,
			 around_told *told, void *user)
{
	struct around a = { .told = told, .user = user, .equal = true };
	json_t *x = around_by_name(&rows[kind], owner), *y = around_by_name(&rows[kind], replica);
	around_compare_members(&a, rows[kind].what, x, y, known_names, COUNT(known_names));
	json_decref(x);
	json_decref(y);
	return a.equal;
}
