#include "sample/sample.h"

#include <stdarg.h>
#include <stdio.h>

#include "sample/json.h"
#include "base/bug.h"
#include "base/limits.h"
#include "http/percent.h"

void sample_open(struct sample *p, const char *name)
{
	*p = (struct sample){ .name = name, .log = { .fd = -1 } };
	sample_store_open(&p->store);
	list_init(&p->tasks);
	p->objects = json_object();
}

void sample_close(struct sample *p)
{
	sample_store_close(&p->store);
	json_decref(p->objects);
	sample_log_close(&p->log);
}

/* --- the request --- */

bool sample_parameter(const struct sample_call *c, const char *name, char *to, size_t room,
		      struct span *value)
{
	size_t name_n = strlen(name);
	for (const char *at = c->query.at, *end = at + c->query.n; at < end;) {
		const char *next = memchr(at, '&', (size_t)(end - at));
		size_t n = next ? (size_t)(next - at) : (size_t)(end - at), decoded;
		if (n >= name_n && !memcmp(at, name, name_n) &&
		    (n == name_n || at[name_n] == '=')) {
			struct span coded = { at + name_n + 1, n > name_n ? n - name_n - 1 : 0 };
			if (!percent_decode(coded, to, room, &decoded))
				return false;
			*value = (struct span){ to, decoded };
			return true;
		}
		at += n + 1;
	}
	return false;
}

bool sample_has(const struct sample_call *c, const char *name)
{
	char text[REQUEST_LINE_BYTES];
	struct span value;
	return sample_parameter(c, name, text, sizeof text, &value);
}

bool sample_is_asked(const struct sample_call *c, const char *name)
{
	char text[16];
	struct span value;
	return sample_parameter(c, name, text, sizeof text, &value) &&
	       !span_is(value, SPAN("false"));
}

json_t *sample_body(struct sample_call *c)
{
	json_error_t error;
	json_t *j = c->body.n ? json_loadb(c->body.at, c->body.n, 0, &error) : json_object();
	if (json_is_object(j))
		return j;
	sample_respond_error(c, 400, "parsing_exception", "the body is no JSON object%s%s",
			     j ? "" : ": ", j ? "" : error.text);
	json_decref(j);
	return NULL;
}

static bool sample_is_utf8(struct span s)
{
	json_t *j = json_stringn(s.at, s.n);
	json_decref(j);
	return j != NULL;
}

bool sample_read_path(struct sample_call *c)
{
	struct span rest = c->path;
	char *to = c->path_text, *end = to + sizeof c->path_text;
	c->n = 0;
	while (rest.n) {
		const char *slash = memchr(rest.at, '/', rest.n);
		size_t n = slash ? (size_t)(slash - rest.at) : rest.n, decoded;
		struct span coded = { rest.at, n };
		rest.at += n + (slash != NULL);
		rest.n -= n + (slash != NULL);
		if (!n)
			continue;
		if (c->n == SAMPLE_SEGMENTS_MAX ||
		    !percent_decode(coded, to, (size_t)(end - to), &decoded))
			return false;
		c->segments[c->n] = (struct span){ to, decoded };
		if (!sample_is_utf8(c->segments[c->n++]))
			return false;
		to += decoded;
	}
	return true;
}

static bool sample_query_is_utf8(const struct sample_call *c)
{
	char text[REQUEST_LINE_BYTES];
	size_t n;
	return percent_decode(c->query, text, sizeof text, &n) &&
	       sample_is_utf8((struct span){ text, n });
}

void sample_note(const struct sample_call *c, const char *operation, const struct sample_index *x,
		 const struct sample_version *v)
{
	sample_log_add(&c->cluster->log,
		       &(struct sample_event){ .operation = operation,
					       .index = x,
					       .version = v,
					       .opaque_id = c->opaque_id,
					       .now_ms = c->cluster->store.now_ms });
}

/* --- the response --- */

void sample_respond_json(struct sample_call *c, unsigned status, json_t *j)
{
	must(j);
	c->status = status;
	c->text.n = 0;
	sample_text_json(&c->text, j);
	json_decref(j);
}

void sample_respond_trouble(struct sample_call *c, const struct sample_trouble *t)
{
	c->status = t->status;
	c->text.n = 0;
	sample_trouble_respond(&c->text, t);
}

void sample_respond_error(struct sample_call *c, unsigned status, const char *type,
			  const char *format, ...)
{
	struct sample_trouble t;
	char reason[sizeof t.reason];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(reason, sizeof reason, format, arguments);
	va_end(arguments);
	sample_refuse(&t, status, type, "%s", reason);
	sample_respond_trouble(c, &t);
}

void sample_acknowledge(struct sample_call *c)
{
	sample_respond_json(c, 200, json_pack("{s:b}", "acknowledged", 1));
}

json_t *sample_shards(void)
{
	return json_pack("{s:i,s:i,s:i,s:i}", "total", 1, "successful", 1, "skipped", 0, "failed",
			 0);
}

bool sample_indices_of(struct sample_call *c, struct span expression, struct sample_index **found,
		       size_t *n)
{
	struct sample_trouble t;
	if (sample_store_resolve(&c->cluster->store, expression, found, n, &t))
		return true;
	if (sample_is_asked(c, "ignore_unavailable"))
		return true;
	sample_respond_trouble(c, &t);
	return false;
}

static void sample_filter_response(struct sample_call *c)
{
	char text[2048];
	struct span paths;
	struct sample_text whole = c->text;
	if (!sample_parameter(c, "filter_path", text, sizeof text, &paths) || !paths.n)
		return;
	c->text = (struct sample_text){ 0 };
	if (!sample_filter(paths, (struct span){ whole.at, whole.n }, &c->text))
		sample_respond_error(c, 400, "illegal_argument_exception",
				     "filter_path has more parts than a sample cluster looks at");
	sample_text_free(&whole);
}

/* --- a call --- */

static bool sample_refuses(struct sample_call *c)
{
	unsigned status = c->cluster->faults.refuse;
	if (!status || !sample_writes(c))
		return false;
	sample_respond_error(c, status, "es_rejected_execution_exception",
			     "rejected execution, as it was told to");
	return true;
}

void sample_serve(struct sample *p, struct sample_call *c)
{
	c->cluster = p;
	c->status = 0;
	c->text = (struct sample_text){ 0 };
	if (!sample_read_path(c) || !sample_query_is_utf8(c))
		sample_respond_error(c, 400, "illegal_argument_exception",
				     "the path or the query is too long, or no UTF-8");
	else if (!sample_refuses(c))
		sample_route(c);
	must(c->status);
	sample_filter_response(c);
}
