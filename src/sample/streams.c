#include <stdio.h>

#include "sample/sample.h"
#include "sample/mapping.h"
#include "sample/pattern.h"
#include "sample/settings.h"

static struct sample_index *stream_roll(struct sample_call *c, struct span name,
					struct sample_trouble *t)
{
	struct sample_index *x = sample_store_roll(&c->cluster->store, name, t);
	const json_t *template =
		json_object_get(sample_stream_template(c->cluster, name), "template");
	bool grown;
	if (!x)
		return NULL;
	sample_settings_merge(x->settings, json_object_get(template, "settings"));
	sample_settings_divide(x);
	if (json_object_get(template, "mappings"))
		sample_mapping_merge(&x->mappings, json_object_get(template, "mappings"), &grown,
				     t);
	sample_note(c, "create_index", x, NULL);
	return x;
}

struct sample_index *sample_make_stream(struct sample_call *c, struct span name,
					struct sample_trouble *t)
{
	if (sample_stream_template(c->cluster, name))
		return stream_roll(c, name, t);
	sample_refuse(t, 400, "illegal_argument_exception",
		      "no matching index template found for data stream [%.*s]", (int)name.n,
		      name.at);
	return NULL;
}

static void stream_put(struct sample_call *c, struct span name)
{
	struct sample_trouble t;
	if (json_object_getn(c->cluster->store.streams, name.at, name.n))
		sample_respond_error(c, 400, "resource_already_exists_exception",
				     "data_stream [%.*s] already exists", (int)name.n, name.at);
	else if (!sample_make_stream(c, name, &t))
		sample_respond_trouble(c, &t);
	else
		sample_acknowledge(c);
}

static void stream_show(struct sample_call *c, struct span name)
{
	const char *stream;
	json_t *names, *one, *list = json_array();
	size_t i;
	json_object_foreach(c->cluster->store.streams, stream, names) {
		json_t *indices = json_array();
		json_array_foreach(names, i, one)
			json_array_append_new(indices, json_pack("{s:O}", "index_name", one));
		json_t *j = json_pack("{s:s,s:{s:s},s:o,s:i}", "name", stream, "timestamp_field",
				      "name", "@timestamp", "indices", indices, "generation",
				      (int)json_array_size(names));
		if (sample_list_names(name, span_of(stream)))
			json_array_append(list, j);
		json_decref(j);
	}
	bool missing = name.n && !json_array_size(list) && !memchr(name.at, '*', name.n);
	if (missing)
		sample_respond_error(c, 404, "index_not_found_exception", "no such index [%.*s]",
				     (int)name.n, name.at);
	else
		sample_respond_json(c, 200, json_pack("{s:O}", "data_streams", list));
	json_decref(list);
}

static void stream_delete_indices(struct sample_call *c, const json_t *names)
{
	struct sample_store *s = &c->cluster->store;
	const json_t *one;
	size_t i;
	json_array_foreach(names, i, one) {
		struct sample_index *x = sample_store_find(s, span_of(json_string_value(one)));
		if (!x)
			continue;
		sample_note(c, "delete_index", x, NULL);
		sample_store_delete(s, x);
	}
}

static void stream_delete(struct sample_call *c, struct span name)
{
	const char *stream;
	json_t *names;
	void *next;
	size_t before = json_object_size(c->cluster->store.streams);
	json_object_foreach_safe(c->cluster->store.streams, next, stream, names) {
		if (!name.n || !sample_list_names(name, span_of(stream)))
			continue;
		stream_delete_indices(c, names);
		json_object_del(c->cluster->store.streams, stream);
	}
	bool none = before == json_object_size(c->cluster->store.streams);
	if (none && !(name.n && memchr(name.at, '*', name.n)))
		sample_respond_error(c, 404, "index_not_found_exception", "no such index [%.*s]",
				     (int)name.n, name.at);
	else
		sample_acknowledge(c);
}

void sample_serve_stream(struct sample_call *c)
{
	struct span name = c->n > 1 ? c->segments[1] : (struct span){ 0 };
	if (c->method == METHOD_GET || c->method == METHOD_HEAD)
		stream_show(c, name);
	else if (c->method == METHOD_DELETE)
		stream_delete(c, name);
	else
		stream_put(c, name);
}

void sample_serve_rollover(struct sample_call *c)
{
	struct span name = c->segments[0];
	struct sample_trouble t;
	if (!json_object_getn(c->cluster->store.streams, name.at, name.n))
		sample_respond_error(c, 400, "illegal_argument_exception",
				     "a sample cluster rolls over data streams only");
	else if (!stream_roll(c, name, &t))
		sample_respond_trouble(c, &t);
	else
		sample_respond_json(c, 200,
				    json_pack("{s:b,s:b}", "acknowledged", 1, "rolled_over", 1));
}
