#include "sample/sample.h"

#include <stdio.h>

/* A status that refuses; 0: none does. */
static bool fault_status(const json_t *j, unsigned *status)
{
	json_int_t n = json_integer_value(j);
	if (!json_is_integer(j) || (n && (n < 400 || n > 599)))
		return false;
	*status = (unsigned)n;
	return true;
}

/* An hour is longer than any test. */
static bool fault_time(const json_t *j, unsigned *ms)
{
	json_int_t n = json_integer_value(j);
	if (!json_is_integer(j) || n < 0 || n > 3600000)
		return false;
	*ms = (unsigned)n;
	return true;
}

static bool fault_authorization(const json_t *j, struct sample_faults *f)
{
	const char *text = json_string_value(j);
	return text && (size_t)snprintf(f->authorization, sizeof f->authorization, "%s", text) <
			       sizeof f->authorization;
}

static bool fault_read(struct sample_faults *f, const char *name, const json_t *j)
{
	if (!strcmp(name, "refuse"))
		return fault_status(j, &f->refuse);
	if (!strcmp(name, "refuse_items"))
		return fault_status(j, &f->refuse_items);
	if (!strcmp(name, "refuse_objects"))
		return fault_status(j, &f->refuse_objects);
	if (!strcmp(name, "stall_ms"))
		return fault_time(j, &f->stall_ms);
	if (!strcmp(name, "stall_changes_ms"))
		return fault_time(j, &f->stall_changes_ms);
	if (!strcmp(name, "stall_reads_ms"))
		return fault_time(j, &f->stall_reads_ms);
	if (!strcmp(name, "authorization"))
		return fault_authorization(j, f);
	if (!strcmp(name, "act_after_ms"))
		return fault_time(j, &f->act_after_ms);
	f->read_only = json_is_true(j);
	return !strcmp(name, "read_only") && json_is_boolean(j);
}

static json_t *faults_json(const struct sample_faults *f)
{
	return json_pack("{s:i,s:i,s:b,s:i,s:i,s:i,s:i}", "refuse", (int)f->refuse, "refuse_items",
			 (int)f->refuse_items, "read_only", (int)f->read_only, "stall_ms",
			 (int)f->stall_ms, "stall_changes_ms", (int)f->stall_changes_ms,
			 "stall_reads_ms", (int)f->stall_reads_ms, "act_after_ms",
			 (int)f->act_after_ms);
}

/* PUT replaces all: what it does not name is no fault. */
static void faults_put(struct sample_call *c)
{
	const char *name;
	json_t *value, *body = sample_body(c);
	struct sample_faults f = { 0 };
	if (!body)
		return;
	json_object_foreach(body, name, value)
		if (!fault_read(&f, name, value)) {
			sample_respond_error(c, 400, "illegal_argument_exception",
					     "[%s] is no fault, or its value makes no sense", name);
			json_decref(body);
			return;
		}
	json_decref(body);
	c->cluster->faults = f;
	sample_respond_json(c, 200, faults_json(&f));
}

void sample_serve_faults(struct sample_call *c)
{
	if (c->method == METHOD_PUT)
		faults_put(c);
	else
		sample_respond_json(c, 200, faults_json(&c->cluster->faults));
}
