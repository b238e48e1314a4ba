#include "ends/h1_back.h"

#include "base/bug.h"
#include "http/h1_blame.h"
#include "http/h1_write.h"
#include "base/limits.h"

#define back_of(pointer, member) list_entry(pointer, struct h1_back, member)

/* Credit is given again when this much of it is free: not for every packet. */
#define TOP_UP_BYTES (STREAM_CREDIT_BYTES / 4)

static void go_on(struct h1_back *b);

/* --- time --- */

static uint64_t now_ms(const struct h1_back *b)
{
	return io_now_ms(b->backs->wires->io);
}

/* The timer is left where it is when it fires earlier: it then looks at the deadline. */
static void wait_for(struct h1_back *b, uint64_t ms)
{
	b->deadline_ms = now_ms(b) + ms;
	if (!timer_is_set(&b->timer) || b->timer.due_ms > b->deadline_ms)
		timer_set(b->backs->wheel, &b->timer, b->deadline_ms);
}

/* Time for a response counts from when the request has gone; before, and in a body, each byte does.
 */
static uint32_t patience_ms(const struct h1_back *b)
{
	bool thinks = b->state == BACK_ANSWER_HEAD && b->request_over && !wire_unsent(&b->wire);
	return thinks ? b->response_ms : b->policy->idle_ms;
}

/* --- the end --- */

static void give_up(struct h1_back *b, enum err why)
{
	enum err missed = why == ERR_CONNECT_TIMEOUT ? why : ERR_NONE;
	b->state = BACK_OVER;
	dial_stop(&b->dial, missed);
	wire_abort(&b->wire);
	b->user->lost(b, why);
}

/* It is its user's no more. */
static void close_now(struct h1_back *b)
{
	b->state = BACK_OVER;
	dial_stop(&b->dial, ERR_NONE);
	list_add_tail(&b->backs->closing, &b->link);
	wire_close(&b->wire);
	wait_for(b, b->policy->idle_ms);
}

/*
 * It is left amid an exchange. A request that is with the node whole needs no reset to be known as
 * given up: FIN says so, and there are servers that stop to work on it then.
 */
static void leave(struct h1_back *b, enum err why)
{
	bool whole = b->request_over && b->ready_ns && wire_usable(&b->wire) &&
		     !wire_unsent(&b->wire) && b->state != BACK_TUNNEL;
	if (!whole) {
		give_up(b, why);
		return;
	}
	b->user->lost(b, why);
	close_now(b);
}

/* Breaks it off, whatever it is doing; the exchange on it, if there is one, hears why. */
static void fail(struct h1_back *b, enum err why)
{
	if (b->state == BACK_OVER)
		return;
	if (why == ERR_ANSWER_TIMEOUT)
		leave(b, why);
	else
		give_up(b, why);
	if (stream_sends(&b->stream))
		stream_abort(b->stream.peer, STREAM_RESET, why);
	/* A tunnel whose other half is over already. */
	if (stream_receives(&b->stream))
		stream_abort(b->stream.peer, STREAM_STOP, why);
}

static void retire(struct h1_back *b)
{
	b->user->lost(b, ERR_NONE);
	close_now(b);
}

/* --- an exchange --- */

static void give_credit(struct h1_back *b)
{
	if (!b->ready_ns || !stream_receives(&b->stream))
		return;
	size_t held = wire_unsent(&b->wire) + b->stream.credit;
	if (held + TOP_UP_BYTES <= STREAM_CREDIT_BYTES)
		stream_grant(b->stream.peer, STREAM_CREDIT_BYTES - held);
}

void h1_back_take(struct h1_back *b, struct stream *peer, struct arena *arena)
{
	must(b->state == BACK_IDLE || b->state == BACK_CONNECTING);
	must(!b->arena && stream_over(&b->stream));
	stream_join(peer, &b->stream);
	b->arena = arena;
	b->answer = NULL;
	b->interim_bytes = 0;
	b->request_over = false;
	b->sent_before = b->wire.sent_bytes;
	b->taken_ns = b->backs->wires->io->now_ns;
	b->reused = b->state == BACK_IDLE;
	b->rests = b->heard = false;
	b->response_ms = b->policy->idle_ms;
	if (b->state == BACK_IDLE)
		b->state = BACK_ANSWER_HEAD;
	wait_for(b, b->ready_ns ? b->policy->idle_ms : b->policy->connect_ms);
}

void h1_back_wait(struct h1_back *b, uint32_t response_ms)
{
	b->response_ms = response_ms;
}

bool h1_back_has_sent(const struct h1_back *b)
{
	return b->wire.sent_bytes != b->sent_before;
}

bool h1_back_has_surely_sent(const struct h1_back *b)
{
	return h1_back_has_sent(b) && !b->wire.send;
}

/* `answer` is empty. */
static void expect_answer(struct h1_back *b)
{
	const struct h1_limits *limits = &b->policy->limits;
	h1_parse_answer(&b->parser, b->answer, b->method, b->upgrade_asked,
			limits->fields ? limits : NULL);
}

/* As long as the node says that it keeps it, less what both clocks and the way may take. */
static uint32_t kept_ms(const struct h1_back *b)
{
	uint32_t most_ms = b->policy->keep_alive_ms;
	if (!b->parser.keeps)
		return most_ms;
	uint32_t s = b->parser.keeps_s, spare = KEEP_ALIVE_SPARE_MS / 1000;
	uint32_t told_ms = s > spare ? (s - spare) * 1000 : 0;
	return told_ms < most_ms ? told_ms : most_ms;
}

static bool is_stray(const struct chain *in)
{
	return in->bytes && (*in->first->at == '\r' || *in->first->at == '\n');
}

/* Between two answers: some servers end a body with an empty line too many. */
static void drop_strays(struct h1_back *b)
{
	while (is_stray(&b->wire.in) && b->strays < STRAY_BYTES_MAX) {
		chain_skip(&b->wire.in, 1);
		b->strays++;
	}
}

/*
 * What comes behind an answer that has no body, a moment later, would be taken for the answer to
 * the next request: as long as that may be, others serve.
 */
static void become_idle(struct h1_back *b, uint32_t keep_ms)
{
	b->state = BACK_IDLE;
	b->rests = b->parser.tail;
	wait_for(b, keep_ms);
	b->kept_until_ms = b->deadline_ms;
	if (b->rests && TAIL_WAIT_MS < keep_ms)
		wait_for(b, TAIL_WAIT_MS);
	b->user->idle(b);
}

static void rest_is_over(struct h1_back *b)
{
	b->rests = false;
	wait_for(b, b->kept_until_ms - now_ms(b));
	b->user->idle(b);
}

/*
 * The answer is whole. A request that is not whole yet is not wanted any more, and as its rest was
 * never sent the connection cannot carry another.
 */
static void answer_over(struct h1_back *b)
{
	b->strays = 0;
	drop_strays(b);
	b->arena = NULL;
	b->answer = NULL;
	if (stream_receives(&b->stream)) {
		b->closes = true;
		stream_abort(b->stream.peer, STREAM_STOP, ERR_NONE);
	}
	uint32_t keep_ms = kept_ms(b);
	if (b->closes || !keep_ms || b->wire.in.bytes || b->wire.at_end || b->wire.unheard ||
	    !wire_usable(&b->wire)) {
		retire(b);
		return;
	}
	/* A client that sleeps over that response must not keep the next one from another. */
	wire_begin_anew(&b->wire);
	become_idle(b, keep_ms);
}

static enum err answer_err(enum err why)
{
	switch (why) {
	case ERR_HEAD_SIZE:
	case ERR_FIELD_SIZE:
		return ERR_BACK_HEAD_SIZE;
	case ERR_BACK_UPGRADE:
		return why;
	default:
		return ERR_BACK_MALFORMED;
	}
}

/*
 * A node that closes a connection on which nothing was asked for long may say 408 before. That may
 * meet a request on its way, and is no answer to it, but a connection that closes: the request is
 * tried again or not as one that nobody answers. A request that is not whole may have been waited
 * for in earnest, but not only for so short a time.
 */
static bool is_farewell(const struct h1_back *b, const struct msg *m)
{
	return b->reused && !b->interim_bytes && m->status == 408 && m->close &&
	       (b->request_over ||
		b->backs->wires->io->now_ns - b->taken_ns < FAREWELL_MS * 1000000ull);
}

/* Nothing of an answer to this request has come. */
static void never_answered(struct h1_back *b, enum err why)
{
	b->heard = false;
	fail(b, why);
}

/* It is passed on at once, and kept by nobody: the next one is read into its memory. */
static void interim_answer(struct h1_back *b)
{
	struct msg *m = b->answer;
	b->interim_bytes += (uint32_t)b->parser.head_n;
	if (b->interim_bytes > INTERIM_BYTES) {
		fail(b, ERR_BACK_INTERIMS);
		return;
	}
	b->closes |= m->close;
	stream_head(b->stream.peer, m, false);
	if (b->state != BACK_ANSWER_HEAD)
		return;
	msg_clear(m);
	expect_answer(b);
}

static void say_blame(struct h1_back *b, const struct h1_blame *blame, enum err why)
{
	char text[H1_BLAME_TEXT_BYTES];
	h1_blame_text(blame, why, text);
	wires_say(b->backs->wires, answer_err(why), text, "");
}

static void bad_body(struct h1_back *b)
{
	struct h1_blame blame;
	h1_blame_body(&blame, &b->body);
	say_blame(b, &blame, b->body.err);
	fail(b, ERR_BACK_MALFORMED);
}

static void answer_head(struct h1_back *b)
{
	struct msg *m = b->answer;
	if (m->status == 101) {
		b->state = BACK_TUNNEL;
		b->closes = true;
		/* Who talks into a tunnel is to know when nobody listens: its answer is over. */
		b->wire.hears_out = false;
		wait_for(b, b->policy->tunnel_idle_ms);
		stream_head(b->stream.peer, m, false);
		give_credit(b);
		return;
	}
	if (m->status < 200) {
		interim_answer(b);
		return;
	}
	if (is_farewell(b, m)) {
		never_answered(b, ERR_BACK_RESET);
		return;
	}
	h1_body_open(&b->body, m, b->parser.codings > 0);
	b->closes |= m->close || b->body.state == H1_BODY_CLOSE;
	b->state = BACK_ANSWER_BODY;
	if (b->response_ms != b->policy->idle_ms)
		wait_for(b, b->policy->idle_ms);
	/* An upgrade that was not agreed to: what follows on this connection is HTTP. */
	if (b->upgrade_asked && stream_receives(&b->stream))
		stream_abort(b->stream.peer, STREAM_STOP, ERR_NONE);
	/* A head that has gone can only be cut: what has come behind it is looked at first. */
	if (h1_body_look(&b->body, &b->wire.in)) {
		bad_body(b);
		return;
	}
	bool end = b->body.state == H1_BODY_NONE;
	stream_head(b->stream.peer, m, end);
	if (end && b->state == BACK_ANSWER_BODY)
		answer_over(b);
}

/* What is no answer's beginning may be the end of the answer before. */
static void bad_answer(struct h1_back *b)
{
	struct h1_blame blame;
	char rest[H1_BLAME_LOOK_BYTES];
	size_t there = b->wire.in.bytes, n = there < sizeof rest ? there : sizeof rest;
	chain_peek(&b->wire.in, rest, n);
	h1_blame_head(&blame, &b->parser, (struct span){ rest, n });
	say_blame(b, &blame, b->parser.err);
	if (b->reused && b->parser.first && !b->interim_bytes)
		never_answered(b, answer_err(b->parser.err));
	else
		fail(b, answer_err(b->parser.err));
}

static bool read_head(struct h1_back *b)
{
	struct chain *in = &b->wire.in;
	for (;;) {
		size_t used;
		struct span front = chain_front(in);
		enum h1_progress p = h1_parse(&b->parser, front, &used);
		chain_skip(in, used);
		if (p == H1_DONE) {
			answer_head(b);
			return true;
		}
		if (p == H1_BAD) {
			bad_answer(b);
			return true;
		}
		if (front.n - used == in->bytes)
			return false;
		size_t line = FIELD_LINE_BYTES + 2;
		chain_pull(in, in->bytes < line ? in->bytes : line);
	}
}

static void answer_body_over(struct h1_back *b, struct chain *last)
{
	if (!b->body.has_trailers) {
		stream_data(b->stream.peer, last, true);
	} else {
		if (last->bytes)
			stream_data(b->stream.peer, last, false);
		if (stream_sends(&b->stream))
			stream_trailers(b->stream.peer, b->body.trailers);
	}
	if (b->state == BACK_ANSWER_BODY)
		answer_over(b);
}

static bool read_body(struct h1_back *b)
{
	struct chain part = { 0 };
	size_t before = b->wire.in.bytes;
	enum h1_progress p =
		h1_body_read(&b->body, b->arena, &b->wire.in, &part, b->stream.peer->credit);
	chain_pack(&part, b->wire.account);
	if (p == H1_DONE) {
		answer_body_over(b, &part);
		return true;
	}
	if (part.bytes)
		stream_data(b->stream.peer, &part, false);
	if (p == H1_BAD && b->state == BACK_ANSWER_BODY)
		bad_body(b);
	return p == H1_BAD || b->wire.in.bytes != before;
}

static bool read_tunnel(struct h1_back *b)
{
	struct chain part = { 0 };
	size_t there = b->wire.in.bytes, credit = b->stream.peer->credit;
	if (!stream_sends(&b->stream) || !credit)
		return false;
	chain_move_some(&part, &b->wire.in, there < credit ? there : credit);
	chain_pack(&part, b->wire.account);
	wait_for(b, b->policy->tunnel_idle_ms);
	stream_data(b->stream.peer, &part, false);
	return true;
}

/* Takes one step with what is in the wire; false when nothing can be done with it now. */
static bool step(struct h1_back *b)
{
	switch ((enum h1_back_state)b->state) {
	case BACK_IDLE:
		drop_strays(b);
		/* Nobody asked: a farewell such as 408, a late tail, or rubbish. */
		if (b->wire.in.bytes)
			retire(b);
		return false;
	case BACK_ANSWER_HEAD:
		return read_head(b);
	case BACK_ANSWER_BODY:
		return read_body(b);
	case BACK_TUNNEL:
		return read_tunnel(b);
	case BACK_CONNECTING:
	case BACK_OVER:
		return false;
	}
	return false;
}

static bool wants_bytes(const struct h1_back *b)
{
	switch ((enum h1_back_state)b->state) {
	case BACK_IDLE:
	case BACK_ANSWER_HEAD:
		return true;
	case BACK_ANSWER_BODY:
	case BACK_TUNNEL:
		return stream_sends(&b->stream) && b->stream.peer->credit > 0;
	case BACK_CONNECTING:
	case BACK_OVER:
		return false;
	}
	return false;
}

static void node_finished(struct h1_back *b)
{
	switch ((enum h1_back_state)b->state) {
	case BACK_IDLE:
		retire(b);
		return;
	case BACK_ANSWER_BODY:
		if (b->body.state == H1_BODY_CLOSE && !b->wire.cut)
			answer_body_over(b, &(struct chain){ 0 });
		else
			fail(b, ERR_BACK_CUT);
		return;
	case BACK_TUNNEL:
		if (stream_sends(&b->stream))
			stream_data(b->stream.peer, &(struct chain){ 0 }, true);
		if (stream_over(&b->stream))
			retire(b);
		return;
	case BACK_ANSWER_HEAD:
		fail(b, ERR_BACK_RESET);
		return;
	case BACK_CONNECTING:
	case BACK_OVER:
		return;
	}
}

/* Whether the node's FIN has come and all that stood before it is dealt with. */
static bool is_at_end(const struct h1_back *b)
{
	if (!b->wire.at_end)
		return false;
	bool held_back = b->state == BACK_TUNNEL || b->state == BACK_ANSWER_BODY;
	return !b->wire.in.bytes || !held_back || !stream_sends(&b->stream) ||
	       b->stream.peer->credit;
}

static void go_on(struct h1_back *b)
{
	if (b->stepping)
		return;
	b->stepping = true;
	while (wire_usable(&b->wire) && b->wire.in.bytes && step(b))
		;
	b->stepping = false;
	if (!wire_usable(&b->wire))
		return;
	if (is_at_end(b))
		node_finished(b);
	else if (!b->wire.at_end && wants_bytes(b))
		wire_receive(&b->wire);
}

/* --- the request: what the exchange says to us --- */

static void said_head(struct stream *to, struct msg *m, bool end)
{
	struct h1_back *b = back_of(to, stream);
	b->method = m->method;
	b->upgrade_asked = m->tunnel;
	b->request_chunked = m->body == BODY_UNKNOWN;
	b->request_over = end;
	b->answer = arena_take(b->arena, sizeof *b->answer);
	msg_open(b->answer, b->arena, MSG_ANSWER);
	expect_answer(b);
	h1_write_head(m, (struct h1_write){ .chunked = b->request_chunked }, &b->wire.out,
		      b->backs->wires->bufs);
	if (end && b->request_chunked)
		h1_write_last_chunk(NULL, &b->wire.out, b->backs->wires->bufs);
	wire_touch(&b->wire);
	give_credit(b);
	go_on(b);
}

static void said_data(struct stream *to, struct chain *c, bool end)
{
	struct h1_back *b = back_of(to, stream);
	b->request_over = end;
	if (b->state == BACK_TUNNEL)
		wait_for(b, b->policy->tunnel_idle_ms);
	else
		wait_for(b, patience_ms(b));
	if (b->request_chunked)
		h1_write_chunk(c, &b->wire.out, b->backs->wires->bufs);
	else
		chain_move(&b->wire.out, c);
	if (end && b->request_chunked)
		h1_write_last_chunk(NULL, &b->wire.out, b->backs->wires->bufs);
	wire_touch(&b->wire);
	if (b->state != BACK_TUNNEL || !end)
		return;
	if (stream_over(&b->stream))
		retire(b);
	else
		wire_finish(&b->wire);
}

static void said_trailers(struct stream *to, struct msg *m)
{
	struct h1_back *b = back_of(to, stream);
	b->request_over = true;
	if (b->request_chunked)
		h1_write_last_chunk(m, &b->wire.out, b->backs->wires->bufs);
	wire_touch(&b->wire);
}

static void said_grant(struct stream *to, size_t bytes)
{
	(void)bytes;
	struct h1_back *b = back_of(to, stream);
	if (b->state == BACK_ANSWER_BODY || b->state == BACK_TUNNEL)
		go_on(b);
}

/*
 * The exchange is given up: half a request, or an answer that nobody reads, ends the connection.
 * Who gives up closes both directions, and hears nothing more from here.
 */
static void said_abort(struct stream *to, enum stream_way way, enum err why)
{
	(void)way;
	struct h1_back *b = back_of(to, stream);
	if (b->state != BACK_OVER)
		leave(b, why);
}

static const struct stream_verbs stream_verbs = {
	.head = said_head,
	.data = said_data,
	.trailers = said_trailers,
	.grant = said_grant,
	.abort = said_abort,
};

/* --- the wire --- */

static void on_ready(struct wire *w)
{
	struct h1_back *b = back_of(w, wire);
	b->ready_ns = b->backs->wires->io->now_ns;
	if (!b->arena) {
		b->state = BACK_IDLE;
		wait_for(b, b->policy->keep_alive_ms);
		b->user->idle(b);
		go_on(b);
		return;
	}
	b->state = BACK_ANSWER_HEAD;
	wait_for(b, b->policy->idle_ms);
	give_credit(b);
	go_on(b);
}

/* False: that was nothing of an answer. */
static bool begins_answer(struct h1_back *b)
{
	drop_strays(b);
	if (!b->wire.in.bytes)
		return false;
	/* What comes before a request has gone is none to it. */
	if (!h1_back_has_sent(b))
		fail(b, ERR_BACK_RESET);
	return b->state != BACK_OVER;
}

static void on_bytes(struct wire *w)
{
	struct h1_back *b = back_of(w, wire);
	bool first = b->state == BACK_ANSWER_HEAD && b->reused && !b->heard;
	if (first && !begins_answer(b)) {
		go_on(b);
		return;
	}
	b->heard = true;
	if (b->state == BACK_ANSWER_HEAD || b->state == BACK_ANSWER_BODY)
		wait_for(b, patience_ms(b));
	go_on(b);
}

static void on_finished(struct wire *w)
{
	go_on(back_of(w, wire));
}

static void on_drained(struct wire *w)
{
	struct h1_back *b = back_of(w, wire);
	if (b->state == BACK_TUNNEL)
		wait_for(b, b->policy->tunnel_idle_ms);
	else if (b->state == BACK_ANSWER_HEAD || b->state == BACK_ANSWER_BODY)
		wait_for(b, patience_ms(b));
	give_credit(b);
}

static enum err why_broken(const struct h1_back *b, enum err why)
{
	/* A node may say only behind the handshake that it wanted a certificate. */
	if (err_side(why) == SIDE_OURS || why == ERR_BACK_TLS_CLIENT)
		return why;
	switch ((enum h1_back_state)b->state) {
	case BACK_CONNECTING:
		return why == ERR_PEER_RESET || why == ERR_PEER_CLOSED ? ERR_BACK_REFUSED : why;
	case BACK_ANSWER_BODY:
		return ERR_BACK_CUT;
	default:
		return ERR_BACK_RESET;
	}
}

static void on_broken(struct wire *w, enum err why)
{
	struct h1_back *b = back_of(w, wire);
	fail(b, why_broken(b, why));
}

static void on_starved(struct wire *w)
{
	struct h1_back *b = back_of(w, wire);
	if (stream_sends(&b->stream))
		stream_squeeze(b->stream.peer);
}

static void free_when_all_has_ended(struct h1_back *b)
{
	if (!b->gone || !dial_has_ended(&b->dial))
		return;
	must(b->state == BACK_OVER && stream_over(&b->stream));
	timer_clear(&b->timer);
	list_remove(&b->link);
	b->backs->open_n--;
	slab_give(&b->backs->slab, b);
}

static void on_gone(struct wire *w)
{
	struct h1_back *b = back_of(w, wire);
	b->gone = true;
	free_when_all_has_ended(b);
}

static const struct wire_user wire_user = {
	.bytes = on_bytes,
	.finished = on_finished,
	.drained = on_drained,
	.ready = on_ready,
	.starved = on_starved,
	.broken = on_broken,
	.gone = on_gone,
};

/* --- the dial --- */

static bool on_next(struct dial *d, struct addr *to)
{
	struct h1_back *b = back_of(d, dial);
	return b->user->next(b, to);
}

static void on_missed(struct dial *d, const struct addr *at, enum err why)
{
	struct h1_back *b = back_of(d, dial);
	if (b->user->missed)
		b->user->missed(b, at, why);
}

static void on_connected(struct dial *d, struct sock *sock, const struct addr *at)
{
	struct h1_back *b = back_of(d, dial);
	b->address = *at;
	b->connected = true;
	wire_connected(&b->wire, sock);
}

static void on_failed(struct dial *d, enum err why)
{
	wire_unconnected(&back_of(d, dial)->wire, why);
}

static void on_ended(struct dial *d)
{
	free_when_all_has_ended(back_of(d, dial));
}

static const struct dial_user dial_user = {
	.missed = on_missed,
	.connected = on_connected,
	.failed = on_failed,
	.ended = on_ended,
};

static const struct dial_user dial_of_many_user = {
	.next = on_next,
	.missed = on_missed,
	.connected = on_connected,
	.failed = on_failed,
	.ended = on_ended,
};

/* --- the timer --- */

/* Time counts against the node only while it is the node that is waited for. */
static bool node_is_slow(const struct h1_back *b)
{
	if (wire_unsent(&b->wire))
		return true;
	if (!b->request_over && !b->upgrade_asked)
		return false;
	return b->stream.peer->credit > 0 || b->state == BACK_ANSWER_HEAD;
}

static void time_is_up(struct h1_back *b)
{
	switch ((enum h1_back_state)b->state) {
	case BACK_CONNECTING:
		fail(b, wire_is_late(&b->wire));
		return;
	case BACK_ANSWER_HEAD:
	case BACK_ANSWER_BODY:
		if (node_is_slow(b))
			fail(b, ERR_ANSWER_TIMEOUT);
		else
			wait_for(b, patience_ms(b));
		return;
	case BACK_TUNNEL:
		fail(b, ERR_PEER_IDLE);
		return;
	case BACK_OVER:
		wire_abort(&b->wire);
		return;
	case BACK_IDLE:
		if (b->rests && now_ms(b) < b->kept_until_ms)
			rest_is_over(b);
		else
			retire(b);
		return;
	}
}

static void on_timer(struct timer *t)
{
	struct h1_back *b = back_of(t, timer);
	if (now_ms(b) < b->deadline_ms)
		timer_set(b->backs->wheel, &b->timer, b->deadline_ms);
	else
		time_is_up(b);
}

/* --- a life --- */

void h1_backs_open(struct h1_backs *s, struct wires *wires, struct wheel *wheel)
{
	*s = (struct h1_backs){ .wires = wires, .wheel = wheel };
	slab_open(&s->slab, sizeof(struct h1_back), 32);
	dials_open(&s->dials, wires->io, wheel);
	list_init(&s->closing);
}

void h1_backs_close(struct h1_backs *s)
{
	must(s->open_n == 0);
	slab_close(&s->slab);
	dials_close(&s->dials);
}

void h1_backs_abort(struct h1_backs *s)
{
	list_each_safe(l, &s->closing)
		wire_abort(&list_entry(l, struct h1_back, link)->wire);
}

struct h1_back *h1_back_connect(struct h1_backs *s, const struct h1_back_user *user,
				const struct back_policy *policy, void *owner,
				const struct addr *to, struct tls_context *tls, const char *name,
				struct budget *budget)
{
	struct h1_back *b = slab_take(&s->slab);
	*b = (struct h1_back){
		.backs = s,
		.user = user,
		.policy = policy,
		.owner = owner,
		.address = *to,
		.state = BACK_CONNECTING,
	};
	stream_init(&b->stream, &stream_verbs, "back");
	timer_init(&b->timer, on_timer);
	list_init(&b->link);
	s->open_n++;
	wire_dial(&b->wire, s->wires, &wire_user, tls, name, budget);
	dial_begin(&b->dial, &s->dials, user->next ? &dial_of_many_user : &dial_user, to);
	wait_for(b, policy->connect_ms);
	return b;
}

void h1_back_count_handshake(struct h1_back *b, struct handshake_counts *counts)
{
	wire_count_handshake(&b->wire, counts);
}

struct h1_back *h1_back_of(struct stream *s)
{
	return s->verbs == &stream_verbs ? back_of(s, stream) : NULL;
}

enum err h1_back_is_late(struct h1_back *b)
{
	return b->state == BACK_CONNECTING ? wire_is_late(&b->wire) : ERR_ANSWER_TIMEOUT;
}

void h1_back_close(struct h1_back *b)
{
	must(!b->arena);
	close_now(b);
}
