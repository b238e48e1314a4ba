#include "sample/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "sample/inflate.h"
#include "sample/restore.h"
#include "base/bug.h"
#include "base/clock.h"

/* OpenSearch's http.max_content_length. */
#define BODY_BYTES (100u * 1024 * 1024)
#define SECOND_MS 1000
/* Requests that wait at a time, and what they hold: a test waits with some tens. */
#define JOBS_MAX 10000
#define JOB_BYTES_MAX (512u * 1024 * 1024)

/* A request that waits. */
struct sample_job {
	struct sample_server *server;
	struct call *call; /* NULL: its client has gone */
	struct timer timer;
	struct list link;
	struct sample_task task; /* in the cluster's list, if it writes documents */
	enum method method;
	struct span path, query, body, opaque_id; /* in `bytes` */
	size_t n;
	char bytes[];
};

static struct sample_server *server_of(const struct call *c)
{
	return c->service->owner;
}

/* --- responses --- */

static void server_say(struct call *c, const struct sample_call *s)
{
	struct msg *head = call_head(c, s->status, SPAN("application/json; charset=UTF-8"));
	msg_add_named(head, SPAN("X-Demo-Cluster"), span_of(s->cluster->name));
	if (s->opaque_id.at)
		msg_add_named(head, SPAN("X-Opaque-Id"), s->opaque_id);
	call_response(c, (struct span){ s->text.at, s->text.n });
}

/* `c` NULL: nobody hears of it. */
static void server_serve(struct sample_server *s, struct call *c, struct sample_call *asked)
{
	s->sample.store.now_ms = clock_wall_ns() / 1000000;
	sample_serve(&s->sample, asked);
	if (c)
		server_say(c, asked);
	sample_text_free(&asked->text);
}

static void server_refuse(struct sample_server *s, struct call *c, struct sample_call *asked,
			  unsigned status, const char *type, const char *why)
{
	asked->cluster = &s->sample;
	sample_respond_error(asked, status, type, "%s", why);
	server_say(c, asked);
	sample_text_free(&asked->text);
}

/* --- requests that wait --- */

static void job_free(struct sample_job *j)
{
	timer_clear(&j->timer);
	list_remove(&j->link);
	list_remove(&j->task.link);
	j->server->job_n--;
	j->server->job_bytes -= j->n;
	free(j);
}

static void job_due(struct timer *t)
{
	struct sample_job *j = list_entry(t, struct sample_job, timer);
	struct sample_call asked = { .method = j->method,
				     .path = j->path,
				     .query = j->query,
				     .body = j->body,
				     .opaque_id = j->opaque_id };
	struct call *c = j->call;
	/* It is no task any more when somebody hears of its end. */
	list_remove(&j->task.link);
	if (c)
		c->user = NULL;
	server_serve(j->server, c, &asked);
	job_free(j);
}

static struct span job_keep(char **to, struct span s)
{
	if (!s.at)
		return s;
	memcpy(*to, s.at, s.n);
	*to += s.n;
	return (struct span){ *to - s.n, s.n };
}

static struct sample_job *job_make(struct sample_server *s, const struct sample_call *asked)
{
	size_t n = asked->path.n + asked->query.n + asked->body.n + asked->opaque_id.n;
	struct sample_job *j = malloc(sizeof *j + n);
	must(j);
	char *to = j->bytes;
	*j = (struct sample_job){ .server = s, .method = asked->method, .n = n };
	j->path = job_keep(&to, asked->path);
	j->query = job_keep(&to, asked->query);
	j->body = job_keep(&to, asked->body);
	j->opaque_id = job_keep(&to, asked->opaque_id);
	timer_init(&j->timer, job_due);
	list_init(&j->task.link);
	list_init(&j->link);
	list_add_tail(&s->jobs, &j->link);
	s->job_n++;
	s->job_bytes += n;
	return j;
}

static void job_start(struct sample_server *s, struct call *c, struct sample_call *asked,
		      const char *action, uint64_t wait_ms)
{
	if (s->job_n == JOBS_MAX || s->job_bytes + asked->body.n > JOB_BYTES_MAX) {
		server_refuse(s, c, asked, 429, "es_rejected_execution_exception",
			      "too many requests wait");
		return;
	}
	struct sample_job *j = job_make(s, asked);
	j->call = c;
	c->user = j;
	if (action) {
		j->task.id = ++s->sample.task_id;
		j->task.began_ms = clock_wall_ns() / 1000000;
		j->task.action = action;
		j->task.opaque_id = j->opaque_id;
		list_add_tail(&s->sample.tasks, &j->task.link);
	}
	timer_set(&s->loop.wheel, &j->timer, loop_now_ms(&s->loop) + wait_ms);
}

/* A read has nobody to read for; a write acts all the same, when it was told to. */
static void server_lost(struct call *c)
{
	struct sample_job *j = c->user;
	const struct sample_server *s = server_of(c);
	if (!j)
		return;
	j->call = NULL;
	if (!j->task.action)
		job_free(j);
	else if (s->sample.faults.act_after_ms)
		timer_set(&j->server->loop.wheel, &j->timer,
			  loop_now_ms(&s->loop) + s->sample.faults.act_after_ms);
}

/* --- requests --- */

static struct span server_field(const struct msg *m, struct span name)
{
	for (unsigned i = 0; i < m->field_n; i++)
		if (!m->fields[i].dropped && span_is_nocase(field_name(m, &m->fields[i]), name))
			return field_value(m, &m->fields[i]);
	return (struct span){ 0 };
}

/* Controls and tasks answer at once, however slow the rest is told to be. */
static uint64_t server_wait_ms(const struct sample_server *s, struct sample_call *asked,
			       const char **action)
{
	const struct sample_faults *f = &s->sample.faults;
	*action = NULL;
	if (!f->stall_ms && !f->stall_changes_ms && !f->stall_reads_ms)
		return 0;
	if (!sample_read_path(asked) || !asked->n || span_is(asked->segments[0], SPAN("_demo")) ||
	    span_is(asked->segments[0], SPAN("_tasks")))
		return 0;
	*action = sample_writes(asked);
	if (*action)
		return f->stall_ms;
	*action = sample_changes(asked);
	if (*action && !f->stall_changes_ms)
		*action = NULL;
	return *action ? f->stall_changes_ms : f->stall_reads_ms;
}

static bool server_lets_in(const struct sample_server *s, const struct call *c)
{
	const char *wanted = s->sample.faults.authorization;
	struct span given = server_field(c->request, SPAN("Authorization"));
	return !*wanted || (given.at && span_is(given, span_of(wanted))) ||
	       span_is(c->path, SPAN("/_demo/faults"));
}

static void server_asked(struct call *c)
{
	struct sample_server *s = server_of(c);
	struct sample_call asked = { .method = c->request->method,
				     .path = c->path,
				     .query = c->query,
				     .body = c->body,
				     .opaque_id = server_field(c->request, SPAN("X-Opaque-Id")) };
	const char *action;
	struct span plain = { 0 };
	if (!server_lets_in(s, c)) {
		server_refuse(s, c, &asked, 401, "security_exception",
			      "missing authentication credentials for REST request");
		return;
	}
	if (!sample_inflate_if_coded(c->request, c->body, BODY_BYTES, &plain)) {
		server_refuse(s, c, &asked, 400, "parse_exception",
			      "the body is no gzip, or it is too long");
		return;
	}
	if (plain.at)
		asked.body = plain;
	uint64_t wait_ms = server_wait_ms(s, &asked, &action);
	if (wait_ms)
		job_start(s, c, &asked, action, wait_ms);
	else
		server_serve(s, c, &asked);
	free((char *)(uintptr_t)plain.at);
}

/* Whoever has no connection to read from any more is not there; clients of OpenSearch close none
 * by half. */
static bool server_finished(const struct call *c)
{
	return c->user != NULL;
}

static const struct service_user user = {
	.serve = server_asked,
	.gone = server_lost,
	.finished = server_finished,
};

/* --- a life --- */

static void server_second(struct timer *t)
{
	struct sample_server *s = list_entry(t, struct sample_server, second);
	s->sample.store.now_ms = clock_wall_ns() / 1000000;
	sample_store_second(&s->sample.store);
	timer_set(&s->loop.wheel, t, loop_now_ms(&s->loop) + SECOND_MS);
}

static bool server_complain(const char *of)
{
	fprintf(stderr, "crossfade demo-cluster: %s: %s\n", of, strerror(errno));
	return false;
}

static bool server_open_log(struct sample *p, const struct sample_options *o)
{
	uint64_t n;
	p->store.now_ms = clock_wall_ns() / 1000000;
	if (o->keep && o->log_path && !sample_restore(p, o->log_path))
		return false;
	n = p->log.n;
	if (!sample_log_open(&p->log, o->log_path))
		return server_complain(o->log_path);
	p->log.n = n;
	return true;
}

bool sample_server_open(struct sample_server *s, const struct sample_options *o, int fd)
{
	sample_open(&s->sample, o->name);
	s->sample.faults = o->faults;
	list_init(&s->jobs);
	s->job_n = s->job_bytes = 0;
	if (!server_open_log(&s->sample, o))
		return false;
	if (!loop_open_own(&s->loop))
		return server_complain("its loop");
	service_open(&s->service, &s->loop, &user, s, BODY_BYTES);
	service_listen(&s->service, fd, false, NULL);
	timer_init(&s->second, server_second);
	timer_set(&s->loop.wheel, &s->second, loop_now_ms(&s->loop) + SECOND_MS);
	return true;
}

void sample_server_run(struct sample_server *s)
{
	for (;;)
		loop_turn(&s->loop);
}
