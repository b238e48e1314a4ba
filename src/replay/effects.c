#include "replay/effects.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "http/percent.h"
#include "replay/effects_private.h"
#include "replay/json_write.h"

/* --- a life --- */

struct effects *effects_make(effects_told *told, void *user)
{
	struct effects *e = calloc(1, sizeof *e);
	must(e);
	e->told_to = told;
	e->user = user;
	e->request = unpack_make();
	e->response = unpack_make();
	return e;
}

void effects_free(struct effects *e)
{
	unpack_free(e->request);
	unpack_free(e->response);
	free(e->query);
	free(e);
}

/* --- what its outcome says --- */

static enum effects_verdict effects_judge_refusal(enum operation_act act, unsigned status)
{
	if (effects_status_is_uncertain(status))
		return VERDICT_UNCERTAIN;
	bool whole = act != OPERATION_BULK_STREAM && act != OPERATION_UPDATE_BY_QUERY &&
		     act != OPERATION_DELETE_BY_QUERY && act != OPERATION_REINDEX;
	return whole && effects_status_is_harmless(status) ? VERDICT_NOTHING : VERDICT_REFUSED;
}

static enum effects_verdict effects_judge(enum operation_act act, enum outcome outcome,
					  unsigned status)
{
	if (act == OPERATION_READ || act == OPERATION_MAINTENANCE)
		return VERDICT_NOTHING;
	switch (outcome) {
	case OUTCOME_ACCEPTED:
		return VERDICT_DONE;
	case OUTCOME_REJECTED:
		return effects_judge_refusal(act, status);
	case OUTCOME_NOT_SENT:
		return act == OPERATION_BULK_STREAM ? VERDICT_UNCERTAIN : VERDICT_NOTHING;
	default:
		return VERDICT_UNCERTAIN;
	}
}

/* Whether text of that type can be JSON: others of clusters are CBOR, SMILE and YAML. */
static bool effects_is_json(struct span type)
{
	static const char *const others[] = { "cbor", "smile", "yaml" };
	char lower[128];
	size_t n = type.n < sizeof lower ? type.n : sizeof lower;
	for (size_t i = 0; i < n; i++)
		lower[i] = (char)(type.at[i] >= 'A' && type.at[i] <= 'Z' ? type.at[i] | 0x20
									 : type.at[i]);
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		if (memmem(lower, n, others[i], strlen(others[i])))
			return false;
	return true;
}

static bool effects_open_body(struct unpack *u, bool recorded, struct span type, struct span coding)
{
	enum coding c = coding_of(coding);
	unpack_open(u, c);
	return recorded && c != CODING_UNKNOWN && effects_is_json(type);
}

/* --- what its path says --- */

/* Names stand one behind the other: decoded they have no more bytes than the target. */
static struct span effects_name(char **room, struct span coded)
{
	size_t n = 0;
	must(!coded.n || percent_decode(coded, *room, coded.n, &n));
	struct span name = { *room, n };
	*room += n;
	return name;
}

static void effects_read_names(struct effects *e)
{
	char *room = e->names;
	struct span value;
	e->named = (struct effects_named){ 0 };
	e->named.index = effects_name(&room, e->op.index);
	e->named.type = effects_name(&room, e->op.type);
	e->named.id = effects_name(&room, e->op.id);
	e->named.odd_index = !json_is_utf8(e->named.index);
	e->named.odd_name = !json_is_utf8(e->named.type) || !json_is_utf8(e->named.id);
	struct span query = e->op.query;
	if (operation_parameter(query, SPAN("version_type"), room, &value))
		e->named.external_version =
			value.n >= 8 &&
			span_is_nocase((struct span){ value.at, 8 }, SPAN("external"));
	if (operation_parameter(query, SPAN("wait_for_completion"), room, &value))
		e->is_task = span_is(value, SPAN("false"));
	e->in_query = operation_parameter(query, SPAN("q"), room, &value) ||
		      operation_parameter(query, SPAN("source"), room, &value);
	e->has_pipeline = operation_parameter(query, SPAN("pipeline"), room, &value) &&
			  !span_is(value, SPAN("_none"));
	if (operation_parameter(query, SPAN("routing"), room, &value)) {
		e->named.routing = value;
		e->named.odd_routing = !json_is_utf8(value);
	}
}

/* --- an exchange --- */

/* What neither body says more about. */
static void effects_tell_whole(struct effects *e)
{
	switch (e->op.act) {
	case OPERATION_SURROUNDINGS:
		effects_tell_index(e, EFFECT_SURROUNDINGS, e->named.index);
		return;
	case OPERATION_RESTORE:
		effects_tell_walk(e, SPAN("*"), SPAN("restore"));
		return;
	default:
		effects_tell_unknown(e, e->op.name);
		return;
	}
}

static void effects_begin(struct effects *e)
{
	switch (e->op.act) {
	case OPERATION_BULK:
	case OPERATION_BULK_STREAM:
		effects_bulk_open(e);
		return;
	case OPERATION_DOCUMENT:
	case OPERATION_FENCE:
	case OPERATION_FENCE_STREAM:
	case OPERATION_ALIASES:
	case OPERATION_UPDATE_BY_QUERY:
	case OPERATION_DELETE_BY_QUERY:
	case OPERATION_REINDEX:
	case OPERATION_RESIZE:
	case OPERATION_SQL:
		effects_many_open(e);
		return;
	default:
		e->is_task = false;
		effects_tell_whole(e);
		return;
	}
}

static bool effects_is_bulk(const struct effects *e)
{
	return e->op.act == OPERATION_BULK || e->op.act == OPERATION_BULK_STREAM;
}

static void effects_run(struct effects *e)
{
	bool more = true;
	while (e->phase != PHASE_OVER && more)
		more = effects_is_bulk(e) ? effects_bulk_step(e) : effects_many_step(e);
}

void effects_open(struct effects *e, const struct effects_facts *facts)
{
	e->op = operation_of(facts->method, facts->target);
	e->phase = PHASE_OVER;
	e->status = facts->status;
	e->is_task = e->in_query = e->has_pipeline = false;
	e->scanned = (struct span){ NULL, 0 };
	told_open(&e->told);
	e->verdict = effects_judge(e->op.act, facts->outcome, facts->status);
	if (e->verdict == VERDICT_NOTHING)
		return;
	if (facts->target.n > sizeof e->names) {
		effects_tell_unknown(e, SPAN("long name"));
		return;
	}
	effects_read_names(e);
	e->request_readable = effects_open_body(e->request, facts->request_recorded,
						facts->request_type, facts->request_coding);
	e->response_readable = effects_open_body(e->response, facts->response_recorded,
						 facts->response_type, facts->response_coding);
	effects_begin(e);
}

enum effects_want effects_want(const struct effects *e)
{
	switch (e->phase) {
	case PHASE_OVER:
		return EFFECTS_DONE;
	case PHASE_RESPONSE:
	case PHASE_ITEM:
	case PHASE_REST:
		return EFFECTS_RESPONSE;
	default:
		return EFFECTS_REQUEST;
	}
}

static size_t effects_put(struct effects *e, struct unpack *u, struct span bytes, bool end)
{
	unpack_put(u, bytes, end);
	effects_run(e);
	return unpack_take_back(u);
}

size_t effects_request(struct effects *e, struct span bytes, bool end)
{
	return effects_want(e) == EFFECTS_REQUEST ? effects_put(e, e->request, bytes, end) : 0;
}

size_t effects_response(struct effects *e, struct span bytes, bool end)
{
	return effects_want(e) == EFFECTS_RESPONSE ? effects_put(e, e->response, bytes, end) : 0;
}
