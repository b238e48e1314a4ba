#include "replay/told.h"

#include <stdlib.h>

void told_open(struct told *t)
{
	t->index_n = t->type_n = t->id_n = t->task_n = (struct told_name){ TOLD_NOTHING, 0 };
	t->status = 0;
	t->result = TOLD_NO_RESULT;
	t->error = t->index_not_found = t->deleted_none = t->unacknowledged = false;
	t->member = TOLD_ELSE;
	t->type_of_error = false;
}

static const struct {
	struct span name;
	enum told_member member;
} told_members[] = {
	{ SPAN_INIT("_index"), TOLD_INDEX },	{ SPAN_INIT("_type"), TOLD_TYPE },
	{ SPAN_INIT("_id"), TOLD_ID },		{ SPAN_INIT("result"), TOLD_RESULT },
	{ SPAN_INIT("status"), TOLD_STATUS },	{ SPAN_INIT("error"), TOLD_ERROR },
	{ SPAN_INIT("deleted"), TOLD_DELETED }, { SPAN_INIT("acknowledged"), TOLD_ACKNOWLEDGED },
	{ SPAN_INIT("task"), TOLD_TASK },
};

static enum told_member told_find(const struct json_scan *j)
{
	for (size_t i = 0; i < sizeof told_members / sizeof told_members[0]; i++)
		if (json_is(j, told_members[i].name))
			return told_members[i].member;
	return TOLD_ELSE;
}

/* The scanner's text, decoded. Null takes back what an earlier member of the name has told. */
static struct told_name told_name_of(const struct json_scan *j, enum json_token token, char *to,
				     size_t room)
{
	struct told_name name = { TOLD_NAME, 0 };
	if (!json_is_scalar(token))
		name.state = TOLD_NOTHING;
	else if (j->text_cut || json_decode(j->text, to, room, &name.n) != JSON_DECODED)
		name = (struct told_name){ TOLD_IMPOSSIBLE, 0 };
	return name;
}

static unsigned told_number(const struct json_scan *j, enum json_token token)
{
	unsigned long long value;
	bool good = token == TOKEN_NUMBER && span_to_u64(j->text, 999, &value);
	return good ? (unsigned)value : 0;
}

static void told_take_value(struct told *t, const struct json_scan *j, enum json_token token)
{
	switch (t->member) {
	case TOLD_INDEX:
		t->index_n = told_name_of(j, token, t->index, sizeof t->index);
		return;
	case TOLD_TYPE:
		t->type_n = told_name_of(j, token, t->type, sizeof t->type);
		return;
	case TOLD_ID:
		t->id_n = told_name_of(j, token, t->id, sizeof t->id);
		return;
	case TOLD_TASK:
		t->task_n = told_name_of(j, token, t->task, sizeof t->task);
		return;
	case TOLD_RESULT:
		t->result = json_is(j, SPAN("noop")) ? TOLD_NO_CHANGE : TOLD_OTHER_RESULT;
		return;
	case TOLD_STATUS:
		t->status = told_number(j, token);
		return;
	case TOLD_DELETED:
		t->deleted_none = token == TOKEN_NUMBER && span_is(j->text, SPAN("0"));
		return;
	case TOLD_ACKNOWLEDGED:
		t->unacknowledged = token == TOKEN_FALSE;
		return;
	default:
		return;
	}
}

static void told_take_key(struct told *t, const struct json_scan *j)
{
	t->member = told_find(j);
	t->error |= t->member == TOLD_ERROR;
	if (t->member == TOLD_ERROR)
		t->index_not_found = false;
	t->type_of_error = false;
}

/* A member of `error`. */
static void told_take_error(struct told *t, const struct json_scan *j, enum json_token token)
{
	if (token == TOKEN_KEY)
		t->type_of_error = json_is(j, SPAN("type"));
	else if (token == TOKEN_STRING && t->type_of_error)
		t->index_not_found = json_is(j, SPAN("index_not_found_exception"));
}

void told_take(struct told *t, const struct json_scan *j, enum json_token token, unsigned depth)
{
	if (j->depth == depth && token == TOKEN_KEY)
		told_take_key(t, j);
	else if (j->depth == depth && (json_is_scalar(token) || token == TOKEN_NULL))
		told_take_value(t, j, token);
	else if (j->depth == depth + 1 && t->member == TOLD_ERROR)
		told_take_error(t, j, token);
}

static struct span told_span(const char *at, struct told_name name)
{
	return (struct span){ at, name.state == TOLD_NAME ? name.n : 0 };
}

struct span told_index(const struct told *t)
{
	return told_span(t->index, t->index_n);
}

struct span told_type(const struct told *t)
{
	return told_span(t->type, t->type_n);
}

struct span told_id(const struct told *t)
{
	return told_span(t->id, t->id_n);
}

struct span told_task(const struct told *t)
{
	return told_span(t->task, t->task_n);
}
