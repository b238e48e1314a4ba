#include "base/bug.h"
#include "base/fmt.h"
#include "proxy/access_text.h"
#include "proxy/rng.h"
#include "proxy/request.h"

enum shape { NUMBER, WORD, TEXT };

/* --- helpers of the fields --- */

static const struct access_attempt *last_attempt(const struct access_entry *e)
{
	const struct access_notes *n = e->request->notes;
	return n->attempt_n ? &n->attempts[n->attempt_n - 1] : NULL;
}

/* The value that the client sent, even where the configuration replaces it. */
static struct span client_value(const struct access_entry *e, enum name name)
{
	const struct msg *m = e->request->head;
	for (unsigned i = 0; m && i < m->field_n; i++)
		if (m->fields[i].name == name)
			return field_value(m, &m->fields[i]);
	return (struct span){ NULL, 0 };
}

static struct span sent_value(const struct access_entry *e, enum name name)
{
	return e->request->head ? msg_value(e->request->head, name) : (struct span){ NULL, 0 };
}

static bool access_has_port(struct span host)
{
	const char *colon = host.n ? memrchr(host.at, ':', host.n) : NULL;
	return colon && !memchr(colon, ']', host.n - (size_t)(colon - host.at));
}

static uint64_t age_ns(const struct access_entry *e)
{
	return e->now_ns - e->request->began_ns;
}

/* A client that leaves before its response has begun gets status 460, as with AWS ALB. */
static unsigned status_told(const struct access_entry *e)
{
	if (e->status && !e->request->orphaned_ns)
		return e->status;
	return e->why != ERR_NONE && !err_status(e->why) ? 460 : 0;
}

/* The request was not valid HTTP. A request that was cut off proves nothing about its sender. */
static bool is_malformed(const struct access_entry *e)
{
	return e->why != ERR_NONE && err_status(e->why) == 400 && e->why != ERR_CUT_REQUEST;
}

/* --- the fields: a function that writes nothing leaves its field empty --- */

static void field_put_nothing(struct access_line *l)
{
	(void)l;
}

static void field_put_type(struct access_line *l)
{
	static const char *const types[2][2] = { { "http", "https" }, { "ws", "wss" } };
	access_put_text(l, types[l->e->status == 101][l->r->listener->tls != NULL]);
}

static void field_put_time(struct access_line *l)
{
	access_put_wall(l, l->e->wall_ns);
}

static void field_put_creation_time(struct access_line *l)
{
	access_put_wall(l, l->e->wall_ns - age_ns(l->e));
}

static void field_put_listener(struct access_line *l)
{
	access_put_text(l, "crossfade/");
	access_put_text(l, l->r->listener->name);
}

static void field_put_listener_name(struct access_line *l)
{
	access_put_text(l, l->r->listener->name);
}

static void field_put_client(struct access_line *l)
{
	access_put_address(l, &l->r->client);
}

static void field_put_target(struct access_line *l)
{
	const struct access_attempt *t = last_attempt(l->e);
	if (t)
		access_put_address(l, &t->to);
}

static void field_put_node(struct access_line *l)
{
	const struct access_attempt *t = last_attempt(l->e);
	if (t)
		access_put_text(l, t->node);
}

static void field_put_time_or_failure(struct access_line *l, bool known, uint64_t ns)
{
	if (known)
		access_put_seconds(l, ns);
	else
		access_put_text(l, "-1");
}

static void field_put_request_time(struct access_line *l)
{
	const struct access_entry *e = l->e;
	field_put_time_or_failure(l, e->responded_ns, e->asked_ns - e->request->began_ns);
}

static void field_put_target_time(struct access_line *l)
{
	const struct access_entry *e = l->e;
	field_put_time_or_failure(l, e->responded_ns, e->responded_ns - e->asked_ns);
}

/* The head of a response is sent in the turn in which it came. */
static void field_put_response_time(struct access_line *l)
{
	field_put_time_or_failure(l, l->e->responded_ns && !l->r->orphaned_ns, 0);
}

static void field_put_total_time(struct access_line *l)
{
	access_put_seconds(l, age_ns(l->e));
}

static void field_put_status(struct access_line *l)
{
	if (status_told(l->e))
		access_put_number(l, status_told(l->e));
}

static void field_put_target_status(struct access_line *l)
{
	const struct access_attempt *t = last_attempt(l->e);
	if (t && t->status)
		access_put_number(l, t->status);
}

static void field_put_received(struct access_line *l)
{
	access_put_number(l, l->r->notes->request_head_bytes + l->e->request_bytes);
}

static void field_put_sent(struct access_line *l)
{
	const struct access_entry *e = l->e;
	access_put_number(l, e->request->orphaned_ns
				     ? 0
				     : e->request->notes->response_head_bytes + e->response_bytes);
}

/* A query may contain secrets, which not every reader of the log may see. */
static void field_put_whole_target(struct access_line *l)
{
	struct span target = msg_target(l->r->head), query = msg_query(l->r->head), value;
	const char *from = target.at, *end = target.at + target.n;
	while (secret_next(&l->r->plan->access_secrets, query, &value)) {
		access_put(l, (struct span){ from, (size_t)(value.at - from) });
		access_put_text(l, "***");
		from = value.at + value.n;
		query = (struct span){ from, (size_t)(end - from) };
	}
	access_put(l, (struct span){ from, (size_t)(end - from) });
}

static void field_put_request_line(struct access_line *l)
{
	const struct access_entry *e = l->e;
	const struct msg *m = e->request->head;
	struct span host = client_value(e, NAME_HOST);
	if (!m) {
		access_put_text(l, "- - -");
		return;
	}
	access_put(l, msg_method(m));
	access_put_text(l, e->request->listener->tls ? " https://" : " http://");
	access_put(l, host);
	if (!access_has_port(host)) {
		access_put_text(l, ":");
		access_put_number(l, e->request->listener->port);
	}
	field_put_whole_target(l);
	access_put_text(l, m->minor ? " HTTP/1.1" : " HTTP/1.0");
}

static void field_put_method(struct access_line *l)
{
	if (l->r->head)
		access_put(l, msg_method(l->r->head));
}

static void field_put_host(struct access_line *l)
{
	access_put(l, client_value(l->e, NAME_HOST));
}

static void field_put_path(struct access_line *l)
{
	if (l->r->head)
		field_put_whole_target(l);
}

static void field_put_kind(struct access_line *l)
{
	if (l->r->head)
		access_put_text(l, class_name(l->r->class.class));
}

/*
 * The outcome of a write: by the status of the node's response, which the client need not have
 * received. A write with a 5xx response may have been applied, in part or whole.
 */
static void field_put_outcome(struct access_line *l)
{
	const struct access_attempt *t = last_attempt(l->e);
	if (!l->r->head || l->r->class.class != CLASS_WRITE)
		return;
	if (t && t->status)
		access_put_text(l, t->status < 400   ? "accepted"
				   : t->status < 500 ? "rejected"
						     : "failed");
	else
		access_put_text(l, l->e->unknown ? "unknown" : "not_sent");
}

static void field_put_user_agent(struct access_line *l)
{
	access_put(l, client_value(l->e, NAME_USER_AGENT));
}

static void field_put_cipher(struct access_line *l)
{
	access_put_text(l, l->r->notes->cipher);
}

static void field_put_protocol(struct access_line *l)
{
	access_put_text(l, l->r->notes->version);
}

static void field_put_cluster(struct access_line *l)
{
	if (l->r->arm < ARMS)
		access_put_text(l, l->r->plan->clusters[l->r->arm].name);
}

static void field_put_trace_id(struct access_line *l)
{
	access_put(l, sent_value(l->e, NAME_X_AMZN_TRACE_ID));
}

static void field_put_traceparent(struct access_line *l)
{
	access_put(l, sent_value(l->e, NAME_TRACEPARENT));
}

static void field_put_server_name(struct access_line *l)
{
	access_put_text(l, l->r->notes->server_name);
}

static void field_put_certificate(struct access_line *l)
{
	if (l->r->notes->resumed)
		access_put_text(l, "session-reused");
	else
		access_put_text(l, l->r->notes->certificate);
}

static void field_put_rule(struct access_line *l)
{
	if (l->r->arm < ARMS)
		access_put_number(l, 0);
}

static void field_put_action(struct access_line *l)
{
	if (l->r->arm < ARMS)
		access_put_text(l, "forward");
}

static void field_put_reason(struct access_line *l)
{
	if (l->e->why != ERR_NONE)
		access_put_text(l, err_word((enum err)l->e->why));
}

static void field_put_targets(struct access_line *l)
{
	const struct access_notes *n = l->r->notes;
	for (unsigned i = 0; i < n->attempt_n; i++) {
		access_put_text(l, i ? " " : "");
		access_put_address(l, &n->attempts[i].to);
	}
}

static void field_put_target_statuses(struct access_line *l)
{
	const struct access_notes *n = l->r->notes;
	for (unsigned i = 0; i < n->attempt_n; i++) {
		access_put_text(l, i ? " " : "");
		if (n->attempts[i].status)
			access_put_number(l, n->attempts[i].status);
		else
			access_put_text(l, "-");
	}
}

static void field_put_attempts(struct access_line *l)
{
	access_put_number(l, l->r->notes->attempt_n);
}

static void field_put_classification(struct access_line *l)
{
	if (is_malformed(l->e))
		access_put_text(l, "Severe");
}

static void field_put_classification_reason(struct access_line *l)
{
	if (is_malformed(l->e))
		field_put_reason(l);
}

static void field_put_connection(struct access_line *l)
{
	struct rng mixed = { l->access->seed ^ l->r->notes->connection };
	uint64_t id = rng_next(&mixed);
	char digits[FMT_HEX_BYTES];
	fmt_hex_wide(digits, id, FMT_HEX_BYTES);
	access_put_text(l, "TID_");
	access_put_raw(l, digits, FMT_HEX_BYTES);
}

static bool has_other_host(const struct access_entry *e)
{
	return e->request->notes->attempt_n &&
	       !span_is(client_value(e, NAME_HOST), sent_value(e, NAME_HOST));
}

static void field_put_host_sent(struct access_line *l)
{
	if (has_other_host(l->e))
		access_put(l, sent_value(l->e, NAME_HOST));
}

static void field_put_transform(struct access_line *l)
{
	if (has_other_host(l->e))
		access_put_text(l, "TransformSuccess");
}

static void field_put_epoch(struct access_line *l)
{
	if (l->r->epoch)
		access_put_number(l, l->r->epoch);
}

/* --- the line --- */

struct row {
	enum shape shape;
	struct span key; /* ,"name": */
	size_t most;
	void (*put)(struct access_line *l);
};

#define ROW(shape, name, most, put) { shape, SPAN(",\"" #name "\":"), most, put },
static const struct row alb_rows[] = {
#define FIELD(shape, name, most, put) ROW(shape, name, most, put)
#define JSON(shape, name, most, put)
#include "proxy/access.def"
#undef JSON
#undef FIELD
};
static const struct row json_rows[] = {
#define FIELD(shape, name, most, put)
#define JSON(shape, name, most, put) ROW(shape, name, most, put)
#include "proxy/access.def"
#undef JSON
#undef FIELD
};
#undef ROW

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static_assert(ROWS(alb_rows) == 33, "AWS ALB has 33 fields");

/* Punctuation, for which ACCESS_LINE_BYTES has room beside the fields. */
static void line_put_mark(struct access_line *l, const char *mark, size_t n)
{
	memcpy(l->at, mark, n);
	l->at += n;
}

static void line_put_value(struct access_line *l, const struct row *r)
{
	char *begin = l->at;
	l->end = l->at + r->most;
	r->put(l);
	if (l->at == begin && l->format == ACCESS_ALB)
		line_put_mark(l, "-", 1);
}

static void line_put_alb(struct access_line *l, const struct row *r)
{
	if (r != alb_rows)
		line_put_mark(l, " ", 1);
	if (r->shape == TEXT)
		line_put_mark(l, "\"", 1);
	line_put_value(l, r);
	if (r->shape == TEXT)
		line_put_mark(l, "\"", 1);
}

static void line_put_json(struct access_line *l, const struct row *r)
{
	size_t comma = r == alb_rows;
	line_put_mark(l, r->key.at + comma, r->key.n - comma);
	char *begin = l->at;
	bool quoted = r->shape != NUMBER;
	if (quoted)
		line_put_mark(l, "\"", 1);
	char *value = l->at;
	line_put_value(l, r);
	if (l->at == value) {
		l->at = begin;
		line_put_mark(l, "null", 4);
	} else if (quoted) {
		line_put_mark(l, "\"", 1);
	}
}

size_t access_line(struct access *a, const struct access_entry *e, enum access_format format)
{
	struct access_line l = {
		.access = a, .e = e, .r = e->request, .format = format, .at = a->line
	};
	must(format != ACCESS_OFF && e->request->notes);
	if (format == ACCESS_JSON)
		line_put_mark(&l, "{", 1);
	for (size_t i = 0; i < ROWS(alb_rows); i++)
		(format == ACCESS_JSON ? line_put_json : line_put_alb)(&l, &alb_rows[i]);
	for (size_t i = 0; format == ACCESS_JSON && i < ROWS(json_rows); i++)
		line_put_json(&l, &json_rows[i]);
	if (format == ACCESS_JSON)
		line_put_mark(&l, "}", 1);
	line_put_mark(&l, "\n", 1);
	must(l.at <= a->line + ACCESS_LINE_BYTES);
	return (size_t)(l.at - a->line);
}
