#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "replay/effects_private.h"

/*
 * Requests that are looked at whole: those by query, a reindex, actions on aliases, SQL. And
 * responses that are one object: theirs, and that of one document.
 */

static bool effects_reads_request(const struct effects *e)
{
	switch (e->op.act) {
	case OPERATION_UPDATE_BY_QUERY:
	case OPERATION_DELETE_BY_QUERY:
	case OPERATION_REINDEX:
	case OPERATION_ALIASES:
	case OPERATION_SQL:
		return true;
	default:
		return false;
	}
}

static bool effects_is_by_query(const struct effects *e)
{
	return e->op.act == OPERATION_UPDATE_BY_QUERY || e->op.act == OPERATION_DELETE_BY_QUERY ||
	       e->op.act == OPERATION_REINDEX;
}

/* Whether its response has a task's id when it is asked not to wait. */
static bool effects_may_be_task(const struct effects *e)
{
	return effects_is_by_query(e) || e->op.act == OPERATION_RESIZE;
}

/* What refused it may say that there is no such index; what is by query, that it was not begun. */
static bool effects_reads_response(const struct effects *e)
{
	if (!e->response_readable)
		return false;
	if (effects_may_be_task(e))
		return true;
	bool of_one = e->op.act == OPERATION_DOCUMENT || e->op.act == OPERATION_FENCE ||
		      e->op.act == OPERATION_FENCE_STREAM;
	return of_one && (e->verdict == VERDICT_DONE || e->status == 404);
}

/* --- what it comes to --- */

/*
 * A scan does not see what a script has deleted; the response may say that it has not. A pipeline
 * may lead documents to any index.
 */
static void effects_tell_scripted(struct effects *e, struct span index)
{
	if (e->has_pipeline || e->look.pipeline)
		index = SPAN("*");
	if (e->look.scripted && !e->told.deleted_none)
		effects_tell_walk(e, index, SPAN("script"));
	else
		effects_tell_index(e, EFFECT_SCAN, index);
}

static void effects_tell_reindex(struct effects *e)
{
	struct span index = { e->look.written, e->look.written_n };
	bool anywhere = !index.n || (e->look.scripted && e->look.elsewhere);
	effects_tell_scripted(e, anywhere ? SPAN("*") : index);
}

static void effects_tell_sweep(struct effects *e)
{
	const struct request_look *l = &e->look;
	if (e->in_query || !e->query || e->query_n > SWEEP_QUERY_BYTES)
		effects_tell_walk(e, e->named.index, SPAN("query"));
	else if (l->scripted)
		effects_tell_walk(e, e->named.index, SPAN("script"));
	else if (l->dated)
		effects_tell_walk(e, e->named.index, SPAN("date math"));
	else if (l->remote)
		effects_tell_walk(e, e->named.index, SPAN("another document"));
	else
		effects_tell(e, (struct effect){ .kind = EFFECT_SWEEP,
						 .index = e->named.index,
						 .query = { e->query, e->query_n },
						 .is_task = e->is_task,
						 .task = told_task(&e->told),
						 .uncertain = e->verdict == VERDICT_UNCERTAIN });
}

static void effects_tell_by_query(struct effects *e)
{
	/* It was refused as a whole; where it was begun the response has a list of failures. */
	if (effects_status_is_harmless(e->status) && e->told.error)
		return;
	if (e->status == 404 && e->told.index_not_found)
		return;
	if (e->op.act == OPERATION_REINDEX)
		effects_tell_reindex(e);
	else if (e->op.act == OPERATION_UPDATE_BY_QUERY)
		effects_tell_scripted(e, e->named.index);
	else
		effects_tell_sweep(e);
}

static void effects_tell_statement(struct effects *e)
{
	struct span index, statement = { e->look.statement, e->look.statement_n };
	struct span value;
	if (!statement.n && operation_parameter(e->op.query, SPAN("sql"), e->names, &value))
		statement = value;
	bool goes_on = !statement.n && e->look.cursor;
	if (!goes_on && request_look_deletes(statement, &index))
		effects_tell_walk(e, index, SPAN("statement"));
}

static void effects_tell_one(struct effects *e)
{
	const struct told *t = &e->told;
	bool uncertain = e->verdict == VERDICT_UNCERTAIN;
	struct span asked = e->named.id, id = told_id(t);
	if ((e->status == 404 && t->index_not_found) || t->result == TOLD_NO_CHANGE)
		return;
	effects_tell_document(e, &e->named, t, uncertain);
	/* A response that names another document than was asked for hides what became of that. */
	if (asked.n && !e->named.odd_name && id.n && !span_is(asked, id))
		effects_tell_document(e, &e->named, NULL, uncertain);
}

/* Unless it is acknowledged it may come later, or never. */
static void effects_tell_fence(struct effects *e)
{
	if (e->status == 404 && e->told.index_not_found)
		return;
	effects_tell(e, (struct effect){ .kind = EFFECT_FENCE,
					 .index = e->named.index,
					 .is_stream = e->op.act == OPERATION_FENCE_STREAM,
					 .uncertain = e->verdict != VERDICT_DONE ||
						      e->told.unacknowledged });
}

static void effects_conclude(struct effects *e)
{
	e->phase = PHASE_OVER;
	switch (e->op.act) {
	case OPERATION_DOCUMENT:
		effects_tell_one(e);
		return;
	case OPERATION_FENCE:
	case OPERATION_FENCE_STREAM:
		effects_tell_fence(e);
		return;
	case OPERATION_SQL:
		effects_tell_statement(e);
		return;
	case OPERATION_RESIZE:
		effects_tell_walk(e, e->named.index, SPAN("resize"));
		return;
	case OPERATION_ALIASES:
		effects_tell_index(e, EFFECT_SURROUNDINGS, (struct span){ NULL, 0 });
		return;
	default:
		effects_tell_by_query(e);
		return;
	}
}

/* --- the request --- */

static void effects_begin_response(struct effects *e)
{
	json_open(&e->json, JSON_ONE_VALUE);
	e->phase = PHASE_RESPONSE;
	if (!effects_reads_response(e))
		effects_conclude(e);
}

/* It is no JSON, or not there: whatever it could say may be so. */
static void effects_lose_request(struct effects *e)
{
	request_look_open(&e->look);
	e->look.scripted = e->look.elsewhere = true;
	e->query_n = SWEEP_QUERY_BYTES + 1;
	if (e->op.act == OPERATION_ALIASES)
		effects_tell_unknown(e, SPAN("aliases"));
	effects_begin_response(e);
}

static void effects_tell_removed(struct effects *e)
{
	effects_tell(e, (struct effect){ .kind = EFFECT_FENCE,
					 .index = { e->look.removed, e->look.removed_n },
					 .uncertain = e->verdict != VERDICT_DONE });
}

static void effects_grow_query(struct effects *e, size_t n)
{
	size_t room = n < 2 * e->query_room ? 2 * e->query_room : n;
	e->query_room = room < SWEEP_QUERY_BYTES ? room : SWEEP_QUERY_BYTES;
	e->query = realloc(e->query, e->query_room);
	must(e->query);
}

/* What a sweep would ask is kept, as far as there may be so much of it. */
static void effects_keep_query(struct effects *e, struct span s)
{
	if (e->op.act != OPERATION_DELETE_BY_QUERY || e->query_n > SWEEP_QUERY_BYTES)
		return;
	size_t n = e->query_n + s.n;
	if (n <= SWEEP_QUERY_BYTES) {
		if (n > e->query_room)
			effects_grow_query(e, n);
		memcpy(e->query + e->query_n, s.at, s.n);
	}
	e->query_n = n;
}

/* TOKEN_MORE: all of it was looked at. */
static enum json_token effects_look(struct effects *e, struct span s, bool last)
{
	enum json_token token;
	json_put(&e->json, s, last);
	while ((token = json_next(&e->json)) > TOKEN_BAD)
		if (request_look_take(&e->look, &e->json, token) && e->op.act == OPERATION_ALIASES)
			effects_tell_removed(e);
	return token;
}

static bool effects_step_request(struct effects *e)
{
	struct span s;
	enum unpacked step = unpack_look(e->request, &s);
	if (step == UNPACK_MORE)
		return false;
	if (step == UNPACK_BROKEN) {
		effects_lose_request(e);
		return true;
	}
	if (step == UNPACK_BYTES)
		effects_keep_query(e, s);
	enum json_token token = effects_look(e, s, step == UNPACK_END);
	if (step == UNPACK_BYTES)
		unpack_use(e->request, s.n);
	if (token == TOKEN_BAD)
		effects_lose_request(e);
	else if (step == UNPACK_END)
		effects_begin_response(e);
	return true;
}

/* --- the response --- */

/* It is no JSON, or cut: what it told is not believed. */
static void effects_lose_response(struct effects *e)
{
	told_open(&e->told);
	effects_conclude(e);
}

static bool effects_step_response(struct effects *e)
{
	struct span s;
	enum unpacked step = unpack_look(e->response, &s);
	if (step == UNPACK_MORE)
		return false;
	if (step == UNPACK_BROKEN) {
		effects_lose_response(e);
		return true;
	}
	enum json_token token;
	json_put(&e->json, s, step == UNPACK_END);
	while ((token = json_next(&e->json)) > TOKEN_BAD)
		told_take(&e->told, &e->json, token, 1);
	if (step == UNPACK_BYTES)
		unpack_use(e->response, s.n);
	if (token == TOKEN_BAD)
		effects_lose_response(e);
	else if (token == TOKEN_END)
		effects_conclude(e);
	return true;
}

/* --- a life --- */

void effects_many_open(struct effects *e)
{
	json_open(&e->json, JSON_ONE_VALUE);
	request_look_open(&e->look);
	told_open(&e->told);
	e->query_n = 0;
	e->is_task &= effects_may_be_task(e);
	e->phase = PHASE_REQUEST;
	if (!effects_reads_request(e))
		effects_begin_response(e);
	else if (!e->request_readable)
		effects_lose_request(e);
}

bool effects_many_step(struct effects *e)
{
	return e->phase == PHASE_REQUEST ? effects_step_request(e) : effects_step_response(e);
}
