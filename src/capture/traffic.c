#include "capture/traffic.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/least.h"
#include "base/limits.h"

/* A message under way: as much of it as one observation may have. */
struct message {
	struct bytes bytes;
	bool chunked;
	bool segmented; /* parts of it were observed already */
	bool waits;	/* a response that is whole, and whose request is not yet */
	/* a response with too many bytes before its request was whole: it is not held */
	bool left_out;
	uint32_t first_line_n, headers_n;
};

struct connection {
	uint64_t generation, number;
	uint16_t worker;
	char node[SEGMENT_NODE_BYTES];
	struct trafficstream stream;
	struct traffic_counts *counts; /* of all connections */
	struct message request, response;
	bool asked; /* the open exchange's request is whole */
	/*
	 * Where the open exchange begins, and how much was handed over before it. POSITION_IDLE:
	 * there is none
	 */
	uint64_t from;
	uint32_t records_before, requests_before;
	uint64_t wall_ns;	 /* of the last frame */
	struct connection *over; /* the next connection whose series is over */
};

struct traffic {
	const struct trafficstream_user *user;
	void *tree; /* of struct connection */
	struct traffic_counts counts;
};

static int traffic_compare_connections(const void *a, const void *b)
{
	const struct connection *x = a, *y = b;
	int c = compare_numbers(x->generation, y->generation);
	c = c ? c : compare_numbers(x->worker, y->worker);
	return c ? c : compare_numbers(x->number, y->number);
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
	struct connection **there = tsearch(c, &t->tree, traffic_compare_connections);
	must(there && *there == c);
	return c;
}

static struct connection *traffic_find(struct traffic *t, const struct reading *r, bool make)
{
	struct connection key = { .generation = r->segment->generation,
				  .number = r->frame.connection,
				  .worker = r->frame.worker };
	struct connection **found = tfind(&key, &t->tree, traffic_compare_connections);
	if (found)
		return *found;
	return make ? connection_new(t, &key, r->segment->node) : NULL;
}

static void connection_free(void *connection)
{
	struct connection *c = connection;
	trafficstream_close(&c->stream);
	bytes_free(&c->request.bytes);
	bytes_free(&c->response.bytes);
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

/* An interim response ends with its head. */
static bool is_interim(bool request, struct span head)
{
	static const char before[] = "HTTP/1.1 ";
	return !request && head.n >= sizeof before && head.at[sizeof before - 1] == '1';
}

static struct message *message_of(struct connection *c, bool request)
{
	return request ? &c->request : &c->response;
}

/* Nothing of a response is observed before its request's end: a replayer expects them in turns. */
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

static void message_add(struct connection *c, bool request, uint64_t wall_ns, struct span s)
{
	struct message *m = message_of(c, request);
	size_t most = trafficstream_record_bytes(c->stream.user) / 2;
	while (m->bytes.n + s.n > most) {
		size_t n = m->bytes.n < most ? most - m->bytes.n : 0;
		bytes_add(&m->bytes, (struct span){ s.at, n });
		observe_part(c, m, request, wall_ns);
		s = (struct span){ s.at + n, s.n - n };
	}
	bytes_add(&m->bytes, s);
}

static void message_add_body(struct connection *c, bool request, uint64_t wall_ns, struct span s)
{
	char line[32];
	if (!s.n)
		return;
	if (!message_of(c, request)->chunked) {
		message_add(c, request, wall_ns, s);
		return;
	}
	int n = snprintf(line, sizeof line, "%zx\r\n", s.n);
	message_add(c, request, wall_ns, (struct span){ line, (size_t)n });
	message_add(c, request, wall_ns, s);
	message_add(c, request, wall_ns, SPAN("\r\n"));
}

static void message_begin_anew(struct message *m)
{
	m->bytes.n = 0;
	m->segmented = m->chunked = m->waits = m->left_out = false;
}

static void observe_end(struct connection *c, bool request, uint64_t wall_ns)
{
	struct message *m = message_of(c, request);
	if (m->segmented) {
		observe_part(c, m, request, wall_ns);
		trafficstream_observe(&c->stream, OBSERVE_SEGMENT_END, wall_ns, SPAN(""));
	} else {
		trafficstream_observe(&c->stream, request ? OBSERVE_READ : OBSERVE_WRITE, wall_ns,
				      (struct span){ m->bytes.at, m->bytes.n });
	}
	if (request)
		trafficstream_end_of_message(&c->stream, wall_ns, m->first_line_n, m->headers_n);
	*(request ? &c->counts->requests : &c->counts->responses) += 1;
	message_begin_anew(m);
}

static void end_request(struct connection *c, uint64_t wall_ns)
{
	observe_end(c, true, wall_ns);
	c->asked = true;
	if (c->stream.user->flush != FLUSH_RESPONDED)
		trafficstream_flush(&c->stream, false);
	if (c->response.waits)
		observe_end(c, false, wall_ns);
}

static void end_response(struct connection *c, uint64_t wall_ns)
{
	struct message *m = &c->response;
	if (m->left_out) {
		c->counts->responses_early++;
		message_begin_anew(m);
	} else if (!c->asked)
		m->waits = true;
	else
		observe_end(c, false, wall_ns);
}

static void end_message(struct connection *c, bool request, uint64_t wall_ns, struct span trailers)
{
	if (message_of(c, request)->chunked) {
		message_add(c, request, wall_ns, SPAN("0\r\n"));
		message_add(c, request, wall_ns, trailers);
		message_add(c, request, wall_ns, SPAN("\r\n"));
	}
	if (request)
		end_request(c, wall_ns);
	else
		end_response(c, wall_ns);
}

static void begin_message(struct connection *c, bool request, const struct reading *r,
			  struct span text)
{
	struct message *m = message_of(c, request);
	bool end = r->frame.flags & FRAME_END;
	const char *line_end = text.n ? memchr(text.at, '\n', text.n) : NULL;
	m->first_line_n = line_end ? (uint32_t)(line_end - text.at) + 1 : 0;
	m->headers_n = (uint32_t)text.n - m->first_line_n;
	m->chunked = !end && !has_length(text) && !is_interim(request, text) && text.n > 2;
	if (m->chunked) {
		static const char coding[] = "Transfer-Encoding: chunked\r\n";
		message_add(c, request, r->frame.wall_ns, (struct span){ text.at, text.n - 2 });
		message_add(c, request, r->frame.wall_ns, SPAN(coding));
		message_add(c, request, r->frame.wall_ns, SPAN("\r\n"));
		m->headers_n += sizeof coding - 1;
	} else {
		message_add(c, request, r->frame.wall_ns, text);
	}
	if (end)
		end_message(c, request, r->frame.wall_ns, SPAN(""));
}

/* A replayer has no use for a message that was not whole. */
static void message_forget(struct connection *c, bool request, uint64_t wall_ns)
{
	struct message *m = message_of(c, request);
	bool some = m->bytes.n || m->segmented;
	if (request)
		c->counts->requests_cut += some;
	else if (m->waits || m->left_out)
		c->counts->responses_early += some;
	else
		c->counts->responses_cut += some;
	if (request && m->segmented)
		trafficstream_observe(&c->stream, OBSERVE_DROPPED, wall_ns, SPAN(""));
	message_begin_anew(m);
}

/* --- frames --- */

/* An exchange before this one that has no outcome gets no more frames. */
static void begin_exchange(struct connection *c, const struct reading *r)
{
	message_forget(c, true, r->frame.wall_ns);
	message_forget(c, false, r->frame.wall_ns);
	trafficstream_flush(&c->stream, false);
	c->asked = false;
	c->stream.target = r->frame.flags & FRAME_TARGET;
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

static void connection_take_request(struct connection *c, const struct reading *r)
{
	struct record_request note = { 0 };
	begin_exchange(c, r);
	if (r->payload.n >= sizeof note)
		memcpy(&note, r->payload.at, sizeof note);
	begin_message(c, true, r, head_text(r, sizeof note, note.text_n));
}

static void connection_take_response(struct connection *c, const struct reading *r)
{
	struct record_response note = { 0 };
	if (r->payload.n >= sizeof note)
		memcpy(&note, r->payload.at, sizeof note);
	begin_message(c, false, r, head_text(r, sizeof note, note.text_n));
}

/* A connection that waits for its next request takes little memory. */
static void connection_be_idle(struct connection *c)
{
	bytes_free(&c->request.bytes);
	bytes_free(&c->response.bytes);
	trafficstream_rest(&c->stream);
	c->from = POSITION_IDLE;
}

static void connection_take(struct connection *c, const struct reading *r)
{
	bool end = r->frame.flags & FRAME_END;
	uint64_t now = r->frame.wall_ns;
	bool request = r->frame.type <= FRAME_REQUEST_TRAILERS;
	switch ((enum frame_type)r->frame.type) {
	case FRAME_REQUEST_HEAD:
		connection_take_request(c, r);
		return;
	case FRAME_RESPONSE_HEAD:
		connection_take_response(c, r);
		return;
	case FRAME_REQUEST_BODY:
	case FRAME_RESPONSE_BODY:
		message_add_body(c, request, now, r->payload);
		if (end)
			end_message(c, request, now, SPAN(""));
		return;
	case FRAME_REQUEST_TRAILERS:
	case FRAME_RESPONSE_TRAILERS:
		end_message(c, request, now, r->payload);
		return;
	case FRAME_OUTCOME:
		message_forget(c, true, now);
		message_forget(c, false, now);
		trafficstream_flush(&c->stream, false);
		connection_be_idle(c);
		return;
	case FRAME_GAP:
	case FRAME_COMMIT:
	case FRAME_CLOSE:
	case FRAME_SEAL:
	case FRAME_OWNER:
	case FRAME_DRAINED:
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
	message_forget(c, true, c->wall_ns);
	message_forget(c, false, c->wall_ns);
	trafficstream_observe(&c->stream, OBSERVE_CLOSE, c->wall_ns, SPAN(""));
	trafficstream_flush(&c->stream, true);
	tdelete(c, &t->tree, traffic_compare_connections);
	connection_free(c);
}

void traffic_take(struct traffic *t, const struct reading *r)
{
	bool close = r->frame.type == FRAME_CLOSE;
	if (r->frame.type > FRAME_OUTCOME && !close)
		return;
	struct connection *c = traffic_find(t, r, r->frame.type == FRAME_REQUEST_HEAD);
	if (!c)
		return;
	/* What a client sends behind its response belongs to no exchange. */
	if (!close && c->from == POSITION_IDLE && r->frame.type != FRAME_REQUEST_HEAD)
		return;
	c->wall_ns = r->frame.wall_ns;
	if (close)
		end_connection(t, c);
	else
		connection_take(c, r);
	if (!close && t->user->flush == FLUSH_PIECES && r->frame.type <= FRAME_REQUEST_TRAILERS &&
	    !(r->frame.flags & FRAME_END))
		hand_over_piece(c);
}

/* --- followers --- */

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
		/* The entry of an exchange: the follower used another format when it was saved. */
		if (tfind(&key, &t->tree, traffic_compare_connections))
			continue;
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

/* --- open and close --- */

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
