#include "ends/h1_front.h"

#include <stdio.h>

#include "base/bug.h"
#include "http/h1_blame.h"
#include "http/h1_write.h"
#include "base/limits.h"

#define front_of(pointer, member) list_entry(pointer, struct h1_front, member)

/* Credit is given again when this much of it is free: not for every packet. */
#define TOP_UP_BYTES (STREAM_CREDIT_BYTES / 4)

static void go_on(struct h1_front *f);

/* --- time --- */

static uint64_t now_ms(const struct h1_front *f)
{
	return io_now_ms(f->fronts->wires->io);
}

/* The timer is left where it is when it fires earlier: it then looks at the deadline. */
static void wait_for(struct h1_front *f, uint64_t ms)
{
	f->deadline_ms = now_ms(f) + ms;
	if (!timer_is_set(&f->timer) || f->timer.due_ms > f->deadline_ms)
		timer_set(f->fronts->wheel, &f->timer, f->deadline_ms);
}

/* --- the end --- */

/* In a while, if nothing is received until then, its client's end is listened for alone. */
static void watch_soon(struct h1_front *f)
{
	uint64_t at_ms = now_ms(f) + WATCH_AFTER_MS;
	if (!timer_is_set(&f->timer) || f->timer.due_ms > at_ms)
		timer_set(f->fronts->wheel, &f->timer, at_ms);
}

/* Says to the exchange that this client takes and gives nothing more. */
static void leave(struct h1_front *f, enum err why)
{
	if (stream_receives(&f->stream))
		stream_abort(f->stream.peer, STREAM_STOP, why);
	if (stream_sends(&f->stream))
		stream_abort(f->stream.peer, STREAM_RESET, why);
}

static void cut(struct h1_front *f, enum err why)
{
	f->state = FRONT_OVER;
	wire_abort(&f->wire);
	leave(f, why);
}

static void close_now(struct h1_front *f)
{
	f->state = FRONT_OVER;
	wire_close(&f->wire);
	wait_for(f, f->policy->idle_ms);
}

/*
 * Closes behind the answer. A client that may still be sending would have the answer's tail
 * destroyed by a reset; it is read until it has finished, for a while (RFC 9112, 9.6).
 */
static void close_behind_answer(struct h1_front *f)
{
	if (!f->lingers || f->wire.at_end) {
		close_now(f);
		return;
	}
	f->state = FRONT_LINGER;
	wire_finish(&f->wire);
	/* That while begins when the answer has gone. */
	wait_for(f, wire_unsent(&f->wire) ? f->policy->idle_ms : LINGER_MS);
}

/*
 * A request may be on its way. It is not answered, so that its client knows that nothing was done
 * with it, and is read: a reset would leave that open.
 */
static void close_idle(struct h1_front *f)
{
	f->lingers |= f->wire.state == WIRE_OPEN;
	close_behind_answer(f);
}

/* --- a request --- */

/* The answer is over and the request is read or dropped: the next one may come. */
static void end_exchange(struct h1_front *f)
{
	f->arena = NULL;
	f->request = NULL;
	if (f->closes || (f->wire.at_end && !f->wire.in.bytes)) {
		close_behind_answer(f);
		return;
	}
	f->state = FRONT_IDLE;
	wait_for(f, f->policy->idle_ms);
}

static void end_if_over(struct h1_front *f)
{
	if (f->answer_over && f->state == FRONT_WAIT && stream_over(&f->stream))
		end_exchange(f);
}

static bool begin_request(struct h1_front *f)
{
	f->answer_over = f->answer_chunked = false;
	f->facts.requests++;
	f->arena = f->user->open(&f->facts, &f->stream);
	if (!f->arena) {
		f->lingers = true;
		close_behind_answer(f);
		return false;
	}
	f->request = arena_take(f->arena, sizeof *f->request);
	msg_open(&f->request->msg, f->arena, MSG_REQUEST);
	h1_parse_request(&f->request->parser, &f->request->msg);
	f->request->parser.lenient = f->policy->lenient;
	f->state = FRONT_HEAD;
	wait_for(f, f->policy->head_ms);
	stream_grant(f->stream.peer, STREAM_CREDIT_BYTES);
	return true;
}

/* What comes is no request: it is answered, and nothing behind it is believed. */
static void refuse(struct h1_front *f, enum err why)
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
	wait_for(f, f->policy->idle_ms);
	stream_head(f->stream.peer, m, !body && !m->tunnel);
}

static void say_blame(struct h1_front *f, const struct h1_blame *b, enum err why)
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
	say_blame(f, &b, f->request->parser.err);
}

static void blame_body(struct h1_front *f)
{
	struct h1_blame b;
	h1_blame_body(&b, &f->request->body);
	say_blame(f, &b, f->request->body.err);
}

/* Only a line's beginning is left in the wire when more is needed. */
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
			refuse(f, f->request->parser.err);
			return true;
		}
		if (front.n - used == in->bytes)
			return false;
		size_t line = FIELD_LINE_BYTES + 2;
		chain_pull(in, in->bytes < line ? in->bytes : line);
	}
}

static bool read_head(struct h1_front *f)
{
	if (f->state == FRONT_IDLE && !begin_request(f))
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

/* Without its end nobody knows where a next request would begin. */
static void end_drop(struct h1_front *f, bool whole)
{
	free_rest(f);
	if (!whole)
		f->closes = f->lingers = true;
	f->state = FRONT_WAIT;
	end_if_over(f);
}

static bool read_body(struct h1_front *f)
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
	/* That may have been more than the exchange wanted. */
	if (p == H1_BAD && f->state == FRONT_BODY) {
		blame_body(f);
		refuse(f, body->err);
	} else if (p == H1_BAD && f->state == FRONT_DROP)
		end_drop(f, false);
	return p == H1_BAD || f->wire.in.bytes != before;
}

/* The exchange needs no more of this body. Its end is where the next request begins. */
static bool drop_body(struct h1_front *f)
{
	struct chain part = { 0 };
	size_t before = f->wire.in.bytes;
	struct h1_rest *rest = f->rest;
	enum h1_progress p = h1_body_read(&rest->body, &rest->arena, &f->wire.in, &part, before);
	rest->bytes += part.bytes;
	chain_drop(&part);
	if (p == H1_MORE && rest->bytes <= DROPPED_BODY_BYTES)
		return f->wire.in.bytes != before;
	end_drop(f, p == H1_DONE);
	return true;
}

static bool read_tunnel(struct h1_front *f)
{
	struct chain part = { 0 };
	size_t credit = f->stream.peer->credit, there = f->wire.in.bytes;
	if (!stream_sends(&f->stream) || !credit)
		return false;
	chain_move_some(&part, &f->wire.in, there < credit ? there : credit);
	chain_pack(&part, f->wire.account);
	wait_for(f, f->policy->tunnel_idle_ms);
	stream_data(f->stream.peer, &part, false);
	return true;
}

/* Empty lines, or half of one: they begin no request, but may stand before one. */
static bool is_blank(const struct chain *in)
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

/* Takes one step with what is in the wire; false when nothing can be done with it now. */
static bool step(struct h1_front *f)
{
	switch ((enum h1_front_state)f->state) {
	case FRONT_IDLE:
		return !wire_unsent(&f->wire) && !is_blank(&f->wire.in) && read_head(f);
	case FRONT_HEAD:
		return read_head(f);
	case FRONT_BODY:
		return read_body(f);
	case FRONT_DROP:
		return drop_body(f);
	case FRONT_TUNNEL:
		return read_tunnel(f);
	case FRONT_LINGER:
		chain_drop(&f->wire.in);
		return false;
	case FRONT_WAIT:
	case FRONT_OVER:
		return false;
	}
	return false;
}

static bool wants_bytes(const struct h1_front *f)
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
		/* A receive under way is how a client that goes away is noticed. */
		return !f->wire.in.bytes || is_blank(&f->wire.in);
	case FRONT_OVER:
		return false;
	}
	return false;
}

/* With `unread` bytes that are there and were not received: then its client sends no more. */
static bool is_cut_short(const struct h1_front *f, size_t unread)
{
	return f->state == FRONT_BODY &&
	       h1_body_lacks(&f->request->body) > f->wire.in.bytes + unread;
}

/* Whether the exchange is given up with a client that finishes. */
static bool ends_with_client(const struct h1_front *f)
{
	return stream_receives(&f->stream) && f->user->finished &&
	       f->user->finished(f->stream.peer);
}

/* TLS without close_notify is no half-close, but a client that has gone. */
static bool has_left(const struct h1_front *f)
{
	return f->wire.cut || ends_with_client(f);
}

static void client_finished(struct h1_front *f)
{
	switch ((enum h1_front_state)f->state) {
	case FRONT_IDLE:
	case FRONT_LINGER:
		close_now(f);
		return;
	case FRONT_HEAD:
	case FRONT_BODY:
		refuse(f, ERR_CUT_REQUEST);
		return;
	case FRONT_DROP:
		end_drop(f, false);
		return;
	case FRONT_TUNNEL:
		if (stream_sends(&f->stream))
			stream_data(f->stream.peer, &(struct chain){ 0 }, true);
		if (stream_over(&f->stream))
			close_now(f);
		return;
	case FRONT_WAIT:
		if (has_left(f))
			cut(f, ERR_PEER_CLOSED);
		return;
	case FRONT_OVER:
		return;
	}
}

/* Whether the client's FIN has come and all that stood before it is dealt with. */
static bool is_at_end(const struct h1_front *f)
{
	if (!f->wire.at_end)
		return false;
	if (f->state == FRONT_WAIT)
		return true;
	if (f->state == FRONT_IDLE)
		return !f->wire.in.bytes || is_blank(&f->wire.in);
	bool held_back = f->state == FRONT_TUNNEL || f->state == FRONT_BODY;
	return !f->wire.in.bytes || !held_back || f->stream.peer->credit || is_cut_short(f, 0);
}

/*
 * Goes on with what is in the wire until that is used up or has to wait. Whatever happens inside a
 * step only changes the state. A pipelined request waits until the answer before it has gone: what
 * a client does not take cannot pile up, and the node's connection is free again by then.
 */
static void go_on(struct h1_front *f)
{
	if (f->stepping)
		return;
	f->stepping = true;
	while (wire_usable(&f->wire) && f->wire.in.bytes && step(f))
		;
	f->stepping = false;
	if (!wire_usable(&f->wire))
		return;
	if (is_at_end(f))
		client_finished(f);
	else if (f->wire.at_end && ends_with_client(f))
		cut(f, ERR_PEER_CLOSED);
	else if (!f->wire.at_end && wants_bytes(f))
		wire_receive(&f->wire);
	else
		watch_soon(f);
}

/* --- the answer: what the exchange says to us --- */

static void answer_over(struct h1_front *f)
{
	f->answer_over = true;
	wire_touch(&f->wire);
	end_if_over(f);
	go_on(f);
}

/*
 * Whether the connection cannot be kept: of the request more is left than is dropped, or its client
 * has said that nothing more comes. A chunked one's rest is not known.
 */
static bool is_last(const struct h1_front *f)
{
	if (f->state == FRONT_WAIT)
		return f->wire.at_end && !f->wire.in.bytes;
	return f->state == FRONT_DROP && f->request->msg.body == BODY_LENGTH &&
	       f->rest->body.left > DROPPED_BODY_BYTES;
}

static void said_head(struct stream *to, struct msg *m, bool end)
{
	struct h1_front *f = front_of(to, stream);
	struct h1_write how = { 0 };
	const struct msg *asked = &f->request->msg;
	bool http_1_0 = asked->minor == 0 && asked->first_n;
	if (m->status == 101) {
		f->state = FRONT_TUNNEL;
		wait_for(f, f->policy->tunnel_idle_ms);
	} else if (m->status < 200) {
		if (http_1_0)
			return;
	} else {
		f->answer_chunked = m->body == BODY_UNKNOWN && !http_1_0;
		f->closes |= f->fronts->stopping || (m->body == BODY_UNKNOWN && http_1_0) ||
			     now_ms(f) - f->opened_ms >= f->policy->keep_alive_ms || is_last(f);
		/* A client that has not asked for the end may have sent its next request. */
		f->lingers |= f->closes && !f->request->msg.close;
		how = (struct h1_write){ .chunked = f->answer_chunked,
					 .close = f->closes,
					 .keep = http_1_0 && !f->closes,
					 .kept = { f->policy->kept, f->policy->kept_n } };
		wait_for(f, f->policy->idle_ms);
	}
	h1_write_head(m, how, &f->wire.out, f->fronts->wires->bufs);
	wire_touch(&f->wire);
	if (end)
		answer_over(f);
	else if (f->state == FRONT_TUNNEL)
		go_on(f);
}

static void tunnel_half_over(struct h1_front *f)
{
	if (stream_over(&f->stream))
		close_now(f);
	else
		wire_finish(&f->wire);
}

static void said_data(struct stream *to, struct chain *c, bool end)
{
	struct h1_front *f = front_of(to, stream);
	if (f->answer_chunked)
		h1_write_chunk(c, &f->wire.out, f->fronts->wires->bufs);
	else
		chain_move(&f->wire.out, c);
	wire_touch(&f->wire);
	if (f->state == FRONT_TUNNEL) {
		wait_for(f, f->policy->tunnel_idle_ms);
		if (end)
			tunnel_half_over(f);
		return;
	}
	if (!end)
		return;
	if (f->answer_chunked)
		h1_write_last_chunk(NULL, &f->wire.out, f->fronts->wires->bufs);
	answer_over(f);
}

static void said_trailers(struct stream *to, struct msg *m)
{
	struct h1_front *f = front_of(to, stream);
	if (f->answer_chunked)
		h1_write_last_chunk(m, &f->wire.out, f->fronts->wires->bufs);
	answer_over(f);
}

static void said_grant(struct stream *to, size_t bytes)
{
	(void)bytes;
	go_on(front_of(to, stream));
}

static void request_unwanted(struct h1_front *f)
{
	if (f->state == FRONT_TUNNEL) {
		if (stream_over(&f->stream))
			close_now(f);
		return;
	}
	if (f->state != FRONT_BODY)
		return;
	/* Trailers that have begun stand in the exchange's arena, which goes. */
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

static void said_abort(struct stream *to, enum stream_way way, enum err why)
{
	struct h1_front *f = front_of(to, stream);
	if (f->state == FRONT_OVER)
		return;
	/* An answer that breaks off: only a reset tells the client that it is not whole. */
	if (way == STREAM_RESET) {
		cut(f, why);
		return;
	}
	request_unwanted(f);
	end_if_over(f);
	go_on(f);
}

static const struct stream_verbs stream_verbs = {
	.head = said_head,
	.data = said_data,
	.trailers = said_trailers,
	.grant = said_grant,
	.abort = said_abort,
};

/* --- the wire --- */

static enum err on_prefaced(struct wire *w, const struct preface *p)
{
	struct h1_front *f = front_of(w, wire);
	f->facts.unnamed = p->kind == PREFACE_UNKNOWN;
	enum err why = f->user->admit(&f->facts, p);
	if (!f->facts.tls)
		wait_for(f, f->policy->idle_ms);
	return why;
}

static void on_bytes(struct wire *w)
{
	struct h1_front *f = front_of(w, wire);
	if (f->state == FRONT_BODY)
		wait_for(f, f->policy->idle_ms);
	go_on(f);
}

static void on_ready(struct wire *w)
{
	struct h1_front *f = front_of(w, wire);
	f->facts.session = wire_tls(w);
	wait_for(f, f->policy->idle_ms);
}

static void on_finished(struct wire *w)
{
	go_on(front_of(w, wire));
}

/*
 * What cannot be read now need not be, where it makes no request whole and begins no other, or
 * where the exchange ends with its client.
 */
static void on_finishing(struct wire *w, size_t unread)
{
	struct h1_front *f = front_of(w, wire);
	if ((f->state == FRONT_WAIT || f->state == FRONT_BODY) && ends_with_client(f)) {
		cut(f, ERR_PEER_CLOSED);
	} else if (is_cut_short(f, unread)) {
		refuse(f, ERR_CUT_REQUEST);
		go_on(f);
	}
}

static void on_drained(struct wire *w)
{
	struct h1_front *f = front_of(w, wire);
	if (f->state == FRONT_TUNNEL)
		wait_for(f, f->policy->tunnel_idle_ms);
	else if (f->state == FRONT_IDLE || f->state == FRONT_WAIT || f->state == FRONT_BODY)
		wait_for(f, f->policy->idle_ms);
	else if (f->state == FRONT_LINGER)
		wait_for(f, wire_unsent(w) ? f->policy->idle_ms : LINGER_MS);
	if (f->state == FRONT_IDLE)
		go_on(f);
	if (!stream_receives(&f->stream))
		return;
	size_t held = wire_unsent(w) + f->stream.credit;
	if (held + TOP_UP_BYTES <= STREAM_CREDIT_BYTES)
		stream_grant(f->stream.peer, STREAM_CREDIT_BYTES - held);
}

static void on_unshaken(struct wire *w, enum err why, const char *said)
{
	struct h1_front *f = front_of(w, wire);
	if (f->user->unshaken)
		f->user->unshaken(&f->facts, why, said);
}

static void on_broken(struct wire *w, enum err why)
{
	struct h1_front *f = front_of(w, wire);
	f->state = FRONT_OVER;
	leave(f, why);
	wait_for(f, f->policy->idle_ms);
}

static void on_starved(struct wire *w)
{
	struct h1_front *f = front_of(w, wire);
	watch_soon(f);
	if (stream_sends(&f->stream))
		stream_squeeze(f->stream.peer);
}

static void on_gone(struct wire *w)
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
	.prefaced = on_prefaced,
	.bytes = on_bytes,
	.finished = on_finished,
	.finishing = on_finishing,
	.drained = on_drained,
	.ready = on_ready,
	.starved = on_starved,
	.unshaken = on_unshaken,
	.broken = on_broken,
	.gone = on_gone,
};

/* --- the timer --- */

static void preface_is_late(struct h1_front *f)
{
	f->user->admit(&f->facts, &(struct preface){ .err = ERR_PREFACE_TIMEOUT });
	cut(f, ERR_PREFACE_TIMEOUT);
}

static void time_is_up(struct h1_front *f)
{
	switch ((enum h1_front_state)f->state) {
	case FRONT_IDLE:
		if (f->wire.state == WIRE_PREFACE)
			preface_is_late(f);
		else
			close_idle(f);
		return;
	case FRONT_HEAD:
		refuse(f, ERR_HEAD_TIMEOUT);
		go_on(f);
		return;
	case FRONT_BODY:
		/* Without credit it is the cluster that is slow, and the cluster's time that
		 * counts. */
		if (f->stream.peer->credit && !wire_unsent(&f->wire)) {
			refuse(f, ERR_BODY_TIMEOUT);
			go_on(f);
			return;
		}
		break;
	case FRONT_TUNNEL:
		cut(f, ERR_PEER_IDLE);
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
		cut(f, ERR_PEER_SLOW);
	else
		wait_for(f, f->policy->idle_ms);
}

static void on_timer(struct timer *t)
{
	struct h1_front *f = front_of(t, timer);
	wire_watch(&f->wire);
	if (now_ms(f) < f->deadline_ms)
		timer_set(f->fronts->wheel, &f->timer, f->deadline_ms);
	else
		time_is_up(f);
}

/* --- what is told of it --- */

/* Clients close in that time themselves, so that no request of theirs meets our close. */
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

/* --- a life --- */

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
	timer_init(&f->timer, on_timer);
	list_init(&f->link);
	list_add_tail(&s->open, &f->link);
	list_init(&f->stranger);
	list_add_tail(&s->strangers, &f->stranger);
	s->open_n++;
	wire_accept(&f->wire, s->wires, &wire_user, sock, tls, budget);
	wait_for(f, tls ? policy->head_ms : policy->idle_ms);
	wire_receive(&f->wire);
	return f;
}

void h1_front_count_handshake(struct h1_front *f, struct handshake_counts *counts)
{
	wire_count_handshake(&f->wire, counts);
}

void h1_front_expect_preface(struct h1_front *f)
{
	must(f->user->admit);
	wire_expect_preface(&f->wire);
	wait_for(f, f->policy->head_ms);
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
		/* It may be sending its next request, whose reset would overtake the answer before.
		 */
		f->lingers |= f->wire.state == WIRE_OPEN;
		if (f->state == FRONT_IDLE)
			close_behind_answer(f);
	}
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
		cut(f, ERR_OUT_OF_HANDLES);
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
		cut(f, ERR_TOO_MANY_CONNECTIONS);
		return true;
	}
	return false;
}

void h1_fronts_abort(struct h1_fronts *s)
{
	list_each_safe(l, &s->open) {
		struct h1_front *f = list_entry(l, struct h1_front, link);
		cut(f, ERR_STOPPING);
	}
}
