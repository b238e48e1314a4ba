#include "control/recorder_seen.h"
#include "control/admin.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/log.h"
#include "control/admin_host.h"
#include "control/asked.h"
#include "control/control.h"
#include "control/drains_admin.h"
#include "control/history.h"
#include "control/metrics.h"
#include "control/serving.h"
#include "control/status.h"
#include "control/weights_json.h"

#define JSON SPAN("application/json")
#define PLAIN SPAN("text/plain; charset=utf-8")

static struct control *control_of(const struct call *c)
{
	const struct admin *a = c->service->owner;
	return a->control;
}

/* --- answers --- */

static void answer_json(struct call *c, unsigned status, json_t *j /* moved in */)
{
	char *text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	must(text);
	size_t n = strlen(text);
	text[n++] = '\n'; /* in place of the NUL */
	call_text(c, status, JSON, (struct span){ text, n });
	free(text);
}

static void answer_error(struct call *c, unsigned status, const char *word, const char *message)
{
	answer_json(c, status,
		    json_pack("{s:s,s:i,s:s}", "error", word, "status", (int)status, "message",
			      message));
}

static void add_etag(struct msg *head, uint64_t epoch)
{
	char tag[32];
	int n = snprintf(tag, sizeof tag, "\"%llu\"", (unsigned long long)epoch);
	msg_add(head, NAME_ETAG, (struct span){ tag, (size_t)n });
}

static void answer_weights(struct call *c, unsigned status, uint64_t epoch,
			   json_t *j /* moved in */)
{
	char *text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	must(text);
	size_t n = strlen(text);
	text[n++] = '\n';
	add_etag(call_head(c, status, JSON), epoch);
	call_answer(c, (struct span){ text, n });
	free(text);
}

/* --- seeing --- */

static void serve_status(struct call *c)
{
	answer_json(c, 200, status_json(control_of(c)));
}

static void serve_metrics(struct call *c)
{
	struct control *control = control_of(c);
	char *text;
	size_t n;
	FILE *to = open_memstream(&text, &n);
	must(to);
	metrics_write(&(struct metrics_facts){ .counters = control->counters,
					       .worker_n = control->worker_n,
					       .plan = publisher_newest(&control->publisher),
					       .nodes = &control->nodes,
					       .values = board_read(control->board),
					       .backend = control->backend,
					       .started_wall_ns = control->started_wall_ns,
					       .log_lines_lost =
						       atomic_load(&control->board->log_lost.lines),
					       .unsaved = control->weights.unsaved != 0,
					       .in_force = reload_is_in_force(&control->reload) },
		      to);
	validity_metrics(&control->validity, to);
	recorder_metrics(&control->recorder, to);
	fclose(to);
	call_text(c, 200, SPAN(METRICS_TYPE), (struct span){ text, n });
	free(text);
}

static void serve_capture(struct call *c)
{
	answer_json(c, 200, recorder_json(&control_of(c)->recorder));
}

static void serve_history(struct call *c)
{
	json_t *list = history_read(control_of(c)->config->state);
	char text[WEIGHTS_TEXT_BYTES];
	if (list) {
		answer_json(c, 200, json_pack("{s:o}", "changes", list));
		return;
	}
	snprintf(text, sizeof text, "audit.jsonl cannot be read: %s", strerror(errno));
	answer_error(c, 500, "audit_unreadable", text);
}

static void serve_health(struct call *c)
{
	call_text(c, 200, PLAIN, SPAN("ok\n"));
}

static void serve_ready(struct call *c)
{
	const struct control *control = control_of(c);
	if (control->state != CONTROL_SERVING)
		call_text(c, 503, PLAIN, SPAN("draining\n"));
	else if (recorder_is_degraded(&control->recorder))
		call_text(c, 200, PLAIN, SPAN("degraded: the capture log cannot be written\n"));
	else
		call_text(c, 200, PLAIN, SPAN("ready\n"));
}

/* --- changes --- */

/* A change that a client waits for; in the call's arena. */
struct waiting {
	void *change; /* owned */
	void (*forget)(void *change);
};

static void wait_for(struct call *c, void *change /* moved in */, void (*forget)(void *))
{
	struct waiting *w = arena_take(&c->arena, sizeof *w);
	*w = (struct waiting){ change, forget };
	c->user = w;
}

/* The client has gone; its change goes on. */
static void gone(struct call *c)
{
	struct waiting *w = c->user;
	if (!w)
		return;
	w->forget(w->change);
	free(w->change);
	c->user = NULL;
}

/* What it says of itself leaves room for where it is. */
#define WHO_BYTES 190

/* Who asks: as it says itself, and from where when that is not this machine's owner. */
static void complete_who(const struct call *c, char who[ASKED_TEXT_BYTES])
{
	char said[ASKED_TEXT_BYTES], peer[ADDR_TEXT_BYTES];
	addr_text(&c->peer, peer);
	memcpy(said, who, sizeof said);
	int n = (int)asked_whole(said, WHO_BYTES);
	if (c->local)
		snprintf(who, ASKED_TEXT_BYTES, "%.*s", n ? n : 5, n ? said : "local");
	else
		snprintf(who, ASKED_TEXT_BYTES, "%.*s%s%s", n, said, n ? " from " : "", peer);
}

/* --- weights --- */

static void serve_weights(struct call *c)
{
	struct control *control = control_of(c);
	struct board_values v = board_read(control->board);
	answer_weights(c, 200, v.epoch,
		       weights_json(v.weights, v.epoch, !control->weights.unsaved));
}

static void change_is_done(struct weights_change *w);

static struct weights_change *change_new(struct call *c)
{
	struct weights_change *w = calloc(1, sizeof *w);
	must(w);
	w->done = change_is_done;
	w->caller = c;
	return w;
}

static void change_is_done(struct weights_change *w)
{
	struct call *c = w->caller;
	json_t *j = weights_json_change(w);
	c->user = NULL;
	json_object_set_new(j, "warnings", writes_warnings(&control_of(c)->writes, w));
	answer_weights(c, w->verdict == WEIGHTS_ACKNOWLEDGED ? 200 : 202, w->to.epoch, j);
	free(w);
}

static void forget_weights(void *change)
{
	weights_forget(change);
}

/* Who was faster, as far as the audit has it. */
static void refuse_stale(struct call *c, const struct weights_change *w)
{
	json_t *history = history_read(control_of(c)->config->state);
	char told[HISTORY_TEXT_BYTES], text[HISTORY_TEXT_BYTES + 100];
	history_tell(history, w->from.epoch, told);
	snprintf(text, sizeof text, "the epoch is %llu, not %llu: %s",
		 (unsigned long long)w->from.epoch, (unsigned long long)w->if_epoch,
		 told[0] ? told : "somebody was faster");
	answer_json(c, 412,
		    json_pack("{s:s,s:i,s:o,s:O*}", "error", "epoch_differs", "status", 412,
			      "message", asked_json(text), "change",
			      history_of_epoch(history, w->from.epoch)));
	json_decref(history);
}

static void refuse_change(struct call *c, const struct weights_change *w)
{
	char text[WEIGHTS_TEXT_BYTES];
	switch (w->verdict) {
	case WEIGHTS_ZERO:
		answer_error(c, 400, "both_zero", "both weights are 0: nobody would be served");
		break;
	case WEIGHTS_STALE:
		refuse_stale(c, w);
		break;
	case WEIGHTS_UNSAVED:
		snprintf(text, sizeof text,
			 "nothing was changed, for the state cannot be saved: %s (a rollback works "
			 "all the "
			 "same)",
			 strerror(w->error));
		answer_error(c, 500, "state_unsaved", text);
		break;
	case WEIGHTS_UNTOLD:
		snprintf(text, sizeof text,
			 "nothing was changed, for audit.jsonl cannot take a line: %s (a rollback "
			 "works all the same)",
			 strerror(w->error));
		answer_error(c, 500, "audit_unwritable", text);
		break;
	case WEIGHTS_ACKNOWLEDGED:
	case WEIGHTS_LATE:
	case WEIGHTS_WAITING:
		must(!"a change that stands is not refused");
	}
}

/* What leaves requests to nobody wants to be forced; going back never does. */
static bool is_forbidden(struct call *c, struct weights_change *w)
{
	const struct control *control = control_of(c);
	struct board_values now = board_read(control->board);
	char why[SERVING_TEXT_BYTES];
	if (w->at_once || !(w->weights[ARM_SOURCE] || w->weights[ARM_TARGET]) ||
	    (w->if_epoch && w->if_epoch != now.epoch) ||
	    !serving_forbids_weights(&control->nodes, &now, w->weights, why))
		return false;
	w->forced = w->force;
	if (!w->force)
		answer_error(c, 409, "nobody_serves", why);
	return !w->force;
}

static void begin_change(struct call *c, struct weights_change *w /* moved in */)
{
	complete_who(c, w->who);
	if (is_forbidden(c, w)) {
		free(w);
		return;
	}
	if (weights_set(&control_of(c)->weights, w) == WEIGHTS_WAITING) {
		writes_heed(&control_of(c)->writes, w);
		wait_for(c, w, forget_weights);
		return;
	}
	refuse_change(c, w);
	free(w);
}

/* If-Match: "7", 7 or *: RFC 9110, 13.1.1. 0: whatever it is. */
static bool read_if_match(struct call *c, uint64_t *epoch)
{
	struct span value = msg_value(c->request, NAME_IF_MATCH);
	unsigned long long n;
	*epoch = 0;
	if (!value.at || span_is(value, SPAN("*")))
		return true;
	if (value.n >= 2 && value.at[0] == '"' && value.at[value.n - 1] == '"')
		value = (struct span){ value.at + 1, value.n - 2 };
	if (!span_to_u64(value, INT64_MAX, &n) || n == 0)
		return false;
	*epoch = n;
	return true;
}

static void serve_change(struct call *c)
{
	char error[WEIGHTS_TEXT_BYTES];
	struct weights_change *w = change_new(c);
	if (!read_if_match(c, &w->if_epoch))
		answer_error(c, 400, "bad_if_match", "If-Match is not an epoch, as \"7\"");
	else if (!weights_json_read(c->body, w, error))
		answer_error(c, 400, "bad_request", error);
	else {
		begin_change(c, w);
		return;
	}
	free(w);
}

static void serve_rollback(struct call *c)
{
	char error[WEIGHTS_TEXT_BYTES];
	struct weights_change *w = change_new(c);
	w->at_once = true;
	w->weights[ARM_SOURCE] = 1;
	if (weights_json_read_rollback(c->body, w, error)) {
		begin_change(c, w);
		return;
	}
	answer_error(c, 400, "bad_request", error);
	free(w);
}

/* --- nodes --- */

static void drain_is_done(struct drain_change *d)
{
	struct call *c = d->caller;
	c->user = NULL;
	answer_json(c, d->late_n ? 202 : 200, drains_json(d));
	free(d);
}

static void forget_drain(void *change)
{
	drains_forget(change);
}

static void refuse_drain(struct call *c, int error)
{
	char text[DRAINS_TEXT_BYTES];
	snprintf(text, sizeof text, "nothing was changed, for audit.jsonl cannot take a line: %s",
		 strerror(error));
	answer_error(c, 500, "audit_unwritable", text);
}

static void begin_drain(struct call *c, const struct drain_change *asked)
{
	struct drain_change *d = malloc(sizeof *d);
	must(d);
	*d = *asked;
	d->done = drain_is_done;
	d->caller = c;
	complete_who(c, d->who);
	int error = drains_change(&control_of(c)->drains, d);
	if (error) {
		refuse_drain(c, error);
		free(d);
		return;
	}
	wait_for(c, d, forget_drain);
	control_let_others_look(control_of(c));
}

static bool is_forbidden_drain(struct call *c, struct drain_change *asked)
{
	const struct control *control = control_of(c);
	struct board_values now = board_read(control->board);
	char why[SERVING_TEXT_BYTES];
	if (!asked->drain || !serving_forbids_drain(&control->nodes, &now, asked->node, why))
		return false;
	asked->forced = asked->force;
	if (!asked->force)
		answer_error(c, 409, "nobody_serves", why);
	return !asked->force;
}

static void serve_node_state(struct call *c)
{
	char name[NODE_NAME_BYTES], error[2 * DRAINS_TEXT_BYTES];
	struct drain_change asked = { 0 };
	if (!drains_read_path(c->path, name)) {
		call_error(c, ERR_NOT_FOUND);
		return;
	}
	asked.node = drains_find(&control_of(c)->nodes, name, error);
	if (!asked.node)
		answer_error(c, 404, "unknown_node", error);
	else if (!drains_read_body(c->body, &asked, error))
		answer_error(c, 400, "bad_request", error);
	else if (!is_forbidden_drain(c, &asked))
		begin_drain(c, &asked);
}

/* --- what the keeper does --- */

/* It is done as on the signal, and what came of it stands in /v1/status. */
static void serve_order(struct call *c, const char *what, int signal)
{
	struct control *control = control_of(c);
	struct weights_change asked = { 0 };
	char error[WEIGHTS_TEXT_BYTES];
	if (!weights_json_read_rollback(c->body, &asked, error)) {
		answer_error(c, 400, "bad_request", error);
		return;
	}
	complete_who(c, asked.who);
	if (!control->peers.signal || !control->peers.signal(control->peers.self, signal)) {
		answer_error(c, 500, "keeper_unreachable", "the keeper cannot be told");
		return;
	}
	log_line(LOG_INFO, "%s: asked for by %s%s%s", what, asked.who, asked.why[0] ? ": " : "",
		 asked.why);
	answer_json(c, 202,
		    json_pack("{s:s,s:i,s:i}", "asked", what, "keeper", (int)getppid(), "pid",
			      (int)getpid()));
}

static void serve_reload(struct call *c)
{
	if (control_of(c)->state == CONTROL_SERVING)
		serve_order(c, "reload", SIGHUP);
	else
		answer_error(c, 409, "stopping", "it is stopping: nothing is changed any more");
}

static void serve_upgrade(struct call *c)
{
	serve_order(c, "upgrade", SIGUSR2);
}

static void serve_stop(struct call *c)
{
	serve_order(c, "stop", SIGTERM);
}

/* --- routes --- */

static const struct route_row {
	struct span path; /* `*` in it: anything */
	enum method method;
	bool open; /* without the token */
	void (*serve)(struct call *c);
} rows[] = {
	{ SPAN("/v1/status"), METHOD_GET, false, serve_status },
	{ SPAN("/v1/weights"), METHOD_GET, false, serve_weights },
	{ SPAN("/v1/weights"), METHOD_PUT, false, serve_change },
	{ SPAN("/v1/rollback"), METHOD_POST, false, serve_rollback },
	{ SPAN("/v1/nodes/*/state"), METHOD_PUT, false, serve_node_state },
	{ SPAN("/v1/reload"), METHOD_POST, false, serve_reload },
	{ SPAN("/v1/upgrade"), METHOD_POST, false, serve_upgrade },
	{ SPAN("/v1/stop"), METHOD_POST, false, serve_stop },
	{ SPAN("/v1/history"), METHOD_GET, false, serve_history },
	{ SPAN("/v1/capture"), METHOD_GET, false, serve_capture },
	{ SPAN("/metrics"), METHOD_GET, true, serve_metrics },
	{ SPAN("/healthz"), METHOD_GET, true, serve_health },
	{ SPAN("/readyz"), METHOD_GET, false, serve_ready },
};

static bool has_token(const struct call *c)
{
	const struct admin *a = c->service->owner;
	struct span value = msg_value(c->request, NAME_AUTHORIZATION);
	static const char scheme[] = "Bearer ";
	if (c->local)
		return true;
	if (value.n < sizeof scheme - 1 || strncasecmp(value.at, scheme, sizeof scheme - 1) != 0)
		return false;
	value = (struct span){ value.at + sizeof scheme - 1, value.n - (sizeof scheme - 1) };
	return a->token[0] && token_is(a->token, span_trim(value));
}

static void refuse_stranger(struct call *c)
{
	msg_add_named(call_head(c, 401, JSON), SPAN("WWW-Authenticate"), SPAN("Bearer"));
	call_answer(
		c,
		SPAN("{\"error\":\"no_token\",\"status\":401,\"message\":\"Authorization: Bearer "
		     "and the text of admin.token in the state directory are expected.\"}\n"));
}

/* GET's row serves HEAD too: the body is left out behind it. */
static bool takes(const struct route_row *r, enum method method)
{
	return r->method == method || (r->method == METHOD_GET && method == METHOD_HEAD);
}

static bool is_path_of(const struct route_row *r, struct span path)
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
					      control_of(c)->config->admin.hosts);
}

static void serve(struct call *c)
{
	const struct route_row *path = NULL, *row = NULL;
	if (!is_for_us(c)) {
		answer_error(c, 421, "host_not_ours",
			     "Host is neither an address nor localhost nor one of admin.hosts: ask "
			     "by address, or name it in the configuration.");
		return;
	}
	for (size_t i = 0; i < sizeof rows / sizeof rows[0] && !row; i++) {
		if (!is_path_of(&rows[i], c->path))
			continue;
		path = &rows[i];
		if (takes(path, (enum method)c->request->method))
			row = path;
	}
	if (!(row && row->open) && !has_token(c))
		refuse_stranger(c);
	else if (row && row->method != METHOD_GET && !control_of(c)->leads)
		answer_error(
			c, 503, "handed_over",
			"nothing was changed, for a newer process has just taken over: ask again");
	else if (row)
		row->serve(c);
	else
		call_error(c, path ? ERR_METHOD_NOT_ALLOWED : ERR_NOT_FOUND);
}

static const struct service_user user = { serve, gone };

void admin_open(struct admin *a, struct control *control, struct loop *loop)
{
	*a = (struct admin){ .control = control };
	service_open(&a->service, loop, &user, a, ADMIN_BODY_BYTES);
	a->service.connections_max = ADMIN_CONNECTIONS_MAX;
}

void admin_close(struct admin *a)
{
	service_close(&a->service);
}
