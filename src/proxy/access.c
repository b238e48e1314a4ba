#include "proxy/access.h"

#include <stdlib.h>
#include <time.h>

#include "base/bug.h"
#include "base/fmt.h"
#include "proxy/exchange.h"

enum shape { NUMBER, WORD, TEXT };

/* A line that is being made. */
struct line {
	struct access *access;
	const struct exchange *ex;
	enum access_format format;
	char *at, *end; /* of the field's value */
};

/* --- putting --- */

static void put_raw(struct line *l, const char *from, size_t n)
{
	size_t room = (size_t)(l->end - l->at);
	n = n < room ? n : room;
	memcpy(l->at, from, n);
	l->at += n;
}

/* False when there is no room: an escape is put whole or not at all. */
static bool put_escape(struct line *l, unsigned char byte)
{
	static const char digits[] = "0123456789ABCDEF";
	char hex[6] = { '\\', 'x', digits[byte >> 4], digits[byte & 15] };
	size_t n = 4;
	if (l->format == ACCESS_JSON) {
		memcpy(hex, "\\u00", 4);
		hex[4] = digits[byte >> 4];
		hex[5] = digits[byte & 15];
		n = 6;
	}
	if ((size_t)(l->end - l->at) < n)
		return false;
	put_raw(l, hex, n);
	return true;
}

static void put(struct line *l, struct span s)
{
	while (s.n && l->at < l->end) {
		size_t room = (size_t)(l->end - l->at);
		size_t plain = scan_plain(l->at, s.at, s.n < room ? s.n : room);
		l->at += plain;
		if (plain == s.n || !put_escape(l, (unsigned char)s.at[plain]))
			return;
		s = (struct span){ s.at + plain + 1, s.n - plain - 1 };
	}
}

static void put_text(struct line *l, const char *text)
{
	put(l, span_of(text));
}

static void put_number(struct line *l, uint64_t n)
{
	char digits[FMT_DECIMAL_BYTES];
	size_t digit_n = fmt_decimal(digits, n);
	put_raw(l, digits, digit_n);
}

static void put_digits(struct line *l, uint64_t n, unsigned width)
{
	char digits[20];
	for (unsigned i = width; i-- > 0; n /= 10)
		digits[i] = (char)('0' + n % 10);
	put_raw(l, digits, width);
}

/* Seconds, to the millisecond. */
static void put_seconds(struct line *l, uint64_t ns)
{
	uint64_t ms = (ns + 500000) / 1000000;
	put_number(l, ms / 1000);
	put_raw(l, ".", 1);
	put_digits(l, ms % 1000, 3);
}

/* Most lines of a second come together: its text is kept. */
static void put_wall(struct line *l, uint64_t wall_ns)
{
	struct access *a = l->access;
	uint64_t second = wall_ns / 1000000000u;
	if (second != a->second) {
		time_t s = (time_t)second;
		struct tm t;
		a->second = second;
		gmtime_r(&s, &t);
		must(strftime(a->second_text, sizeof a->second_text, "%Y-%m-%dT%H:%M:%S", &t));
	}
	put_text(l, a->second_text);
	put_raw(l, ".", 1);
	put_digits(l, wall_ns / 1000u % 1000000u, 6);
	put_raw(l, "Z", 1);
}

static void put_address(struct line *l, const struct addr *a)
{
	char text[ADDR_TEXT_BYTES];
	addr_text(a, text);
	if (text[0] != '-')
		put_text(l, text);
}

/* --- what the fields are made of --- */

static const struct access_attempt *last_attempt(const struct exchange *ex)
{
	const struct access_notes *n = ex->notes;
	return n->attempt_n ? &n->attempts[n->attempt_n - 1] : NULL;
}

/* What the client has sent, whatever the configuration has put in its place. */
static struct span client_value(const struct exchange *ex, enum name name)
{
	const struct msg *m = ex->request;
	for (unsigned i = 0; m && i < m->field_n; i++)
		if (m->fields[i].name == name)
			return field_value(m, &m->fields[i]);
	return (struct span){ NULL, 0 };
}

static struct span sent_value(const struct exchange *ex, enum name name)
{
	return ex->request ? msg_value(ex->request, name) : (struct span){ NULL, 0 };
}

static bool has_port(struct span host)
{
	const char *colon = host.n ? memrchr(host.at, ':', host.n) : NULL;
	return colon && !memchr(colon, ']', host.n - (size_t)(colon - host.at));
}

static uint64_t age_ns(const struct exchange *ex)
{
	return ex->desk->io->now_ns - ex->began_ns;
}

/* A client that goes before its answer has begun is 460, as with AWS ALB. */
static unsigned status_told(const struct exchange *ex)
{
	if (ex->status && !ex->orphaned_ns)
		return ex->status;
	return ex->why != ERR_NONE && !err_status((enum err)ex->why) ? 460 : 0;
}

/* The request was no HTTP. One that was cut off says nothing about its sender. */
static bool is_malformed(const struct exchange *ex)
{
	return ex->why != ERR_NONE && err_status((enum err)ex->why) == 400 &&
	       ex->why != ERR_CUT_REQUEST;
}

/* --- the fields: a function that puts nothing leaves its field empty --- */

static void put_nothing(struct line *l)
{
	(void)l;
}

static void put_type(struct line *l)
{
	static const char *const types[2][2] = { { "http", "https" }, { "ws", "wss" } };
	put_text(l, types[l->ex->status == 101][l->ex->listener->tls != NULL]);
}

static void put_time(struct line *l)
{
	put_wall(l, l->ex->desk->io->wall_ns);
}

static void put_creation_time(struct line *l)
{
	put_wall(l, l->ex->desk->io->wall_ns - age_ns(l->ex));
}

static void put_listener(struct line *l)
{
	put_text(l, "crossfade/");
	put_text(l, l->ex->listener->name);
}

static void put_listener_name(struct line *l)
{
	put_text(l, l->ex->listener->name);
}

static void put_client(struct line *l)
{
	put_address(l, &l->ex->client);
}

static void put_target(struct line *l)
{
	const struct access_attempt *t = last_attempt(l->ex);
	if (t)
		put_address(l, &t->to);
}

static void put_node(struct line *l)
{
	const struct access_attempt *t = last_attempt(l->ex);
	if (t)
		put_text(l, t->node);
}

static void put_time_or_failure(struct line *l, bool known, uint64_t ns)
{
	if (known)
		put_seconds(l, ns);
	else
		put_text(l, "-1");
}

static void put_request_time(struct line *l)
{
	const struct exchange *ex = l->ex;
	put_time_or_failure(l, ex->answered_ns, ex->asked_ns - ex->began_ns);
}

static void put_target_time(struct line *l)
{
	const struct exchange *ex = l->ex;
	put_time_or_failure(l, ex->answered_ns, ex->answered_ns - ex->asked_ns);
}

/* The head of an answer goes out in the turn in which it came in. */
static void put_response_time(struct line *l)
{
	put_time_or_failure(l, l->ex->answered_ns && !l->ex->orphaned_ns, 0);
}

static void put_total_time(struct line *l)
{
	put_seconds(l, age_ns(l->ex));
}

static void put_status(struct line *l)
{
	if (status_told(l->ex))
		put_number(l, status_told(l->ex));
}

static void put_target_status(struct line *l)
{
	const struct access_attempt *t = last_attempt(l->ex);
	if (t && t->status)
		put_number(l, t->status);
}

static void put_received(struct line *l)
{
	put_number(l, l->ex->notes->request_head_bytes + l->ex->request_bytes);
}

static void put_sent(struct line *l)
{
	const struct exchange *ex = l->ex;
	put_number(l, ex->orphaned_ns ? 0
				      : ex->notes->answer_head_bytes + ex->answer_bytes +
						reply_told(&ex->reply));
}

/* Tokens of a query are not for all who read logs. */
static void put_whole_target(struct line *l)
{
	struct span target = msg_target(l->ex->request), query = msg_query(l->ex->request), value;
	const char *from = target.at, *end = target.at + target.n;
	while (secret_next(&l->ex->plan->access_secrets, query, &value)) {
		put(l, (struct span){ from, (size_t)(value.at - from) });
		put_text(l, "***");
		from = value.at + value.n;
		query = (struct span){ from, (size_t)(end - from) };
	}
	put(l, (struct span){ from, (size_t)(end - from) });
}

static void put_request_line(struct line *l)
{
	const struct exchange *ex = l->ex;
	const struct msg *m = ex->request;
	struct span host = client_value(ex, NAME_HOST);
	if (!m) {
		put_text(l, "- - -");
		return;
	}
	put(l, msg_method(m));
	put_text(l, ex->listener->tls ? " https://" : " http://");
	put(l, host);
	if (!has_port(host)) {
		put_text(l, ":");
		put_number(l, ex->listener->port);
	}
	put_whole_target(l);
	put_text(l, m->minor ? " HTTP/1.1" : " HTTP/1.0");
}

static void put_method(struct line *l)
{
	if (l->ex->request)
		put(l, msg_method(l->ex->request));
}

static void put_host(struct line *l)
{
	put(l, client_value(l->ex, NAME_HOST));
}

static void put_path(struct line *l)
{
	if (l->ex->request)
		put_whole_target(l);
}

static void put_kind(struct line *l)
{
	if (l->ex->request)
		put_text(l, class_name(l->ex->class.class));
}

/*
 * What became of a write: by the status of its answer, which its client need not have got. A 5xx
 * may have been applied, in part or whole.
 */
static void put_outcome(struct line *l)
{
	const struct access_attempt *t = last_attempt(l->ex);
	if (!l->ex->request || l->ex->class.class != CLASS_WRITE)
		return;
	if (t && t->status)
		put_text(l, t->status < 400 ? "accepted" : t->status < 500 ? "rejected" : "failed");
	else
		put_text(l, l->ex->unknown ? "unknown" : "not_sent");
}

static void put_user_agent(struct line *l)
{
	put(l, client_value(l->ex, NAME_USER_AGENT));
}

static void put_cipher(struct line *l)
{
	put_text(l, l->ex->notes->cipher);
}

static void put_protocol(struct line *l)
{
	put_text(l, l->ex->notes->version);
}

static void put_cluster(struct line *l)
{
	if (l->ex->arm < ARMS)
		put_text(l, l->ex->plan->clusters[l->ex->arm].name);
}

static void put_trace_id(struct line *l)
{
	put(l, sent_value(l->ex, NAME_X_AMZN_TRACE_ID));
}

static void put_traceparent(struct line *l)
{
	put(l, sent_value(l->ex, NAME_TRACEPARENT));
}

static void put_server_name(struct line *l)
{
	put_text(l, l->ex->notes->server_name);
}

static void put_certificate(struct line *l)
{
	if (l->ex->notes->resumed)
		put_text(l, "session-reused");
	else
		put_text(l, l->ex->notes->certificate);
}

static void put_rule(struct line *l)
{
	if (l->ex->arm < ARMS)
		put_number(l, 0);
}

static void put_action(struct line *l)
{
	if (l->ex->arm < ARMS)
		put_text(l, "forward");
}

static void put_reason(struct line *l)
{
	if (l->ex->why != ERR_NONE)
		put_text(l, err_word((enum err)l->ex->why));
}

static void put_targets(struct line *l)
{
	const struct access_notes *n = l->ex->notes;
	for (unsigned i = 0; i < n->attempt_n; i++) {
		put_text(l, i ? " " : "");
		put_address(l, &n->attempts[i].to);
	}
}

static void put_target_statuses(struct line *l)
{
	const struct access_notes *n = l->ex->notes;
	for (unsigned i = 0; i < n->attempt_n; i++) {
		put_text(l, i ? " " : "");
		if (n->attempts[i].status)
			put_number(l, n->attempts[i].status);
		else
			put_text(l, "-");
	}
}

static void put_attempts(struct line *l)
{
	put_number(l, l->ex->notes->attempt_n);
}

static void put_classification(struct line *l)
{
	if (is_malformed(l->ex))
		put_text(l, "Severe");
}

static void put_classification_reason(struct line *l)
{
	if (is_malformed(l->ex))
		put_reason(l);
}

static void put_connection(struct line *l)
{
	struct chance mixed = { l->access->seed ^ l->ex->notes->connection };
	uint64_t id = chance_next(&mixed);
	char digits[FMT_HEX_BYTES];
	fmt_hex_wide(digits, id, FMT_HEX_BYTES);
	put_text(l, "TID_");
	put_raw(l, digits, FMT_HEX_BYTES);
}

static bool has_other_host(const struct exchange *ex)
{
	return ex->notes->attempt_n &&
	       !span_is(client_value(ex, NAME_HOST), sent_value(ex, NAME_HOST));
}

static void put_host_sent(struct line *l)
{
	if (has_other_host(l->ex))
		put(l, sent_value(l->ex, NAME_HOST));
}

static void put_transform(struct line *l)
{
	if (has_other_host(l->ex))
		put_text(l, "TransformSuccess");
}

static void put_epoch(struct line *l)
{
	if (l->ex->epoch)
		put_number(l, l->ex->epoch);
}

/* --- the line --- */

struct row {
	enum shape shape;
	struct span key; /* ,"name": */
	size_t most;
	void (*put)(struct line *l);
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

/* Punctuation, which the sum of the table has room for. */
static void put_mark(struct line *l, const char *mark, size_t n)
{
	memcpy(l->at, mark, n);
	l->at += n;
}

static void put_value(struct line *l, const struct row *r)
{
	char *begin = l->at;
	l->end = l->at + r->most;
	r->put(l);
	if (l->at == begin && l->format == ACCESS_ALB)
		put_mark(l, "-", 1);
}

static void put_alb(struct line *l, const struct row *r)
{
	if (r != alb_rows)
		put_mark(l, " ", 1);
	if (r->shape == TEXT)
		put_mark(l, "\"", 1);
	put_value(l, r);
	if (r->shape == TEXT)
		put_mark(l, "\"", 1);
}

static void put_json(struct line *l, const struct row *r)
{
	size_t comma = r == alb_rows;
	put_mark(l, r->key.at + comma, r->key.n - comma);
	char *begin = l->at;
	bool quoted = r->shape != NUMBER;
	if (quoted)
		put_mark(l, "\"", 1);
	char *value = l->at;
	put_value(l, r);
	if (l->at == value) {
		l->at = begin;
		put_mark(l, "null", 4);
	} else if (quoted) {
		put_mark(l, "\"", 1);
	}
}

size_t access_line(struct access *a, const struct exchange *ex, enum access_format format)
{
	struct line l = { .access = a, .ex = ex, .format = format, .at = a->line };
	must(format != ACCESS_OFF && ex->notes);
	if (format == ACCESS_JSON)
		put_mark(&l, "{", 1);
	for (size_t i = 0; i < ROWS(alb_rows); i++)
		(format == ACCESS_JSON ? put_json : put_alb)(&l, &alb_rows[i]);
	for (size_t i = 0; format == ACCESS_JSON && i < ROWS(json_rows); i++)
		put_json(&l, &json_rows[i]);
	if (format == ACCESS_JSON)
		put_mark(&l, "}", 1);
	put_mark(&l, "\n", 1);
	must(l.at <= a->line + ACCESS_LINE_BYTES);
	return (size_t)(l.at - a->line);
}

void access_write(struct access *a, const struct exchange *ex, struct counters *counters)
{
	struct span line = { a->line, access_line(a, ex, ex->plan->access) };
	counter_add(ring_put(&a->ring, line) ? &counters->access_lines : &counters->access_dropped,
		    1);
	if (ring_used(&a->ring) > a->ring.size / 2)
		waker_wake(a->waker);
}

/* --- notes --- */

static const char *keep_text(struct arena *arena, const char *text)
{
	size_t bytes = text ? strlen(text) + 1 : 0;
	return text ? memcpy(arena_take(arena, bytes), text, bytes) : NULL;
}

struct access_notes *access_note(struct arena *arena, const struct front_facts *facts)
{
	struct access_notes *n = arena_take(arena, sizeof *n);
	*n = (struct access_notes){
		.cipher = facts->session.cipher, /* names of OpenSSL's, which stay */
		.version = facts->session.version,
		.server_name = keep_text(arena, facts->session.server_name),
		.certificate = keep_text(arena, facts->session.certificate),
		.resumed = facts->session.resumed,
		.connection = facts->number,
	};
	return n;
}

void access_note_attempt(struct access_notes *n, struct arena *arena, const struct addr *to,
			 const char *node)
{
	must(n->attempt_n < CONNECT_ATTEMPTS_MAX);
	n->attempts[n->attempt_n++] =
		(struct access_attempt){ .to = *to, .node = keep_text(arena, node) };
}

void access_note_address(struct access_notes *n, const struct addr *to)
{
	must(n->attempt_n > 0);
	n->attempts[n->attempt_n - 1].to = *to;
}

void access_note_answer(struct access_notes *n, const struct msg *head)
{
	must(n->attempt_n > 0);
	n->attempts[n->attempt_n - 1].status = head->status;
	n->answer_head_bytes = head->text_n + 2;
}

/* --- a life --- */

void access_open(struct access *a, struct waker *waker, uint64_t seed)
{
	*a = (struct access){ .waker = waker, .seed = seed, .line = malloc(ACCESS_LINE_BYTES) };
	must(a->line);
	a->second = UINT64_MAX;
	ring_open(&a->ring, ACCESS_RING_BYTES);
}

void access_close(struct access *a)
{
	ring_close(&a->ring);
	free(a->line);
}
