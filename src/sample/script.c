#include "sample/script.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct script {
	const char *at;
	const json_t *params;
	json_t *source; /* borrowed */
	enum sample_script_end end;
};

static void script_skip(struct script *s)
{
	while (isspace((unsigned char)*s->at))
		s->at++;
}

/* Whether that comes next; then it is passed. */
static bool script_take(struct script *s, const char *word)
{
	size_t n = strlen(word);
	script_skip(s);
	if (strncmp(s->at, word, n) != 0)
		return false;
	s->at += n;
	return true;
}

static struct span script_name(struct script *s)
{
	const char *from = s->at;
	while (isalnum((unsigned char)*s->at) || *s->at == '_')
		s->at++;
	return (struct span){ from, (size_t)(s->at - from) };
}

/* 'text' or "text". at = NULL: there is none. */
static struct span script_text(struct script *s)
{
	script_skip(s);
	char quote = *s->at;
	const char *end = quote == '\'' || quote == '"' ? strchr(s->at + 1, quote) : NULL;
	if (!end)
		return (struct span){ 0 };
	struct span text = { s->at + 1, (size_t)(end - s->at - 1) };
	s->at = end + 1;
	return text;
}

static json_t *script_number(struct script *s)
{
	char *end;
	long long n = strtoll(s->at, &end, 10);
	if (end == s->at)
		return NULL;
	if (*end != '.') {
		s->at = end;
		return json_integer(n);
	}
	double real = strtod(s->at, &end);
	s->at = end;
	return json_real(real);
}

/* Owned; NULL: there is none. */
static json_t *script_value(struct script *s)
{
	if (script_take(s, "params.")) {
		struct span name = script_name(s);
		return json_deep_copy(json_object_getn(s->params, name.at, name.n));
	}
	struct span text = script_text(s);
	return text.at ? json_stringn(text.at, text.n) : script_number(s);
}

/* It goes round where it is too large, as in Java. NULL: one is no integer. */
static json_t *script_sum(const json_t *a, const json_t *b, bool takes)
{
	if (!json_is_integer(a) || !json_is_integer(b))
		return NULL;
	uint64_t x = (uint64_t)json_integer_value(a), y = (uint64_t)json_integer_value(b);
	uint64_t sum = takes ? x - y : x + y;
	return json_integer((json_int_t)sum);
}

static bool script_assign(struct script *s)
{
	struct span name = script_name(s);
	bool adds = script_take(s, "+="), takes = !adds && script_take(s, "-=");
	const json_t *before = json_object_getn(s->source, name.at, name.n);
	if (!name.n || (!adds && !takes && !script_take(s, "=")))
		return false;
	json_t *value = script_value(s);
	if (value && (adds || takes)) {
		json_t *sum = script_sum(before, value, takes);
		json_decref(value);
		value = sum;
	}
	return value && json_object_setn_new(s->source, name.at, name.n, value) == 0;
}

static bool script_decide(struct script *s)
{
	struct span word = script_text(s);
	if (span_is(word, SPAN("delete")))
		s->end = SAMPLE_SCRIPT_DELETE;
	else if (span_is(word, SPAN("none")) || span_is(word, SPAN("noop")))
		s->end = SAMPLE_SCRIPT_NONE;
	else
		return span_is(word, SPAN("index"));
	return true;
}

static bool script_statement(struct script *s)
{
	if (script_take(s, "ctx._source."))
		return script_assign(s);
	return script_take(s, "ctx.op") && script_take(s, "=") && script_decide(s);
}

static bool script_run(struct script *s)
{
	for (;;) {
		script_skip(s);
		if (!*s->at)
			return true;
		if (!script_statement(s))
			return false;
		if (!script_take(s, ";") && *s->at)
			return false;
	}
}

bool sample_script_run(const json_t *script, json_t *source, enum sample_script_end *end,
		       struct sample_trouble *t)
{
	struct script s = { .at = json_string_value(script), .source = source };
	if (json_is_object(script)) {
		s.at = json_string_value(json_object_get(script, "source"));
		s.params = json_object_get(script, "params");
	}
	if (!s.at || !script_run(&s))
		return sample_refuse(
			t, 400, "illegal_argument_exception",
			"failed to execute script: a sample cluster knows `ctx._source.x "
			"= v`, `+=`, `-=` and `ctx.op = 'none'` only");
	*end = s.end;
	return true;
}
