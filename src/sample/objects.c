#include <string.h>

#include "sample/sample.h"
#include "sample/pattern.h"

/* How a kind is shown: in a list, or as members of an object. */
struct object_kind {
	const char *path, *list, *member;
};

static const struct object_kind kinds[] = {
	{ "_index_template", "index_templates", "index_template" },
	{ "_component_template", "component_templates", "component_template" },
	{ "_template", NULL, NULL },
	{ "_ingest", NULL, NULL },
	{ "_scripts", NULL, NULL },
};

static const struct object_kind *object_kind(const struct sample_call *c)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (span_is(c->segments[0], span_of(kinds[i].path)))
			return &kinds[i];
	return NULL;
}

/* The name behind the kind, which has two words for pipelines; empty: all. */
static struct span object_name(const struct sample_call *c)
{
	size_t at = span_is(c->segments[0], SPAN("_ingest")) ? 2 : 1;
	return c->n > at ? c->segments[at] : (struct span){ 0 };
}

static json_t *objects_of(const struct sample *p, const struct object_kind *k)
{
	json_t *all = json_object_get(p->objects, k->path);
	if (all)
		return all;
	json_object_set_new(p->objects, k->path, json_object());
	return json_object_get(p->objects, k->path);
}

static void object_show(struct sample_call *c, const struct object_kind *k, struct span name)
{
	const char *key;
	json_t *value, *list = json_array(), *members = json_object();
	json_object_foreach(objects_of(c->cluster, k), key, value)
		if (sample_list_names(name, span_of(key))) {
			json_object_set(members, key, value);
			json_array_append_new(list, json_pack("{s:s,s:O}", "name", key,
							      k->member ? k->member : "", value));
		}
	unsigned status = name.n && !json_array_size(list) ? 404 : 200;
	if (k->list)
		sample_respond_json(c, status, json_pack("{s:O}", k->list, list));
	else
		sample_respond_json(c, status, json_incref(members));
	json_decref(list);
	json_decref(members);
}

void sample_serve_object(struct sample_call *c)
{
	const struct object_kind *k = object_kind(c);
	struct span name = object_name(c);
	json_t *body, *all = objects_of(c->cluster, k);
	if (c->method == METHOD_GET || c->method == METHOD_HEAD) {
		object_show(c, k, name);
	} else if (c->method == METHOD_DELETE) {
		json_object_deln(all, name.at, name.n);
		sample_acknowledge(c);
	} else if (c->cluster->faults.refuse_objects) {
		sample_respond_error(c, c->cluster->faults.refuse_objects, "parse_exception",
				     "refused, as it was told to");
	} else if ((body = sample_body(c))) {
		const json_t *script = json_object_get(body, "script");
		json_object_setn(all, name.at, name.n, script ? (json_t *)(uintptr_t)script : body);
		json_decref(body);
		sample_acknowledge(c);
	}
}

const json_t *sample_stream_template(const struct sample *p, struct span name)
{
	const char *key, *pattern;
	json_t *value, *one;
	size_t i;
	json_object_foreach(objects_of(p, &kinds[0]), key, value) {
		if (!json_object_get(value, "data_stream"))
			continue;
		json_array_foreach(json_object_get(value, "index_patterns"), i, one)
			if ((pattern = json_string_value(one)) &&
			    sample_pattern_matches(span_of(pattern), name))
				return value;
	}
	return NULL;
}

json_t *sample_scripts(const struct sample *p)
{
	return json_incref(objects_of(p, &kinds[4]));
}
