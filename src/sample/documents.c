#include <stdlib.h>

#include "sample/json.h"
#include "sample/read.h"
#include "sample/write.h"

/* --- reads --- */

void sample_document_write(struct sample_text *to, const struct sample_index *x,
			   const struct sample_version *v, bool source)
{
	sample_text_member(to, SPAN("_index"), span_of(x->name));
	sample_text_member(to, SPAN("_id"), (struct span){ v->document->id, v->document->id_n });
	sample_text_count(to, SPAN("_version"), v->version);
	sample_text_count(to, SPAN("_seq_no"), v->seq_no);
	sample_text_count(to, SPAN("_primary_term"), v->primary_term);
	if (v->routing.at)
		sample_text_member(to, SPAN("_routing"), v->routing);
	SAMPLE_ADD(to, ",\"found\":true");
	if (!source)
		return;
	sample_text_name(to, SPAN("_source"));
	sample_text_add(to, v->source);
}

void sample_missing_write(struct sample_text *to, struct span index, struct span id)
{
	sample_text_member(to, SPAN("_index"), index);
	sample_text_member(to, SPAN("_id"), id);
	SAMPLE_ADD(to, ",\"found\":false");
}

bool sample_wants_source(const struct sample_call *c)
{
	char text[8];
	struct span value;
	return !sample_parameter(c, "_source", text, sizeof text, &value) ||
	       !span_is(value, SPAN("false"));
}

/* The index and the document; the latter NULL where there is none. False after a response. */
static bool document_find(struct sample_call *c, struct span index, struct span id,
			  const struct sample_index **x, const struct sample_version **v)
{
	struct sample_trouble t;
	char text[SAMPLE_ID_BYTES];
	struct span routing = { 0 };
	*x = sample_store_source(&c->cluster->store, index, &t);
	if (!*x) {
		sample_respond_trouble(c, &t);
		return false;
	}
	sample_parameter(c, "routing", text, sizeof text, &routing);
	*v = sample_index_find(*x, sample_index_shard(*x, id, routing), id);
	if (*v && !(*v)->source.at)
		*v = NULL;
	return true;
}

static void document_get(struct sample_call *c, struct span index, struct span id)
{
	const struct sample_index *x;
	const struct sample_version *v;
	if (!document_find(c, index, id, &x, &v))
		return;
	c->status = v ? 200 : 404;
	SAMPLE_ADD(&c->text, "{");
	if (v)
		sample_document_write(&c->text, x, v, sample_wants_source(c));
	else
		sample_missing_write(&c->text, span_of(x->name), id);
	SAMPLE_ADD(&c->text, "}");
}

void sample_serve_source(struct sample_call *c, struct span index, struct span id)
{
	const struct sample_index *x;
	const struct sample_version *v;
	if (!document_find(c, index, id, &x, &v))
		return;
	if (!v) {
		sample_respond_error(c, 404, "resource_not_found_exception",
				     "Document not found [%s]/[%.*s]", x->name, (int)id.n, id.at);
		return;
	}
	c->status = 200;
	sample_text_add(&c->text, v->source);
}

/* --- writes --- */

static bool document_number(const struct sample_call *c, const char *name, uint64_t *n)
{
	char text[24];
	struct span value;
	unsigned long long number;
	if (!sample_parameter(c, name, text, sizeof text, &value) ||
	    !span_to_u64(value, INT64_MAX, &number))
		return false;
	*n = number;
	return true;
}

/* What the query says of the operation. `room` is for its routing. False after a response. */
static bool document_read_query(struct sample_call *c, struct sample_operation *o, char *room,
				size_t room_n)
{
	char text[32];
	struct span value;
	struct sample_condition *k = &o->condition;
	sample_parameter(c, "routing", room, room_n, &o->routing);
	o->requires_alias = sample_is_asked(c, "require_alias");
	if (sample_parameter(c, "op_type", text, sizeof text, &value) &&
	    span_is(value, SPAN("create")))
		o->action = SAMPLE_CREATE;
	bool seq_no = document_number(c, "if_seq_no", &k->seq_no);
	k->by_seq_no = document_number(c, "if_primary_term", &k->primary_term);
	bool versioning = sample_parameter(c, "version_type", text, sizeof text, &value);
	bool version = document_number(c, "version", &k->version);
	if (seq_no == k->by_seq_no &&
	    (!versioning || sample_versioning_read(value, &k->versioning)) &&
	    version == (k->versioning != SAMPLE_INTERNAL))
		return true;
	sample_respond_error(
		c, 400, "action_request_validation_exception",
		"Validation Failed: 1: if_seq_no goes with if_primary_term, and version "
		"with an external version_type;");
	return false;
}

void sample_refresh_if_asked(struct sample_call *c, struct span index)
{
	struct sample_trouble t;
	if (!sample_is_asked(c, "refresh"))
		return;
	if (!index.n) {
		sample_store_refresh(&c->cluster->store);
		return;
	}
	struct sample_index *x = sample_store_source(&c->cluster->store, index, &t);
	if (x)
		sample_index_refresh(x);
}

static void document_operate(struct sample_call *c, struct sample_operation *o)
{
	char routing[SAMPLE_ID_BYTES];
	struct sample_result r;
	if (!document_read_query(c, o, routing, sizeof routing))
		return;
	sample_apply(c, o, &r);
	if (r.trouble.status) {
		sample_respond_trouble(c, &r.trouble);
		return;
	}
	c->status = r.status;
	SAMPLE_ADD(&c->text, "{");
	sample_result_write(&c->text, &r);
	SAMPLE_ADD(&c->text, "}");
	sample_refresh_if_asked(c, o->index);
}

static void document_write(struct sample_call *c, struct span index, struct span id,
			   enum sample_action action)
{
	if (c->method != METHOD_PUT && c->method != METHOD_POST) {
		sample_respond_error(c, 405, "method_not_allowed", "PUT or POST is expected here");
		return;
	}
	document_operate(c, &(struct sample_operation){
				    .action = action, .index = index, .id = id, .body = c->body });
}

void sample_serve_create(struct sample_call *c, struct span index, struct span id)
{
	document_write(c, index, id, SAMPLE_CREATE);
}

void sample_serve_update(struct sample_call *c, struct span index, struct span id)
{
	document_write(c, index, id, SAMPLE_UPDATE);
}

void sample_serve_document(struct sample_call *c, struct span index, struct span id)
{
	bool reads = c->method == METHOD_GET || c->method == METHOD_HEAD;
	if (id.n && reads)
		document_get(c, index, id);
	else if (id.n && c->method == METHOD_DELETE)
		document_operate(c, &(struct sample_operation){
					    .action = SAMPLE_DELETE, .index = index, .id = id });
	else
		document_write(c, index, id, SAMPLE_INDEX);
}
