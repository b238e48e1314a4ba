#include "sample/action.h"
#include "sample/read.h"
#include "sample/word.h"

/* --- lines --- */

struct bulk {
	struct span rest;
	struct span index;   /* where an action names none; may be empty */
	struct span routing; /* likewise; at = NULL: none */
	size_t line;	     /* the number of the last one */
};

static bool bulk_next(struct bulk *b, struct span *line)
{
	while (b->rest.n) {
		const char *end = memchr(b->rest.at, '\n', b->rest.n);
		size_t n = end ? (size_t)(end - b->rest.at) : b->rest.n;
		*line = span_trim((struct span){ b->rest.at, n });
		if (line->n && line->at[line->n - 1] == '\r')
			line->n--;
		b->rest.at += n + (end != NULL);
		b->rest.n -= n + (end != NULL);
		b->line++;
		if (line->n)
			return true;
	}
	return false;
}

/* --- an action: {"index":{"_index":...,"_id":...}} --- */

static bool bulk_refuse(const struct bulk *b, struct sample_trouble *t, const char *what,
			const char *name)
{
	return sample_refuse(t, 400, "illegal_argument_exception",
			     "Action/metadata line [%zu] %s [%s]", b->line, what, name);
}

static bool bulk_read_number(const json_t *j, uint64_t *n)
{
	*n = (uint64_t)json_integer_value(j);
	return json_is_integer(j) && json_integer_value(j) >= 0;
}

static bool bulk_read_text(const json_t *j, struct span *s)
{
	*s = (struct span){ json_string_value(j), json_string_length(j) };
	return s->at != NULL;
}

static bool bulk_read_member(struct sample_operation *o, const char *name, const json_t *j)
{
	struct span word;
	struct sample_condition *k = &o->condition;
	if (!strcmp(name, "_index"))
		return bulk_read_text(j, &o->index);
	if (!strcmp(name, "_id"))
		return json_is_null(j) || (bulk_read_text(j, &o->id) && o->id.n);
	if (!strcmp(name, "routing"))
		return json_is_null(j) || bulk_read_text(j, &o->routing);
	if (!strcmp(name, "if_seq_no"))
		return k->by_seq_no = bulk_read_number(j, &k->seq_no);
	if (!strcmp(name, "if_primary_term"))
		return bulk_read_number(j, &k->primary_term);
	if (!strcmp(name, "version"))
		return bulk_read_number(j, &k->version);
	if (!strcmp(name, "version_type"))
		return bulk_read_text(j, &word) && sample_versioning_read(word, &k->versioning);
	if (!strcmp(name, "op_type")) {
		if (bulk_read_text(j, &word) && span_is(word, SPAN("create")))
			o->action = SAMPLE_CREATE;
		return json_is_string(j);
	}
	if (!strcmp(name, "require_alias")) {
		o->requires_alias = json_is_true(j);
		return json_is_boolean(j);
	}
	return !strcmp(name, "pipeline") || !strcmp(name, "retry_on_conflict") ||
	       !strcmp(name, "_source");
}

static bool bulk_read_meta(const struct bulk *b, json_t *meta, struct sample_operation *o,
			   struct sample_trouble *t)
{
	const char *name;
	json_t *value;
	if (!json_is_object(meta))
		return bulk_refuse(b, t, "expected START_OBJECT behind",
				   sample_action_name(o->action));
	sample_word_of(meta, "_id");
	sample_word_of(meta, "routing");
	json_object_foreach(meta, name, value)
		if (!bulk_read_member(o, name, value))
			return bulk_refuse(b, t,
					   "contains an unknown parameter, or a bad one:", name);
	return true;
}

/* Of a line that is not in the usual form. The operation borrows of `*action`, which is owned. */
static bool bulk_read_any_action(const struct bulk *b, struct span line, struct sample_operation *o,
				 json_t **action, struct sample_trouble *t)
{
	*o = (struct sample_operation){ .index = b->index, .routing = b->routing };
	*action = json_loadb(line.at, line.n, 0, NULL);
	const char *verb = json_object_iter_key(json_object_iter(*action));
	if (json_object_size(*action) != 1 || !sample_action_find(span_of(verb), &o->action))
		return bulk_refuse(b, t, "is malformed, expected one of",
				   "create, delete, index, update");
	return bulk_read_meta(b, json_object_get(*action, verb), o, t);
}

enum bulk_read { BULK_READ, BULK_OVER, BULK_BAD };

/* The next one with its document. It borrows of `*action`, which is owned, or NULL. */
static enum bulk_read bulk_read(struct bulk *b, struct sample_operation *o, json_t **action,
				struct sample_trouble *t)
{
	struct span line;
	*action = NULL;
	*o = (struct sample_operation){ .index = b->index, .routing = b->routing };
	if (!bulk_next(b, &line))
		return BULK_OVER;
	if (!sample_action_read(line, o) && !bulk_read_any_action(b, line, o, action, t))
		return BULK_BAD;
	if (!o->index.n || (!o->id.n && o->action > SAMPLE_CREATE)) {
		sample_refuse(t, 400, "action_request_validation_exception",
			      "Validation Failed: 1: %s is missing;", o->index.n ? "id" : "index");
		return BULK_BAD;
	}
	if (o->action == SAMPLE_DELETE || bulk_next(b, &o->body))
		return BULK_READ;
	bulk_refuse(b, t, "has no document behind", sample_action_name(o->action));
	return BULK_BAD;
}

/* --- all of them --- */

/* A bulk that cannot be read has no effect at all: so it is read once before. */
static bool bulk_is_good(struct bulk b, struct sample_trouble *t)
{
	struct sample_operation o;
	json_t *action;
	enum bulk_read read;
	if (!b.rest.n || b.rest.at[b.rest.n - 1] != '\n')
		return sample_refuse(t, 400, "illegal_argument_exception",
				     "The bulk request must be terminated by a newline [\\n]");
	do {
		read = bulk_read(&b, &o, &action, t);
		json_decref(action);
	} while (read == BULK_READ);
	return read == BULK_OVER;
}

static void bulk_write_item(struct sample_text *to, const struct sample_operation *o,
			    const struct sample_result *r)
{
	if (to->at[to->n - 1] != '[')
		SAMPLE_ADD(to, ",");
	SAMPLE_ADD(to, "{\"");
	sample_text_add(to, span_of(sample_action_name(o->action)));
	SAMPLE_ADD(to, "\":{");
	sample_result_write(to, r);
	if (!r->trouble.status)
		sample_text_count(to, SPAN("status"), r->status);
	SAMPLE_ADD(to, "}}");
}

/* Whether one failed. */
static bool bulk_apply(struct sample_call *c, struct bulk b)
{
	struct sample_operation o;
	struct sample_result r;
	json_t *action;
	bool failed = false;
	while (bulk_read(&b, &o, &action, &r.trouble) == BULK_READ) {
		sample_apply(c, &o, &r);
		bulk_write_item(&c->text, &o, &r);
		failed |= r.trouble.status != 0;
		json_decref(action);
	}
	return failed;
}

void sample_serve_bulk(struct sample_call *c, struct span index)
{
	struct bulk b = { .rest = c->body, .index = index };
	struct sample_trouble t;
	char routing[SAMPLE_ID_BYTES];
	sample_parameter(c, "routing", routing, sizeof routing, &b.routing);
	if (!bulk_is_good(b, &t)) {
		sample_respond_trouble(c, &t);
		return;
	}
	c->status = 200;
	SAMPLE_ADD(&c->text, "{\"took\":1,\"errors\":");
	size_t place = c->text.n;
	SAMPLE_ADD(&c->text, "false,\"items\":[");
	/* Whether one has failed stands in front, as in OpenSearch, and is known at the end. */
	if (bulk_apply(c, b))
		memcpy(c->text.at + place, "true ", 5);
	SAMPLE_ADD(&c->text, "]}");
	sample_refresh_if_asked(c, (struct span){ 0 });
}
