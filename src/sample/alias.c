#include "sample/alias.h"
#include "sample/pattern.h"

/* "routing" is both of the two others. */
void sample_alias_set(struct sample_index *x, struct span name, const json_t *given)
{
	static const char *const kept[] = { "filter", "index_routing", "search_routing",
					    "is_write_index", "is_hidden" };
	json_t *alias = json_object(), *routing = json_object_get(given, "routing"), *value;
	if (json_is_string(routing)) {
		json_object_set(alias, "index_routing", routing);
		json_object_set(alias, "search_routing", routing);
	}
	for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
		if ((value = json_object_get(given, kept[i])))
			json_object_set_new(alias, kept[i], json_deep_copy(value));
	if (!json_equal(alias, json_object_getn(x->aliases, name.at, name.n)))
		x->aliases_version++;
	json_object_setn_new(x->aliases, name.at, name.n, alias);
}

static bool alias_remove(struct sample_index *x, struct span pattern)
{
	const char *name;
	json_t *alias;
	void *next;
	bool removed = false;
	json_object_foreach_safe(x->aliases, next, name, alias)
		if (sample_list_names(pattern, span_of(name))) {
			json_object_del(x->aliases, name);
			removed = true;
		}
	x->aliases_version += removed;
	return removed;
}

/* --- one alias by its path --- */

static void alias_show(struct sample_call *c, struct sample_index *const *found, size_t n,
		       struct span pattern)
{
	json_t *all = json_object();
	size_t named = 0;
	for (size_t i = 0; i < n; i++) {
		const char *name;
		json_t *alias, *aliases = json_object();
		json_object_foreach(found[i]->aliases, name, alias)
			if (sample_list_names(pattern, span_of(name)))
				json_object_set(aliases, name, alias);
		named += json_object_size(aliases);
		if (!pattern.n || json_object_size(aliases))
			json_object_set_new(all, found[i]->name,
					    json_pack("{s:O}", "aliases", aliases));
		json_decref(aliases);
	}
	bool missing = pattern.n && !named && !memchr(pattern.at, '*', pattern.n);
	sample_respond_json(c, missing ? 404 : 200, all);
}

static void alias_put(struct sample_call *c, struct sample_index *const *found, size_t n,
		      struct span name)
{
	json_t *body = sample_body(c);
	if (!body)
		return;
	if (sample_store_find(&c->cluster->store, name) || !name.n)
		sample_respond_error(c, 400, "invalid_alias_name_exception",
				     "an index exists with the same name as the alias");
	else {
		for (size_t i = 0; i < n; i++) {
			sample_alias_set(found[i], name, body);
			sample_note(c, "alias", found[i], NULL);
		}
		sample_acknowledge(c);
	}
	json_decref(body);
}

static void alias_delete(struct sample_call *c, struct sample_index *const *found, size_t n,
			 struct span pattern)
{
	bool removed = false;
	for (size_t i = 0; i < n; i++)
		if (alias_remove(found[i], pattern)) {
			removed = true;
			sample_note(c, "alias", found[i], NULL);
		}
	if (removed)
		sample_acknowledge(c);
	else
		sample_respond_error(c, 404, "aliases_not_found_exception", "aliases missing");
}

void sample_serve_alias(struct sample_call *c, struct span indices, struct span name)
{
	struct sample_index *found[SAMPLE_INDICES_MAX];
	size_t n;
	if (!sample_indices_of(c, indices, found, &n))
		return;
	switch (c->method) {
	case METHOD_GET:
	case METHOD_HEAD:
		alias_show(c, found, n, name);
		break;
	case METHOD_PUT:
	case METHOD_POST:
		alias_put(c, found, n, name);
		break;
	case METHOD_DELETE:
		alias_delete(c, found, n, name);
		break;
	default:
		sample_respond_error(c, 405, "method_not_allowed", "this method does nothing here");
	}
}

/* --- {"actions":[{"add":{"index":...,"alias":...}}]} --- */

static struct span alias_text(const json_t *action, const char *name)
{
	const json_t *j = json_object_get(action, name);
	return (struct span){ json_string_value(j), json_string_length(j) };
}

static void alias_act_one(struct sample_call *c, const char *what, const json_t *action,
			  struct sample_index *x)
{
	if (!strcmp(what, "remove_index")) {
		sample_note(c, "delete_index", x, NULL);
		sample_store_delete(&c->cluster->store, x);
		return;
	}
	if (!strcmp(what, "add"))
		sample_alias_set(x, alias_text(action, "alias"), action);
	else
		alias_remove(x, alias_text(action, "alias"));
	sample_note(c, "alias", x, NULL);
}

static bool alias_act(struct sample_call *c, const char *what, const json_t *action,
		      struct sample_trouble *t)
{
	struct sample_index *found[SAMPLE_INDICES_MAX];
	struct span indices = alias_text(action, "index"), alias = alias_text(action, "alias");
	size_t n;
	if (!indices.n || (!alias.n && strcmp(what, "remove_index") != 0))
		return sample_refuse(t, 400, "action_request_validation_exception",
				     "[%s] needs one index and one alias here", what);
	if (!strcmp(what, "add") && sample_store_find(&c->cluster->store, alias))
		return sample_refuse(t, 400, "invalid_alias_name_exception",
				     "an index exists with the same name as the alias");
	if (!sample_store_resolve(&c->cluster->store, indices, found, &n, t))
		return false;
	for (size_t i = 0; i < n; i++)
		alias_act_one(c, what, action, found[i]);
	return true;
}

static bool alias_is_known(const char *what)
{
	return what &&
	       (!strcmp(what, "add") || !strcmp(what, "remove") || !strcmp(what, "remove_index"));
}

static bool alias_act_all(struct sample_call *c, const json_t *actions, struct sample_trouble *t)
{
	size_t i;
	json_t *action;
	json_array_foreach(actions, i, action) {
		const char *what = json_object_iter_key(json_object_iter(action));
		if (!alias_is_known(what))
			return sample_refuse(t, 400, "illegal_argument_exception",
					     "an action is add, remove or remove_index");
		if (!alias_act(c, what, json_object_get(action, what), t))
			return false;
	}
	return true;
}

void sample_serve_aliases(struct sample_call *c)
{
	struct sample_trouble t;
	if (c->method == METHOD_GET) {
		sample_serve_alias(c, (struct span){ 0 }, (struct span){ 0 });
		return;
	}
	json_t *body = sample_body(c);
	if (!body)
		return;
	if (alias_act_all(c, json_object_get(body, "actions"), &t))
		sample_acknowledge(c);
	else
		sample_respond_trouble(c, &t);
	json_decref(body);
}
