#include "app/demo_cluster.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/command.h"
#include "app/demo_store.h"
#include "base/bug.h"
#include "control/service.h"

/* A bulk of a client has a few MiB. */
#define BODY_BYTES (64u * 1024 * 1024)
#define SEGMENTS_MAX 4
#define SEARCH_SIZE 10

struct cluster_process {
	const char *name;
	struct demo_store store;
	struct loop loop;
	struct service service;
};

/* A request's path in pieces, decoded: "/logs/_doc/a%20b" is logs, _doc, "a b". */
struct path {
	char *segments[SEGMENTS_MAX];
	size_t n;
	char text[4096];
};

static struct cluster_process *process_of(const struct call *c)
{
	return c->service->owner;
}

/* --- answers --- */

/* NULL: a name in the path was not UTF-8, so that no JSON could be made with it. */
static void answer(struct call *c, unsigned status, json_t *j /* moved in */)
{
	if (!j) {
		call_error(c, ERR_TARGET);
		return;
	}
	char *text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	must(text);
	struct msg *head = call_head(c, status, SPAN("application/json; charset=UTF-8"));
	msg_add_named(head, SPAN("X-Demo-Cluster"), span_of(process_of(c)->name));
	call_answer(c, span_of(text));
	free(text);
}

static void answer_error(struct call *c, unsigned status, const char *type, const char *reason)
{
	answer(c, status,
	       json_pack("{s:{s:s,s:s},s:i}", "error", "type", type, "reason", reason, "status",
			 (int)status));
}

static json_t *shards(void)
{
	return json_pack("{s:i,s:i,s:i,s:i}", "total", 1, "successful", 1, "skipped", 0, "failed",
			 0);
}

static json_t *result_json(const char *index, const char *id, const struct demo_result *r)
{
	return json_pack("{s:s,s:s,s:I,s:s,s:{s:i,s:i,s:i},s:I,s:i}", "_index", index, "_id", id,
			 "_version", r->version, "result", r->what, "_shards", "total", 1,
			 "successful", 1, "failed", 0, "_seq_no", (json_int_t)r->sequence,
			 "_primary_term", 1);
}

/* --- the cluster --- */

static void serve_info(struct call *c)
{
	const char *name = process_of(c)->name;
	answer(c, 200,
	       json_pack("{s:s,s:s,s:s,s:{s:s,s:s,s:s,s:s,s:s},s:s}", "name", name, "cluster_name",
			 name, "cluster_uuid", name, "version", "distribution", "opensearch",
			 "number", "2.19.0", "lucene_version", "9.12.1",
			 "minimum_wire_compatibility_version", "7.10.0",
			 "minimum_index_compatibility_version", "7.0.0", "tagline",
			 "A sample cluster of Crossfade"));
}

static void serve_health(struct call *c)
{
	const struct cluster_process *p = process_of(c);
	int shards_n = (int)json_object_size(p->store.indices);
	answer(c, 200,
	       json_pack("{s:s,s:s,s:b,s:i,s:i,s:i,s:i,s:i,s:i,s:i}", "cluster_name", p->name,
			 "status", "green", "timed_out", 0, "number_of_nodes", 1,
			 "number_of_data_nodes", 1, "active_primary_shards", shards_n,
			 "active_shards", shards_n, "relocating_shards", 0, "initializing_shards",
			 0, "unassigned_shards", 0));
}

static void serve_indices(struct call *c)
{
	const char *name;
	json_t *documents, *list = json_array();
	json_object_foreach(process_of(c)->store.indices, name, documents)
	{
		char count[32];
		snprintf(count, sizeof count, "%zu", json_object_size(documents));
		json_array_append_new(list,
				      json_pack("{s:s,s:s,s:s,s:s}", "health", "green", "status",
						"open", "index", name, "docs.count", count));
	}
	answer(c, 200, list);
}

/* --- documents --- */

static void put_document(struct call *c, const char *index, const char *id, bool create)
{
	struct demo_store *s = &process_of(c)->store;
	json_t *source = json_loadb(c->body.at, c->body.n, 0, NULL);
	if (!json_is_object(source)) {
		json_decref(source);
		answer_error(c, 400, "mapper_parsing_exception",
			     "the document is not a JSON object");
		return;
	}
	if (create && demo_document(s, index, id)) {
		json_decref(source);
		answer_error(c, 409, "version_conflict_engine_exception",
			     "document already exists");
		return;
	}
	struct demo_result r = demo_put(s, index, id, source);
	answer(c, r.version == 1 ? 201 : 200, result_json(index, id, &r));
}

static void get_document(struct call *c, const char *index, const char *id)
{
	json_t *d = demo_document(&process_of(c)->store, index, id);
	if (!d) {
		answer(c, 404, json_pack("{s:s,s:s,s:b}", "_index", index, "_id", id, "found", 0));
		return;
	}
	answer(c, 200,
	       json_pack("{s:s,s:s,s:O,s:b,s:O}", "_index", index, "_id", id, "_version",
			 json_object_get(d, "_version"), "found", 1, "_source",
			 json_object_get(d, "_source")));
}

static void serve_document(struct call *c, const struct path *p)
{
	const char *index = p->segments[0], *id = p->segments[2];
	bool create = !strcmp(p->segments[1], "_create");
	char fresh[32];
	if (!id) {
		demo_new_id(&process_of(c)->store, fresh);
		id = fresh;
	}
	switch (c->request->method) {
	case METHOD_GET:
	case METHOD_HEAD:
		get_document(c, index, id);
		break;
	case METHOD_PUT:
	case METHOD_POST:
		put_document(c, index, id, create);
		break;
	case METHOD_DELETE: {
		struct demo_result r = demo_delete(&process_of(c)->store, index, id);
		answer(c, strcmp(r.what, "deleted") ? 404 : 200, result_json(index, id, &r));
		break;
	}
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

/* One action and, unless it is delete, the line behind it. NULL: the body makes no sense. */
static json_t *bulk_item(struct demo_store *s, const char *default_index, json_t *action,
			 struct span *rest)
{
	const char *what = json_object_iter_key(json_object_iter(action));
	const json_t *meta = json_object_get(action, what ? what : "");
	const char *index = json_string_value(json_object_get(meta, "_index"));
	const char *id = json_string_value(json_object_get(meta, "_id"));
	struct span line;
	struct demo_result r;
	char fresh[32];
	if (!json_is_object(meta) || !(index || default_index))
		return NULL;
	if (!id)
		demo_new_id(s, fresh);
	index = index ? index : default_index;
	id = id ? id : fresh;
	if (!strcmp(what, "delete")) {
		r = demo_delete(s, index, id);
	} else if (strcmp(what, "index") && strcmp(what, "create")) {
		return NULL;
	} else {
		json_t *source =
			next_line(rest, &line) ? json_loadb(line.at, line.n, 0, NULL) : NULL;
		if (!source)
			return NULL;
		r = demo_put(s, index, id, source);
	}
	json_t *result = result_json(index, id, &r);
	json_object_set_new(result, "status",
			    json_integer(!strcmp(r.what, "created")	? 201
					 : !strcmp(r.what, "not_found") ? 404
									: 200));
	return json_pack("{s:o}", what, result);
}

static void serve_bulk(struct call *c, const char *index)
{
	struct span rest = c->body, line;
	json_t *items = json_array();
	while (next_line(&rest, &line)) {
		json_t *action = json_loadb(line.at, line.n, 0, NULL);
		json_t *item = bulk_item(&process_of(c)->store, index, action, &rest);
		json_decref(action);
		if (!item) {
			json_decref(items);
			answer_error(c, 400, "illegal_argument_exception",
				     "Malformed action: index, create and delete are known here");
			return;
		}
		json_array_append_new(items, item);
	}
	answer(c, 200, json_pack("{s:i,s:b,s:o}", "took", 1, "errors", 0, "items", items));
}

/* --- search --- */

/* "a,b", "_all", "*": each index of those; the callback gets what is there. */
static size_t each_document(const struct demo_store *s, const char *index,
			    void (*each)(void *to, const char *index, const char *id, json_t *d),
			    void *to)
{
	const char *name, *id;
	json_t *documents, *d;
	size_t n = 0;
	bool all = !index || !strcmp(index, "_all") || !strcmp(index, "*");
	json_object_foreach(s->indices, name, documents)
	{
		if (!all && strcmp(name, index))
			continue;
		json_object_foreach(documents, id, d)
		{
			n++;
			if (each)
				each(to, name, id, d);
		}
	}
	return n;
}

struct hits {
	json_t *list;
	size_t from, size, seen;
};

static void take_hit(void *to, const char *index, const char *id, json_t *d)
{
	struct hits *h = to;
	size_t i = h->seen++;
	if (i >= h->from && i - h->from < h->size)
		json_array_append_new(h->list, json_pack("{s:s,s:s,s:f,s:O}", "_index", index,
							 "_id", id, "_score", 1.0, "_source",
							 json_object_get(d, "_source")));
}

static bool query_number(struct span query, const char *name, size_t *n)
{
	size_t name_n = strlen(name);
	for (const char *at = query.at, *end = query.at + query.n; at < end;) {
		const char *next = memchr(at, '&', (size_t)(end - at));
		size_t part = next ? (size_t)(next - at) : (size_t)(end - at);
		unsigned long long value;
		if (part > name_n && !memcmp(at, name, name_n) && at[name_n] == '=' &&
		    span_to_u64((struct span){ at + name_n + 1, part - name_n - 1 }, 1000000,
				&value))
			return *n = (size_t)value, true;
		at += part + 1;
	}
	return false;
}

/* Only match_all: a sample that pretended to search would confuse more than it shows. */
static bool read_search(struct call *c, struct hits *h)
{
	json_t *j = c->body.n ? json_loadb(c->body.at, c->body.n, 0, NULL) : json_object();
	const json_t *query = json_object_get(j, "query");
	bool good = json_is_object(j) && (!query || json_object_get(query, "match_all"));
	if (json_is_integer(json_object_get(j, "size")))
		h->size = (size_t)json_integer_value(json_object_get(j, "size"));
	if (json_is_integer(json_object_get(j, "from")))
		h->from = (size_t)json_integer_value(json_object_get(j, "from"));
	query_number(c->query, "size", &h->size);
	query_number(c->query, "from", &h->from);
	json_decref(j);
	return good;
}

static bool index_is_there(struct call *c, const char *index)
{
	if (!index || !strcmp(index, "_all") || !strcmp(index, "*") ||
	    demo_index(&process_of(c)->store, index))
		return true;
	answer_error(c, 404, "index_not_found_exception", "no such index");
	return false;
}

static void serve_search(struct call *c, const char *index)
{
	struct hits h = { .size = SEARCH_SIZE };
	if (!index_is_there(c, index))
		return;
	if (!read_search(c, &h)) {
		answer_error(c, 400, "parsing_exception",
			     "this sample cluster knows match_all only");
		return;
	}
	h.list = json_array();
	size_t n = each_document(&process_of(c)->store, index, take_hit, &h);
	answer(c, 200,
	       json_pack("{s:i,s:b,s:o,s:{s:{s:I,s:s},s:f,s:o}}", "took", 1, "timed_out", 0,
			 "_shards", shards(), "hits", "total", "value", (json_int_t)n, "relation",
			 "eq", "max_score", 1.0, "hits", h.list));
}

static void serve_count(struct call *c, const char *index)
{
	if (!index_is_there(c, index))
		return;
	size_t n = each_document(&process_of(c)->store, index, NULL, NULL);
	answer(c, 200, json_pack("{s:I,s:o}", "count", (json_int_t)n, "_shards", shards()));
}

/* --- indices --- */

static void serve_index(struct call *c, const char *index)
{
	struct demo_store *s = &process_of(c)->store;
	switch (c->request->method) {
	case METHOD_PUT:
		if (demo_index_create(s, index))
			answer(c, 200,
			       json_pack("{s:b,s:b,s:s}", "acknowledged", 1, "shards_acknowledged",
					 1, "index", index));
		else
			answer_error(c, 400, "resource_already_exists_exception",
				     "index already exists");
		break;
	case METHOD_DELETE:
		if (demo_index_delete(s, index))
			answer(c, 200, json_pack("{s:b}", "acknowledged", 1));
		else
			answer_error(c, 404, "index_not_found_exception", "no such index");
		break;
	case METHOD_GET:
	case METHOD_HEAD:
		if (index_is_there(c, index))
			answer(c, 200,
			       json_pack("{s:{s:{},s:{},s:{}}}", index, "aliases", "mappings",
					 "settings"));
		break;
	default:
		call_error(c, ERR_METHOD_NOT_ALLOWED);
	}
}

/* --- routes --- */

static bool decode(char *text)
{
	char *to = text;
	for (const char *at = text; *at; at++) {
		if (*at != '%') {
			*to++ = *at;
			continue;
		}
		if (!isxdigit((unsigned char)at[1]) || !isxdigit((unsigned char)at[2]))
			return false;
		char digits[3] = { at[1], at[2], 0 };
		*to++ = (char)strtol(digits, NULL, 16);
		at += 2;
	}
	*to = 0;
	return true;
}

static bool read_path(const struct call *c, struct path *p)
{
	char *rest = p->text, *segment;
	p->n = 0;
	memset(p->segments, 0, sizeof p->segments);
	if (c->path.n >= sizeof p->text)
		return false;
	memcpy(p->text, c->path.at, c->path.n);
	p->text[c->path.n] = 0;
	while ((segment = strsep(&rest, "/"))) {
		if (!*segment)
			continue;
		if (p->n == SEGMENTS_MAX || !decode(segment))
			return false;
		p->segments[p->n++] = segment;
	}
	return true;
}

static bool serve_verb(struct call *c, const char *index, const char *verb)
{
	if (!strcmp(verb, "_bulk"))
		serve_bulk(c, index);
	else if (!strcmp(verb, "_search"))
		serve_search(c, index);
	else if (!strcmp(verb, "_count"))
		serve_count(c, index);
	else if (!strcmp(verb, "_refresh"))
		answer(c, 200, json_pack("{s:o}", "_shards", shards()));
	else
		return false;
	return true;
}

static void serve(struct call *c)
{
	struct path p;
	if (!read_path(c, &p)) {
		call_error(c, ERR_NOT_FOUND);
		return;
	}
	char **s = p.segments;
	if (p.n == 0)
		serve_info(c);
	else if (p.n >= 2 && !strcmp(s[0], "_cluster") && !strcmp(s[1], "health"))
		serve_health(c);
	else if (p.n == 2 && !strcmp(s[0], "_cat") && !strcmp(s[1], "indices"))
		serve_indices(c);
	else if (p.n == 1 && s[0][0] == '_' && serve_verb(c, NULL, s[0]))
		return;
	else if (p.n == 2 && serve_verb(c, s[0], s[1]))
		return;
	else if (p.n >= 2 && p.n <= 3 && (!strcmp(s[1], "_doc") || !strcmp(s[1], "_create")))
		serve_document(c, &p);
	else if (p.n == 1 && s[0][0] != '_')
		serve_index(c, s[0]);
	else
		call_error(c, ERR_NOT_FOUND);
}

static void gone(struct call *c)
{
	(void)c; /* it is answered at once, or not at all */
}

static const struct service_user user = { serve, gone };

int demo_cluster_main(int argc, char **argv)
{
	if (argc != 3)
		return EXIT_USAGE;
	struct cluster_process p = { .name = argv[1] };
	signal(SIGPIPE, SIG_IGN);
	demo_store_open(&p.store);
	if (!loop_open(&p.loop))
		return EXIT_NO;
	service_open(&p.service, &p.loop, &user, &p, BODY_BYTES);
	service_listen(&p.service, atoi(argv[2]), false, NULL);
	for (;;)
		loop_turn(&p.loop);
}
