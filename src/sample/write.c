#include "sample/write.h"

#include <stdio.h>

#include "sample/mapping.h"

static const char *const actions[SAMPLE_ACTIONS] = { "index", "create", "update", "delete" };

const char *sample_action_name(enum sample_action a)
{
	return actions[a];
}

bool sample_versioning_read(struct span word, enum sample_versioning *v)
{
	static const char *const words[] = { "internal", "external", "external_gte" };
	for (unsigned i = 0; i < 3; i++)
		if (span_is(word, span_of(words[i]))) {
			*v = (enum sample_versioning)i;
			return true;
		}
	return false;
}

const struct sample_version *sample_operation_finds(const struct sample_index *x,
						    const struct sample_operation *o)
{
	return sample_index_find(x, sample_index_shard(x, o->id, o->routing), o->id);
}

/* --- conditions --- */

static bool write_conflicts(const struct sample_operation *o, const struct sample_version *now,
			    struct sample_trouble *t)
{
	const struct sample_condition *c = &o->condition;
	bool there = now && now->source.at;
	const char *type = "version_conflict_engine_exception";
	int n = (int)o->id.n;
	if (o->action == SAMPLE_CREATE && there)
		return !sample_refuse(t, 409, type,
				      "[%.*s]: version conflict, document already exists (current "
				      "version [%ju])",
				      n, o->id.at, (uintmax_t)now->version);
	if (c->by_seq_no && !there)
		return !sample_refuse(
			t, 409, type,
			"[%.*s]: version conflict, required seqNo [%ju], primary term "
			"[%ju]. but no document was found",
			n, o->id.at, (uintmax_t)c->seq_no, (uintmax_t)c->primary_term);
	if (c->by_seq_no && (now->seq_no != c->seq_no || now->primary_term != c->primary_term))
		return !sample_refuse(
			t, 409, type,
			"[%.*s]: version conflict, required seqNo [%ju], primary term "
			"[%ju]. current document has seqNo [%ju] and primary term "
			"[%ju]",
			n, o->id.at, (uintmax_t)c->seq_no, (uintmax_t)c->primary_term,
			(uintmax_t)now->seq_no, (uintmax_t)now->primary_term);
	if (c->versioning == SAMPLE_INTERNAL || !now)
		return false;
	uint64_t least_one = c->versioning == SAMPLE_EXTERNAL ? now->version + 1 : now->version;
	return c->version < least_one &&
	       !sample_refuse(t, 409, type,
			      "[%.*s]: version conflict, current version [%ju] is higher or equal "
			      "to the one provided [%ju]",
			      n, o->id.at, (uintmax_t)now->version, (uintmax_t)c->version);
}

static uint64_t version_next(const struct sample_operation *o, const struct sample_version *now)
{
	if (o->condition.versioning != SAMPLE_INTERNAL)
		return o->condition.version;
	return now ? now->version + 1 : 1;
}

/* --- changes --- */

static bool write_is_allowed(const struct sample_call *c, const struct sample_index *x,
			     const struct sample_operation *o, struct sample_trouble *t)
{
	const struct sample_store *s = &c->cluster->store;
	if (x->closed)
		return sample_refuse(t, 400, "index_closed_exception", "closed");
	if (s->bytes + o->body.n > s->bytes_max && o->action != SAMPLE_DELETE)
		return sample_refuse(t, 429, "circuit_breaking_exception",
				     "a sample cluster holds no more than %ju bytes",
				     (uintmax_t)s->bytes_max);
	return true;
}

static void result_take(struct sample_result *r, const struct sample_version *v)
{
	r->version = v->version;
	r->seq_no = v->seq_no;
	r->primary_term = v->primary_term;
}

static void write_change(const struct sample_call *c, struct sample_index *x,
			 const struct sample_operation *o, const struct sample_version *now,
			 struct sample_result *r)
{
	struct sample_change change = { .id = o->id,
					.routing = o->routing,
					.version = version_next(o, now),
					.now_ms = c->cluster->store.now_ms };
	if (o->action != SAMPLE_DELETE)
		change.source = o->body;
	const struct sample_version *v = sample_index_change(x, &change);
	sample_note(c, actions[o->action], x, v);
	result_take(r, v);
}

/* The mapping changes before conditions are looked at, as in OpenSearch. */
static bool write_maps(const struct sample_call *c, struct sample_index *x, const json_t *document,
		       struct sample_trouble *t)
{
	bool grown;
	if (!sample_mapping_takes(&x->mappings, document, &grown, t))
		return false;
	if (!grown)
		return true;
	x->mapping_version++;
	sample_note(c, "map", x, NULL);
	return true;
}

void sample_apply_document(struct sample_call *c, struct sample_index *x,
			   const struct sample_operation *o, json_t *document,
			   struct sample_result *r)
{
	struct sample_trouble *t = &r->trouble;
	if (!write_is_allowed(c, x, o, t) || !write_maps(c, x, document, t))
		return;
	const struct sample_version *now = sample_operation_finds(x, o);
	if (write_conflicts(o, now, t))
		return;
	bool there = now && now->source.at;
	r->status = there ? 200 : 201;
	r->what = there ? "updated" : "created";
	write_change(c, x, o, now, r);
}

/* What is not there is deleted, too: it takes a sequence number, as in OpenSearch. */
void sample_apply_delete(struct sample_call *c, struct sample_index *x,
			 const struct sample_operation *o, struct sample_result *r)
{
	const struct sample_version *now = sample_operation_finds(x, o);
	if (!write_is_allowed(c, x, o, &r->trouble) || write_conflicts(o, now, &r->trouble))
		return;
	bool there = now && now->source.at;
	r->status = there ? 200 : 404;
	r->what = there ? "deleted" : "not_found";
	write_change(c, x, o, now, r);
}

void sample_result_is_noop(struct sample_result *r, const struct sample_version *v)
{
	r->status = 200;
	r->what = "noop";
	result_take(r, v);
}

/* --- an operation --- */

json_t *sample_document_json(struct span text, struct sample_trouble *t)
{
	json_error_t error;
	json_t *j = json_loadb(text.at, text.n, JSON_ALLOW_NUL, &error);
	if (json_is_object(j))
		return j;
	json_decref(j);
	sample_refuse(t, 400, "mapper_parsing_exception", "failed to parse: %s",
		      j ? "the document is no object" : error.text);
	return NULL;
}

static bool write_id_is_good(struct span id, struct sample_trouble *t)
{
	return id.n <= SAMPLE_ID_BYTES ||
	       sample_refuse(t, 400, "illegal_argument_exception",
			     "id is too long, must be no longer than %d bytes but was: %zu",
			     SAMPLE_ID_BYTES, id.n);
}

static void write_with_id(struct sample_call *c, struct sample_index *x,
			  const struct sample_operation *o, struct sample_result *r)
{
	if (o->action == SAMPLE_DELETE) {
		sample_apply_delete(c, x, o, r);
		return;
	}
	if (o->action == SAMPLE_UPDATE) {
		sample_apply_update(c, x, o, r);
		return;
	}
	json_t *document = sample_document_json(o->body, &r->trouble);
	if (document)
		sample_apply_document(c, x, o, document, r);
	json_decref(document);
}

bool sample_is_read_only(const struct sample *p, struct sample_trouble *t)
{
	return p->faults.read_only &&
	       !sample_refuse(t, 403, "cluster_block_exception",
			      "blocked by: [FORBIDDEN/8/index write (api)];");
}

static bool write_is_refused(const struct sample *p, struct sample_trouble *t)
{
	return sample_is_read_only(p, t) ||
	       (p->faults.refuse_items &&
		!sample_refuse(t, p->faults.refuse_items, "es_rejected_execution_exception",
			       "rejected execution, as it was told to"));
}

/* A data stream takes new documents; what stands in its indices is changed there, on a condition.
 */
static bool write_fits_stream(const struct sample_call *c, const struct sample_operation *o,
			      const struct sample_index *x, struct sample_trouble *t)
{
	const struct sample_store *s = &c->cluster->store;
	struct span stream = sample_store_stream_of(s, x);
	if (!stream.at)
		return true;
	if (!span_is(o->index, span_of(x->name)))
		return o->action == SAMPLE_CREATE ||
		       sample_refuse(t, 400, "illegal_argument_exception",
				     "only write ops with an op_type of create are allowed in data "
				     "streams");
	return o->action >= SAMPLE_UPDATE || o->condition.by_seq_no ||
	       sample_refuse(t, 400, "illegal_argument_exception",
			     "index request with op_type=index and no if_primary_term and "
			     "if_seq_no set targeting backing indices is disallowed");
}

static struct sample_index *write_refuse_no_alias(struct span name, struct sample_trouble *t)
{
	sample_refuse(t, 404, "index_not_found_exception",
		      "no such index [%.*s] and [require_alias] request flag is [true] and [%.*s] "
		      "is not an alias",
		      (int)name.n, name.at, (int)name.n, name.at);
	return NULL;
}

/* A deletion makes no index, unless it brings a version. */
static struct sample_index *write_index(struct sample_call *c, struct sample_operation *o,
					struct sample_trouble *t)
{
	struct sample_store *s = &c->cluster->store;
	size_t n = s->n;
	bool makes = o->action != SAMPLE_DELETE || o->condition.versioning != SAMPLE_INTERNAL;
	struct sample_trouble missing;
	struct sample_index *there = sample_store_target(s, o->index, false, &o->routing, &missing);
	if (o->requires_alias && o->action != SAMPLE_DELETE &&
	    (!there || sample_store_find(s, o->index)))
		return write_refuse_no_alias(o->index, t);
	if (!there && makes && sample_stream_template(c->cluster, o->index))
		return sample_make_stream(c, o->index, t);
	struct sample_index *x =
		there ? there : sample_store_target(s, o->index, makes, &o->routing, t);
	if (s->n > n)
		sample_note(c, "create_index", x, NULL);
	return x;
}

void sample_apply(struct sample_call *c, const struct sample_operation *given,
		  struct sample_result *r)
{
	struct sample_operation o = *given;
	struct sample_store *s = &c->cluster->store;
	r->trouble.status = 0;
	if (!o.id.n) {
		o.id = sample_store_make_id(s, r->made);
		o.action = SAMPLE_CREATE;
	}
	r->id = o.id;
	snprintf(r->index, sizeof r->index, "%.*s", (int)o.index.n, o.index.at);
	if (!write_id_is_good(o.id, &r->trouble) || write_is_refused(c->cluster, &r->trouble))
		return;
	struct sample_index *x = write_index(c, &o, &r->trouble);
	if (!x || !write_fits_stream(c, &o, x, &r->trouble))
		return;
	memcpy(r->index, x->name, strlen(x->name) + 1);
	write_with_id(c, x, &o, r);
}

/* --- what is said of it --- */

static void write_trouble(struct sample_text *to, const struct sample_result *r)
{
	sample_text_member(to, SPAN("_index"), span_of(r->index));
	sample_text_member(to, SPAN("_id"), r->id);
	sample_text_count(to, SPAN("status"), r->trouble.status);
	sample_text_name(to, SPAN("error"));
	sample_trouble_write(to, &r->trouble);
}

void sample_result_write(struct sample_text *to, const struct sample_result *r)
{
	if (r->trouble.status) {
		write_trouble(to, r);
		return;
	}
	sample_text_member(to, SPAN("_index"), span_of(r->index));
	sample_text_member(to, SPAN("_id"), r->id);
	sample_text_count(to, SPAN("_version"), r->version);
	sample_text_member(to, SPAN("result"), span_of(r->what));
	SAMPLE_ADD(to, ",\"_shards\":{\"total\":1,\"successful\":1,\"failed\":0}");
	sample_text_count(to, SPAN("_seq_no"), r->seq_no);
	sample_text_count(to, SPAN("_primary_term"), r->primary_term);
}
