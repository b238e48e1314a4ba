#include "capture/traffic.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/limits.h"

/* One message on its way: as much of it as one observation may have. */
struct message {
	struct bytes bytes;
	bool chunked;
	bool segmented; /* parts of it were observed already */
	bool waits;	/* an answer that is whole, and its request is not yet */
	bool left_out;	/* an answer of which so much came before that, that it is not held */
	uint32_t first_line_n, headers_n;
};

struct connection {
	uint64_t generation, number;
	uint16_t worker;
	char node[SEGMENT_NODE_BYTES];
	struct trafficstream stream;
	struct traffic_counts *counts; /* of all */
	struct message request, answer;
	bool asked; /* the open exchange's request is whole */
	/* The open exchange, and how much was handed over before it. POSITION_IDLE: there is none
	 */
	uint64_t from;
	uint32_t records_before, requests_before;
	uint64_t wall_ns;	 /* of the last frame */
	struct connection *over; /* the next that is ended with it */
};

struct traffic {
	const struct trafficstream_user *user;
	void *tree; /* of struct connection */
	struct traffic_counts counts;
};

static int compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_connections(const void *a, const void *b)
{
	const struct connection *x = a, *y = b;
	int c = compare(x->generation, y->generation);
	c = c ? c : compare(x->worker, y->worker);
	return c ? c : compare(x->number, y->number);
}

static struct connection *connection_new(struct traffic *t, const struct connection *key,
					 const char *node)
{
	char name[64];
	struct connection *c = calloc(1, sizeof *c);
	must(c);
	*c = *key;
	c->counts = &t->counts;
	snprintf(c->node, sizeof c->node, "%s", node);
	snprintf(name, sizeof name, "%llu-%u-%llu", (unsigned long long)c->generation, c->worker,
		 (unsigned long long)c->number);
	trafficstream_open(&c->stream, t->user, name, c->node);
	c->from = POSITION_IDLE;
	struct connection **there = tsearch(c, &t->tree, compare_connections);
	must(there && *there == c);
	return c;
}

static struct connection *find(struct traffic *t, const struct reading *r, bool make)
{
	struct connection key = { .generation = r->segment->generation,
				  .number = r->frame.connection,
				  .worker = r->frame.worker };
	struct connection **found = tfind(&key, &t->tree, compare_connections);
	if (found)
		return *found;
	return make ? connection_new(t, &key, r->segment->node) : NULL;
}

static void connection_free(void *connection)
{
	struct connection *c = connection;
	trafficstream_close(&c->stream);
	bytes_free(&c->request.bytes);
	bytes_free(&c->answer.bytes);
	free(c);
}

/* --- messages --- */

static bool has_length(struct span text)
{
	static const char name[] = "\r\ncontent-length:";
	for (size_t i = 0; i + sizeof name - 1 <= text.n; i++)
		if (span_is_nocase((struct span){ text.at + i, sizeof name - 1 }, SPAN(name)))
			return true;
	return false;
}

/* An answer before the last one ends with its head. */
static bool is_interim(bool request, struct span head)
{
	static const char before[] = "HTTP/1.1 ";
	return !request && head.n >= sizeof before && head.at[sizeof before - 1] == '1';
}

static struct message *way(struct connection *c, bool request)
{
	return request ? &c->request : &c->answer;
}

/* Nothing of an answer is observed before its request's end: a replayer reads them in turns. */
static void observe_part(struct connection *c, struct message *m, bool request, uint64_t wall_ns)
{
	m->left_out |= !request && !c->asked;
	if (m->bytes.n && !m->left_out)
		trafficstream_observe(&c->stream,
				      request ? OBSERVE_READ_SEGMENT : OBSERVE_WRITE_SEGMENT,
				      wall_ns, (struct span){ m->bytes.at, m->bytes.n });
	m->bytes.n = 0;
	m->segmented = true;
}

static void add(struct connection *c, bool request, uint64_t wall_ns, struct span s)
{
	struct message *m = way(c, request);
	size_t most = trafficstream_record_bytes(c->stream.user) / 2;
	while (m->bytes.n + s.n > most) {
		size_t n = m->bytes.n < most ? most - m->bytes.n : 0;
		bytes_add(&m->bytes, (struct span){ s.at, n });
		observe_part(c, m, request, wall_ns);
		s = (struct span){ s.at + n, s.n - n };
	}
	bytes_add(&m->bytes, s);
}

static void add_body(struct connection *c, bool request, uint64_t wall_ns, struct span s)
{
	char line[32];
	if (!s.n)
		return;
	if (!way(c, request)->chunked) {
		add(c, request, wall_ns, s);
		return;
	}
	int n = snprintf(line, sizeof line, "%zx\r\n", s.n);
	add(c, request, wall_ns, (struct span){ line, (size_t)n });
	add(c, request, wall_ns, s);
	add(c, request, wall_ns, SPAN("\r\n"));
}

static void begin_anew(struct message *m)
{
	m->bytes.n = 0;
	m->segmented = m->chunked = m->waits = m->left_out = false;
}

static void observe_end(struct connection *c, bool request, uint64_t wall_ns)
{
	struct message *m = way(c, request);
	if (m->segmented) {
		observe_part(c, m, request, wall_ns);
		trafficstream_observe(&c->stream, OBSERVE_SEGMENT_END, wall_ns, SPAN(""));
	} else {
		trafficstream_observe(&c->stream, request ? OBSERVE_READ : OBSERVE_WRITE, wall_ns,
				      (struct span){ m->bytes.at, m->bytes.n });
	}
	if (request)
		trafficstream_end_of_message(&c->stream, wall_ns, m->first_line_n, m->headers_n);
	*(request ? &c->counts->requests : &c->counts->answers) += 1;
	begin_anew(m);
}

static void end_request(struct connection *c, uint64_t wall_ns)
{
	observe_end(c, true, wall_ns);
	c->asked = true;
	if (c->stream.user->flush != FLUSH_ANSWERED)
		trafficstream_flush(&c->stream, false);
	if (c->answer.waits)
		observe_end(c, false, wall_ns);
}

static void end_answer(struct connection *c, uint64_t wall_ns)
{
	struct message *m = &c->answer;
	if (m->left_out) {
		c->counts->answers_early++;
		begin_anew(m);
	} else if (!c->asked)
		m->waits = true;
	else
		observe_end(c, false, wall_ns);
}

static void end_message(struct connection *c, bool request, uint64_t wall_ns, struct span trailers)
{
	if (way(c, request)->chunked) {
		add(c, request, wall_ns, SPAN("0\r\n"));
		add(c, request, wall_ns, trailers);
		add(c, request, wall_ns, SPAN("\r\n"));
	}
	if (request)
		end_request(c, wall_ns);
	else
		end_answer(c, wall_ns);
}

static void begin_message(struct connection *c, bool request, const struct reading *r,
			  struct span text)
{
	struct message *m = way(c, request);
	bool end = r->frame.flags & FRAME_END;
	const char *line_end = text.n ? memchr(text.at, '\n', text.n) : NULL;
	m->first_line_n = line_end ? (uint32_t)(line_end - text.at) + 1 : 0;
	m->headers_n = (uint32_t)text.n - m->first_line_n;
	m->chunked = !end && !has_length(text) && !is_interim(request, text) && text.n > 2;
	if (m->chunked) {
		static const char coding[] = "Transfer-Encoding: chunked\r\n";
		add(c, request, r->frame.wall_ns, (struct span){ text.at, text.n - 2 });
		add(c, request, r->frame.wall_ns, SPAN(coding));
		add(c, request, r->frame.wall_ns, SPAN("\r\n"));
		m->headers_n += sizeof coding - 1;
	} else {
		add(c, request, r->frame.wall_ns, text);
	}
	if (end)
		end_message(c, request, r->frame.wall_ns, SPAN(""));
}

/* What was not whole is no message that a replayer could do anything with. */
static void forget(struct connection *c, bool request, uint64_t wall_ns)
{
	struct message *m = way(c, request);
	bool some = m->bytes.n || m->segmented;
	if (request)
		c->counts->requests_cut += some;
	else if (m->waits || m->left_out)
		c->counts->answers_early += some;
	else
		c->counts->answers_cut += some;
	if (request && m->segmented)
		trafficstream_observe(&c->stream, OBSERVE_DROPPED, wall_ns, SPAN(""));
	begin_anew(m);
}

/* --- frames --- */

/* Of one before it that has no outcome nothing more comes. */
static void begin_exchange(struct connection *c, const struct reading *r)
{
	forget(c, true, r->frame.wall_ns);
	forget(c, false, r->frame.wall_ns);
	trafficstream_flush(&c->stream, false);
	c->asked = false;
	c->from = r->frame.sequence;
	c->records_before = c->stream.records;
	c->requests_before = c->stream.requests;
}

static struct span head_text(const struct reading *r, size_t note_bytes, uint32_t text_n)
{
	if (r->payload.n < note_bytes + text_n)
		return SPAN("");
	return (struct span){ r->payload.at + note_bytes, text_n };
}

static void take_request(struct connection *c, const struct reading *r)
{
	struct record_request note = { 0 };
	begin_exchange(c, r);
	if (r->payload.n >= sizeof note)
		memcpy(&note, r->payload.at, sizeof note);
	begin_message(c, true, r, head_text(r, sizeof note, note.text_n));
}

static void take_answer(struct connection *c, const struct reading *r)
{
	struct record_answer note = { 0 };
	if (r->payload.n >= sizeof note)
		memcpy(&note, r->payload.at, sizeof note);
	begin_message(c, false, r, head_text(r, sizeof note, note.text_n));
}

/* A connection that waits for its next request is held in little memory. */
static void be_idle(struct connection *c)
{
	bytes_free(&c->request.bytes);
	bytes_free(&c->answer.bytes);
	trafficstream_rest(&c->stream);
	c->from = POSITION_IDLE;
}

static void take(struct connection *c, const struct reading *r)
{
	bool end = r->frame.flags & FRAME_END;
	uint64_t now = r->frame.wall_ns;
	bool request = r->frame.type <= FRAME_REQUEST_TRAILERS;
	switch ((enum frame_type)r->frame.type) {
	case FRAME_REQUEST_HEAD:
		take_request(c, r);
		return;
	case FRAME_ANSWER_HEAD:
		take_answer(c, r);
		return;
	case FRAME_REQUEST_BODY:
	case FRAME_ANSWER_BODY:
		add_body(c, request, now, r->payload);
		if (end)
			end_message(c, request, now, SPAN(""));
		return;
	case FRAME_REQUEST_TRAILERS:
	case FRAME_ANSWER_TRAILERS:
		end_message(c, request, now, r->payload);
		return;
	case FRAME_OUTCOME:
		forget(c, true, now);
		forget(c, false, now);
		trafficstream_flush(&c->stream, false);
		be_idle(c);
		return;
	case FRAME_GAP:
	case FRAME_COMMIT:
	case FRAME_CLOSE:
	case FRAME_SEAL:
	case FRAME_TYPES:
		return;
	}
}

static void hand_over_piece(struct connection *c)
{
	observe_part(c, &c->request, true, c->wall_ns);
	trafficstream_flush(&c->stream, false);
}

static void end_connection(struct traffic *t, struct connection *c)
{
	forget(c, true, c->wall_ns);
	forget(c, false, c->wall_ns);
	trafficstream_observe(&c->stream, OBSERVE_CLOSE, c->wall_ns, SPAN(""));
	trafficstream_flush(&c->stream, true);
	tdelete(c, &t->tree, compare_connections);
	connection_free(c);
}

void traffic_take(struct traffic *t, const struct reading *r)
{
	bool close = r->frame.type == FRAME_CLOSE;
	if (r->frame.type > FRAME_OUTCOME && !close)
		return;
	struct connection *c = find(t, r, r->frame.type == FRAME_REQUEST_HEAD);
	if (!c)
		return;
	/* What a client sends behind its answer belongs to no exchange. */
	if (!close && c->from == POSITION_IDLE && r->frame.type != FRAME_REQUEST_HEAD)
		return;
	c->wall_ns = r->frame.wall_ns;
	if (close)
		end_connection(t, c);
	else
		take(c, r);
	if (!close && t->user->flush == FLUSH_PIECES && r->frame.type <= FRAME_REQUEST_TRAILERS &&
	    !(r->frame.flags & FRAME_END))
		hand_over_piece(c);
}

/* --- who follows --- */

static const char *node_of(const struct position *p, uint64_t generation)
{
	for (size_t i = 0; i < p->series_n; i++)
		if (p->series[i].generation == generation)
			return p->series[i].node;
	return "";
}

void traffic_restore(struct traffic *t, const struct position *p)
{
	for (size_t i = 0; i < p->connection_n; i++) {
		const struct position_connection *was = &p->connections[i];
		const struct connection key = { .generation = was->generation,
						.number = was->number,
						.worker = was->worker };
		struct connection *c = connection_new(t, &key, node_of(p, was->generation));
		c->stream.records = c->records_before = was->records;
		c->stream.requests = c->requests_before = was->requests;
		c->stream.requests_before = was->requests;
		c->from = was->from;
		c->wall_ns = p->wall_ns;
	}
}

struct walk {
	const struct reader *reader;
	struct position *to;
	struct connection *over; /* the last one of a series that is over */
};

static void add_connection(const void *node, VISIT which, void *closure)
{
	struct connection *c = *(struct connection *const *)node;
	struct walk *w = closure;
	if (which != postorder && which != leaf)
		return;
	if (reader_is_over(w->reader, c->generation)) {
		c->over = w->over;
		w->over = c;
		return;
	}
	bool idle = c->from == POSITION_IDLE;
	c->counts->open += !idle;
	position_add_connection(w->to,
				(struct position_connection){
					.generation = c->generation,
					.number = c->number,
					.worker = c->worker,
					.records = idle ? c->stream.records : c->records_before,
					.requests = idle ? c->stream.requests : c->requests_before,
					.from = c->from,
				});
}

void traffic_position(struct traffic *t, const struct reader *r, struct position *to)
{
	struct walk w = { .reader = r, .to = to };
	twalk_r(t->tree, add_connection, &w);
	for (struct connection *c = w.over, *next; c; c = next) {
		next = c->over;
		end_connection(t, c);
	}
	position_sort(to);
}

/* --- a life --- */

static void flush_node(const void *node, VISIT which, int depth)
{
	(void)depth;
	struct connection *c = *(struct connection *const *)node;
	if (which != postorder && which != leaf)
		return;
	c->counts->open += c->from != POSITION_IDLE;
	trafficstream_flush(&c->stream, false);
}

void traffic_end(struct traffic *t)
{
	twalk(t->tree, flush_node);
}

struct traffic *traffic_open(const struct trafficstream_user *user)
{
	struct traffic *t = calloc(1, sizeof *t);
	must(t);
	t->user = user;
	return t;
}

void traffic_close(struct traffic *t)
{
	tdestroy(t->tree, connection_free);
	free(t);
}

struct traffic_counts traffic_counts(const struct traffic *t)
{
	return t->counts;
}
