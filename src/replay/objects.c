#include "replay/objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/limits.h"
#include "replay/surroundings.h"

struct object_place {
	const char *get, *put, *list, *member, *word;
};

/* Pipelines may need scripts, and templates need component templates. */
static const struct object_place places[OBJECT_KINDS] = {
	[OBJECT_SCRIPT] = { "/_cluster/state/metadata?filter_path=metadata.stored_scripts",
			    "/_scripts/", NULL, NULL, "script" },
	[OBJECT_PIPELINE] = { "/_ingest/pipeline", "/_ingest/pipeline/", NULL, NULL, "pipeline" },
	[OBJECT_COMPONENT] = { "/_component_template", "/_component_template/",
			       "component_templates", "component_template", "component template" },
	[OBJECT_TEMPLATE] = { "/_index_template", "/_index_template/", "index_templates",
			      "index_template", "index template" },
	[OBJECT_OLD_TEMPLATE] = { "/_template", "/_template/", NULL, NULL, "template" },
};

/* --- pure --- */

/* Of settings as "index": {"a": ...} or "index.a". */
static void object_strip_settings(json_t *settings)
{
	static const char *const left[] = { "default_pipeline", "final_pipeline", "lifecycle",
					    "plugins", "opendistro" };
	json_t *index = json_object_get(settings, "index"), *value;
	const char *name;
	void *next;
	for (size_t i = 0; i < sizeof left / sizeof left[0]; i++)
		json_object_del(index, left[i]);
	json_object_foreach_safe(settings, next, name, value) {
		const char *at = strncmp(name, "index.", 6) ? name : name + 6;
		for (size_t i = 0; i < sizeof left / sizeof left[0]; i++)
			if (!strncmp(at, left[i], strlen(left[i]))) {
				json_object_del(settings, name);
				break;
			}
	}
}

static json_t *object_clean_template(json_t *body)
{
	json_t *template = json_object_get(body, "template");
	json_t *stream = json_object_get(body, "data_stream");
	object_strip_settings(json_object_get(template, "settings"));
	/* The products have different members there. */
	json_object_clear(stream);
	return body;
}

static json_t *object_clean_old_template(json_t *body)
{
	json_t *mappings = json_incref(json_object_get(body, "mappings"));
	object_strip_settings(json_object_get(body, "settings"));
	if (mappings)
		json_object_set(body, "mappings", surroundings_mapping(mappings));
	json_decref(mappings);
	return body;
}

/* Moves the body in. */
static json_t *object_clean(enum object_kind kind, json_t *body)
{
	switch (kind) {
	case OBJECT_SCRIPT:
		return json_pack("{s:o}", "script", body);
	case OBJECT_COMPONENT:
	case OBJECT_TEMPLATE:
		return object_clean_template(body);
	case OBJECT_OLD_TEMPLATE:
		return object_clean_old_template(body);
	case OBJECT_PIPELINE:
	case OBJECT_KINDS:
		break;
	}
	return body;
}

static void object_take(enum object_kind kind, json_t *to, const char *name, const json_t *body)
{
	const json_t *about = json_object_get(body, "_meta");
	if (!name || *name == '.' || json_is_true(json_object_get(about, "managed")))
		return;
	json_object_set_new(to, name, object_clean(kind, json_deep_copy(body)));
}

json_t *objects_read(enum object_kind kind, const json_t *response)
{
	const struct object_place *p = &places[kind];
	json_t *all = json_object(), *one, *list = (json_t *)(uintptr_t)response;
	const char *name;
	size_t i;
	if (kind == OBJECT_SCRIPT)
		list = json_object_get(json_object_get(response, "metadata"), "stored_scripts");
	if (p->list) {
		json_array_foreach(json_object_get(response, p->list), i, one)
			object_take(kind, all, json_string_value(json_object_get(one, "name")),
				    json_object_get(one, p->member));
		return all;
	}
	json_object_foreach(list, name, one)
		if (json_is_object(one))
			object_take(kind, all, name, one);
	return all;
}

json_t *objects_compare(const json_t *owner, const json_t *last, const json_t *replica)
{
	json_t *changes = json_object(), *body;
	const char *name;
	json_object_foreach((json_t *)(uintptr_t)owner, name, body) {
		const json_t *there = json_object_get(replica, name);
		bool changed = last && !json_equal(json_object_get(last, name), body);
		if (!there || (changed && !json_equal(there, body)))
			json_object_set(changes, name, body);
	}
	json_object_foreach((json_t *)(uintptr_t)last, name, body)
		if (!json_object_get(owner, name) && json_object_get(replica, name))
			json_object_set_new(changes, name, json_null());
	return changes;
}

/* --- a look --- */

static uint64_t objects_now_ms(const struct objects *o)
{
	return loop_now_ms(o->ask.subrequest.of->loop);
}

static void objects_give_back(struct objects *o)
{
	for (size_t i = 0; i < o->seen_n; i++)
		o->back(o->user, o->tags[i]);
	o->tag_n -= o->seen_n;
	if (o->tag_n)
		memmove(o->tags, o->tags + o->seen_n, o->tag_n * sizeof *o->tags);
	o->seen_n = 0;
}

static void objects_drop(struct objects *o)
{
	json_decref(o->now);
	json_decref(o->changes);
	o->now = o->changes = NULL;
}

static void objects_end(struct objects *o)
{
	objects_drop(o);
	o->looking = false;
	if (o->failed) {
		o->wanted = true;
		o->not_before_ms = objects_now_ms(o) + OBJECTS_PAUSE_MS;
		return;
	}
	objects_give_back(o);
}

static void objects_fail(struct objects *o, const struct ask *a, enum err why)
{
	char said[160];
	ask_trouble(a, why, said, sizeof said);
	snprintf(o->trouble, sizeof o->trouble, "%s: %ss: %s", arm_name(a->arm),
		 places[o->kind].word, said);
	o->failed = true;
	objects_end(o);
}

static void objects_next_kind(struct objects *o);

static void objects_next(struct objects *o);

static void objects_note_refusal(struct objects *o, const struct ask *a)
{
	char said[160];
	ask_trouble(a, ERR_NONE, said, sizeof said);
	o->refused++;
	snprintf(o->trouble, sizeof o->trouble, "%s: %s %.60s is not taken: %s", arm_name(a->arm),
		 places[o->kind].word, json_object_iter_key(o->at), said);
}

/* What the replica does not take is said, and the rest goes on. */
static void objects_changed(struct ask *a, enum err why)
{
	struct objects *o = a->user;
	unsigned status = a->subrequest.status;
	bool refused = why == ERR_NONE && status >= 400 && status < 500 && status != 429;
	if (!ask_succeeded(a, why) && !refused) {
		objects_fail(o, a, why);
		return;
	}
	if (refused && status != 404)
		objects_note_refusal(o, a);
	o->put += !refused;
	o->at = json_object_iter_next(o->changes, o->at);
	objects_next(o);
}

static void objects_next(struct objects *o)
{
	if (!o->at) {
		json_decref(o->last[o->kind]);
		o->last[o->kind] = o->now;
		o->now = NULL;
		objects_drop(o);
		o->kind++;
		objects_next_kind(o);
		return;
	}
	const json_t *body = json_object_iter_value(o->at);
	char *target = ask_target(places[o->kind].put, json_object_iter_key(o->at), "");
	if (json_is_null(body))
		ask_change(&o->ask, arm_other(o->owner), "DELETE", target, NULL, ASK_TIMEOUT_MS,
			   objects_changed);
	else
		ask_change(&o->ask, arm_other(o->owner), "PUT", target, body, ASK_TIMEOUT_MS,
			   objects_changed);
}

/* Old versions do not have all kinds. */
static bool objects_have(const struct ask *a, enum err why)
{
	unsigned status = a->subrequest.status;
	return ask_succeeded(a, why) ||
	       (why == ERR_NONE && (status == 400 || status == 404 || status == 405));
}

static void objects_replica_seen(struct ask *a, enum err why)
{
	struct objects *o = a->user;
	if (!objects_have(a, why)) {
		objects_fail(o, a, why);
		return;
	}
	json_t *replica =
		objects_read((enum object_kind)o->kind, ask_succeeded(a, why) ? a->json : NULL);
	o->changes = objects_compare(o->now, o->last[o->kind], replica);
	json_decref(replica);
	o->at = json_object_iter(o->changes);
	objects_next(o);
}

static void objects_owner_seen(struct ask *a, enum err why)
{
	struct objects *o = a->user;
	if (!objects_have(a, why)) {
		objects_fail(o, a, why);
		return;
	}
	o->now = objects_read((enum object_kind)o->kind, ask_succeeded(a, why) ? a->json : NULL);
	ask_json(a, arm_other(o->owner), "GET", strdup(places[o->kind].get), NULL, ASK_TIMEOUT_MS,
		 objects_replica_seen);
}

static void objects_next_kind(struct objects *o)
{
	if (o->kind == OBJECT_KINDS)
		objects_end(o);
	else
		ask_json(&o->ask, o->owner, "GET", strdup(places[o->kind].get), NULL,
			 ASK_TIMEOUT_MS, objects_owner_seen);
}

/* --- when --- */

void objects_want(struct objects *o, uintptr_t tag)
{
	if (o->tag_n == o->tag_room) {
		o->tag_room = 2 * o->tag_room + 16;
		o->tags = realloc(o->tags, o->tag_room * sizeof *o->tags);
		must(o->tags);
	}
	o->tags[o->tag_n++] = tag;
	o->wanted = true;
}

bool objects_are_due(const struct objects *o)
{
	return o->looking || (o->wanted && objects_now_ms(o) >= o->not_before_ms);
}

void objects_turn(struct objects *o)
{
	if (o->looking || !o->wanted || objects_now_ms(o) < o->not_before_ms ||
	    !ask_is_idle(&o->ask))
		return;
	o->looking = true;
	o->wanted = o->failed = false;
	o->seen_n = o->tag_n;
	o->kind = 0;
	*o->trouble = 0;
	objects_next_kind(o);
}

uint64_t objects_due_ms(const struct objects *o)
{
	return o->wanted && !o->looking ? o->not_before_ms : UINT64_MAX;
}

/* --- a life --- */

void objects_open(struct objects *o, struct subrequests *subrequests, enum arm owner,
		  void (*back)(void *user, uintptr_t tag), void *user)
{
	*o = (struct objects){ .owner = owner, .wanted = true, .back = back, .user = user };
	ask_open(&o->ask, subrequests, o);
}

void objects_stop(struct objects *o)
{
	ask_stop(&o->ask);
}

void objects_close(struct objects *o)
{
	objects_drop(o);
	for (int i = 0; i < OBJECT_KINDS; i++)
		json_decref(o->last[i]);
	free(o->tags);
	ask_close(&o->ask);
}
