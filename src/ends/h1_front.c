#include "ends/h1_front.h"

#include <stdio.h>

#include "base/bug.h"
#include "base/checks.h"
#include "http/h1_blame.h"
#include "http/h1_write.h"
#include "base/limits.h"

#define front_of(pointer, member) list_entry(pointer, struct h1_front, member)

static void front_go_on(struct h1_front *f);

/* --- time --- */

static uint64_t front_now_ms(const struct h1_front *f)
{
	return io_now_ms(f->fronts->wires->io);
}

/* A timer that fires before the deadline stays as it is: front_on_timer() checks the deadline. */
static void front_wait_for(struct h1_front *f, uint64_t ms)
{
	f->deadline_ms = front_now_ms(f) + ms;
	if (!timer_is_set(&f->timer) || f->timer.due_ms > f->deadline_ms)
		timer_set(f->fronts->wheel, &f->timer, f->deadline_ms);
}

/* --- the end --- */

/*
 * If nothing is being received after WATCH_AFTER_MS, wire_watch() waits for the client's FIN or
 * reset alone.
 */
static void front_watch_soon(struct h1_front *f)
{
	uint64_t at_ms = front_now_ms(f) + WATCH_AFTER_MS;
	if (!timer_is_set(&f->timer) || f->timer.due_ms > at_ms)
		timer_set(f->fronts->wheel, &f->timer, at_ms);
}

/* Tells the exchange that this client takes and sends nothing more. */
static void front_leave(struct h1_front *f, enum err why)
{
	stream_fail(&f->stream, why);
}

static void front_cut(struct h1_front *f, enum err why)
{
	f->state = FRONT_OVER;
	wire_abort(&f->wire);
	front_leave(f, why);
}

static void front_close_now(struct h1_front *f)
{
	f->state = FRONT_OVER;
	wire_close(&f->wire);
	front_wait_for(f, f->policy->idle_ms);
}

/*
 * Closes behind the response. If the client may still be sending, closing at once would cause a
 * reset, which would destroy the tail of the response. So its bytes are read until its FIN, for a
 * limited time (RFC 9112, 9.6).
 */
static void close_behind_response(struct h1_front *f)
{
	if (!f->lingers || f->wire.at_end) {
		front_close_now(f);
		return;
	}
	f->state = FRONT_LINGER;
	wire_finish(&f->wire);
	/* LINGER_MS counts from when the whole response has left. */
	front_wait_for(f, wire_unsent(&f->wire) ? f->policy->idle_ms : LINGER_MS);
}

/*
 * A request may be on its way. It gets no response, so the client knows that nothing was done with
 * it. It is still read: a reset would leave the client in doubt.
 */
static void front_close_idle(struct h1_front *f)
{
	f->lingers |= f->wire.state == WIRE_OPEN;
	close_behind_response(f);
}

/* --- a request --- */

/* The response is over and the request is read or dropped: the next request may come. */
static void front_end_exchange(struct h1_front *f)
{
	f->arena = NULL;
	f->request = NULL;
	if (f->closes || (f->wire.at_end && !f->wire.in.bytes)) {
		close_behind_response(f);
		return;
	}
	f->state = FRONT_IDLE;
	front_wait_for(f, f->policy->idle_ms);
}

static void front_end_if_over(struct h1_front *f)
{
	if (f->response_over && f->state == FRONT_WAIT && stream_over(&f->stream))
		front_end_exchange(f);
}

static bool front_begin_request(struct h1_front *f)
{
	f->response_over = f->response_chunked = false;
	f->facts.requests++;
	f->arena = f->user->open(&f->facts, &f->stream);
	if (!f->arena) {
		f->lingers = true;
		close_behind_response(f);
		return false;
	}
	f->request = arena_take(f->arena, sizeof *f->request);
	msg_open(&f->request->msg, f->arena, MSG_REQUEST);
	h1_parse_request(&f->request->parser, &f->request->msg);
	f->request->parser.lenient = f->policy->lenient;
	f->state = FRONT_HEAD;
	front_wait_for(f, f->policy->head_ms);
	stream_grant(f->stream.peer, STREAM_CREDIT_BYTES);
	return true;
}

/* The bytes are no valid request. The client gets a response, and no later byte is interpreted. */
static void front_refuse(struct h1_front *f, enum err why)
{
	f->closes = f->lingers = true;
	f->state = FRONT_WAIT;
	stream_abort(f->stream.peer, STREAM_RESET, why);
}

static void request_head(struct h1_front *f)
{
	struct h1_request *r = f->request;
	struct msg *m = &r->msg;
	h1_body_open(&r->body, m, r->parser.codings > 0);
	f->closes |= m->close;
	bool body = r->body.state != H1_BODY_NONE;
	if (f->facts.requests == 1)
		list_remove(&f->stranger);
	f->state = body ? FRONT_BODY : FRONT_WAIT;
	front_wait_for(f, f->policy->idle_ms);
	stream_head(f->stream.peer, m, !body && !m->tunnel);
}

static void front_say_blame(struct h1_front *f, const struct h1_blame *b, enum err why)
{
	char text[H1_BLAME_TEXT_BYTES];
	h1_blame_text(b, why, text);
	wires_say(f->fronts->wires, why, text, b->advice);
}

static void blame_head(struct h1_front *f)
{
	struct h1_blame b;
	char rest[H1_BLAME_LOOK_BYTES];
	size_t there = f->wire.in.bytes, n = there < sizeof rest ? there : sizeof rest;
	chain_peek(&f->wire.in, rest, n);
	h1_blame_head(&b, &f->request->parser, (struct span){ rest, n });
	front_say_blame(f, &b, f->request->parser.err);
}

static void blame_body(struct h1_front *f)
{
	struct h1_blame b;
	h1_blame_body(&b, &f->request->body);
	front_say_blame(f, &b, f->request->body.err);
}

/* When the parser needs more bytes, only the beginning of a line is left in the wire. */
static bool parse_head(struct h1_front *f)
{
	struct chain *in = &f->wire.in;
	for (;;) {
		size_t used;
		struct span front = chain_front(in);
		enum h1_progress p = h1_parse(&f->request->parser, front, &used);
		chain_skip(in, used);
		if (p == H1_DONE) {
			request_head(f);
			return true;
		}
		if (p == H1_BAD) {
			blame_head(f);
			front_refuse(f, f->request->parser.err);
			return true;
		}
		if (front.n - used == in->bytes)
			return false;
		size_t line = FIELD_LINE_BYTES + 2;
		chain_pull(in, in->bytes < line ? in->bytes : line);
	}
}

static bool front_read_head(struct h1_front *f)
{
	if (f->state == FRONT_IDLE && !front_begin_request(f))
		return true;
	return parse_head(f);
}

static void request_body_over(struct h1_front *f, struct chain *last)
{
	f->state = FRONT_WAIT;
	if (!f->request->body.has_trailers) {
		stream_data(f->stream.peer, last, true);
		return;
	}
	if (last->bytes)
		stream_data(f->stream.peer, last, false);
	if (stream_sends(&f->stream))
		stream_trailers(f->stream.peer, f->request->body.trailers);
}

static void free_rest(struct h1_front *f)
{
	if (!f->rest)
		return;
	arena_close(&f->rest->arena);
	slab_give(&f->fronts->rests, f->rest);
	f->rest = NULL;
}

/* Without the end of the body, the beginning of the next request is not known. */
static void front_end_drop(struct h1_front *f, bool whole)
{
	free_rest(f);
	if (!whole)
		f->closes = f->lingers = true;
	f->state = FRONT_WAIT;
	front_end_if_over(f);
}

static bool front_read_body(struct h1_front *f)
{
	struct chain part = { 0 };
	size_t before = f->wire.in.bytes;
	struct h1_body *body = &f->request->body;
	enum h1_progress p =
		h1_body_read(body, f->arena, &f->wire.in, &part, f->stream.peer->credit);
	chain_pack(&part, f->wire.account);
	if (p == H1_DONE) {
		request_body_over(f, &part);
		return true;
	}
	if (part.bytes)
		stream_data(f->stream.peer, &part, false);
	/* The data may have made the exchange stop the request: the state has changed then. */
	if (p == H1_BAD && f->state == FRONT_BODY) {
		blame_body(f);
		front_refuse(f, body->err);
	} else if (p == H1_BAD && f->state == FRONT_DROP)
		front_end_drop(f, false);
	return p == H1_BAD || f->wire.in.bytes != before;
}

/* The exchange needs no more of this body. Its end is where the next request begins. */
static bool front_drop_body(struct h1_front *f)
{
	struct chain part = { 0 };
	size_t before = f->wire.in.bytes;
	struct h1_rest *rest = f->rest;
	enum h1_progress p = h1_body_read(&rest->body, &rest->arena, &f->wire.in, &part, before);
	rest->bytes += part.bytes;
	chain_drop(&part);
	if (p == H1_MORE && rest->bytes <= DROPPED_BODY_BYTES)
		return f->wire.in.bytes != before;
	front_end_drop(f, p == H1_DONE);
	return true;
}

static bool front_read_tunnel(struct h1_front *f)
{
	struct chain part = { 0 };
	size_t credit = f->stream.peer->credit, there = f->wire.in.bytes;
	if (!stream_sends(&f->stream) || !credit)
		return false;
	chain_move_some(&part, &f->wire.in, there < credit ? there : credit);
	chain_pack(&part, f->wire.account);
	front_wait_for(f, f->policy->tunnel_idle_ms);
	stream_data(f->stream.peer, &part, false);
	return true;
}

/* Empty lines, also an incomplete one. They begin no request, but may come before one. */
static bool front_is_blank(const struct chain *in)
{
	char lines[2 * BLANK_LINES_MAX];
	if (!in->bytes || in->bytes > sizeof lines || *in->first->at != '\r')
		return false;
	chain_peek(in, lines, in->bytes);
	for (size_t i = 1; i < in->bytes; i++)
		if (lines[i] != "\r\n"[i % 2])
			return false;
	return true;
}

/* Takes one step with the bytes in the wire. False: nothing can be done with them now. */
static bool front_step(struct h1_front *f)
{
	switch ((enum h1_front_state)f->state) {
	case FRONT_IDLE:
		return !wire_unsent(&f->wire) && !front_is_blank(&f->wire.in) && front_read_head(f);
	case FRONT_HEAD:
		return front_read_head(f);
	case FRONT_BODY:
		return front_read_body(f);
	case FRONT_DROP:
		return front_drop_body(f);
	case FRONT_TUNNEL:
		return front_read_tunnel(f);
	case FRONT_LINGER:
		chain_drop(&f->wire.in);
		return false;
	case FRONT_WAIT:
	case FRONT_OVER:
		return false;
	}
	return false;
}

static bool front_wants_bytes(const struct h1_front *f)
{
	switch ((enum h1_front_state)f->state) {
	case FRONT_HEAD:
	case FRONT_DROP:
	case FRONT_LINGER:
		return true;
	case FRONT_BODY:
	case FRONT_TUNNEL:
		return stream_sends(&f->stream) && f->stream.peer->credit > 0;
	case FRONT_IDLE:
	case FRONT_WAIT:
		/* A pending receive is how a client that goes away is noticed. */
		return !f->wire.in.bytes || front_is_blank(&f->wire.in);
	case FRONT_OVER:
		return false;
	}
	return false;
}

/*
 * True when the client has finished and its body is incomplete. `unread`: bytes that have arrived
 * and were not received.
 */
static bool is_cut_short(const struct h1_front *f, size_t unread)
{
	return f->state == FRONT_BODY &&
	       h1_body_lacks(&f->request->body) > f->wire.in.bytes + unread;
}

/* True when the exchange is given up because its client has finished. */
static bool ends_with_client(const struct h1_front *f)
{
	return stream_receives(&f->stream) && f->user->finished &&
	       f->user->finished(f->stream.peer);
}

/* TLS that ends without close_notify is no half-close: the client has gone. */
static bool front_has_left(const struct h1_front *f)
{
	return f->wire.cut || ends_with_client(f);
}

static void front_client_finished(struct h1_front *f)
{
	switch ((enum h1_front_state)f->state) {
	case FRONT_IDLE:
	case FRONT_LINGER:
		front_close_now(f);
		return;
	case FRONT_HEAD:
	case FRONT_BODY:
		front_refuse(f, ERR_CUT_REQUEST);
		return;
	case FRONT_DROP:
		front_end_drop(f, false);
		return;
	case FRONT_TUNNEL:
		if (stream_sends(&f->stream))
			stream_data(f->stream.peer, &(struct chain){ 0 }, true);
		if (stream_over(&f->stream))
			front_close_now(f);
		return;
	case FRONT_WAIT:
		if (front_has_left(f))
			front_cut(f, ERR_PEER_CLOSED);
		return;
	case FRONT_OVER:
		return;
	}
}

/* True when the client's FIN has come and all bytes before it are handled. */
static bool front_is_at_end(const struct h1_front *f)
{
	if (!f->wire.at_end)
		return false;
	if (f->state == FRONT_WAIT)
		return true;
	if (f->state == FRONT_IDLE)
		return !f->wire.in.bytes || front_is_blank(&f->wire.in);
	bool held_back = f->state == FRONT_TUNNEL || f->state == FRONT_BODY;
	return !f->wire.in.bytes || !held_back || f->stream.peer->credit || is_cut_short(f, 0);
}

/* An exchange exists from the first byte of its request until both directions are over. */
void h1_front_check(const struct h1_front *f)
{
	bool within = f->state != FRONT_IDLE && f->state != FRONT_LINGER && f->state != FRONT_OVER;
	must(!f->arena == !f->request);
	must(!within || f->request);
	must(f->state != FRONT_IDLE || !f->request);
	must((f->state == FRONT_DROP) == (f->rest != NULL) || f->state == FRONT_OVER);
	must(f->state == FRONT_OVER || wire_usable(&f->wire));
	must(f->state != FRONT_BODY || f->request->body.state != H1_BODY_NONE);
	must(f->facts.requests || !within);
}

/*
 * Handles the bytes in the wire until they are used up or have to wait. Events inside a step only
 * change the state, and this loop sees the change. A pipelined request waits until the response
 * before it has left. So output that a client does not read cannot pile up, and the node's
 * connection is free again by then.
 */
static void front_go_on(struct h1_front *f)
{
	if (f->stepping)
		return;
	f->stepping = true;
	while (wire_usable(&f->wire) && f->wire.in.bytes && front_step(f))
		;
	f->stepping = false;
	checks(h1_front_check(f));
	if (!wire_usable(&f->wire))
		return;
	if (front_is_at_end(f))
		front_client_finished(f);
	else if (f->wire.at_end && ends_with_client(f))
		front_cut(f, ERR_PEER_CLOSED);
	else if (!f->wire.at_end && front_wants_bytes(f))
		wire_receive(&f->wire);
	else
		front_watch_soon(f);
}

/* --- the response: verbs that the exchange calls --- */

static void front_response_over(struct h1_front *f)
{
	f->response_over = true;
	wire_touch(&f->wire);
	front_end_if_over(f);
	front_go_on(f);
}

/*
 * True when the connection cannot be kept: more of the request is left than may be dropped, or the
 * client has finished. The rest of a chunked request is not known.
 */
static bool front_is_last(const struct h1_front *f)
{
	if (f->state == FRONT_WAIT)
		return f->wire.at_end && !f->wire.in.bytes;
	return f->state == FRONT_DROP && f->request->msg.body == BODY_LENGTH &&
	       f->rest->body.left > DROPPED_BODY_BYTES;
}

static void front_said_head(struct stream *to, struct msg *m, bool end)
{
	struct h1_front *f = front_of(to, stream);
	struct h1_write how = { 0 };
	const struct msg *asked = &f->request->msg;
	bool http_1_0 = asked->minor == 0 && asked->first_n;
	if (m->status == 101) {
		f->state = FRONT_TUNNEL;
		front_wait_for(f, f->policy->tunnel_idle_ms);
	} else if (m->status < 200) {
		if (http_1_0)
			return;
	} else {
		f->response_chunked = m->body == BODY_UNKNOWN && !http_1_0;
		f->closes |= f->fronts->stopping || (m->body == BODY_UNKNOWN && http_1_0) ||
			     front_now_ms(f) - f->opened_ms >= f->policy->keep_alive_ms ||
			     front_is_last(f);
		/* A client that did not ask for the close may have sent its next request. */
		f->lingers |= f->closes && !f->request->msg.close;
		how = (struct h1_write){ .chunked = f->response_chunked,
					 .close = f->closes,
					 .keep = http_1_0 && !f->closes,
					 .kept = { f->policy->kept, f->policy->kept_n } };
		front_wait_for(f, f->policy->idle_ms);
	}
	h1_write_head(m, how, &f->wire.out, f->fronts->wires->bufs);
	wire_touch(&f->wire);
	if (end)
		front_response_over(f);
	else if (f->state == FRONT_TUNNEL)
		front_go_on(f);
}

static void tunnel_half_over(struct h1_front *f)
{
	if (stream_over(&f->stream))
		front_close_now(f);
	else
		wire_finish(&f->wire);
}

static void front_said_data(struct stream *to, struct chain *c, bool end)
{
	struct h1_front *f = front_of(to, stream);
	if (f->response_chunked)
		h1_write_chunk(c, &f->wire.out, f->fronts->wires->bufs);
	else
		chain_move(&f->wire.out, c);
	wire_touch(&f->wire);
	if (f->state == FRONT_TUNNEL) {
		front_wait_for(f, f->policy->tunnel_idle_ms);
		if (end)
			tunnel_half_over(f);
		return;
	}
	if (!end)
		return;
	if (f->response_chunked)
		h1_write_last_chunk(NULL, &f->wire.out, f->fronts->wires->bufs);
	front_response_over(f);
}

static void front_said_trailers(struct stream *to, struct msg *m)
{
	struct h1_front *f = front_of(to, stream);
	if (f->response_chunked)
		h1_write_last_chunk(m, &f->wire.out, f->fronts->wires->bufs);
	front_response_over(f);
}

static void front_said_grant(struct stream *to, size_t bytes)
{
	(void)bytes;
	front_go_on(front_of(to, stream));
}

static void request_unwanted(struct h1_front *f)
{
	if (f->state == FRONT_TUNNEL) {
		if (stream_over(&f->stream))
			front_close_now(f);
		return;
	}
	if (f->state != FRONT_BODY)
		return;
	/* Trailers that have begun live in the exchange's arena, which ends with the exchange. */
	if (f->request->body.parser) {
		f->closes = f->lingers = true;
		f->state = FRONT_WAIT;
		return;
	}
	f->rest = slab_take(&f->fronts->rests);
	f->rest->body = f->request->body;
	f->rest->bytes = 0;
	arena_open(&f->rest->arena, &f->fronts->chunks);
	f->state = FRONT_DROP;
}

static void front_said_abort(struct stream *to, enum stream_way way, enum err why)
{
	struct h1_front *f = front_of(to, stream);
	if (f->state == FRONT_OVER)
		return;
	/* The response breaks off. Only a reset tells the client that it is incomplete. */
	if (way == STREAM_RESET) {
		front_cut(f, why);
		return;
	}
	request_unwanted(f);
	front_end_if_over(f);
	front_go_on(f);
}

static const struct stream_verbs stream_verbs = {
	.head = front_said_head,
	.data = front_said_data,
	.trailers = front_said_trailers,
	.grant = front_said_grant,
	.abort = front_said_abort,
};

/* --- the wire --- */

static enum err front_on_has_proxy_header(struct wire *w, const struct proxy_header *p)
{
	struct h1_front *f = front_of(w, wire);
	f->facts.unnamed = p->kind == PROXY_HEADER_UNKNOWN;
	enum err why = f->user->admit(&f->facts, p);
	if (!f->facts.tls)
		front_wait_for(f, f->policy->idle_ms);
	return why;
}

static void front_on_bytes(struct wire *w)
{
	struct h1_front *f = front_of(w, wire);
	if (f->state == FRONT_BODY)
		front_wait_for(f, f->policy->idle_ms);
	front_go_on(f);
}

static void front_on_ready(struct wire *w)
{
	struct h1_front *f = front_of(w, wire);
	f->facts.session = wire_tls(w);
	front_wait_for(f, f->policy->idle_ms);
}

static void front_on_finished(struct wire *w)
{
	front_go_on(front_of(w, wire));
}

/*
 * The unread bytes need not be read when they cannot complete this request, or when the exchange
 * ends with its client.
 */
static void front_on_finishing(struct wire *w, size_t unread)
{
	struct h1_front *f = front_of(w, wire);
	if ((f->state == FRONT_WAIT || f->state == FRONT_BODY) && ends_with_client(f)) {
		front_cut(f, ERR_PEER_CLOSED);
	} else if (is_cut_short(f, unread)) {
		front_refuse(f, ERR_CUT_REQUEST);
		front_go_on(f);
	}
}

static void front_on_drained(struct wire *w)
{
	struct h1_front *f = front_of(w, wire);
	if (f->state == FRONT_TUNNEL)
		front_wait_for(f, f->policy->tunnel_idle_ms);
	else if (f->state == FRONT_IDLE || f->state == FRONT_WAIT || f->state == FRONT_BODY)
		front_wait_for(f, f->policy->idle_ms);
	else if (f->state == FRONT_LINGER)
		front_wait_for(f, wire_unsent(w) ? f->policy->idle_ms : LINGER_MS);
	if (f->state == FRONT_IDLE)
		front_go_on(f);
	if (!stream_receives(&f->stream))
		return;
	size_t held = wire_unsent(w) + f->stream.credit;
	if (held + STREAM_TOP_UP_BYTES <= STREAM_CREDIT_BYTES)
		stream_grant(f->stream.peer, STREAM_CREDIT_BYTES - held);
}

static void front_on_handshake_failed(struct wire *w, enum err why, const char *said)
{
	struct h1_front *f = front_of(w, wire);
	if (f->user->handshake_failed)
		f->user->handshake_failed(&f->facts, why, said);
}

static void front_on_broken(struct wire *w, enum err why)
{
	struct h1_front *f = front_of(w, wire);
	f->state = FRONT_OVER;
	front_leave(f, why);
	front_wait_for(f, f->policy->idle_ms);
}

static void front_on_starved(struct wire *w)
{
	struct h1_front *f = front_of(w, wire);
	front_watch_soon(f);
	if (stream_sends(&f->stream))
		stream_squeeze(f->stream.peer);
}

static void front_on_gone(struct wire *w)
{
	struct h1_front *f = front_of(w, wire);
	must(stream_over(&f->stream));
	free_rest(f);
	timer_clear(&f->timer);
	list_remove(&f->link);
	list_remove(&f->stranger);
	f->fronts->open_n--;
	f->user->gone(&f->facts);
	slab_give(&f->fronts->slab, f);
}

static const struct wire_user wire_user = {
	.has_proxy_header = front_on_has_proxy_header,
	.bytes = front_on_bytes,
	.finished = front_on_finished,
	.finishing = front_on_finishing,
	.drained = front_on_drained,
	.ready = front_on_ready,
	.starved = front_on_starved,
	.handshake_failed = front_on_handshake_failed,
	.broken = front_on_broken,
	.gone = front_on_gone,
};

/* --- the timer --- */

static void proxy_header_is_late(struct h1_front *f)
{
	f->user->admit(&f->facts, &(struct proxy_header){ .err = ERR_PROXY_HEADER_TIMEOUT });
	front_cut(f, ERR_PROXY_HEADER_TIMEOUT);
}

/*
 * The timeout counts against the client only while it could send. Without credit the cluster is
 * slow; without memory nobody is.
 */
static bool is_clients_time(const struct h1_front *f)
{
	return f->stream.peer->credit && !wire_unsent(&f->wire) && !wire_is_starved(&f->wire);
}

static void front_time_is_up(struct h1_front *f)
{
	switch ((enum h1_front_state)f->state) {
	case FRONT_IDLE:
		if (f->wire.state == WIRE_PROXY_HEADER)
			proxy_header_is_late(f);
		else
			front_close_idle(f);
		return;
	case FRONT_HEAD:
		front_refuse(f, ERR_HEAD_TIMEOUT);
		front_go_on(f);
		return;
	case FRONT_BODY:
		if (is_clients_time(f)) {
			front_refuse(f, ERR_BODY_TIMEOUT);
			front_go_on(f);
			return;
		}
		break;
	case FRONT_TUNNEL:
		front_cut(f, ERR_PEER_IDLE);
		return;
	case FRONT_LINGER:
	case FRONT_OVER:
		wire_abort(&f->wire);
		return;
	case FRONT_DROP:
		f->closes = f->lingers = true;
		break;
	case FRONT_WAIT:
		break;
	}
	if (wire_unsent(&f->wire) || f->state == FRONT_DROP)
		front_cut(f, ERR_PEER_SLOW);
	else
		front_wait_for(f, f->policy->idle_ms);
}

static void front_on_timer(struct timer *t)
{
	struct h1_front *f = front_of(t, timer);
	wire_watch(&f->wire);
	if (front_now_ms(f) < f->deadline_ms)
		timer_set(f->fronts->wheel, &f->timer, f->deadline_ms);
	else
		front_time_is_up(f);
}

/* --- what clients are told --- */

/* Clients then close the connection first, so that no request crosses our close. */
void front_policy_tell(struct front_policy *p)
{
	uint32_t idle_s = p->idle_ms / 1000;
	uint32_t less_s = idle_s > 10 ? 5 : 1;
	if (!idle_s)
		return;
	int n = snprintf(p->kept, sizeof p->kept,
			 "Connection: keep-alive\r\nKeep-Alive: timeout=%u\r\n\r\n",
			 idle_s > less_s ? idle_s - less_s : idle_s);
	must(n > 0 && (size_t)n < sizeof p->kept);
	p->kept_n = (uint8_t)n;
}

/* --- open and close --- */

void h1_fronts_open(struct h1_fronts *s, struct wires *wires, struct wheel *wheel)
{
	*s = (struct h1_fronts){ .wires = wires, .wheel = wheel };
	slab_open(&s->slab, sizeof(struct h1_front), 32);
	slab_open(&s->rests, sizeof(struct h1_rest), 8);
	slab_open(&s->chunks, ARENA_CHUNK_BYTES, 4);
	list_init(&s->open);
	list_init(&s->strangers);
}

void h1_fronts_close(struct h1_fronts *s)
{
	must(s->open_n == 0);
	slab_close(&s->slab);
	slab_close(&s->rests);
	slab_close(&s->chunks);
}

bool h1_fronts_trim(struct h1_fronts *s)
{
	bool more = slab_trim(&s->slab, SLAB_RUNS_TRIMMED);
	more |= slab_trim(&s->rests, SLAB_RUNS_TRIMMED);
	return slab_trim(&s->chunks, SLAB_RUNS_TRIMMED) || more;
}

struct h1_front *h1_front_open(struct h1_fronts *s, const struct front_user *user,
			       const struct front_policy *policy, void *listener, struct sock *sock,
			       struct tls_context *tls, struct budget *budget)
{
	struct h1_front *f = slab_take(&s->slab);
	*f = (struct h1_front){
		.fronts = s,
		.user = user,
		.policy = policy,
		.facts = { .listener = listener,
			   .peer = &sock->peer,
			   .tls = tls != NULL,
			   .number = ++s->opened },
		.opened_ms = io_now_ms(s->wires->io),
	};
	stream_init(&f->stream, &stream_verbs, "front");
	timer_init(&f->timer, front_on_timer);
	list_init(&f->link);
	list_add_tail(&s->open, &f->link);
	list_init(&f->stranger);
	list_add_tail(&s->strangers, &f->stranger);
	s->open_n++;
	wire_accept(&f->wire, s->wires, &wire_user, sock, tls, budget);
	front_wait_for(f, tls ? policy->head_ms : policy->idle_ms);
	wire_receive(&f->wire);
	return f;
}

void h1_front_count_handshake(struct h1_front *f, struct handshake_counts *counts)
{
	wire_count_handshake(&f->wire, counts);
}

void h1_front_expect_proxy_header(struct h1_front *f)
{
	must(f->user->admit);
	wire_expect_proxy_header(&f->wire);
	front_wait_for(f, f->policy->head_ms);
}

void h1_fronts_retire(struct h1_fronts *s)
{
	s->stopping = true;
}

void h1_fronts_stop(struct h1_fronts *s)
{
	s->stopping = true;
	list_each_safe(l, &s->open) {
		struct h1_front *f = list_entry(l, struct h1_front, link);
		f->closes = true;
		/*
		 * The client may be sending its next request. A reset in reply to that would
		 * destroy the response before.
		 */
		f->lingers |= f->wire.state == WIRE_OPEN;
		if (f->state == FRONT_IDLE)
			close_behind_response(f);
	}
}

void h1_fronts_use(struct h1_fronts *s, const struct front_user *user)
{
	list_each(l, &s->open)
		list_entry(l, struct h1_front, link)->user = user;
}

bool h1_fronts_spare_stranger(struct h1_fronts *s, uint64_t age_ms,
			      bool (*may)(const struct front_facts *facts, const void *how),
			      const void *how)
{
	uint64_t before_ms = io_now_ms(s->wires->io) - age_ms;
	unsigned n = 0;
	list_each_safe(l, &s->strangers) {
		struct h1_front *f = list_entry(l, struct h1_front, stranger);
		if (f->opened_ms > before_ms || n++ == STRANGERS_LOOKED_AT)
			return false;
		if (f->state == FRONT_OVER || !may(&f->facts, how))
			continue;
		list_remove(&f->stranger);
		front_cut(f, ERR_OUT_OF_HANDLES);
		return true;
	}
	return false;
}

bool h1_fronts_spare_one(struct h1_fronts *s,
			 bool (*may)(const struct front_facts *facts, const void *how),
			 const void *how)
{
	list_each_safe(l, &s->open) {
		struct h1_front *f = list_entry(l, struct h1_front, link);
		if ((f->state != FRONT_IDLE && f->state != FRONT_HEAD) || !may(&f->facts, how))
			continue;
		front_cut(f, ERR_TOO_MANY_CONNECTIONS);
		return true;
	}
	return false;
}

void h1_fronts_abort(struct h1_fronts *s)
{
	list_each_safe(l, &s->open) {
		struct h1_front *f = list_entry(l, struct h1_front, link);
		front_cut(f, ERR_STOPPING);
	}
}
