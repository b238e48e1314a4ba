#include "sample/action.h"

/* What of the line is not read yet. */
struct action {
	const char *at, *end;
};

static void action_skip(struct action *a)
{
	while (a->at < a->end && *a->at == ' ')
		a->at++;
}

static bool action_take(struct action *a, char byte)
{
	action_skip(a);
	if (a->at == a->end || *a->at != byte)
		return false;
	a->at++;
	return true;
}

static bool action_is_plain(unsigned char byte)
{
	return byte >= ' ' && byte < 0x80 && byte != '"' && byte != '\\';
}

/* A string that stands there as it is. */
static bool action_text(struct action *a, struct span *s)
{
	if (!action_take(a, '"'))
		return false;
	const char *from = a->at;
	while (a->at < a->end && action_is_plain((unsigned char)*a->at))
		a->at++;
	*s = (struct span){ from, (size_t)(a->at - from) };
	return action_take(a, '"') && a->at == from + s->n + 1;
}

static bool action_member(struct action *a, struct sample_operation *o)
{
	struct span name, value;
	if (!action_text(a, &name) || !action_take(a, ':') || !action_text(a, &value) || !value.n)
		return false;
	if (span_is(name, SPAN("_id")))
		o->id = value;
	else if (span_is(name, SPAN("_index")))
		o->index = value;
	else if (span_is(name, SPAN("routing")))
		o->routing = value;
	else
		return false;
	return true;
}

bool sample_action_find(struct span word, enum sample_action *a)
{
	for (unsigned i = 0; i < SAMPLE_ACTIONS; i++)
		if (span_is(word, span_of(sample_action_name((enum sample_action)i)))) {
			*a = (enum sample_action)i;
			return true;
		}
	return false;
}

bool sample_action_read(struct span line, struct sample_operation *o)
{
	struct action a = { line.at, line.at + line.n };
	struct span verb;
	if (!action_take(&a, '{') || !action_text(&a, &verb) ||
	    !sample_action_find(verb, &o->action) || !action_take(&a, ':') || !action_take(&a, '{'))
		return false;
	if (!action_take(&a, '}')) {
		do
			if (!action_member(&a, o))
				return false;
		while (action_take(&a, ','));
		if (!action_take(&a, '}'))
			return false;
	}
	if (!action_take(&a, '}'))
		return false;
	action_skip(&a);
	return a.at == a.end;
}
