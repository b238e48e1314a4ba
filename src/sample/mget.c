#include "sample/read.h"
#include "sample/word.h"

/* One that is asked for: {"_index":...,"_id":...}, or an id alone. Borrowed of the body. */
struct wanted {
	struct span index, id, routing;
	bool source;
};

static bool mget_read(json_t *list, size_t i, struct span index, struct wanted *w,
		      struct sample_trouble *t)
{
	json_t *doc = json_array_get(list, i);
	struct span name = sample_word_of(doc, "_index");
	*w = (struct wanted){
		.index = name.at ? name : index,
		/* An id that is a number is replaced by its text. */
		.id = json_is_object(doc) ? sample_word_of(doc, "_id") : sample_word_at(list, i),
		.routing = sample_word_of(doc, "routing"),
		.source = !json_is_false(json_object_get(doc, "_source")),
	};
	if (json_object_get(doc, "_type"))
		return sample_refuse(t, 400, "parse_exception", "unknown parameter [_type]");
	if (!w->index.n || !w->id.n)
		return sample_refuse(t, 400, "action_request_validation_exception",
				     "Validation Failed: 1: %s is missing for doc;",
				     w->index.n ? "id" : "index");
	return true;
}

static void mget_write(struct sample_call *c, const struct wanted *w)
{
	struct sample_trouble t;
	struct sample_text *to = &c->text;
	const struct sample_index *x = sample_store_source(&c->cluster->store, w->index, &t);
	const struct sample_version *v =
		x ? sample_index_find(x, sample_index_shard(x, w->id, w->routing), w->id) : NULL;
	SAMPLE_ADD(to, "{");
	if (v && v->source.at)
		sample_document_write(to, x, v, w->source);
	else if (x)
		sample_missing_write(to, span_of(x->name), w->id);
	else {
		sample_text_member(to, SPAN("_index"), w->index);
		sample_text_member(to, SPAN("_id"), w->id);
		sample_text_name(to, SPAN("error"));
		sample_trouble_write(to, &t);
	}
	SAMPLE_ADD(to, "}");
}

static bool mget_write_all(struct sample_call *c, json_t *list, struct span index,
			   struct sample_trouble *t)
{
	bool source = sample_wants_source(c);
	c->status = 200;
	SAMPLE_ADD(&c->text, "{\"docs\":[");
	for (size_t i = 0; i < json_array_size(list); i++) {
		struct wanted w;
		if (!mget_read(list, i, index, &w, t))
			return false;
		w.source &= source;
		if (i)
			SAMPLE_ADD(&c->text, ",");
		mget_write(c, &w);
	}
	SAMPLE_ADD(&c->text, "]}");
	return true;
}

void sample_serve_mget(struct sample_call *c, struct span index)
{
	struct sample_trouble t;
	json_t *body = sample_body(c);
	if (!body)
		return;
	json_t *list = json_object_get(body, "docs");
	list = list ? list : json_object_get(body, "ids");
	if (!json_array_size(list))
		sample_respond_error(c, 400, "action_request_validation_exception",
				     "Validation Failed: 1: no documents to get;");
	else if (!mget_write_all(c, list, index, &t))
		sample_respond_trouble(c, &t);
	json_decref(body);
}
