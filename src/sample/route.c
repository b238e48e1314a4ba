#include <stddef.h>

#include "sample/sample.h"

#define WRITES "indices:data/write/"
#define CHANGES "indices:admin/"

/*
 * Which path is whose, by its segments: "{index}" is any that has no '_' in front, "*" any. Those
 * that change documents or indices have a task's action.
 */
struct route {
	const char *path;
	void (*serve)(struct sample_call *c);
	const char *action;
};

static const struct span none;

/* --- who takes which segments --- */

static void route_info(struct sample_call *c)
{
	sample_serve_info(c);
}

static void route_bulk(struct sample_call *c)
{
	sample_serve_bulk(c, c->n == 1 ? none : c->segments[0]);
}

static void route_mget(struct sample_call *c)
{
	sample_serve_mget(c, c->n == 1 ? none : c->segments[0]);
}

static void route_search(struct sample_call *c)
{
	sample_serve_search(c, c->n == 1 ? none : c->segments[0]);
}

static void route_count(struct sample_call *c)
{
	sample_serve_count(c, c->n == 1 ? none : c->segments[0]);
}

static void route_refresh(struct sample_call *c)
{
	sample_serve_refresh(c, c->n == 1 ? none : c->segments[0]);
}

static void route_stats(struct sample_call *c)
{
	bool all = c->n == 1 || c->segments[0].at[0] == '_';
	sample_serve_stats(c, all ? none : c->segments[0]);
}

static void route_delete_by_query(struct sample_call *c)
{
	sample_serve_delete_by_query(c, c->segments[0]);
}

static void route_update_by_query(struct sample_call *c)
{
	sample_serve_update_by_query(c, c->segments[0]);
}

static void route_document(struct sample_call *c)
{
	sample_serve_document(c, c->segments[0], c->n == 2 ? none : c->segments[2]);
}

static void route_create(struct sample_call *c)
{
	sample_serve_create(c, c->segments[0], c->segments[2]);
}

static void route_update(struct sample_call *c)
{
	sample_serve_update(c, c->segments[0], c->segments[2]);
}

static void route_source(struct sample_call *c)
{
	sample_serve_source(c, c->segments[0], c->segments[2]);
}

static void route_index(struct sample_call *c)
{
	sample_serve_index(c, c->segments[0]);
}

static void route_mapping(struct sample_call *c)
{
	sample_serve_mapping(c, c->n == 1 ? none : c->segments[0]);
}

static void route_settings(struct sample_call *c)
{
	sample_serve_settings(c, c->n == 1 ? none : c->segments[0]);
}

static void route_alias(struct sample_call *c)
{
	sample_serve_alias(c, none, c->n == 1 ? none : c->segments[1]);
}

static void route_alias_of(struct sample_call *c)
{
	sample_serve_alias(c, c->segments[0], c->n == 2 ? none : c->segments[2]);
}

static void route_close(struct sample_call *c)
{
	sample_serve_closing(c, c->segments[0], true);
}

static void route_open(struct sample_call *c)
{
	sample_serve_closing(c, c->segments[0], false);
}

static void route_state(struct sample_call *c)
{
	sample_serve_state(c, c->n == 4 ? c->segments[3] : none);
}

/* What is kept by no sample cluster, but asked for. */
static void route_nothing(struct sample_call *c)
{
	if (c->method != METHOD_GET)
		sample_respond_error(c, 400, "illegal_argument_exception",
				     "a sample cluster keeps none of these");
	else
		sample_respond_json(c, 200, json_object());
}

/* --- routes --- */

static const struct route routes[] = {
	{ "", route_info, NULL },
	{ "_bulk", route_bulk, WRITES "bulk" },
	{ "{index}/_bulk", route_bulk, WRITES "bulk" },
	{ "_mget", route_mget, NULL },
	{ "{index}/_mget", route_mget, NULL },
	{ "{index}/_doc", route_document, WRITES "index" },
	{ "{index}/_doc/*", route_document, WRITES "index" },
	{ "{index}/_create/*", route_create, WRITES "index" },
	{ "{index}/_update/*", route_update, WRITES "update" },
	{ "{index}/_source/*", route_source, NULL },
	{ "_search", route_search, NULL },
	{ "{index}/_search", route_search, NULL },
	{ "_search/scroll", sample_serve_scroll, NULL },
	{ "_count", route_count, NULL },
	{ "{index}/_count", route_count, NULL },
	{ "{index}/_delete_by_query", route_delete_by_query, WRITES "delete/byquery" },
	{ "{index}/_update_by_query", route_update_by_query, WRITES "update/byquery" },
	{ "_refresh", route_refresh, NULL },
	{ "{index}/_refresh", route_refresh, NULL },
	{ "_flush", route_refresh, NULL },
	{ "{index}/_flush", route_refresh, NULL },
	{ "_stats", route_stats, NULL },
	{ "_stats/*", route_stats, NULL },
	{ "{index}/_stats", route_stats, NULL },
	{ "{index}/_stats/*", route_stats, NULL },
	{ "_mapping", route_mapping, CHANGES "mapping/put" },
	{ "{index}/_mapping", route_mapping, CHANGES "mapping/put" },
	{ "_settings", route_settings, NULL },
	{ "{index}/_settings", route_settings, NULL },
	{ "_aliases", sample_serve_aliases, CHANGES "aliases" },
	{ "_alias", route_alias, NULL },
	{ "_alias/*", route_alias, NULL },
	{ "{index}/_alias", route_alias_of, NULL },
	{ "{index}/_alias/*", route_alias_of, NULL },
	{ "{index}/_close", route_close, NULL },
	{ "{index}/_open", route_open, NULL },
	{ "_cluster/health", sample_serve_health, NULL },
	{ "_cluster/health/*", sample_serve_health, NULL },
	{ "_cluster/state", route_state, NULL },
	{ "_cluster/state/*", route_state, NULL },
	{ "_cluster/state/*/*", route_state, NULL },
	{ "_cluster/settings", route_nothing, NULL },
	{ "_cat/indices", sample_serve_cat_indices, NULL },
	{ "_cat/indices/*", sample_serve_cat_indices, NULL },
	{ "_tasks", sample_serve_tasks, NULL },
	{ "_tasks/*", sample_serve_task, NULL },
	{ "_index_template", sample_serve_object, NULL },
	{ "_index_template/*", sample_serve_object, NULL },
	{ "_component_template", sample_serve_object, NULL },
	{ "_component_template/*", sample_serve_object, NULL },
	{ "_template", sample_serve_object, NULL },
	{ "_template/*", sample_serve_object, NULL },
	{ "_scripts/*", sample_serve_object, NULL },
	{ "_data_stream", sample_serve_stream, NULL },
	{ "_data_stream/*", sample_serve_stream, NULL },
	{ "{index}/_rollover", sample_serve_rollover, NULL },
	{ "_ingest/pipeline", sample_serve_object, NULL },
	{ "_ingest/pipeline/*", sample_serve_object, NULL },
	{ "_demo/faults", sample_serve_faults, NULL },
	{ "{index}", route_index, CHANGES "create" },
};

static bool route_takes(struct span pattern, struct span segment)
{
	if (span_is(pattern, SPAN("{index}")))
		return segment.n && (segment.at[0] != '_' || span_is(segment, SPAN("_all")));
	return span_is(pattern, SPAN("*")) || span_is(pattern, segment);
}

static bool route_matches(const struct route *r, const struct sample_call *c)
{
	const char *at = r->path;
	for (size_t i = 0; i < c->n; i++) {
		const char *slash = strchrnul(at, '/');
		if (!*at || !route_takes((struct span){ at, (size_t)(slash - at) }, c->segments[i]))
			return false;
		at = *slash ? slash + 1 : slash;
	}
	return !*at;
}

static const struct route *route_find(const struct sample_call *c)
{
	for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
		if (route_matches(&routes[i], c))
			return &routes[i];
	return NULL;
}

static const char *route_action(const struct sample_call *c, const char *begins,
				const char *deletion)
{
	const struct route *r = route_find(c);
	if (!r || !r->action || strncmp(r->action, begins, strlen(begins)) != 0 ||
	    c->method == METHOD_GET || c->method == METHOD_HEAD)
		return NULL;
	return c->method == METHOD_DELETE ? deletion : r->action;
}

const char *sample_writes(const struct sample_call *c)
{
	return route_action(c, WRITES, WRITES "delete");
}

const char *sample_changes(const struct sample_call *c)
{
	return route_action(c, CHANGES, CHANGES "delete");
}

void sample_route(struct sample_call *c)
{
	const struct route *r = route_find(c);
	if (r)
		r->serve(c);
	else
		sample_respond_error(c, 400, "illegal_argument_exception",
				     "no handler found for uri [%.*s]", (int)c->path.n, c->path.at);
}
