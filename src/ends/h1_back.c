#include "ends/h1_back.h"

#include "base/bug.h"
#include "base/checks.h"
#include "http/h1_blame.h"
#include "http/h1_write.h"
#include "base/limits.h"

#define back_of(pointer, member) list_entry(pointer, struct h1_back, member)

static void back_go_on(struct h1_back *b);

/* --- time --- */

static uint64_t back_now_ms(const struct h1_back *b)
{
	return io_now_ms(b->backs->wires->io);
}

/* A timer that fires before the deadline stays as it is: back_on_timer() checks the deadline. */
static void back_wait_for(struct h1_back *b, uint64_t ms)
{
	b->deadline_ms = back_now_ms(b) + ms;
	if (!timer_is_set(&b->timer) || b->timer.due_ms > b->deadline_ms)
		timer_set(b->backs->wheel, &b->timer, b->deadline_ms);
}

/*
 * In BACK_RESPONSE_HEAD the response timeout runs from when the whole request has left. Before
 * that, and in a body, each byte restarts the idle timeout.
 */
static uint32_t response_timeout_ms(const struct h1_back *b)
{
	bool thinks = b->state == BACK_RESPONSE_HEAD && b->request_over && !wire_unsent(&b->wire);
	return thinks ? b->response_ms : b->policy->idle_ms;
}

/* --- the end --- */

static void back_give_up(struct h1_back *b, enum err why)
{
	enum err missed = why == ERR_CONNECT_TIMEOUT ? why : ERR_NONE;
	b->state = BACK_OVER;
	dial_stop(&b->dial, missed);
	wire_abort(&b->wire);
	b->user->lost(b, why);
}

/* The connection is no longer its user's. */
static void back_close_now(struct h1_back *b)
{
	b->state = BACK_OVER;
	dial_stop(&b->dial, ERR_NONE);
	list_add_tail(&b->backs->closing, &b->link);
	wire_close(&b->wire);
	back_wait_for(b, b->policy->idle_ms);
}

/*
 * Ends the connection inside an exchange. When the node has the whole request, FIN tells it that
 * the request is given up, and no reset is needed: some servers then stop working on the request.
 */
static void back_leave(struct h1_back *b, enum err why)
{
	bool whole = b->request_over && b->ready_ns && wire_usable(&b->wire) &&
		     !wire_unsent(&b->wire) && b->state != BACK_TUNNEL;
	if (!whole) {
		back_give_up(b, why);
		return;
	}
	b->user->lost(b, why);
	back_close_now(b);
}

/* Ends the connection in any state. The exchange on it, if there is one, gets `why`. */
static void back_fail(struct h1_back *b, enum err why)
{
	if (b->state == BACK_OVER)
		return;
	if (why == ERR_RESPONSE_TIMEOUT)
		back_leave(b, why);
	else
		back_give_up(b, why);
	/* STREAM_STOP is for a tunnel whose other direction is already over. */
	stream_leave(&b->stream, why);
}

static void back_retire(struct h1_back *b)
{
	b->user->lost(b, ERR_NONE);
	back_close_now(b);
}

/* --- an exchange --- */

static void back_give_credit(struct h1_back *b)
{
	if (!b->ready_ns || !stream_receives(&b->stream))
		return;
	size_t held = wire_unsent(&b->wire) + b->stream.credit;
	if (held + STREAM_TOP_UP_BYTES <= STREAM_CREDIT_BYTES)
		stream_grant(b->stream.peer, STREAM_CREDIT_BYTES - held);
}

void h1_back_take(struct h1_back *b, struct stream *peer, struct arena *arena)
{
	must(b->state == BACK_IDLE || b->state == BACK_CONNECTING);
	must(!b->arena && stream_over(&b->stream));
	stream_join(peer, &b->stream);
	b->arena = arena;
	b->response = NULL;
	b->interim_bytes = 0;
	b->request_over = false;
	b->sent_before = b->wire.sent_bytes;
	b->taken_ns = b->backs->wires->io->now_ns;
	b->reused = b->state == BACK_IDLE;
	b->rests = b->heard = false;
	b->response_ms = b->policy->idle_ms;
	if (b->state == BACK_IDLE)
		b->state = BACK_RESPONSE_HEAD;
	back_wait_for(b, b->ready_ns ? b->policy->idle_ms : b->policy->connect_ms);
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

/* `response` is empty. */
static void expect_response(struct h1_back *b)
{
	const struct h1_limits *limits = &b->policy->limits;
	h1_parse_response(&b->parser, b->response, b->method, b->upgrade_asked,
			  limits->fields ? limits : NULL);
}

/* The keep-alive time that the node announced, less a margin for both clocks and the network. */
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

/* Empty lines between two responses: some servers send one too many after a body. */
static void back_drop_strays(struct h1_back *b)
{
	while (is_stray(&b->wire.in) && b->stray_bytes < STRAY_BYTES_MAX) {
		chain_skip(&b->wire.in, 1);
		b->stray_bytes++;
	}
}

/*
 * Late bytes behind a response without a body would be taken for the next response. While such
 * bytes may come, the connection rests and others serve.
 */
static void back_become_idle(struct h1_back *b, uint32_t keep_ms)
{
	b->state = BACK_IDLE;
	b->rests = b->parser.tail;
	back_wait_for(b, keep_ms);
	b->kept_until_ms = b->deadline_ms;
	if (b->rests && TAIL_WAIT_MS < keep_ms)
		back_wait_for(b, TAIL_WAIT_MS);
	b->user->idle(b);
}

static void back_end_rest(struct h1_back *b)
{
	b->rests = false;
	back_wait_for(b, b->kept_until_ms - back_now_ms(b));
	b->user->idle(b);
}

/*
 * The response is whole. If the request is not, its rest is no longer wanted and never sent, so the
 * connection cannot carry another exchange.
 */
static void back_response_over(struct h1_back *b)
{
	b->stray_bytes = 0;
	back_drop_strays(b);
	b->arena = NULL;
	b->response = NULL;
	if (stream_receives(&b->stream)) {
		b->closes = true;
		stream_abort(b->stream.peer, STREAM_STOP, ERR_NONE);
	}
	uint32_t keep_ms = kept_ms(b);
	if (b->closes || !keep_ms || b->wire.in.bytes || b->wire.at_end || b->wire.send_refused ||
	    !wire_usable(&b->wire)) {
		back_retire(b);
		return;
	}
	/* A client that is slow to read this response must not delay the next client's response. */
	wire_detach_received(&b->wire);
	back_become_idle(b, keep_ms);
}

static enum err response_err(enum err why)
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
 * A node may send 408 before it closes a connection that was idle for long. That 408 can cross a
 * new request; it is no response to it, but only says that the connection closes. The request is
 * then retried or failed as a request without a response. If the request is not yet whole, the node
 * may really have timed out waiting for it, but not within FAREWELL_MS.
 */
static bool back_is_farewell(const struct h1_back *b, const struct msg *m)
{
	return b->reused && !b->interim_bytes && m->status == 408 && m->close &&
	       (b->request_over ||
		b->backs->wires->io->now_ns - b->taken_ns < FAREWELL_MS * 1000000ull);
}

/* No byte of a response to this request has come. */
static void back_no_response(struct h1_back *b, enum err why)
{
	b->heard = false;
	back_fail(b, why);
}

/* A 1xx response is passed on at once and not kept: the next response is read into its memory. */
static void interim_response(struct h1_back *b)
{
	struct msg *m = b->response;
	b->interim_bytes += (uint32_t)b->parser.head_n;
	if (b->interim_bytes > INTERIM_BYTES) {
		back_fail(b, ERR_BACK_INTERIMS);
		return;
	}
	b->closes |= m->close;
	stream_head(b->stream.peer, m, false);
	if (b->state != BACK_RESPONSE_HEAD)
		return;
	msg_clear(m);
	expect_response(b);
}

static void back_say_blame(struct h1_back *b, const struct h1_blame *blame, enum err why)
{
	char text[H1_BLAME_TEXT_BYTES];
	h1_blame_text(blame, why, text);
	wires_say(b->backs->wires, response_err(why), text, "");
}

static void back_bad_body(struct h1_back *b)
{
	struct h1_blame blame;
	h1_blame_body(&blame, &b->body);
	back_say_blame(b, &blame, b->body.err);
	back_fail(b, ERR_BACK_MALFORMED);
}

static void back_response_head(struct h1_back *b)
{
	struct msg *m = b->response;
	if (m->status == 101) {
		b->state = BACK_TUNNEL;
		b->closes = true;
		/*
		 * The client must hear when the node no longer takes tunnel data, although the
		 * response is over.
		 */
		b->wire.reads_to_end = false;
		back_wait_for(b, b->policy->tunnel_idle_ms);
		stream_head(b->stream.peer, m, false);
		back_give_credit(b);
		return;
	}
	if (m->status < 200) {
		interim_response(b);
		return;
	}
	if (back_is_farewell(b, m)) {
		back_no_response(b, ERR_BACK_RESET);
		return;
	}
	h1_body_open(&b->body, m, b->parser.codings > 0);
	b->closes |= m->close || b->body.state == H1_BODY_CLOSE;
	b->state = BACK_RESPONSE_BODY;
	if (b->response_ms != b->policy->idle_ms)
		back_wait_for(b, b->policy->idle_ms);
	/* The node refused the upgrade: what follows on this connection is HTTP. */
	if (b->upgrade_asked && stream_receives(&b->stream))
		stream_abort(b->stream.peer, STREAM_STOP, ERR_NONE);
	/*
	 * Once the head is passed on, an error can only cut the response. Therefore the bytes
	 * behind the head are checked first.
	 */
	if (h1_body_look(&b->body, &b->wire.in)) {
		back_bad_body(b);
		return;
	}
	bool end = b->body.state == H1_BODY_NONE;
	stream_head(b->stream.peer, m, end);
	if (end && b->state == BACK_RESPONSE_BODY)
		back_response_over(b);
}

/* Bytes that cannot begin a response may be the rest of the response before. */
static void back_bad_response(struct h1_back *b)
{
	struct h1_blame blame;
	char rest[H1_BLAME_LOOK_BYTES];
	size_t there = b->wire.in.bytes, n = there < sizeof rest ? there : sizeof rest;
	chain_peek(&b->wire.in, rest, n);
	h1_blame_head(&blame, &b->parser, (struct span){ rest, n });
	back_say_blame(b, &blame, b->parser.err);
	if (b->reused && b->parser.first && !b->interim_bytes)
		back_no_response(b, response_err(b->parser.err));
	else
		back_fail(b, response_err(b->parser.err));
}

static bool back_read_head(struct h1_back *b)
{
	struct chain *in = &b->wire.in;
	for (;;) {
		size_t used;
		struct span front = chain_front(in);
		enum h1_progress p = h1_parse(&b->parser, front, &used);
		chain_skip(in, used);
		if (p == H1_DONE) {
			back_response_head(b);
			return true;
		}
		if (p == H1_BAD) {
			back_bad_response(b);
			return true;
		}
		if (front.n - used == in->bytes)
			return false;
		size_t line = FIELD_LINE_BYTES + 2;
		chain_pull(in, in->bytes < line ? in->bytes : line);
	}
}

static void response_body_over(struct h1_back *b, struct chain *last)
{
	if (!b->body.has_trailers) {
		stream_data(b->stream.peer, last, true);
	} else {
		if (last->bytes)
			stream_data(b->stream.peer, last, false);
		if (stream_sends(&b->stream))
			stream_trailers(b->stream.peer, b->body.trailers);
	}
	if (b->state == BACK_RESPONSE_BODY)
		back_response_over(b);
}

static bool back_read_body(struct h1_back *b)
{
	struct chain part = { 0 };
	size_t before = b->wire.in.bytes;
	enum h1_progress p =
		h1_body_read(&b->body, b->arena, &b->wire.in, &part, b->stream.peer->credit);
	chain_pack(&part, b->wire.account);
	if (p == H1_DONE) {
		response_body_over(b, &part);
		return true;
	}
	if (part.bytes)
		stream_data(b->stream.peer, &part, false);
	if (p == H1_BAD && b->state == BACK_RESPONSE_BODY)
		back_bad_body(b);
	return p == H1_BAD || b->wire.in.bytes != before;
}

static bool back_read_tunnel(struct h1_back *b)
{
	struct chain part = { 0 };
	size_t there = b->wire.in.bytes, credit = b->stream.peer->credit;
	if (!stream_sends(&b->stream) || !credit)
		return false;
	chain_move_some(&part, &b->wire.in, there < credit ? there : credit);
	chain_pack(&part, b->wire.account);
	back_wait_for(b, b->policy->tunnel_idle_ms);
	stream_data(b->stream.peer, &part, false);
	return true;
}

/* Takes one step with the bytes in the wire. False: nothing can be done with them now. */
static bool back_step(struct h1_back *b)
{
	switch ((enum h1_back_state)b->state) {
	case BACK_IDLE:
		back_drop_strays(b);
		/* Nothing was asked: it is a 408 before a close, a late body, or garbage. */
		if (b->wire.in.bytes)
			back_retire(b);
		return false;
	case BACK_RESPONSE_HEAD:
		return back_read_head(b);
	case BACK_RESPONSE_BODY:
		return back_read_body(b);
	case BACK_TUNNEL:
		return back_read_tunnel(b);
	case BACK_CONNECTING:
	case BACK_OVER:
		return false;
	}
	return false;
}

static bool back_wants_bytes(const struct h1_back *b)
{
	switch ((enum h1_back_state)b->state) {
	case BACK_IDLE:
	case BACK_RESPONSE_HEAD:
		return true;
	case BACK_RESPONSE_BODY:
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
		back_retire(b);
		return;
	case BACK_RESPONSE_BODY:
		if (b->body.state == H1_BODY_CLOSE && !b->wire.cut)
			response_body_over(b, &(struct chain){ 0 });
		else
			back_fail(b, ERR_BACK_CUT);
		return;
	case BACK_TUNNEL:
		if (stream_sends(&b->stream))
			stream_data(b->stream.peer, &(struct chain){ 0 }, true);
		if (stream_over(&b->stream))
			back_retire(b);
		return;
	case BACK_RESPONSE_HEAD:
		back_fail(b, ERR_BACK_RESET);
		return;
	case BACK_CONNECTING:
	case BACK_OVER:
		return;
	}
}

/* True when the node's FIN has come and all bytes before it are handled. */
static bool back_is_at_end(const struct h1_back *b)
{
	if (!b->wire.at_end)
		return false;
	bool held_back = b->state == BACK_TUNNEL || b->state == BACK_RESPONSE_BODY;
	return !b->wire.in.bytes || !held_back || !stream_sends(&b->stream) ||
	       b->stream.peer->credit;
}

/* An exchange has its arena from its beginning until the connection is BACK_IDLE or BACK_OVER. */
void h1_back_check(const struct h1_back *b)
{
	bool responses = b->state >= BACK_RESPONSE_HEAD && b->state <= BACK_TUNNEL;
	must(!responses || (b->arena && b->response && b->connected));
	must(b->state != BACK_IDLE || (!b->arena && b->connected));
	must(!b->rests || b->state == BACK_IDLE || b->state == BACK_OVER);
	must(b->state == BACK_OVER || wire_usable(&b->wire));
	must(!b->heard || b->state != BACK_CONNECTING);
	must(b->sent_before <= b->wire.sent_bytes || b->state == BACK_OVER);
}

static void back_go_on(struct h1_back *b)
{
	if (b->stepping)
		return;
	b->stepping = true;
	while (wire_usable(&b->wire) && b->wire.in.bytes && back_step(b))
		;
	b->stepping = false;
	checks(h1_back_check(b));
	if (!wire_usable(&b->wire))
		return;
	if (back_is_at_end(b))
		node_finished(b);
	else if (!b->wire.at_end && back_wants_bytes(b))
		wire_receive(&b->wire);
}

/* --- the request: verbs that the exchange calls --- */

static void back_said_head(struct stream *to, struct msg *m, bool end)
{
	struct h1_back *b = back_of(to, stream);
	b->method = m->method;
	b->upgrade_asked = m->tunnel;
	b->request_chunked = m->body == BODY_UNKNOWN;
	b->request_over = end;
	b->response = arena_take(b->arena, sizeof *b->response);
	msg_open(b->response, b->arena, MSG_RESPONSE);
	expect_response(b);
	h1_write_head(m, (struct h1_write){ .chunked = b->request_chunked }, &b->wire.out,
		      b->backs->wires->bufs);
	if (end && b->request_chunked)
		h1_write_last_chunk(NULL, &b->wire.out, b->backs->wires->bufs);
	wire_touch(&b->wire);
	back_give_credit(b);
	back_go_on(b);
}

static void back_said_data(struct stream *to, struct chain *c, bool end)
{
	struct h1_back *b = back_of(to, stream);
	b->request_over = end;
	if (b->state == BACK_TUNNEL)
		back_wait_for(b, b->policy->tunnel_idle_ms);
	else
		back_wait_for(b, response_timeout_ms(b));
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
		back_retire(b);
	else
		wire_finish(&b->wire);
}

static void back_said_trailers(struct stream *to, struct msg *m)
{
	struct h1_back *b = back_of(to, stream);
	b->request_over = true;
	if (b->request_chunked)
		h1_write_last_chunk(m, &b->wire.out, b->backs->wires->bufs);
	wire_touch(&b->wire);
}

static void back_said_grant(struct stream *to, size_t bytes)
{
	(void)bytes;
	struct h1_back *b = back_of(to, stream);
	if (b->state == BACK_RESPONSE_BODY || b->state == BACK_TUNNEL)
		back_go_on(b);
}

/*
 * The exchange is given up. A half-sent request, or a response that nobody reads, ends the
 * connection. The party that gives up closes both directions, and gets nothing more from this end.
 */
static void back_said_abort(struct stream *to, enum stream_way way, enum err why)
{
	(void)way;
	struct h1_back *b = back_of(to, stream);
	if (b->state != BACK_OVER)
		back_leave(b, why);
}

static const struct stream_verbs stream_verbs = {
	.head = back_said_head,
	.data = back_said_data,
	.trailers = back_said_trailers,
	.grant = back_said_grant,
	.abort = back_said_abort,
};

/* --- the wire --- */

static void back_on_ready(struct wire *w)
{
	struct h1_back *b = back_of(w, wire);
	b->ready_ns = b->backs->wires->io->now_ns;
	if (!b->arena) {
		b->state = BACK_IDLE;
		back_wait_for(b, b->policy->keep_alive_ms);
		b->user->idle(b);
		back_go_on(b);
		return;
	}
	b->state = BACK_RESPONSE_HEAD;
	back_wait_for(b, b->policy->idle_ms);
	back_give_credit(b);
	back_go_on(b);
}

/* False: the bytes begin no response. */
static bool begins_response(struct h1_back *b)
{
	back_drop_strays(b);
	if (!b->wire.in.bytes)
		return false;
	/* Bytes that come before a byte of the request was sent are no response to it. */
	if (!h1_back_has_sent(b))
		back_fail(b, ERR_BACK_RESET);
	return b->state != BACK_OVER;
}

static void back_on_bytes(struct wire *w)
{
	struct h1_back *b = back_of(w, wire);
	bool first = b->state == BACK_RESPONSE_HEAD && b->reused && !b->heard;
	if (first && !begins_response(b)) {
		back_go_on(b);
		return;
	}
	b->heard = true;
	if (b->state == BACK_RESPONSE_HEAD || b->state == BACK_RESPONSE_BODY)
		back_wait_for(b, response_timeout_ms(b));
	back_go_on(b);
}

static void back_on_finished(struct wire *w)
{
	back_go_on(back_of(w, wire));
}

static void back_on_drained(struct wire *w)
{
	struct h1_back *b = back_of(w, wire);
	if (b->state == BACK_TUNNEL)
		back_wait_for(b, b->policy->tunnel_idle_ms);
	else if (b->state == BACK_RESPONSE_HEAD || b->state == BACK_RESPONSE_BODY)
		back_wait_for(b, response_timeout_ms(b));
	back_give_credit(b);
}

static enum err back_why_broken(const struct h1_back *b, enum err why)
{
	/* With TLS 1.3 a node may report a missing client certificate only after the handshake. */
	if (err_side(why) == SIDE_OURS || why == ERR_BACK_TLS_CLIENT)
		return why;
	switch ((enum h1_back_state)b->state) {
	case BACK_CONNECTING:
		return why == ERR_PEER_RESET || why == ERR_PEER_CLOSED ? ERR_BACK_REFUSED : why;
	case BACK_RESPONSE_BODY:
		return ERR_BACK_CUT;
	default:
		return ERR_BACK_RESET;
	}
}

static void back_on_broken(struct wire *w, enum err why)
{
	struct h1_back *b = back_of(w, wire);
	back_fail(b, back_why_broken(b, why));
}

static void back_on_starved(struct wire *w)
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

static void back_on_gone(struct wire *w)
{
	struct h1_back *b = back_of(w, wire);
	b->gone = true;
	free_when_all_has_ended(b);
}

static const struct wire_user wire_user = {
	.bytes = back_on_bytes,
	.finished = back_on_finished,
	.drained = back_on_drained,
	.ready = back_on_ready,
	.starved = back_on_starved,
	.broken = back_on_broken,
	.gone = back_on_gone,
};

/* --- the dial --- */

static bool back_on_next(struct dial *d, struct addr *to)
{
	struct h1_back *b = back_of(d, dial);
	return b->user->next(b, to);
}

static void back_on_missed(struct dial *d, const struct addr *at, enum err why)
{
	struct h1_back *b = back_of(d, dial);
	if (b->user->missed)
		b->user->missed(b, at, why);
}

static void back_on_connected(struct dial *d, struct sock *sock, const struct addr *at)
{
	struct h1_back *b = back_of(d, dial);
	b->address = *at;
	b->connected = true;
	wire_connected(&b->wire, sock);
}

static void back_on_failed(struct dial *d, enum err why)
{
	wire_unconnected(&back_of(d, dial)->wire, why);
}

static void back_on_ended(struct dial *d)
{
	free_when_all_has_ended(back_of(d, dial));
}

static const struct dial_user dial_user = {
	.missed = back_on_missed,
	.connected = back_on_connected,
	.failed = back_on_failed,
	.ended = back_on_ended,
};

static const struct dial_user dial_of_many_user = {
	.next = back_on_next,
	.missed = back_on_missed,
	.connected = back_on_connected,
	.failed = back_on_failed,
	.ended = back_on_ended,
};

/* --- the timer --- */

/* Time counts against the node only while the exchange waits for the node. */
static bool back_node_is_slow(const struct h1_back *b)
{
	if (wire_unsent(&b->wire))
		return true;
	if (!b->request_over && !b->upgrade_asked)
		return false;
	return b->stream.peer->credit > 0 || b->state == BACK_RESPONSE_HEAD;
}

static void back_time_is_up(struct h1_back *b)
{
	switch ((enum h1_back_state)b->state) {
	case BACK_CONNECTING:
		back_fail(b, wire_is_late(&b->wire));
		return;
	case BACK_RESPONSE_HEAD:
	case BACK_RESPONSE_BODY:
		if (back_node_is_slow(b))
			back_fail(b, ERR_RESPONSE_TIMEOUT);
		else
			back_wait_for(b, response_timeout_ms(b));
		return;
	case BACK_TUNNEL:
		back_fail(b, ERR_PEER_IDLE);
		return;
	case BACK_OVER:
		wire_abort(&b->wire);
		return;
	case BACK_IDLE:
		if (b->rests && back_now_ms(b) < b->kept_until_ms)
			back_end_rest(b);
		else
			back_retire(b);
		return;
	}
}

static void back_on_timer(struct timer *t)
{
	struct h1_back *b = back_of(t, timer);
	if (back_now_ms(b) < b->deadline_ms)
		timer_set(b->backs->wheel, &b->timer, b->deadline_ms);
	else
		back_time_is_up(b);
}

/* --- open and close --- */

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
	timer_init(&b->timer, back_on_timer);
	list_init(&b->link);
	s->open_n++;
	wire_dial(&b->wire, s->wires, &wire_user, tls, name, budget);
	dial_begin(&b->dial, &s->dials, user->next ? &dial_of_many_user : &dial_user, to);
	back_wait_for(b, policy->connect_ms);
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
	return b->state == BACK_CONNECTING ? wire_is_late(&b->wire) : ERR_RESPONSE_TIMEOUT;
}

void h1_back_close(struct h1_back *b)
{
	must(!b->arena);
	back_close_now(b);
}
