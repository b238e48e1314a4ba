#include <stdio.h>
#include <string.h>

#include "app/demo_api.h"

#define SEARCH_SIZE 10

/* --- search --- */

/* How many documents the index has, NULL, "_all" and "*" being all; each is shown to `each`. */
static size_t each_document(const struct demo_store *s, const char *index,
			    void (*each)(void *to, const char *index, const char *id, json_t *d),
			    void *to)
{
	const char *name, *id;
	json_t *documents, *d;
	size_t n = 0;
	bool all = !index || strcmp(index, "_all") == 0 || strcmp(index, "*") == 0;
	json_object_foreach(s->indices, name, documents) {
		if (!all && strcmp(name, index) != 0)
			continue;
		json_object_foreach(documents, id, d) {
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
	if (!index || strcmp(index, "_all") == 0 || strcmp(index, "*") == 0 ||
	    demo_index(&demo_cluster_of(c)->store, index))
		return true;
	demo_answer_error(c, 404, "index_not_found_exception", "no such index");
	return false;
}

void demo_serve_search(struct call *c, const char *index)
{
	struct hits h = { .size = SEARCH_SIZE };
	if (!index_is_there(c, index))
		return;
	if (!read_search(c, &h)) {
		demo_answer_error(c, 400, "parsing_exception",
				  "this sample cluster knows match_all only");
		return;
	}
	h.list = json_array();
	size_t n = each_document(&demo_cluster_of(c)->store, index, take_hit, &h);
	demo_answer(c, 200,
		    json_pack("{s:i,s:b,s:o,s:{s:{s:I,s:s},s:f,s:o}}", "took", 1, "timed_out", 0,
			      "_shards", demo_shards(), "hits", "total", "value", (json_int_t)n,
			      "relation", "eq", "max_score", 1.0, "hits", h.list));
}

void demo_serve_count(struct call *c, const char *index)
{
	if (!index_is_there(c, index))
		return;
	size_t n = each_document(&demo_cluster_of(c)->store, index, NULL, NULL);
	demo_answer(c, 200,
		    json_pack("{s:I,s:o}", "count", (json_int_t)n, "_shards", demo_shards()));
}

/* --- indices --- */

void demo_serve_index(struct call *c, const char *index)
{
	struct demo_store *s = &demo_cluster_of(c)->store;
	switch (c->request->method) {
	case METHOD_PUT:
		if (demo_index_create(s, index))
			demo_answer(c, 200,
				    json_pack("{s:b,s:b,s:s}", "acknowledged", 1,
					      "shards_acknowledged", 1, "index", index));
		else
			demo_answer_error(c, 400, "resource_already_exists_exception",
					  "index already exists");
		break;
	case METHOD_DELETE:
		if (demo_index_delete(s, index))
			demo_answer(c, 200, json_pack("{s:b}", "acknowledged", 1));
		else
			demo_answer_error(c, 404, "index_not_found_exception", "no such index");
		break;
	case METHOD_GET:
	case METHOD_HEAD:
		if (index_is_there(c, index))
			demo_answer(c, 200,
				    json_pack("{s:{s:{},s:{},s:{}}}", index, "aliases", "mappings",
					      "settings"));
		break;
	default:
		call_error(c, ERR_METHOD_NOT_ALLOWED);
	}
}

void demo_serve_indices(struct call *c)
{
	const char *name;
	json_t *documents, *list = json_array();
	json_object_foreach(demo_cluster_of(c)->store.indices, name, documents) {
		char count[32];
		snprintf(count, sizeof count, "%zu", json_object_size(documents));
		json_array_append_new(list,
				      json_pack("{s:s,s:s,s:s,s:s}", "health", "green", "status",
						"open", "index", name, "docs.count", count));
	}
	demo_answer(c, 200, list);
}
