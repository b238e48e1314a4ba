#include "sample/alias.h"
#include "sample/mapping.h"
#include "sample/pattern.h"
#include "sample/settings.h"

static void index_refuse_method(struct sample_call *c)
{
	sample_respond_error(c, 405, "method_not_allowed", "this method does nothing here");
}

/* --- an index --- */

/* "aliases" of a request that makes it; a filter is kept and not applied. */
static void index_take_aliases(struct sample_index *x, const json_t *given)
{
	const char *name;
	json_t *alias;
	json_object_foreach((json_t *)(uintptr_t)given, name, alias)
		sample_alias_set(x, span_of(name), alias);
}

static bool index_fill(struct sample_index *x, const json_t *body, struct sample_trouble *t)
{
	const json_t *mappings = json_object_get(body, "mappings");
	const json_t *settings = json_object_get(body, "settings");
	bool grown;
	if (!sample_settings_are_good(settings, false, t))
		return false;
	sample_settings_merge(x->settings, settings);
	sample_settings_divide(x);
	index_take_aliases(x, json_object_get(body, "aliases"));
	x->aliases_version = 1;
	return !mappings || sample_mapping_merge(&x->mappings, mappings, &grown, t);
}

static void index_create(struct sample_call *c, struct span name)
{
	struct sample_trouble t;
	json_t *body = sample_body(c);
	if (!body)
		return;
	struct sample_index *x = sample_store_create(&c->cluster->store, name, &t);
	if (!x)
		sample_respond_trouble(c, &t);
	else if (!index_fill(x, body, &t)) {
		sample_store_delete(&c->cluster->store, x);
		sample_respond_trouble(c, &t);
	} else {
		sample_note(c, "create_index", x, NULL);
		sample_respond_json(c, 200,
				    json_pack("{s:b,s:b,s:s}", "acknowledged", 1,
					      "shards_acknowledged", 1, "index", x->name));
	}
	json_decref(body);
}

/* An index is deleted by its own name only. True after a response. */
static bool index_is_alias(struct sample_call *c, struct span expression)
{
	struct span rest = expression, name;
	struct sample_trouble t;
	while (sample_list_next_plain(&rest, &name))
		if (!sample_store_find(&c->cluster->store, name) &&
		    sample_store_source(&c->cluster->store, name, &t)) {
			sample_respond_error(c, 400, "illegal_argument_exception",
					     "The provided expression [%.*s] matches an alias, "
					     "specify the corresponding concrete indices instead.",
					     (int)name.n, name.at);
			return true;
		}
	return false;
}

static void index_delete(struct sample_call *c, struct span expression)
{
	struct sample_index *found[SAMPLE_INDICES_MAX];
	size_t n;
	if (index_is_alias(c, expression) || !sample_indices_of(c, expression, found, &n))
		return;
	for (size_t i = 0; i < n; i++) {
		if (!sample_list_names(expression, span_of(found[i]->name)))
			continue;
		sample_note(c, "delete_index", found[i], NULL);
		sample_store_delete(&c->cluster->store, found[i]);
	}
	sample_acknowledge(c);
}

static json_t *index_json(const struct sample_index *x)
{
	return json_pack("{s:O,s:O,s:o}", "aliases", x->aliases, "mappings", x->mappings,
			 "settings", sample_settings_json(x));
}

/* {"NAME": one(index), ...} of all that are named. */
static void index_show(struct sample_call *c, struct span expression,
		       json_t *(*one)(const struct sample_index *x))
{
	struct sample_index *found[SAMPLE_INDICES_MAX];
	size_t n;
	if (!sample_indices_of(c, expression, found, &n))
		return;
	json_t *all = json_object();
	for (size_t i = 0; i < n; i++) {
		json_t *j = one(found[i]);
		struct span stream = sample_store_stream_of(&c->cluster->store, found[i]);
		if (one == index_json && stream.at)
			json_object_set_new(j, "data_stream", json_stringn(stream.at, stream.n));
		json_object_set_new(all, found[i]->name, j);
	}
	sample_respond_json(c, 200, all);
}

void sample_serve_index(struct sample_call *c, struct span indices)
{
	switch (c->method) {
	case METHOD_PUT:
		index_create(c, indices);
		break;
	case METHOD_DELETE:
		index_delete(c, indices);
		break;
	case METHOD_GET:
	case METHOD_HEAD:
		index_show(c, indices, index_json);
		break;
	default:
		index_refuse_method(c);
	}
}

/* --- mappings and settings --- */

static json_t *index_mapping_json(const struct sample_index *x)
{
	return json_pack("{s:O}", "mappings", x->mappings);
}

static json_t *index_settings_json(const struct sample_index *x)
{
	return json_pack("{s:o}", "settings", sample_settings_json(x));
}

static bool index_put_mapping(struct sample_call *c, struct sample_index *x, const json_t *body,
			      struct sample_trouble *t)
{
	bool grown;
	if (!sample_mapping_merge(&x->mappings, body, &grown, t))
		return false;
	x->mapping_version += grown;
	if (grown)
		sample_note(c, "map", x, NULL);
	return true;
}

static bool index_put_settings(struct sample_call *c, struct sample_index *x, const json_t *body,
			       struct sample_trouble *t)
{
	const json_t *inner = json_object_get(body, "settings");
	if (!sample_settings_are_good(inner ? inner : body, true, t))
		return false;
	bool changed = sample_settings_merge(x->settings, inner ? inner : body);
	x->settings_version += changed;
	if (changed)
		sample_note(c, "settings", x, NULL);
	return true;
}

static void index_put(struct sample_call *c, struct span expression,
		      bool (*one)(struct sample_call *c, struct sample_index *x, const json_t *body,
				  struct sample_trouble *t))
{
	struct sample_index *found[SAMPLE_INDICES_MAX];
	size_t n;
	struct sample_trouble t = { 0 };
	json_t *body = sample_body(c);
	if (!body || !sample_indices_of(c, expression, found, &n)) {
		json_decref(body);
		return;
	}
	for (size_t i = 0; i < n && !t.status; i++)
		one(c, found[i], body, &t);
	json_decref(body);
	if (t.status)
		sample_respond_trouble(c, &t);
	else
		sample_acknowledge(c);
}

void sample_serve_mapping(struct sample_call *c, struct span indices)
{
	if (c->method == METHOD_GET || c->method == METHOD_HEAD)
		index_show(c, indices, index_mapping_json);
	else if (c->method == METHOD_PUT || c->method == METHOD_POST)
		index_put(c, indices, index_put_mapping);
	else
		index_refuse_method(c);
}

void sample_serve_settings(struct sample_call *c, struct span indices)
{
	if (c->method == METHOD_GET || c->method == METHOD_HEAD)
		index_show(c, indices, index_settings_json);
	else if (c->method == METHOD_PUT)
		index_put(c, indices, index_put_settings);
	else
		index_refuse_method(c);
}

/* --- what else is done to an index --- */

void sample_serve_refresh(struct sample_call *c, struct span indices)
{
	struct sample_index *found[SAMPLE_INDICES_MAX];
	size_t n;
	if (!sample_indices_of(c, indices, found, &n))
		return;
	for (size_t i = 0; i < n; i++)
		sample_index_refresh(found[i]);
	sample_respond_json(c, 200, json_pack("{s:o}", "_shards", sample_shards()));
}

/* An index that is opened again has a higher primary term. */
void sample_serve_closing(struct sample_call *c, struct span indices, bool closed)
{
	struct sample_index *found[SAMPLE_INDICES_MAX];
	size_t n;
	if (!sample_indices_of(c, indices, found, &n))
		return;
	for (size_t i = 0; i < n; i++) {
		found[i]->primary_term += found[i]->closed && !closed;
		found[i]->closed = closed;
	}
	sample_respond_json(c, 200,
			    json_pack("{s:b,s:b}", "acknowledged", 1, "shards_acknowledged", 1));
}
