#include <string.h>

#include "replay/effects_private.h"

/*
 * A bulk: lines of the request and items of the response, in the same order. An item is believed
 * while it fits its line; from the first one on that is of another action, lines are asked alone.
 */

/* What it says is not known: neither the indices nor the documents. */
static void effects_lose_lines(struct effects *e)
{
	effects_tell_walk(e, SPAN("*"), SPAN("bulk request"));
	e->phase = PHASE_OVER;
}

void effects_bulk_open(struct effects *e)
{
	bool read = e->response_readable && e->verdict == VERDICT_DONE;
	e->trust = read				     ? ITEMS_TRUSTED
		   : e->verdict == VERDICT_UNCERTAIN ? ITEMS_UNFIT
						     : ITEMS_HIDDEN;
	e->any_item = e->blamed = false;
	e->line_n = 0;
	e->phase = PHASE_LINE;
	bulk_items_open(&e->items);
	if (!e->request_readable)
		effects_lose_lines(e);
}

/* --- the request's lines --- */

static struct effects_named effects_named_by_line(const struct effects *e)
{
	const struct bulk_line *l = &e->line;
	const struct effects_named *path = &e->named;
	return (struct effects_named){
		.index = l->index.n ? l->index : path->index,
		.id = l->id,
		.type = l->type.n ? l->type : path->type,
		.routing = l->routing.n ? l->routing : path->routing,
		.external_version = l->external_version || path->external_version,
		.odd_index = !l->index.n && path->odd_index,
		.odd_name = l->odd_name,
		.odd_routing = l->odd_routing || (!l->routing.n && path->odd_routing),
	};
}

/* What is to be told of the line was. */
static void effects_end_line(struct effects *e)
{
	e->line_n = 0;
	e->phase = e->line.action == BULK_DELETE ? PHASE_LINE : PHASE_DOCUMENT;
}

static void effects_tell_line(struct effects *e, const struct told *told, bool uncertain)
{
	struct effects_named named = effects_named_by_line(e);
	effects_tell_document(e, &named, told, uncertain);
	effects_end_line(e);
}

static bool effects_reads_items(const struct effects *e)
{
	return e->trust == ITEMS_TRUSTED || e->trust == ITEMS_DOUBTED;
}

static void effects_read_line(struct effects *e)
{
	size_t n = e->line_n;
	e->line_n = 0;
	if (n <= sizeof e->line_text && bulk_line_is_blank((struct span){ e->line_text, n }))
		return;
	if (n > sizeof e->line_text || !bulk_line_read(&e->line, &e->json, e->line_text, n))
		effects_lose_lines(e);
	else if (effects_reads_items(e))
		e->phase = PHASE_ITEM;
	else
		effects_tell_line(e, NULL, e->trust == ITEMS_UNFIT);
}

/* How many bytes there are up to the end of a line, and whether it is there. */
static size_t effects_line_bytes(struct span s, bool *whole)
{
	const char *end = memchr(s.at, '\n', s.n);
	*whole = end != NULL;
	return end ? (size_t)(end - s.at) : s.n;
}

static void effects_take_line(struct effects *e, struct span s)
{
	bool whole;
	size_t n = effects_line_bytes(s, &whole);
	if (e->line_n + n <= sizeof e->line_text)
		memcpy(e->line_text + e->line_n, s.at, n);
	e->line_n = e->line_n + n <= sizeof e->line_text ? e->line_n + n : sizeof e->line_text + 1;
	unpack_use(e->request, n + whole);
	if (whole)
		effects_read_line(e);
}

static void effects_take_document(struct effects *e, struct span s)
{
	bool whole;
	size_t n = effects_line_bytes(s, &whole);
	unpack_use(e->request, n + whole);
	if (whole)
		e->phase = PHASE_LINE;
}

static void effects_end_lines(struct effects *e)
{
	if (e->phase == PHASE_LINE && e->line_n)
		effects_read_line(e);
	else
		e->phase = effects_reads_items(e) ? PHASE_REST : PHASE_OVER;
}

static bool effects_step_request(struct effects *e)
{
	struct span s;
	switch (unpack_look(e->request, &s)) {
	case UNPACK_BYTES:
		if (e->phase == PHASE_LINE)
			effects_take_line(e, s);
		else
			effects_take_document(e, s);
		return true;
	case UNPACK_MORE:
		return false;
	case UNPACK_END:
		effects_end_lines(e);
		return true;
	default:
		effects_lose_lines(e);
		return true;
	}
}

/* --- the response's items --- */

/* It is not the response to this request, or not all of it: told once. */
static void effects_blame_response(struct effects *e)
{
	if (!e->blamed)
		effects_tell_unknown(e, SPAN("bulk response"));
	e->blamed = true;
}

/* The line that waits, and all behind it, are told as the request has them. */
static void effects_distrust(struct effects *e, enum effects_items trust)
{
	e->trust = trust;
	effects_tell_line(e, NULL, trust == ITEMS_UNFIT);
}

static bool effects_has_id_of_line(const struct effects *e)
{
	return e->line.id.n && span_is(told_id(&e->items.told), e->line.id);
}

static bool effects_has_other_id(const struct effects *e)
{
	return e->line.id.n && e->items.told.id_n.state == TOLD_NAME && !effects_has_id_of_line(e);
}

/*
 * A pipeline may give a document another id, and another routing with it; or the item is of another
 * line. So the line is told as it is, and what was written where the item says is looked for.
 */
static void effects_doubt_item(struct effects *e)
{
	struct effects_named written = { .index = told_index(&e->items.told) };
	e->trust = ITEMS_DOUBTED;
	effects_blame_response(e);
	effects_tell_line(e, NULL, true);
	if (written.index.n)
		effects_tell_document(e, &written, NULL, true);
}

/* It is the line's. */
static void effects_believe_item(struct effects *e)
{
	const struct told *t = &e->items.told;
	if (effects_status_is_harmless(t->status) || t->result == TOLD_NO_CHANGE ||
	    (t->status == 404 && t->index_not_found))
		effects_end_line(e);
	else
		effects_tell_line(e, t, effects_status_is_uncertain(t->status));
}

static void effects_take_item(struct effects *e)
{
	const struct told *t = &e->items.told;
	bool doubted = e->trust == ITEMS_DOUBTED && !effects_has_id_of_line(e);
	e->any_item = true;
	if (e->items.action != e->line.action) {
		effects_blame_response(e);
		effects_distrust(e, ITEMS_UNFIT);
	} else if (!t->status && t->id_n.state == TOLD_NOTHING) {
		/* A filter may have left it out for some items: nobody knows whose this one is. */
		effects_distrust(e, doubted ? ITEMS_UNFIT : ITEMS_HIDDEN);
	} else if (doubted || effects_has_other_id(e)) {
		effects_doubt_item(e);
	} else {
		effects_believe_item(e);
	}
}

/* The response is over, and a line waits. */
static void effects_miss_item(struct effects *e)
{
	if (e->any_item)
		effects_blame_response(e);
	effects_distrust(e, e->any_item ? ITEMS_UNFIT : ITEMS_HIDDEN);
}

/* The response is broken: one that is only cut is no riddle. */
static void effects_lose_items(struct effects *e)
{
	if (json_fault(&e->items.j) > JSON_CUT)
		effects_blame_response(e);
	effects_distrust(e, ITEMS_UNFIT);
}

static void effects_end_rest(struct effects *e, enum items_step step)
{
	if (step == ITEMS_ITEM)
		effects_blame_response(e);
	e->phase = PHASE_OVER;
}

static void effects_take_step(struct effects *e, enum items_step step)
{
	if (e->phase == PHASE_REST)
		effects_end_rest(e, step);
	else if (step == ITEMS_ITEM)
		effects_take_item(e);
	else if (step == ITEMS_END)
		effects_miss_item(e);
	else
		effects_lose_items(e);
}

/* The next item of what is there, if there is one. */
static void effects_read_items(struct effects *e, struct span s, bool last)
{
	struct json_scan *j = &e->items.j;
	json_put(j, s, last);
	enum items_step step = bulk_items_next(&e->items);
	size_t left = json_take_back(j);
	if (s.n)
		unpack_use(e->response, s.n - left);
	if (step != ITEMS_MORE)
		effects_take_step(e, step);
}

static bool effects_step_response(struct effects *e)
{
	struct span s;
	switch (unpack_look(e->response, &s)) {
	case UNPACK_BYTES:
		effects_read_items(e, s, false);
		return true;
	case UNPACK_MORE:
		return false;
	case UNPACK_END:
		effects_read_items(e, (struct span){ NULL, 0 }, true);
		return true;
	default:
		effects_take_step(e, ITEMS_BROKEN);
		return true;
	}
}

bool effects_bulk_step(struct effects *e)
{
	if (e->phase == PHASE_ITEM || e->phase == PHASE_REST)
		return effects_step_response(e);
	return effects_step_request(e);
}
