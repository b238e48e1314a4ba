#include "replay/bulk_read.h"

#include "replay/json_says.h"

/* { "items": [ { "index": { "_id": "1", "error": { "type": "..." } } } ] }: brackets around names.
 */
#define DEPTH_RESPONSE 1
#define DEPTH_ITEMS 2
#define DEPTH_ITEM 3
#define DEPTH_ACTION 4
#define DEPTH_ERROR 5

/* --- what it means --- */

static enum copy_verdict bulk_read_conflict(const struct copy *c, const struct cluster_error *error)
{
	bool external = c->action == COPY_INDEX && c->of.versions == COPY_EXTERNAL_VERSIONS;
	if (!span_is(cluster_error_type(error), SPAN("version_conflict_engine_exception")))
		return COPY_AGAIN;
	return external ? COPY_NEWER : COPY_AGAIN;
}

enum copy_verdict bulk_read_verdict(const struct copy *c, unsigned status,
				    const struct cluster_error *error)
{
	if (status >= 200 && status < 300)
		return error->there ? COPY_AGAIN : COPY_DONE;
	if (status == 404)
		return c->action == COPY_DELETE && !error->there ? COPY_DONE : COPY_AGAIN;
	if (status == 409)
		return bulk_read_conflict(c, error);
	if (status == 400 || status == 413)
		return cluster_error_passes(error) ? COPY_AGAIN : COPY_REFUSED;
	return COPY_AGAIN;
}

/* --- items --- */

static const struct span bulk_read_members[BULK_READ_FIELDS] = {
	[BULK_READ_OTHER] = SPAN_INIT(""),	[BULK_READ_INDEX] = SPAN_INIT("_index"),
	[BULK_READ_ID] = SPAN_INIT("_id"),	[BULK_READ_STATUS] = SPAN_INIT("status"),
	[BULK_READ_ERROR] = SPAN_INIT("error"),
};

static uint8_t bulk_read_field(const struct json_scan *j)
{
	for (uint8_t i = BULK_READ_FIELDS - 1; i > BULK_READ_OTHER; i--)
		if (json_is(j, bulk_read_members[i]))
			return i;
	return BULK_READ_OTHER;
}

/* Whether there is one more that was sent: it is `at`. */
static bool bulk_read_begin_item(struct bulk_read *r)
{
	while (r->next < r->sent_n && r->sent[r->next].action == COPY_NOTHING)
		r->next++;
	r->at = r->next;
	r->field = BULK_READ_OTHER;
	r->names_action = r->names_index = r->names_id = false;
	r->status = 0;
	cluster_error_begin(&r->error);
	return r->next < r->sent_n;
}

static bool bulk_read_names_action(const struct bulk_read *r)
{
	static const struct span actions[] = {
		[COPY_NOTHING] = SPAN_INIT(""),
		[COPY_INDEX] = SPAN_INIT("index"),
		[COPY_CREATE] = SPAN_INIT("create"),
		[COPY_DELETE] = SPAN_INIT("delete"),
	};
	return json_is(&r->json, actions[r->sent[r->at].action]);
}

/* The index that a stream has chosen is any: its own backing index. */
static bool bulk_read_value(struct bulk_read *r, enum json_token token)
{
	const struct copy *c = &r->sent[r->at];
	unsigned long long n = 0;
	switch ((enum bulk_read_field)r->field) {
	case BULK_READ_INDEX:
		r->names_index = token == TOKEN_STRING && (c->action == COPY_CREATE ||
							   json_says(&r->json, copy_index(&c->of)));
		return r->names_index;
	case BULK_READ_ID:
		r->names_id = token == TOKEN_STRING && json_says(&r->json, c->of.id);
		return r->names_id;
	case BULK_READ_STATUS:
		if (token != TOKEN_NUMBER || !span_to_u64(r->json.text, 999, &n))
			return false;
		r->status = (unsigned)n;
		return true;
	case BULK_READ_ERROR:
		r->error.there = token != TOKEN_NULL;
		return true;
	case BULK_READ_OTHER:
	case BULK_READ_FIELDS:
		break;
	}
	return true;
}

static enum bulk_read_step bulk_read_end_item(struct bulk_read *r)
{
	if (!r->names_action || !r->names_index || !r->names_id || !r->status)
		return BULK_READ_BAD;
	r->verdict = bulk_read_verdict(&r->sent[r->at], r->status, &r->error);
	r->next++;
	return BULK_READ_ITEM;
}

/* --- tokens --- */

static enum bulk_read_step bulk_read_key(struct bulk_read *r)
{
	unsigned depth = r->json.depth;
	if (depth == DEPTH_RESPONSE) {
		r->in_items = json_is(&r->json, SPAN("items"));
	} else if (!r->in_items) {
		return BULK_READ_MORE;
	} else if (depth == DEPTH_ITEM) {
		if (r->names_action || !bulk_read_names_action(r))
			return BULK_READ_BAD;
		r->names_action = true;
	} else if (depth == DEPTH_ACTION) {
		r->field = bulk_read_field(&r->json);
	} else if (depth == DEPTH_ERROR && r->field == BULK_READ_ERROR) {
		r->wants_text = cluster_error_wants(&r->json, &r->is_type);
	}
	return BULK_READ_MORE;
}

/* A value, or a bracket that opens one, among items: whether it may stand there. */
static bool bulk_read_in_items(struct bulk_read *r, enum json_token token)
{
	bool opens = token == TOKEN_OBJECT || token == TOKEN_ARRAY;
	unsigned around = r->json.depth - opens;
	bool takes = around == DEPTH_ERROR && r->wants_text && token == TOKEN_STRING;
	r->wants_text = false;
	if (around == DEPTH_RESPONSE)
		return token == TOKEN_ARRAY;
	if (around == DEPTH_ITEMS)
		return token == TOKEN_OBJECT && bulk_read_begin_item(r);
	if (around == DEPTH_ITEM)
		return token == TOKEN_OBJECT;
	if (around == DEPTH_ACTION)
		return bulk_read_value(r, token);
	if (takes)
		cluster_error_take(&r->error, &r->json, r->is_type);
	return true;
}

static enum bulk_read_step bulk_read_token(struct bulk_read *r, enum json_token token)
{
	if (token == TOKEN_BAD)
		return BULK_READ_BAD;
	if (token == TOKEN_KEY)
		return bulk_read_key(r);
	if (token == TOKEN_OBJECT_END || token == TOKEN_ARRAY_END) {
		bool ends = r->in_items && token == TOKEN_OBJECT_END;
		return ends && r->json.depth == DEPTH_ITEMS ? bulk_read_end_item(r)
							    : BULK_READ_MORE;
	}
	if (r->json.depth == 0 || (r->json.depth == DEPTH_RESPONSE && token == TOKEN_ARRAY))
		return BULK_READ_BAD;
	return !r->in_items || bulk_read_in_items(r, token) ? BULK_READ_MORE : BULK_READ_BAD;
}

static enum bulk_read_step bulk_read_scan(struct bulk_read *r, struct span *s)
{
	enum bulk_read_step step = BULK_READ_MORE;
	enum json_token token;
	json_put(&r->json, *s, false);
	while (step == BULK_READ_MORE && (token = json_next(&r->json)) != TOKEN_MORE)
		step = bulk_read_token(r, token);
	size_t left = json_take_back(&r->json);
	*s = (struct span){ s->at + s->n - left, left };
	return step;
}

static enum bulk_read_step bulk_read_finish(struct bulk_read *r)
{
	json_put(&r->json, SPAN(""), true);
	bool whole = json_next(&r->json) == TOKEN_END;
	return whole && !bulk_read_begin_item(r) ? BULK_READ_END : BULK_READ_BAD;
}

enum bulk_read_step bulk_read(struct bulk_read *r, struct span *s, bool last)
{
	enum bulk_read_step step = r->over;
	if (step == BULK_READ_MORE && s->n)
		step = bulk_read_scan(r, s);
	if (step == BULK_READ_MORE && last)
		step = bulk_read_finish(r);
	if (step == BULK_READ_END || step == BULK_READ_BAD)
		r->over = step;
	return step;
}

void bulk_read_begin(struct bulk_read *r, const struct copy *sent, size_t n)
{
	r->sent = sent;
	r->sent_n = n;
	r->next = r->at = 0;
	json_open(&r->json, JSON_ONE_VALUE);
	r->over = BULK_READ_MORE;
	r->in_items = r->wants_text = false;
	bulk_read_begin_item(r);
}
