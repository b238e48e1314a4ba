#include <string.h>

#include "app/demo_api.h"

static json_t *result_json(const char *index, const char *id, const struct demo_result *r)
{
	return json_pack("{s:s,s:s,s:I,s:s,s:{s:i,s:i,s:i},s:I,s:i}", "_index", index, "_id", id,
			 "_version", r->version, "result", r->what, "_shards", "total", 1,
			 "successful", 1, "failed", 0, "_seq_no", (json_int_t)r->sequence,
			 "_primary_term", 1);
}

/* --- documents --- */

static void put_document(struct call *c, const char *index, const char *id, bool create)
{
	struct demo_store *s = &demo_cluster_of(c)->store;
	json_t *source = json_loadb(c->body.at, c->body.n, 0, NULL);
	if (!json_is_object(source)) {
		json_decref(source);
		demo_answer_error(c, 400, "mapper_parsing_exception",
				  "the document is not a JSON object");
		return;
	}
	if (create && demo_document(s, index, id)) {
		json_decref(source);
		demo_answer_error(c, 409, "version_conflict_engine_exception",
				  "document already exists");
		return;
	}
	struct demo_result r = demo_put(s, index, id, source);
	demo_answer(c, r.version == 1 ? 201 : 200, result_json(index, id, &r));
}

static void get_document(struct call *c, const char *index, const char *id)
{
	json_t *d = demo_document(&demo_cluster_of(c)->store, index, id);
	if (!d) {
		demo_answer(c, 404,
			    json_pack("{s:s,s:s,s:b}", "_index", index, "_id", id, "found", 0));
		return;
	}
	demo_answer(c, 200,
		    json_pack("{s:s,s:s,s:O,s:b,s:O}", "_index", index, "_id", id, "_version",
			      json_object_get(d, "_version"), "found", 1, "_source",
			      json_object_get(d, "_source")));
}

static void delete_document(struct call *c, const char *index, const char *id)
{
	struct demo_result r = demo_delete(&demo_cluster_of(c)->store, index, id);
	demo_answer(c, strcmp(r.what, "deleted") == 0 ? 200 : 404, result_json(index, id, &r));
}

void demo_serve_document(struct call *c, const char *index, const char *id, bool create)
{
	char fresh[32];
	if (!id)
		demo_new_id(&demo_cluster_of(c)->store, fresh);
	id = id ? id : fresh;
	switch (c->request->method) {
	case METHOD_GET:
	case METHOD_HEAD:
		get_document(c, index, id);
		break;
	case METHOD_PUT:
	case METHOD_POST:
		put_document(c, index, id, create);
		break;
	case METHOD_DELETE:
		delete_document(c, index, id);
		break;
	default:
		call_error(c, ERR_METHOD_NOT_ALLOWED);
	}
}

/* --- bulk --- */

static bool next_line(struct span *rest, struct span *line)
{
	while (rest->n) {
		const char *end = memchr(rest->at, '\n', rest->n);
		size_t n = end ? (size_t)(end - rest->at) : rest->n;
		*line = span_trim((struct span){ rest->at, n });
		if (line->n && line->at[line->n - 1] == '\r')
			line->n--;
		rest->at += n + (end != NULL);
		rest->n -= n + (end != NULL);
		if (line->n)
			return true;
	}
	return false;
}

static int status_of(const struct demo_result *r)
{
	if (strcmp(r->what, "created") == 0)
		return 201;
	return strcmp(r->what, "not_found") == 0 ? 404 : 200;
}

/* index, create: the line behind the action is the document. False: there is none. */
static bool bulk_put(struct demo_store *s, const char *index, const char *id, struct span *rest,
		     struct demo_result *r)
{
	struct span line;
	json_t *source = next_line(rest, &line) ? json_loadb(line.at, line.n, 0, NULL) : NULL;
	if (source)
		*r = demo_put(s, index, id, source);
	return source != NULL;
}

/* One action: {"index":{"_index":...,"_id":...}}. NULL: it makes no sense. */
static json_t *bulk_item(struct demo_store *s, const char *default_index, json_t *action,
			 struct span *rest)
{
	const char *what = json_object_iter_key(json_object_iter(action));
	const json_t *meta = what ? json_object_get(action, what) : NULL;
	const char *index = json_string_value(json_object_get(meta, "_index"));
	const char *id = json_string_value(json_object_get(meta, "_id"));
	struct demo_result r;
	char fresh[32];
	index = index ? index : default_index;
	if (!json_is_object(meta) || !index)
		return NULL;
	if (!id)
		demo_new_id(s, fresh);
	id = id ? id : fresh;
	if (strcmp(what, "delete") == 0)
		r = demo_delete(s, index, id);
	else if ((strcmp(what, "index") != 0 && strcmp(what, "create") != 0) ||
		 !bulk_put(s, index, id, rest, &r))
		return NULL;
	json_t *result = result_json(index, id, &r);
	json_object_set_new(result, "status", json_integer(status_of(&r)));
	return json_pack("{s:o}", what, result);
}

void demo_serve_bulk(struct call *c, const char *index)
{
	struct span rest = c->body, line;
	json_t *items = json_array();
	while (next_line(&rest, &line)) {
		json_t *action = json_loadb(line.at, line.n, 0, NULL);
		json_t *item = bulk_item(&demo_cluster_of(c)->store, index, action, &rest);
		json_decref(action);
		if (!item) {
			json_decref(items);
			demo_answer_error(
				c, 400, "illegal_argument_exception",
				"Malformed action: index, create and delete are known here");
			return;
		}
		json_array_append_new(items, item);
	}
	demo_answer(c, 200, json_pack("{s:i,s:b,s:o}", "took", 1, "errors", 0, "items", items));
}
