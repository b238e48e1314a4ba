#include "replay/bulk_line.h"

/* What the member is that is being read. */
enum line_member { LINE_ELSE, LINE_INDEX, LINE_TYPE, LINE_ID, LINE_ROUTING, LINE_VERSION_TYPE };

static const struct {
	struct span name;
	enum line_member member;
} line_members[] = {
	{ SPAN_INIT("_index"), LINE_INDEX },
	{ SPAN_INIT("_id"), LINE_ID },
	{ SPAN_INIT("_type"), LINE_TYPE },
	{ SPAN_INIT("routing"), LINE_ROUTING },
	{ SPAN_INIT("_routing"), LINE_ROUTING },
	{ SPAN_INIT("version_type"), LINE_VERSION_TYPE },
	{ SPAN_INIT("_version_type"), LINE_VERSION_TYPE },
};

enum bulk_action bulk_action_of(const struct json_scan *j)
{
	if (json_is(j, SPAN("index")) || json_is(j, SPAN("create")))
		return BULK_INDEX;
	if (json_is(j, SPAN("update")))
		return BULK_UPDATE;
	return json_is(j, SPAN("delete")) ? BULK_DELETE : BULK_NO_ACTION;
}

bool bulk_line_is_blank(struct span text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.at[i] != ' ' && text.at[i] != '\t' && text.at[i] != '\r')
			return false;
	return true;
}

static enum line_member line_find(const struct json_scan *j)
{
	for (size_t i = 0; i < sizeof line_members / sizeof line_members[0]; i++)
		if (json_is(j, line_members[i].name))
			return line_members[i].member;
	return LINE_ELSE;
}

/* Where the text of the token stands in the line it is decoded. False: it cannot be repeated. */
static bool line_take_name(const struct json_scan *j, char *text, struct span *name)
{
	char *at = text + (j->text.at - text);
	size_t n;
	bool good = json_decode(j->text, at, j->text.n, &n) == JSON_DECODED && !j->text_cut;
	*name = (struct span){ at, n };
	return good;
}

static void line_take_value(struct bulk_line *line, const struct json_scan *j, char *text,
			    enum line_member member)
{
	switch (member) {
	case LINE_INDEX:
		line->odd_name |= !line_take_name(j, text, &line->index);
		return;
	case LINE_TYPE:
		line->odd_name |= !line_take_name(j, text, &line->type);
		return;
	case LINE_ID:
		line->odd_name |= !line_take_name(j, text, &line->id);
		return;
	case LINE_ROUTING:
		line->odd_routing |= !line_take_name(j, text, &line->routing);
		return;
	case LINE_VERSION_TYPE:
		line->external_version =
			j->text.n >= 8 &&
			span_is_nocase((struct span){ j->text.at, 8 }, SPAN("external"));
		return;
	default:
		return;
	}
}

/* The members of the action's object, up to its end. Nothing of its values is an object. */
static bool line_read_members(struct bulk_line *line, struct json_scan *j, char *text)
{
	enum line_member member = LINE_ELSE;
	enum json_token token;
	while ((token = json_next(j)) != TOKEN_OBJECT_END || j->depth > 1) {
		if (token <= TOKEN_BAD)
			return false;
		if (j->depth == 2 && token == TOKEN_KEY)
			member = line_find(j);
		else if (j->depth == 2 && json_is_scalar(token))
			line_take_value(line, j, text, member);
	}
	return true;
}

static bool line_is(struct json_scan *j, enum json_token expected)
{
	return json_next(j) == expected;
}

bool bulk_line_read(struct bulk_line *line, struct json_scan *j, char *text, size_t n)
{
	*line = (struct bulk_line){ .action = BULK_NO_ACTION };
	json_open(j, JSON_ONE_VALUE);
	json_put(j, (struct span){ text, n }, true);
	if (!line_is(j, TOKEN_OBJECT) || !line_is(j, TOKEN_KEY))
		return false;
	line->action = bulk_action_of(j);
	return line->action != BULK_NO_ACTION && line_is(j, TOKEN_OBJECT) &&
	       line_read_members(line, j, text);
}
