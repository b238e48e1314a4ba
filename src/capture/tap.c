#include "capture/tap.h"

#include <string.h>

#include "base/bug.h"
#include "base/checks.h"
#include "base/limits.h"

/*
 * Runs of one head: at most every other field is left out, each value that is replaced splits a run
 * in up to four, and a few runs stand around the head.
 */
#define PARTS_MAX ((RESPONSE_FIELDS_MAX + FIELDS_ADDED_MAX) / 2 + 4 * REDACTED_MAX + 16)
static_assert(RESPONSE_FIELDS_MAX >= FIELDS_MAX, "a request has no more of them");

static void tap_put(struct tap *t, enum frame_type type, bool end, const struct span *parts,
		    unsigned part_n, const struct chain *body)
{
	struct frame f = t->like;
	f.type = (uint8_t)type;
	f.flags |= end ? FRAME_END : 0;
	f.mono_ns = t->taps->feed.mono_ns;
	f.wall_ns = t->taps->feed.wall_ns;
	feed_put(&t->taps->feed, &f, parts, part_n, body);
	checks(tap_check(t));
}

/* --- a head's text --- */

struct text {
	struct tap *tap;
	struct span parts[PARTS_MAX];
	unsigned n;
	char redacted[REDACTED_MAX][REDACTED_BYTES];
	unsigned redacted_n;
};

static void text_add(struct text *x, const char *at, size_t n)
{
	struct span *last = x->n ? &x->parts[x->n - 1] : NULL;
	if (last && last->at + last->n == at) {
		last->n += n;
		return;
	}
	must(x->n < PARTS_MAX);
	x->parts[x->n++] = (struct span){ at, n };
}

static bool is_secret(const struct capture_policy *p, const struct msg *m, const struct field *f)
{
	if (f->name != NAME_OTHER)
		return p->redact[f->name];
	for (size_t i = 0; i < p->redact_n; i++)
		if (p->redact_names[i].n == f->name_n &&
		    name_is_alike(field_name(m, f), p->redact_names[i]))
			return true;
	return false;
}

static void add_secret(struct text *x, const struct msg *m, const struct field *f)
{
	if (x->redacted_n == REDACTED_MAX)
		return;
	char *to = x->redacted[x->redacted_n++];
	redact(&x->tap->taps->redactor, field_value(m, f), to);
	text_add(x, m->text + f->at, (size_t)f->name_n + 2);
	text_add(x, to, REDACTED_BYTES);
	text_add(x, "\r\n", 2);
}

/* --- a query --- */

/* If there are more values than may be replaced, the rest of the query is left out. */
static const char *add_query(struct text *x, const char *from, struct span query)
{
	const char *end = query.at + query.n;
	struct span value;
	while (secret_next(&x->tap->policy->redact_query, query, &value)) {
		text_add(x, from, (size_t)(value.at - from));
		if (x->redacted_n == REDACTED_MAX)
			return end;
		char *to = x->redacted[x->redacted_n++];
		redact(&x->tap->taps->redactor, value, to);
		text_add(x, to, REDACTED_BYTES);
		from = value.at + value.n;
		query = (struct span){ from, (size_t)(end - from) };
	}
	return from;
}

static void add_first(struct text *x, const struct msg *m)
{
	const char *from = m->text, *end = m->text + m->first_n;
	if (m->kind == MSG_REQUEST)
		from = add_query(x, from, msg_query(m));
	text_add(x, from, (size_t)(end - from));
}

static size_t add_head(struct text *x, const struct msg *m)
{
	unsigned first = x->n;
	add_first(x, m);
	for (unsigned i = 0; i < m->field_n; i++) {
		const struct field *f = &m->fields[i];
		if (f->dropped)
			continue;
		if (is_secret(x->tap->policy, m, f))
			add_secret(x, m, f);
		else
			text_add(x, m->text + f->at, (size_t)f->name_n + 2 + f->value_n + 2);
	}
	if (m->kind != MSG_TRAILERS)
		text_add(x, "\r\n", 2);
	size_t n = 0;
	for (unsigned i = first; i < x->n; i++)
		n += x->parts[i].n;
	return n;
}

static void add_text(struct text *x, const char *text)
{
	if (text && *text)
		text_add(x, text, strlen(text));
}

/* --- the request --- */

static void put_request(struct tap *t, const struct msg *m, bool end, const struct tap_facts *facts)
{
	struct record_request r = { .scheme = facts->tls ? SCHEME_HTTPS : SCHEME_HTTP,
				    .protocol = facts->http_2 ? PROTOCOL_HTTP_2
						: m->minor    ? PROTOCOL_HTTP_1_1
							      : PROTOCOL_HTTP_1_0 };
	struct text x;
	x.tap = t;
	x.n = x.redacted_n = 0;
	r.known = addr_canonical(facts->client, r.address);
	r.port = addr_port(facts->client);
	text_add(&x, (const char *)&r, sizeof r);
	r.text_n = add_head(&x, m) & 0xffffff;
	add_text(&x, facts->listener);
	tap_put(t, FRAME_REQUEST_HEAD, end, x.parts, x.n, NULL);
}

void tap_request_data(struct tap *t, const struct chain *c, bool end)
{
	tap_put(t, FRAME_REQUEST_BODY, end, NULL, 0, c);
}

static void put_trailers(struct tap *t, enum frame_type type, const struct msg *m)
{
	struct text x;
	x.tap = t;
	x.n = x.redacted_n = 0;
	add_head(&x, m);
	tap_put(t, type, true, x.parts, x.n, NULL);
}

void tap_request_trailers(struct tap *t, const struct msg *m)
{
	put_trailers(t, FRAME_REQUEST_TRAILERS, m);
}

/* --- the response --- */

void tap_response(struct tap *t, const struct msg *m, bool end, uint64_t released_ns,
		  const char *node)
{
	struct record_response r = { .released_mono_ns = released_ns };
	struct text x;
	x.tap = t;
	x.n = x.redacted_n = 0;
	text_add(&x, (const char *)&r, sizeof r);
	r.text_n = (uint32_t)add_head(&x, m);
	add_text(&x, node);
	tap_put(t, FRAME_RESPONSE_HEAD, end, x.parts, x.n, NULL);
}

void tap_response_data(struct tap *t, const struct chain *c, bool end)
{
	if (t->bodies)
		tap_put(t, FRAME_RESPONSE_BODY, end, NULL, 0, c);
}

void tap_response_trailers(struct tap *t, const struct msg *m)
{
	if (t->bodies)
		put_trailers(t, FRAME_RESPONSE_TRAILERS, m);
}

/* --- the end --- */

void tap_outcome(struct tap *t, struct record_outcome o, const char *node, const char *why)
{
	struct span parts[3] = { { (const char *)&o, sizeof o } };
	unsigned n = 1;
	o.node_n = (uint16_t)(node ? strlen(node) : 0);
	o.why = (uint16_t)(why ? strlen(why) : 0);
	if (o.node_n)
		parts[n++] = (struct span){ node, o.node_n };
	if (o.why)
		parts[n++] = (struct span){ why, o.why };
	t->like.attempts = o.attempts;
	t->outcome_written = true;
	tap_put(t, FRAME_OUTCOME, true, parts, n, NULL);
}

void tap_forsake(struct tap *t, enum outcome became)
{
	if (!t->outcome_written && !t->unwritten)
		tap_outcome(t, (struct record_outcome){ .outcome = (uint8_t)became }, NULL, NULL);
}

static void tap_wait_settled(struct feed_wait *w, enum batch_state became)
{
	struct tap *t = list_entry(w, struct tap, wait);
	t->settled(t, became);
}

void tap_wait(struct tap *t)
{
	feed_wait_not(&t->wait);
	feed_wait(&t->taps->feed, &t->wait);
	checks(tap_check(t));
}

bool tap_waits(const struct tap *t)
{
	return !list_empty(&t->wait.link);
}

static void check_among(const struct taps *ts)
{
	uint32_t n = 0;
	for (struct list *l = ts->open.next; l != &ts->open && n <= CHECKED_MAX; l = l->next, n++)
		must(list_entry(l, struct tap, link)->taps == ts);
	must(n == ts->open_n || n > CHECKED_MAX);
}

void tap_check(const struct tap *t)
{
	must(!t->unwritten || t->lost);
	must(!list_empty(&t->link) && t->taps->open_n);
	must(!tap_waits(t) || feed_is_out(&t->taps->feed));
	must(t->like.ordinal && t->settled);
	check_among(t->taps);
}

/* --- lost frames --- */

static struct tap *taps_find(const struct taps *ts, const struct frame *head)
{
	list_each(l, &ts->open) {
		struct tap *t = list_entry(l, struct tap, link);
		if (t->like.connection == head->connection && t->like.ordinal == head->ordinal)
			return t;
	}
	return NULL;
}

/*
 * A request is counted once, however many of its frames are lost. Once its tap is closed, only the
 * exchange that lost a frame last is remembered: a request may be counted again if others lost
 * frames in between. To count twice is better than not to count.
 */
static void frame_is_lost(struct feed *f, const struct frame *head, bool in_log)
{
	struct taps *ts = list_entry(f, struct taps, feed);
	struct tap *t = taps_find(ts, head);
	bool counted =
		t ? t->lost || t->awaited
		  : ts->lost_connection == head->connection && ts->lost_ordinal == head->ordinal;
	if (t) {
		t->lost = true;
		t->unwritten |= head->type == FRAME_REQUEST_HEAD && !in_log;
	}
	ts->lost_connection = head->connection;
	ts->lost_ordinal = head->ordinal;
	if (!counted)
		feed_lose(f, GAP_UNAVAILABLE, head->flags & FRAME_WRITE ? LOSS_WRITE : LOSS_READ);
}

/* --- open and close --- */

void taps_open(struct taps *ts, unsigned worker)
{
	feed_open(&ts->feed, worker);
	ts->feed.lost_frame = frame_is_lost;
	list_init(&ts->open);
}

void taps_close(struct taps *ts)
{
	feed_close(&ts->feed);
}

struct tap *tap_open(struct taps *ts, struct arena *arena, const struct capture_policy *policy,
		     const struct tap_facts *facts, const struct msg *request, bool end,
		     void *owner, void (*when_settled)(struct tap *t, enum batch_state became))
{
	struct tap *t = arena_take(arena, sizeof *t);
	*t = (struct tap){ .taps = ts, .policy = policy, .settled = when_settled, .owner = owner };
	t->wait.settled = tap_wait_settled;
	list_init(&t->wait.link);
	t->like.connection = facts->connection;
	t->like.ordinal = facts->ordinal;
	t->like.epoch = facts->epoch;
	t->like.flags =
		(uint8_t)((facts->write ? FRAME_WRITE : 0) | (facts->target ? FRAME_TARGET : 0));
	t->bodies = policy->responses == RESPONSES_ALL ||
		    (policy->responses == RESPONSES_WRITES && facts->write);
	ts->open_n++;
	list_init(&t->link);
	list_add_tail(&ts->open, &t->link);
	put_request(t, request, end, facts);
	return t;
}

void tap_close(struct tap *t)
{
	tap_forsake(t, OUTCOME_UNKNOWN);
	feed_wait_not(&t->wait);
	list_remove(&t->link);
	t->taps->open_n--;
}

void taps_skip(struct taps *ts, bool write)
{
	counter_add(write ? &ts->skipped_writes : &ts->skipped_reads, 1);
}

void taps_refuse(struct taps *ts, bool write)
{
	counter_add(write ? &ts->refused_writes : &ts->refused_reads, 1);
}

void taps_tunnel(struct taps *ts, const struct tap_facts *facts, uint64_t began_mono_ns,
		 uint64_t request_bytes, uint64_t response_bytes)
{
	struct feed *f = &ts->feed;
	struct record_gap gap = {
		.reads = !facts->write,
		.writes = facts->write,
		.request_bytes = request_bytes,
		.response_bytes = response_bytes,
		.first_mono_ns = began_mono_ns,
		.last_mono_ns = f->mono_ns,
		.first_wall_ns = f->wall_ns - (f->mono_ns - began_mono_ns),
		.last_wall_ns = f->wall_ns,
		.reason = GAP_TUNNEL,
	};
	struct frame like = { .type = FRAME_GAP,
			      .connection = facts->connection,
			      .ordinal = facts->ordinal,
			      .epoch = facts->epoch,
			      .mono_ns = f->mono_ns,
			      .wall_ns = f->wall_ns };
	feed_put(f, &like, &(struct span){ (const char *)&gap, sizeof gap }, 1, NULL);
	counter_add(&ts->tunnels, 1);
	counter_add(&ts->tunnel_request_bytes, request_bytes);
	counter_add(&ts->tunnel_response_bytes, response_bytes);
}

void taps_closed(struct taps *ts, uint64_t connection)
{
	struct frame f = { .type = FRAME_CLOSE,
			   .connection = connection,
			   .mono_ns = ts->feed.mono_ns,
			   .wall_ns = ts->feed.wall_ns };
	feed_put(&ts->feed, &f, NULL, 0, NULL);
}
