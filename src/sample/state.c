#include <stdio.h>

#include "sample/sample.h"
#include "sample/pattern.h"
#include "sample/settings.h"

void sample_serve_info(struct sample_call *c)
{
	const char *name = c->cluster->name;
	sample_respond_json(c, 200,
			    json_pack("{s:s,s:s,s:s,s:{s:s,s:s,s:s,s:s,s:s},s:s}", "name", name,
				      "cluster_name", name, "cluster_uuid", name, "version",
				      "distribution", "opensearch", "number", "2.19.0",
				      "lucene_version", "9.12.1",
				      "minimum_wire_compatibility_version", "7.10.0",
				      "minimum_index_compatibility_version", "7.0.0", "tagline",
				      "A sample cluster of Crossfade"));
}

void sample_serve_health(struct sample_call *c)
{
	int shards_n = (int)c->cluster->store.n;
	sample_respond_json(c, 200,
			    json_pack("{s:s,s:s,s:b,s:i,s:i,s:i,s:i,s:i,s:i,s:i}", "cluster_name",
				      c->cluster->name, "status", "green", "timed_out", 0,
				      "number_of_nodes", 1, "number_of_data_nodes", 1,
				      "active_primary_shards", shards_n, "active_shards", shards_n,
				      "relocating_shards", 0, "initializing_shards", 0,
				      "unassigned_shards", 0));
}

/* --- the state --- */

static json_t *state_alias_names(const struct sample_index *x)
{
	const char *name;
	json_t *alias, *names = json_array();
	json_object_foreach(x->aliases, name, alias)
		json_array_append_new(names, json_string(name));
	return names;
}

static json_t *state_primary_terms(const struct sample_index *x)
{
	char shard[12];
	json_t *terms = json_object();
	for (unsigned i = 0; i < x->shard_n; i++) {
		snprintf(shard, sizeof shard, "%u", i);
		json_object_set_new(terms, shard, json_integer((json_int_t)x->primary_term));
	}
	return terms;
}

static json_t *state_of_index(const struct sample_index *x)
{
	uint64_t version = x->mapping_version + x->settings_version + x->aliases_version;
	return json_pack("{s:I,s:I,s:I,s:I,s:s,s:o,s:{s:O},s:o,s:o}", "version",
			 (json_int_t)version, "mapping_version", (json_int_t)x->mapping_version,
			 "settings_version", (json_int_t)x->settings_version, "aliases_version",
			 (json_int_t)x->aliases_version, "state", x->closed ? "close" : "open",
			 "settings", sample_settings_json(x), "mappings", "_doc", x->mappings,
			 "aliases", state_alias_names(x), "primary_terms", state_primary_terms(x));
}

void sample_serve_state(struct sample_call *c, struct span expression)
{
	struct sample_index *found[SAMPLE_INDICES_MAX];
	size_t n;
	struct sample_trouble t;
	const char *name = c->cluster->name;
	json_t *indices = json_object();
	/* An index that is not there is left out, as OpenSearch does. */
	sample_store_resolve(&c->cluster->store, expression, found, &n, &t);
	for (size_t i = 0; i < n; i++)
		json_object_set_new(indices, found[i]->name, state_of_index(found[i]));
	sample_respond_json(c, 200,
			    json_pack("{s:s,s:s,s:{s:s,s:o,s:o}}", "cluster_name", name,
				      "cluster_uuid", name, "metadata", "cluster_uuid", name,
				      "indices", indices, "stored_scripts",
				      sample_scripts(c->cluster)));
}

/* --- figures --- */

static json_t *stats_documents(const struct sample_index *x)
{
	return json_pack("{s:{s:I,s:i}}", "docs", "count", (json_int_t)x->shown_n, "deleted", 0);
}

/* Documents are counted of the whole index. */
static json_t *stats_shard(const struct sample *p, const struct sample_index *x, unsigned number)
{
	json_int_t max = (json_int_t)x->shards[number].next_seq_no - 1;
	json_t *shard = stats_documents(x);
	json_object_set_new(
		shard, "routing",
		json_pack("{s:s,s:b,s:s}", "state", "STARTED", "primary", 1, "node", p->name));
	json_object_set_new(shard, "seq_no",
			    json_pack("{s:I,s:I,s:I}", "max_seq_no", max, "local_checkpoint", max,
				      "global_checkpoint", max));
	return json_pack("[o]", shard);
}

static json_t *stats_shards(const struct sample *p, const struct sample_index *x)
{
	char number[12];
	json_t *shards = json_object();
	for (unsigned i = 0; i < x->shard_n; i++) {
		snprintf(number, sizeof number, "%u", i);
		json_object_set_new(shards, number, stats_shard(p, x, i));
	}
	return shards;
}

static json_t *stats_of_index(const struct sample_call *c, const struct sample_index *x)
{
	char text[16];
	struct span level;
	json_t *j = json_pack("{s:s,s:o,s:o}", "uuid", x->uuid, "primaries", stats_documents(x),
			      "total", stats_documents(x));
	if (sample_parameter(c, "level", text, sizeof text, &level) &&
	    span_is(level, SPAN("shards")))
		json_object_set_new(j, "shards", stats_shards(c->cluster, x));
	return j;
}

void sample_serve_stats(struct sample_call *c, struct span expression)
{
	struct sample_index *found[SAMPLE_INDICES_MAX];
	size_t n;
	if (!sample_indices_of(c, expression, found, &n))
		return;
	json_t *indices = json_object();
	for (size_t i = 0; i < n; i++)
		json_object_set_new(indices, found[i]->name, stats_of_index(c, found[i]));
	sample_respond_json(c, 200,
			    json_pack("{s:o,s:o}", "_shards", sample_shards(), "indices", indices));
}

void sample_serve_cat_indices(struct sample_call *c)
{
	struct sample_index *found[SAMPLE_INDICES_MAX];
	size_t n;
	struct span expression = c->n == 3 ? c->segments[2] : (struct span){ 0 };
	if (!sample_indices_of(c, expression, found, &n))
		return;
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++) {
		const struct sample_index *x = found[i];
		char count[24], shards[12];
		snprintf(count, sizeof count, "%zu", x->shown_n);
		snprintf(shards, sizeof shards, "%u", x->shard_n);
		json_array_append_new(list,
				      json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "health", "green",
						"status", x->closed ? "close" : "open", "index",
						x->name, "uuid", x->uuid, "pri", shards, "rep", "1",
						"docs.count", count));
	}
	sample_respond_json(c, 200, list);
}

/* --- writes that wait --- */

static json_t *tasks_one(const struct sample *p, const struct sample_task *k)
{
	json_t *headers = json_object();
	if (k->opaque_id.at)
		json_object_set_new(headers, "X-Opaque-Id",
				    json_stringn(k->opaque_id.at, k->opaque_id.n));
	return json_pack("{s:s,s:I,s:s,s:s,s:I,s:I,s:b,s:o}", "node", p->name, "id",
			 (json_int_t)k->id, "type", "transport", "action", k->action,
			 "start_time_in_millis", (json_int_t)k->began_ms, "running_time_in_nanos",
			 (json_int_t)(p->store.now_ms - k->began_ms) * 1000000, "cancellable", 0,
			 "headers", headers);
}

void sample_serve_tasks(struct sample_call *c)
{
	const struct sample *p = c->cluster;
	char text[512];
	struct span actions = { 0 };
	json_t *tasks = json_object(), *nodes = json_object();
	sample_parameter(c, "actions", text, sizeof text, &actions);
	list_each(at, &p->tasks) {
		const struct sample_task *k = list_entry(at, struct sample_task, link);
		char name[300];
		snprintf(name, sizeof name, "%.255s:%ju", p->name, (uintmax_t)k->id);
		if (sample_list_names(actions, span_of(k->action)))
			json_object_set_new(tasks, name, tasks_one(p, k));
	}
	if (json_object_size(tasks))
		json_object_set_new(nodes, p->name,
				    json_pack("{s:s,s:O}", "name", p->name, "tasks", tasks));
	json_decref(tasks);
	sample_respond_json(c, 200, json_pack("{s:o}", "nodes", nodes));
}

void sample_serve_task(struct sample_call *c)
{
	struct span name = c->segments[1];
	const char *colon = memrchr(name.at, ':', name.n);
	unsigned long long id = 0;
	if (!colon ||
	    !span_to_u64((struct span){ colon + 1, (size_t)(name.at + name.n - colon - 1) },
			 c->cluster->task_id, &id) ||
	    !id)
		sample_respond_error(c, 404, "resource_not_found_exception",
				     "task [%.*s] isn't running and hasn't stored its results",
				     (int)name.n, name.at);
	else
		sample_respond_json(c, 200,
				    json_pack("{s:b,s:{s:s,s:I}}", "completed", 1, "task", "node",
					      c->cluster->name, "id", (json_int_t)id));
}
