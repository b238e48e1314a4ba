#include "control/admin.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/limits.h"
#include "base/log.h"
#include "control/admin_compare.h"
#include "control/admin_history.h"
#include "control/admin_host.h"
#include "control/admin_nodes.h"
#include "control/admin_replay.h"
#include "control/admin_weights.h"
#include "control/metrics.h"
#include "control/metrics_replay.h"
#include "control/recorder_seen.h"
#include "control/replay_json.h"
#include "control/status.h"
#include "control/weights_json.h"

#define PLAIN SPAN("text/plain; charset=utf-8")

/* --- reading --- */

static void serve_status(struct call *c)
{
	const struct admin *a = admin_of(c);
	admin_respond(c, 200, status_json(a->workers, a->leader, a->reload));
}

static void serve_metrics(struct call *c)
{
	struct workers *w = admin_workers(c);
	char *text;
	size_t n;
	FILE *to = open_memstream(&text, &n);
	must(to);
	struct recorder_numbers numbers;
	bool records = recorder_numbers(&w->recorder, &numbers);
	struct metrics_facts facts = { .counters = w->counters,
				       .worker_n = w->n,
				       .plan = publisher_newest(&w->publisher),
				       .nodes = &w->nodes,
				       .values = board_read(w->board),
				       .backend = w->backend,
				       .started_wall_ns = w->started_wall_ns,
				       .log_lines_lost = atomic_load(&w->board->log_lost.lines),
				       .capture = records ? &numbers : NULL,
				       .unsaved = admin_leader(c)->weights.unsaved != 0,
				       .in_force = reload_is_in_force(admin_of(c)->reload) };
	board_writes(w->board, facts.writes);
	metrics_write(&facts, to);
	certificate_dates_metrics(&w->certificate_dates, to);
	json_t *replay = replay_json(w);
	metrics_replay(replay, to);
	json_decref(replay);
	compare_file_metrics(&admin_leader(c)->compare, to);
	fclose(to);
	call_text(c, 200, SPAN(METRICS_TYPE), (struct span){ text, n });
	free(text);
}

static void serve_capture(struct call *c)
{
	admin_respond(c, 200, recorder_json(&admin_workers(c)->recorder));
}

static void serve_healthz(struct call *c)
{
	call_text(c, 200, PLAIN, SPAN("ok\n"));
}

static void serve_readyz(struct call *c)
{
	const struct workers *w = admin_workers(c);
	if (w->state != WORKERS_SERVING)
		call_text(c, 503, PLAIN, SPAN("draining\n"));
	else if (recorder_is_degraded(&w->recorder))
		call_text(c, 200, PLAIN, SPAN("degraded: the capture log cannot be written\n"));
	else
		call_text(c, 200, PLAIN, SPAN("ready\n"));
}

/* --- requests to the keeper --- */

/* The keeper acts as on the signal. /v1/status has the outcome. */
static void serve_signal(struct call *c, const char *what, int signal)
{
	const struct leader_peers *peers = &admin_leader(c)->peers;
	struct weights_change asked = { 0 };
	char error[WEIGHTS_TEXT_BYTES];
	if (!weights_json_read_rollback(c->body, &asked, error)) {
		admin_refuse(c, 400, "bad_request", error);
		return;
	}
	admin_who(c, asked.who);
	if (!peers->signal || !peers->signal(peers->self, signal)) {
		admin_refuse(c, 500, "keeper_unreachable", "the keeper process cannot be reached");
		return;
	}
	log_line(LOG_INFO, "%s: asked for by %s%s%s", what, asked.who, asked.why[0] ? ": " : "",
		 asked.why);
	admin_respond(c, 202,
		      json_pack("{s:s,s:i,s:i}", "asked", what, "keeper", (int)getppid(), "pid",
				(int)getpid()));
}

static void serve_reload(struct call *c)
{
	if (admin_workers(c)->state == WORKERS_SERVING)
		serve_signal(c, "reload", SIGHUP);
	else
		admin_refuse(c, 409, "stopping",
			     "this process is stopping: it makes no changes any more");
}

static void serve_upgrade(struct call *c)
{
	serve_signal(c, "upgrade", SIGUSR2);
}

static void serve_stop(struct call *c)
{
	serve_signal(c, "stop", SIGTERM);
}

/* --- the trace --- */

static void serve_trace(struct call *c)
{
	admin_respond(c, 200, tracer_take(&admin_workers(c)->tracer));
}

static void begin_trace(struct call *c, const char *clients)
{
	switch (tracer_begin(&admin_workers(c)->tracer, clients)) {
	case TRACER_BEGUN:
		log_line(LOG_INFO, "trace: of clients in %s", clients);
		serve_trace(c);
		break;
	case TRACER_BUSY:
		admin_refuse(c, 409, "trace_under_way", "another trace is under way, or is ending");
		break;
	case TRACER_NO_NETWORK:
		admin_refuse(c, 400, "bad_request",
			     "client must be an address or a network, such as 10.0.0.0/24");
		break;
	}
}

static void serve_trace_begin(struct call *c)
{
	json_t *body = json_loadb(c->body.at, c->body.n, 0, NULL);
	const char *clients = json_string_value(json_object_get(body, "client"));
	begin_trace(c, clients ? clients : "");
	json_decref(body);
}

static void serve_trace_end(struct call *c)
{
	tracer_end(&admin_workers(c)->tracer);
	serve_trace(c);
}

/* --- routes --- */

static const struct route_row {
	struct span path; /* `*` in it stands for any text */
	enum method method;
	bool open; /* needs no token */
	void (*serve)(struct call *c);
} rows[] = {
	{ SPAN("/v1/status"), METHOD_GET, false, serve_status },
	{ SPAN("/v1/weights"), METHOD_GET, false, admin_serve_weights },
	{ SPAN("/v1/weights"), METHOD_PUT, false, admin_serve_change },
	{ SPAN("/v1/rollback"), METHOD_POST, false, admin_serve_rollback },
	{ SPAN("/v1/nodes/*/state"), METHOD_PUT, false, admin_serve_node_state },
	{ SPAN("/v1/reload"), METHOD_POST, false, serve_reload },
	{ SPAN("/v1/upgrade"), METHOD_POST, false, serve_upgrade },
	{ SPAN("/v1/stop"), METHOD_POST, false, serve_stop },
	{ SPAN("/v1/history"), METHOD_GET, false, admin_serve_history },
	{ SPAN("/v1/capture"), METHOD_GET, false, serve_capture },
	{ SPAN("/v1/replay"), METHOD_GET, false, admin_serve_replay },
	{ SPAN("/v1/replay/pause"), METHOD_POST, false, admin_serve_replay_pause },
	{ SPAN("/v1/replay/resume"), METHOD_POST, false, admin_serve_replay_resume },
	{ SPAN("/v1/replay/backfill"), METHOD_POST, false, admin_serve_backfill },
	{ SPAN("/v1/replay/backfill/pause"), METHOD_POST, false, admin_serve_backfill_pause },
	{ SPAN("/v1/replay/backfill/resume"), METHOD_POST, false, admin_serve_backfill_resume },
	{ SPAN("/v1/replay/backfill/stop"), METHOD_POST, false, admin_serve_backfill_stop },
	{ SPAN("/v1/replay/restart"), METHOD_POST, false, admin_serve_restart },
	{ SPAN("/v1/replay/set-aside"), METHOD_GET, false, admin_serve_aside },
	{ SPAN("/v1/replay/set-aside/retry"), METHOD_POST, false, admin_serve_aside_retry },
	{ SPAN("/v1/replay/set-aside/drop"), METHOD_POST, false, admin_serve_aside_drop },
	{ SPAN("/v1/compare"), METHOD_GET, false, admin_serve_compare },
	{ SPAN("/v1/compare"), METHOD_POST, false, admin_serve_compare_begin },
	{ SPAN("/v1/compare"), METHOD_DELETE, false, admin_serve_compare_end },
	{ SPAN("/v1/trace"), METHOD_GET, false, serve_trace },
	{ SPAN("/v1/trace"), METHOD_POST, false, serve_trace_begin },
	{ SPAN("/v1/trace"), METHOD_DELETE, false, serve_trace_end },
	{ SPAN("/metrics"), METHOD_GET, true, serve_metrics },
	{ SPAN("/healthz"), METHOD_GET, true, serve_healthz },
	{ SPAN("/readyz"), METHOD_GET, false, serve_readyz },
};

/* A token that was sent over a network in clear text may be known to anybody. */
static bool is_safe(const struct call *c)
{
	return c->local || c->sealed || addr_is_loopback(&c->peer);
}

static void refuse_clear_text(struct call *c)
{
	bool said = msg_value(c->request, NAME_AUTHORIZATION).at != NULL;
	admin_refuse(c, 403, "clear_text",
		     said ? "The token is accepted over TLS only. This request sent it over a "
			    "network in clear text: others may know it now. Remove admin.token "
			    "from the state directory, and upgrade or restart: that makes a new "
			    "one. Set admin.tls, and use https."
			  : "The token is accepted over TLS only: set admin.tls: { certificate: "
			    "FILE, key: FILE } in the configuration, and use https.");
}

static bool has_token(const struct call *c)
{
	const struct leader *l = admin_leader(c);
	struct span value = msg_value(c->request, NAME_AUTHORIZATION);
	static const char scheme[] = "Bearer ";
	if (c->local)
		return true;
	if (value.n < sizeof scheme - 1 || strncasecmp(value.at, scheme, sizeof scheme - 1) != 0)
		return false;
	value = (struct span){ value.at + sizeof scheme - 1, value.n - (sizeof scheme - 1) };
	return l->token[0] && token_is(l->token, span_trim(value));
}

/* A process that has just taken over has not read its token yet. */
static void refuse_unread_token(struct call *c)
{
	admin_refuse(c, 503, "disk_late",
		     "the token cannot be checked, because the state directory does not answer "
		     "yet: try again");
}

static void refuse_without_token(struct call *c)
{
	msg_add_named(call_head(c, 401, ADMIN_JSON), SPAN("WWW-Authenticate"), SPAN("Bearer"));
	call_response(c, SPAN("{\"error\":\"no_token\",\"status\":401,\"message\":\"A token is "
			      "required: send Authorization: Bearer with the text of admin.token "
			      "in the state directory.\"}\n"));
}

/* The row of GET also serves HEAD; service.c leaves out the body. */
static bool row_takes(const struct route_row *r, enum method method)
{
	return r->method == method || (r->method == METHOD_GET && method == METHOD_HEAD);
}

static bool row_has_path(const struct route_row *r, struct span path)
{
	const char *star = memchr(r->path.at, '*', r->path.n);
	if (!star)
		return span_is(r->path, path);
	size_t before_n = (size_t)(star - r->path.at), behind_n = r->path.n - before_n - 1;
	return path.n > before_n + behind_n && !memcmp(path.at, r->path.at, before_n) &&
	       !memcmp(path.at + path.n - behind_n, star + 1, behind_n);
}

static bool is_for_us(const struct call *c)
{
	return c->local || admin_host_is_ours(msg_value(c->request, NAME_HOST),
					      admin_workers(c)->config->admin.hosts);
}

static void admin_serve(struct call *c)
{
	const struct route_row *path = NULL, *row = NULL;
	if (!is_for_us(c)) {
		admin_refuse(c, 421, "host_not_ours",
			     "Host is neither an address nor localhost nor one of admin.hosts: use "
			     "an address, or add the name to admin.hosts.");
		return;
	}
	for (size_t i = 0; i < sizeof rows / sizeof rows[0] && !row; i++) {
		if (!row_has_path(&rows[i], c->path))
			continue;
		path = &rows[i];
		if (row_takes(path, (enum method)c->request->method))
			row = path;
	}
	if (!(row && row->open) && !is_safe(c))
		refuse_clear_text(c);
	else if (!(row && row->open) && !c->local && !admin_leader(c)->token[0])
		refuse_unread_token(c);
	else if (!(row && row->open) && !has_token(c))
		refuse_without_token(c);
	else if (row && row->method != METHOD_GET && !admin_leader(c)->leads)
		admin_refuse_handed_over(c);
	else if (row)
		row->serve(c);
	else
		call_error(c, path ? ERR_METHOD_NOT_ALLOWED : ERR_NOT_FOUND);
}

static const struct service_user user = { .serve = admin_serve, .gone = admin_gone };

void admin_open(struct admin *a, struct workers *w, struct leader *l, const struct reload *r,
		struct loop *loop)
{
	*a = (struct admin){ .workers = w, .leader = l, .reload = r };
	service_open(&a->service, loop, &user, a, ADMIN_BODY_BYTES);
	a->service.connections_max = ADMIN_CONNECTIONS_MAX;
}

void admin_close(struct admin *a)
{
	service_close(&a->service);
}
