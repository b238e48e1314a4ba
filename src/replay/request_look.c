#include "replay/request_look.h"

void request_look_open(struct request_look *l)
{
	*l = (struct request_look){ 0 };
}

/* --- what queries may have --- */

static bool look_is_of_word(char c)
{
	char lower = (char)(c | 0x20);
	return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z') || c == '_';
}

/* `word` stands in the text, and no letter before or behind it. */
static bool look_has_word(struct span text, struct span word)
{
	const char *end = text.at + text.n;
	for (const char *at = text.at; (size_t)(end - at) >= word.n; at++) {
		at = memmem(at, (size_t)(end - at), word.at, word.n);
		if (!at)
			return false;
		const char *behind = at + word.n;
		if ((at == text.at || !look_is_of_word(at[-1])) &&
		    (behind == end || !look_is_of_word(*behind)))
			return true;
	}
	return false;
}

/* Of a text that is cut, or has letters as codes, nothing can be said. */
static bool look_is_hidden(const struct json_scan *j)
{
	return j->text_cut || (j->text_coded && memmem(j->text.at, j->text.n, "\\u", 2));
}

static bool look_begins(struct span text, struct span with)
{
	return text.n >= with.n && span_is((struct span){ text.at, with.n }, with);
}

static void look_take_any_key(struct request_look *l, const struct json_scan *j)
{
	bool hidden = look_is_hidden(j);
	l->scripted |= hidden || look_begins(j->text, SPAN("script"));
	/* A terms look-up, an indexed shape, a percolated document, documents that are like it. */
	l->remote |= hidden || json_is(j, SPAN("index")) || json_is(j, SPAN("_index"));
}

static void look_take_any_string(struct request_look *l, const struct json_scan *j)
{
	bool hidden = look_is_hidden(j);
	l->dated |= hidden || look_has_word(j->text, SPAN("now"));
	l->elsewhere |= hidden || look_has_word(j->text, SPAN("_index"));
}

/* --- members of certain places --- */

static size_t look_copy(const struct json_scan *j, char *to, size_t room)
{
	size_t n;
	bool whole = !j->text_cut && json_decode(j->text, to, room, &n) == JSON_DECODED;
	return whole ? n : 0;
}

static enum look_member look_find(const struct json_scan *j)
{
	if (json_is(j, SPAN("dest")))
		return LOOK_DESTINATION;
	if (json_is(j, SPAN("script")))
		return LOOK_SCRIPT;
	if (json_is(j, SPAN("actions")))
		return LOOK_ACTIONS;
	if (json_is(j, SPAN("cursor")))
		return LOOK_CURSOR;
	return json_is(j, SPAN("query")) ? LOOK_QUERY : LOOK_ELSE;
}

static void look_take_key(struct request_look *l, const struct json_scan *j)
{
	look_take_any_key(l, j);
	if (j->depth == 1)
		l->member = look_find(j);
	l->cursor |= l->member == LOOK_CURSOR;
	/* A stored script may do anything. */
	if (l->member == LOOK_SCRIPT && j->depth == 2)
		l->elsewhere |= json_is(j, SPAN("id"));
	if (l->member == LOOK_DESTINATION && j->depth == 2)
		l->pipeline |= json_is(j, SPAN("pipeline"));
	/* {"actions":[{"remove_index":{"index":...}}]} */
	if (l->member == LOOK_ACTIONS && j->depth == 3)
		l->in_remove = json_is(j, SPAN("remove_index"));
	l->names_index = json_is(j, SPAN("index")) || json_is(j, SPAN("indices"));
}

static bool look_take_string(struct request_look *l, const struct json_scan *j)
{
	look_take_any_string(l, j);
	if (l->member == LOOK_DESTINATION && j->depth == 2 && l->names_index)
		l->written_n = look_copy(j, l->written, sizeof l->written);
	if (l->member == LOOK_QUERY && j->depth == 1)
		json_decode(j->text, l->statement, sizeof l->statement, &l->statement_n);
	bool removes = l->member == LOOK_ACTIONS && l->in_remove && l->names_index &&
		       (j->depth == 4 || j->depth == 5);
	if (removes)
		l->removed_n = look_copy(j, l->removed, sizeof l->removed);
	return removes && l->removed_n;
}

bool request_look_take(struct request_look *l, const struct json_scan *j, enum json_token token)
{
	if (token == TOKEN_KEY)
		look_take_key(l, j);
	return token == TOKEN_STRING && look_take_string(l, j);
}

/* --- SQL --- */

static bool look_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Takes the next word, or a piece between blanks, out of *rest. */
static struct span look_cut_word(struct span *rest)
{
	size_t from = 0, n;
	while (from < rest->n && look_is_blank(rest->at[from]))
		from++;
	for (n = from; n < rest->n && !look_is_blank(rest->at[n]);)
		n++;
	struct span word = { rest->at + from, n - from };
	*rest = (struct span){ rest->at + n, rest->n - n };
	return word;
}

static bool look_is_pattern(struct span name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!look_is_of_word(name.at[i]) && !memchr("-.*", name.at[i], 3))
			return false;
	return name.n && name.at[0] != '_';
}

bool request_look_deletes(struct span statement, struct span *index)
{
	static const struct span harmless[] = { SPAN_INIT("select"), SPAN_INIT("show"),
						SPAN_INIT("describe"), SPAN_INIT("desc"),
						SPAN_INIT("explain") };
	struct span rest = statement, first = look_cut_word(&rest);
	*index = SPAN("*");
	for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
		if (span_is_nocase(first, harmless[i]))
			return false;
	bool known = span_is_nocase(first, SPAN("delete")) &&
		     span_is_nocase(look_cut_word(&rest), SPAN("from"));
	struct span name = look_cut_word(&rest);
	if (known && look_is_pattern(name))
		*index = name;
	return true;
}
