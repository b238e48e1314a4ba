#include <stdio.h>
#include <stdlib.h>

#include "sample/query.h"
#include "sample/script.h"
#include "sample/write.h"
#include "base/bug.h"

/*
 * What searches see and the query matches is gathered first, as OpenSearch does by its scroll; then
 * each document is written on condition that it has not changed since.
 */
struct by_query {
	struct sample_call *call;
	json_t *body; /* owned */
	bool proceeds;
	struct sample_index *index;
	struct gathered {
		struct sample_index *index;
		struct sample_version *version;
	} * list; /* owned */
	size_t n, room;
	size_t changed_n, noop_n, deleted_n, conflict_n, failed_n;
	struct sample_trouble trouble; /* of the last that failed */
};

static bool by_query_gather(void *to, struct sample_version *v)
{
	struct by_query *q = to;
	if (q->n == q->room) {
		q->room = q->room ? q->room * 2 : 64;
		q->list = realloc(q->list, q->room * sizeof *q->list);
		must(q->list);
	}
	q->list[q->n++] = (struct gathered){ q->index, v };
	return true;
}

static bool by_query_read(struct by_query *q, struct span expression)
{
	struct sample_index *indices[SAMPLE_INDICES_MAX];
	size_t n;
	char text[16];
	struct span value;
	struct sample_call *c = q->call;
	const json_t *query = json_object_get(q->body, "query");
	if (!sample_query_is_known(query, &q->trouble)) {
		sample_respond_trouble(c, &q->trouble);
		return false;
	}
	if (!sample_indices_of(c, expression, indices, &n))
		return false;
	const char *conflicts = json_string_value(json_object_get(q->body, "conflicts"));
	q->proceeds = (conflicts && !strcmp(conflicts, "proceed")) ||
		      (sample_parameter(c, "conflicts", text, sizeof text, &value) &&
		       span_is(value, SPAN("proceed")));
	for (size_t i = 0; i < n; i++) {
		q->index = indices[i];
		sample_query_each(indices[i], query, sample_query_range(query), by_query_gather, q);
	}
	return true;
}

/* A version that searches see stays until the next refresh, whatever is written. */
static void by_query_write(struct by_query *q, const struct gathered *g, json_t *document,
			   enum sample_action action, struct sample_result *r)
{
	struct sample_text text = { 0 };
	const struct sample_version *v = g->version;
	struct sample_operation o = {
		.action = action,
		.index = span_of(g->index->name),
		.id = { v->document->id, v->document->id_n },
		.routing = v->routing,
		.condition = { .by_seq_no = true,
			       .seq_no = v->seq_no,
			       .primary_term = v->primary_term },
	};
	if (document)
		sample_text_json(&text, document);
	o.body = document ? (struct span){ text.at, text.n } : (struct span){ 0 };
	if (document)
		sample_apply_document(q->call, g->index, &o, document, r);
	else
		sample_apply_delete(q->call, g->index, &o, r);
	sample_text_free(&text);
}

static void by_query_count(struct by_query *q, const struct sample_result *r)
{
	if (!r->trouble.status && !strcmp(r->what, "deleted"))
		q->deleted_n++;
	else if (!r->trouble.status)
		q->changed_n++;
	else if (r->trouble.status == 409)
		q->conflict_n++;
	else
		q->failed_n++;
	if (r->trouble.status)
		q->trouble = r->trouble;
}

static void by_query_delete(struct by_query *q, const struct gathered *g)
{
	struct sample_result r = { 0 };
	by_query_write(q, g, NULL, SAMPLE_DELETE, &r);
	by_query_count(q, &r);
}

static void by_query_update(struct by_query *q, const struct gathered *g)
{
	struct sample_result r = { 0 };
	enum sample_script_end end = SAMPLE_SCRIPT_INDEX;
	const json_t *script = json_object_get(q->body, "script");
	json_t *document = sample_document_json(g->version->source, &r.trouble);
	if (script && !sample_script_run(script, document, &end, &r.trouble))
		by_query_count(q, &r);
	else if (end == SAMPLE_SCRIPT_NONE)
		q->noop_n++;
	else if (end == SAMPLE_SCRIPT_DELETE)
		by_query_delete(q, g);
	else {
		by_query_write(q, g, document, SAMPLE_INDEX, &r);
		by_query_count(q, &r);
	}
	json_decref(document);
}

static void by_query_write_failures(struct sample_text *to, const struct by_query *q)
{
	SAMPLE_ADD(to, ",\"failures\":[");
	if (q->failed_n || (q->conflict_n && !q->proceeds)) {
		SAMPLE_ADD(to, "{\"cause\":");
		sample_trouble_write(to, &q->trouble);
		sample_text_count(to, SPAN("status"), q->trouble.status);
		SAMPLE_ADD(to, "}");
	}
	SAMPLE_ADD(to, "]}");
}

/* A conflict is told with 409, and what was done before and after it stays done. */
static void by_query_respond(const struct by_query *q)
{
	struct sample_call *c = q->call;
	struct sample_text *to = &c->text;
	bool failed = q->failed_n || (q->conflict_n && !q->proceeds);
	c->status = failed ? q->trouble.status : 200;
	SAMPLE_ADD(to, "{\"took\":1,\"timed_out\":false");
	sample_text_count(to, SPAN("total"), q->n);
	sample_text_count(to, SPAN("updated"), q->changed_n);
	sample_text_count(to, SPAN("deleted"), q->deleted_n);
	sample_text_count(to, SPAN("noops"), q->noop_n);
	sample_text_count(to, SPAN("version_conflicts"), q->conflict_n);
	SAMPLE_ADD(to, ",\"batches\":1");
	by_query_write_failures(to, q);
}

/* Nobody waits for it: it was done at once all the same, and its task is over. */
static void by_query_tell_task(struct sample_call *c)
{
	char task[300];
	if (!sample_has(c, "wait_for_completion") || sample_is_asked(c, "wait_for_completion"))
		return;
	snprintf(task, sizeof task, "%.255s:%ju", c->cluster->name,
		 (uintmax_t)++c->cluster->task_id);
	sample_respond_json(c, 200, json_pack("{s:s}", "task", task));
}

static void by_query_serve(struct sample_call *c, struct span expression,
			   void (*one)(struct by_query *q, const struct gathered *g))
{
	struct by_query q = { .call = c };
	struct sample_trouble t;
	if (c->method != METHOD_POST) {
		sample_respond_error(c, 405, "method_not_allowed", "POST is expected here");
		return;
	}
	if (sample_is_read_only(c->cluster, &t)) {
		sample_respond_trouble(c, &t);
		return;
	}
	q.body = sample_body(c);
	if (q.body && by_query_read(&q, expression)) {
		for (size_t i = 0; i < q.n; i++)
			one(&q, &q.list[i]);
		by_query_respond(&q);
		by_query_tell_task(c);
		if (sample_is_asked(c, "refresh"))
			sample_store_refresh(&c->cluster->store);
	}
	json_decref(q.body);
	free(q.list);
}

void sample_serve_delete_by_query(struct sample_call *c, struct span indices)
{
	by_query_serve(c, indices, by_query_delete);
}

void sample_serve_update_by_query(struct sample_call *c, struct span indices)
{
	by_query_serve(c, indices, by_query_update);
}
