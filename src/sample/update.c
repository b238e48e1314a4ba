#include "sample/script.h"
#include "sample/write.h"
#include "base/bug.h"

/* An update while it is made: from what there is to the document that is written. */
struct update {
	json_t *body;	  /* owned */
	json_t *document; /* owned: what it becomes */
	bool upserts, noop;
	enum sample_script_end end;
};

static void update_free(struct update *u)
{
	json_decref(u->body);
	json_decref(u->document);
}

/* What is not there: "upsert", or "doc" itself where it says so. */
static bool update_upsert(struct update *u, const struct sample_operation *o,
			  struct sample_trouble *t)
{
	json_t *doc = json_is_true(json_object_get(u->body, "doc_as_upsert"))
			      ? json_object_get(u->body, "doc")
			      : json_object_get(u->body, "upsert");
	if (!json_is_object(doc))
		return sample_refuse(t, 404, "document_missing_exception",
				     "[%.*s]: document missing", (int)o->id.n, o->id.at);
	u->document = json_deep_copy(doc);
	u->upserts = true;
	return !json_is_true(json_object_get(u->body, "scripted_upsert")) ||
	       sample_script_run(json_object_get(u->body, "script"), u->document, &u->end, t);
}

static void update_merge(json_t *into, const json_t *more)
{
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)more, name, value) {
		json_t *before = json_object_get(into, name);
		if (json_is_object(before) && json_is_object(value))
			update_merge(before, value);
		else
			json_object_set_new(into, name, json_deep_copy(value));
	}
}

static bool update_change(struct update *u, const struct sample_version *now,
			  struct sample_trouble *t)
{
	const json_t *script = json_object_get(u->body, "script");
	const json_t *doc = json_object_get(u->body, "doc");
	u->document = sample_document_json(now->source, t);
	must(u->document);
	if (script)
		return sample_script_run(script, u->document, &u->end, t);
	if (!json_is_object(doc))
		return sample_refuse(t, 400, "action_request_validation_exception",
				     "Validation Failed: 1: script or doc is missing;");
	json_t *before = json_deep_copy(u->document);
	update_merge(u->document, doc);
	u->noop = json_equal(before, u->document) &&
		  !json_is_false(json_object_get(u->body, "detect_noop"));
	json_decref(before);
	return true;
}

/* In OpenSearch the one reads, and the other writes on condition that nothing came between. */
static void update_write(struct sample_call *c, struct sample_index *x,
			 const struct sample_operation *o, const struct sample_version *now,
			 const struct update *u, struct sample_result *r)
{
	struct sample_text text = { 0 };
	struct sample_operation written = *o;
	if (now && now->source.at && !written.routing.at)
		written.routing = now->routing;
	if (u->end == SAMPLE_SCRIPT_DELETE) {
		written.action = SAMPLE_DELETE;
		sample_apply_delete(c, x, &written, r);
		return;
	}
	sample_text_json(&text, u->document);
	written.body = (struct span){ text.at, text.n };
	sample_apply_document(c, x, &written, u->document, r);
	sample_text_free(&text);
}

void sample_apply_update(struct sample_call *c, struct sample_index *x,
			 const struct sample_operation *o, struct sample_result *r)
{
	struct update u = { .body = sample_document_json(o->body, &r->trouble) };
	const struct sample_version *now = sample_operation_finds(x, o);
	bool there = now && now->source.at;
	if (u.body &&
	    (there ? update_change(&u, now, &r->trouble) : update_upsert(&u, o, &r->trouble))) {
		if (u.noop || u.end == SAMPLE_SCRIPT_NONE) {
			if (now)
				sample_result_is_noop(r, now);
			else
				sample_refuse(&r->trouble, 404, "document_missing_exception",
					      "[%.*s]: document missing", (int)o->id.n, o->id.at);
		} else
			update_write(c, x, o, now, &u, r);
	}
	update_free(&u);
}
