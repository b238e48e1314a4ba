#include "proxy/capture_gate.h"

#include "base/bug.h"
#include "base/checks.h"
#include "base/limits.h"
#include "capture/journal.h"
#include "http/relay.h"
#include "proxy/gate_record.h"

#define gate_of(pointer, member) list_entry(pointer, struct capture_gate, member)

static const struct capture_policy *policy_of(const struct capture_gate *g)
{
	return g->request->plan->capture;
}

/* Each part of the request must be durable before it goes to a cluster. */
static bool goes_in_pieces(const struct capture_gate *g)
{
	return policy_of(g)->gate == GATE_PIECE || g->request->class.in_parts;
}

/* The rest of the request waits for the log. */
static bool is_shut(const struct capture_gate *g)
{
	return g->request_state < GATE_REQUEST_OPEN;
}

/* The part of the request that has come may not be passed on. */
static bool gate_holds(const struct capture_gate *g)
{
	return g->request_state <= GATE_REQUEST_GATHERED ||
	       (is_shut(g) && (relay_is_whole(&g->front) || (g->tap && tap_waits(g->tap))));
}

static void wait_for_room(struct capture_gate *g)
{
	if (list_empty(&g->stall_link))
		list_add_tail(&g->exchanges->stalled, &g->stall_link);
}

/* --- the request, to the cluster --- */

/*
 * The stage behind may grant credit inside relay_head(). More of the body may come then, and the
 * gate may hold it.
 */
static void gate_pass_request(struct capture_gate *g)
{
	const struct stream *to = g->back.peer;
	if (stream_sends(&g->back) && to->in == STREAM_HEAD && !gate_holds(g))
		relay_head(&g->front, &g->back, g->request->head, &g->pending, g->trailers);
	if (!gate_holds(g))
		relay_body(&g->front, &g->back, &g->pending, g->trailers);
}

/* Grants the client what the stage behind takes, if the log has room for it. */
static void gate_grant_request(struct capture_gate *g)
{
	bool begun = g->request_state > GATE_REQUEST_GATHERED;
	size_t room = begun ? relay_room(&g->front, &g->back, &g->pending) : 0;
	if (!room)
		return;
	if (g->tap && !journal_room(g->exchanges->taps->feed.journal))
		wait_for_room(g);
	else
		stream_grant(g->front.peer, room);
}

static void gate_go_on(struct capture_gate *g, enum gate_request state)
{
	g->request_state = (uint8_t)state;
	gate_pass_request(g);
	gate_grant_request(g);
}

/*
 * Ends both directions. The stage behind is aborted too. If a response has not come whole, that
 * stage aborts it in turn.
 */
static void gate_give_up(struct capture_gate *g, enum err why)
{
	chain_drop(&g->pending);
	if (stream_sends(&g->back)) {
		stream_abort(g->back.peer, STREAM_RESET, why);
	} else if (stream_receives(&g->back)) {
		stream_abort(g->back.peer, STREAM_STOP, why);
		stream_abort_open(&g->front, STREAM_RESET, why);
	}
}

static void write_outcome(struct capture_gate *g, unsigned status, enum err why)
{
	struct record_outcome o = {
		.outcome = (uint8_t)gate_outcome(g->delivery, capture_gate_kept_end(g)),
		.attempts = g->delivery->attempt_n,
		.status = (uint16_t)status,
		.request_bytes = g->request_bytes,
		.response_bytes = g->response_bytes,
		.arrived_mono_ns = g->request->began_ns,
		.released_mono_ns = g->released_ns,
		.responded_mono_ns = g->delivery->responded_ns,
	};
	tap_outcome(g->tap, o, delivery_node_name(g->delivery), why ? err_word(why) : NULL);
}

static void close_tap(struct capture_gate *g)
{
	tap_close(g->tap);
	g->tap = NULL;
}

/* --- once it is durable --- */

/* The end of the request may go, or one more piece of it. */
static void release_request(struct capture_gate *g)
{
	if (relay_is_whole(&g->front)) {
		g->released_ns = g->exchanges->io->now_ns;
		gate_go_on(g, GATE_REQUEST_OPEN);
	} else if (goes_in_pieces(g)) {
		gate_go_on(g, GATE_REQUEST_PIECES);
	} else {
		gate_pass_request(g);
	}
}

/* The request passes without a whole record. It is counted as a loss, and waits no more. */
static void pass_unrecorded(struct capture_gate *g)
{
	gate_lose(g->exchanges, g->request, GAP_UNAVAILABLE);
	if (relay_is_whole(&g->front))
		g->released_ns = g->exchanges->io->now_ns;
	gate_go_on(g, GATE_REQUEST_OPEN);
}

/*
 * The node sent its whole response before the request was whole: the response passes, the request
 * is counted as a loss, and the rest of the request is dropped.
 */
static void leave_rest(struct capture_gate *g)
{
	g->request_state = GATE_REQUEST_OPEN;
	chain_drop(&g->pending);
	gate_lose(g->exchanges, g->request, GAP_UNAVAILABLE);
	stream_abort_open(&g->back, STREAM_RESET, ERR_CAPTURE);
	stream_abort_open(&g->front, STREAM_STOP, ERR_CAPTURE);
}

static void turn_away(struct capture_gate *g)
{
	taps_refuse(g->exchanges->taps, request_is_write(g->request));
	gate_give_up(g, ERR_CAPTURE);
}

/* The log does not have the whole request, and no node received the whole request. */
static void gate_refuse(struct capture_gate *g)
{
	tap_forsake(g->tap, gate_outcome(g->delivery, capture_gate_kept_end(g)));
	close_tap(g);
	turn_away(g);
}

static void request_settled(struct capture_gate *g, enum batch_state became)
{
	if (!is_shut(g))
		return;
	bool may_refuse = policy_of(g)->unavailable == UNAVAILABLE_REFUSE;
	bool responded = g->response_state >= GATE_RESPONSE_WHOLE;
	/* An earlier part may have been lost while the log was unavailable, and the log is back. */
	bool partial = g->tap->lost && became != BATCH_FAILED;
	if (!may_refuse && (partial || became == BATCH_FAILED))
		pass_unrecorded(g);
	else if (responded && (partial || became != BATCH_DURABLE) && may_refuse)
		leave_rest(g);
	else if (became == BATCH_FAILED)
		gate_refuse(g);
	else if (partial || (became == BATCH_LATE && may_refuse))
		turn_away(g); /* its records in the log will say that it was not sent */
	else
		release_request(g);
}

/* Passes on what was gathered of the response, and its end if `end`. */
static void pass_response(struct capture_gate *g, bool end)
{
	struct stream *to = g->front.peer;
	struct msg *head = g->response_head, *trailers = g->response_trailers;
	bool data_ends = end && !trailers;
	g->response_head = NULL;
	if (head)
		stream_head(to, head, data_ends && !g->response_body.bytes);
	if (stream_sends(&g->front) && (g->response_body.bytes || data_ends))
		stream_data(to, &g->response_body, data_ends);
	if (stream_sends(&g->front) && end && trailers)
		stream_trailers(to, trailers);
}

/*
 * The response has been recorded as far as possible: a request that was done is never answered with
 * an error.
 */
static void release_response(struct capture_gate *g)
{
	if (g->response_state != GATE_RESPONSE_WHOLE)
		return;
	g->response_state = GATE_RESPONSE_DONE;
	if (stream_sends(&g->front))
		pass_response(g, true);
}

static void gate_settled(struct tap *t, enum batch_state became)
{
	struct capture_gate *g = t->owner;
	request_settled(g, became);
	release_response(g);
	checks(capture_gate_check(g));
}

/* --- the request, from the client --- */

/* Trailers may have come while the request waited for room. */
static void open_tap(struct capture_gate *g)
{
	const struct capture_policy *p = policy_of(g);
	struct tap_facts facts = gate_facts(g->request);
	bool end = relay_is_whole(&g->front) && !g->trailers, awaited = gate_waits(g->request);
	g->tap = tap_open(g->exchanges->taps, g->request->arena, p, &facts, g->request->head, end,
			  g, gate_settled);
	g->tap->awaited = awaited;
	if (awaited && p->acknowledge == ACKNOWLEDGE_OUTCOME)
		g->response_state = GATE_RESPONSE_END_HELD;
	if (g->trailers)
		tap_request_trailers(g->tap, g->trailers);
}

/*
 * A client that sent Expect: 100-continue sends its body only after its head was passed on: such a
 * request cannot be gathered.
 */
static bool comes_in_one_piece(const struct msg *m)
{
	return !m->expects && (m->body != BODY_LENGTH || m->length <= GATE_HOLD_BYTES);
}

/*
 * A request that must be durable before its end goes to a node is not begun there before: it goes
 * in one piece later. A large request is begun at once, and so is one with Expect: 100-continue;
 * where requests go piece by piece, such a one begins when its head is durable.
 */
static void gate_record_request(struct capture_gate *g)
{
	bool whole = relay_is_whole(&g->front), one_piece = comes_in_one_piece(g->request->head);
	open_tap(g);
	if (!g->tap->awaited) {
		gate_go_on(g, GATE_REQUEST_OPEN);
		return;
	}
	if (!whole && !goes_in_pieces(g) && !one_piece) {
		gate_go_on(g, GATE_REQUEST_END_HELD);
		return;
	}
	g->request_state = GATE_REQUEST_GATHERED;
	if (whole || !one_piece)
		tap_wait(g->tap);
	else
		stream_grant(g->front.peer, GATE_HOLD_BYTES);
}

static void pass_tunnel(struct capture_gate *g)
{
	if (policy_of(g)->tunnels != TUNNELS_FORWARD) {
		gate_give_up(g, ERR_CAPTURE_TUNNEL);
		return;
	}
	feed_tunnel_begins(&g->exchanges->taps->feed);
	gate_go_on(g, GATE_REQUEST_TUNNEL);
}

static void pass_lost(struct capture_gate *g, enum gap_reason reason)
{
	gate_lose(g->exchanges, g->request, reason);
	gate_go_on(g, GATE_REQUEST_OPEN);
}

/* The head has come. It is recorded before anything changes it. */
static void gate_begin(struct capture_gate *g)
{
	switch (gate_ask(g->exchanges, g->request)) {
	case GATE_RECORD:
		gate_record_request(g);
		break;
	case GATE_REFUSE:
		turn_away(g);
		break;
	case GATE_UNAVAILABLE:
		pass_lost(g, GAP_UNAVAILABLE);
		break;
	case GATE_SHED:
		pass_lost(g, GAP_SHED);
		break;
	case GATE_STALL:
		g->request_state = GATE_REQUEST_STALLED;
		wait_for_room(g);
		break;
	}
}

static void gate_front_head(struct stream *to, struct msg *m, bool end)
{
	struct capture_gate *g = gate_of(to, front);
	(void)end;
	if (m->tunnel)
		pass_tunnel(g);
	else
		gate_begin(g);
	checks(capture_gate_check(g));
}

static void gate_front_data(struct stream *to, struct chain *c, bool end)
{
	struct capture_gate *g = gate_of(to, front);
	g->request_bytes += c->bytes;
	if (g->tap)
		tap_request_data(g->tap, c, end);
	chain_move(&g->pending, c);
	if (g->tap && is_shut(g) && (end || goes_in_pieces(g)))
		tap_wait(g->tap);
	bool gathered = g->request_state == GATE_REQUEST_GATHERED;
	if (gathered && !goes_in_pieces(g) && !end && g->pending.bytes == GATE_HOLD_BYTES)
		gate_go_on(g, GATE_REQUEST_END_HELD);
	else
		gate_pass_request(g);
	checks(capture_gate_check(g));
}

static void gate_front_trailers(struct stream *to, struct msg *m)
{
	struct capture_gate *g = gate_of(to, front);
	g->trailers = m;
	if (g->tap) {
		tap_request_trailers(g->tap, m);
		if (is_shut(g))
			tap_wait(g->tap);
	}
	gate_pass_request(g);
	checks(capture_gate_check(g));
}

static void gate_front_grant(struct stream *to, size_t bytes)
{
	struct capture_gate *g = gate_of(to, front);
	if (stream_receives(&g->back))
		stream_grant(g->back.peer, bytes);
	checks(capture_gate_check(g));
}

/* Memory is short: a request that is gathered is passed on, except its end. */
static void gate_front_squeeze(struct stream *to)
{
	struct capture_gate *g = gate_of(to, front);
	bool gathered = g->request_state == GATE_REQUEST_GATHERED;
	if (gathered && !goes_in_pieces(g) && !relay_is_whole(&g->front))
		gate_go_on(g, GATE_REQUEST_END_HELD);
	if (stream_sends(&g->back))
		stream_squeeze(g->back.peer);
	checks(capture_gate_check(g));
}

/*
 * The client's side gave up one direction; what the stage behind answers is passed to the client's
 * side.
 */
static void gate_front_abort(struct stream *to, enum stream_way way, enum err why)
{
	struct capture_gate *g = gate_of(to, front);
	list_remove(&g->stall_link);
	chain_drop(way == STREAM_RESET ? &g->pending : &g->response_body);
	stream_abort_open(&g->back, way, why);
	checks(capture_gate_check(g));
}

static const struct stream_verbs front_verbs = {
	.head = gate_front_head,
	.data = gate_front_data,
	.trailers = gate_front_trailers,
	.grant = gate_front_grant,
	.squeeze = gate_front_squeeze,
	.abort = gate_front_abort,
};

/* --- the response --- */

/*
 * The whole response has come: the request's outcome is known, and the client gets the end when
 * that is safe.
 */
static void response_is_whole(struct capture_gate *g)
{
	bool waits_for_log = g->response_state != GATE_RESPONSE_OPEN;
	g->response_state = waits_for_log ? GATE_RESPONSE_WHOLE : GATE_RESPONSE_DONE;
	if (!g->tap)
		return;
	write_outcome(g, g->delivery->status, ERR_NONE);
	if (waits_for_log)
		tap_wait(g->tap);
}

/* A small response whose end must wait is not begun before: it goes in one piece. */
static bool is_gathered(const struct capture_gate *g, const struct msg *m, bool end)
{
	return g->response_state == GATE_RESPONSE_END_HELD && m->status >= 200 &&
	       (end || (m->body == BODY_LENGTH && m->length <= GATE_HOLD_BYTES));
}

static void gate_back_head(struct stream *to, struct msg *m, bool end)
{
	struct capture_gate *g = gate_of(to, back);
	bool gathered = is_gathered(g, m, end);
	if (g->tap) {
		g->tap->like.attempts = g->delivery->attempt_n;
		tap_response(g->tap, m, end, g->released_ns, delivery_node_name(g->delivery));
	}
	if (gathered) {
		g->response_state = GATE_RESPONSE_GATHERED;
		g->response_head = m;
	}
	if (end)
		response_is_whole(g);
	if (!gathered)
		stream_head(g->front.peer, m, end);
	checks(capture_gate_check(g));
}

static bool response_waits(const struct capture_gate *g)
{
	return g->response_state == GATE_RESPONSE_GATHERED ||
	       g->response_state == GATE_RESPONSE_WHOLE;
}

static void gate_back_data(struct stream *to, struct chain *c, bool end)
{
	struct capture_gate *g = gate_of(to, back);
	g->response_bytes += c->bytes;
	if (g->tap)
		tap_response_data(g->tap, c, end);
	if (end)
		response_is_whole(g);
	if (response_waits(g))
		chain_move(&g->response_body, c);
	else
		stream_data(g->front.peer, c, end);
	checks(capture_gate_check(g));
}

static void gate_back_trailers(struct stream *to, struct msg *m)
{
	struct capture_gate *g = gate_of(to, back);
	if (g->tap)
		tap_response_trailers(g->tap, m);
	response_is_whole(g);
	if (response_waits(g))
		g->response_trailers = m;
	else
		stream_trailers(g->front.peer, m);
	checks(capture_gate_check(g));
}

static void gate_back_grant(struct stream *to, size_t bytes)
{
	struct capture_gate *g = gate_of(to, back);
	(void)bytes;
	gate_pass_request(g);
	gate_grant_request(g);
	checks(capture_gate_check(g));
}

/* Memory is short: what was gathered of the response is passed on, except its end. */
static void gate_back_squeeze(struct stream *to)
{
	struct capture_gate *g = gate_of(to, back);
	if (g->response_state != GATE_RESPONSE_GATHERED || !stream_sends(&g->front))
		return;
	g->response_state = GATE_RESPONSE_END_HELD;
	pass_response(g, false);
	checks(capture_gate_check(g));
}

/*
 * What was gathered of the response goes first: a client whose response has begun gets no error
 * response.
 */
static void response_broke(struct capture_gate *g, enum err why)
{
	if (g->response_state == GATE_RESPONSE_GATHERED && stream_sends(&g->front)) {
		g->response_state = GATE_RESPONSE_END_HELD;
		pass_response(g, false);
	}
	stream_fail(&g->front, why);
}

static void gate_back_abort(struct stream *to, enum stream_way way, enum err why)
{
	struct capture_gate *g = gate_of(to, back);
	if (way == STREAM_RESET) {
		response_broke(g, why);
		return;
	}
	chain_drop(&g->pending);
	stream_abort_open(&g->front, STREAM_STOP, why);
	checks(capture_gate_check(g));
}

static const struct stream_verbs back_verbs = {
	.head = gate_back_head,
	.data = gate_back_data,
	.trailers = gate_back_trailers,
	.grant = gate_back_grant,
	.squeeze = gate_back_squeeze,
	.abort = gate_back_abort,
};

/* --- open and close --- */

bool capture_gate_is_wanted(const struct exchanges *d, const struct request *r)
{
	const struct capture_policy *p = r->plan->capture;
	bool target_owns = d->values.owner == ARM_TARGET;
	if (!d->taps || !capture_records(p, r->arm == ARM_TARGET, target_owns))
		return false;
	if (!p->skips || !skips_have(p->skips, r->head))
		return true;
	taps_skip(d->taps, request_is_write(r));
	return false;
}

struct capture_gate *capture_gate_open(struct exchanges *exchanges, const struct request *r,
				       struct delivery *to)
{
	struct capture_gate *g = arena_take(r->arena, sizeof *g);
	*g = (struct capture_gate){ .exchanges = exchanges, .request = r, .delivery = to };
	stream_init(&g->front, &front_verbs, "gate");
	stream_init(&g->back, &back_verbs, "gate");
	g->front.tracer = g->back.tracer = to->front.tracer;
	list_init(&g->stall_link);
	stream_join(&g->back, &to->front);
	return g;
}

bool capture_gate_is_over(const struct capture_gate *g)
{
	return stream_over(&g->front) && stream_over(&g->back);
}

bool capture_gate_kept_end(const struct capture_gate *g)
{
	return is_shut(g) && !goes_in_pieces(g);
}

void capture_gate_end(struct capture_gate *g, unsigned status, enum err why)
{
	must(capture_gate_is_over(g));
	if (g->request_state == GATE_REQUEST_TUNNEL) {
		gate_end_tunnel(g->exchanges, g->request, g->delivery, g->request_bytes,
				g->response_bytes);
		g->request_state = GATE_REQUEST_OPEN;
	}
	if (g->tap && g->response_state < GATE_RESPONSE_WHOLE)
		write_outcome(g, status, why);
	if (g->tap)
		close_tap(g);
	list_remove(&g->stall_link);
	chain_drop(&g->pending);
	chain_drop(&g->response_body);
}

static void gate_resume(struct capture_gate *g)
{
	list_remove(&g->stall_link);
	if (g->request_state == GATE_REQUEST_STALLED)
		gate_begin(g);
	else
		gate_grant_request(g);
	checks(capture_gate_check(g));
}

/*
 * Each gate that is resumed takes GATE_HOLD_BYTES of the room, as much as it may bring at once.
 * Otherwise all would resume, and overfill the log.
 */
void capture_gates_resume(struct exchanges *d)
{
	const struct feed *f = &d->taps->feed;
	uint64_t room = journal_room(f->journal);
	bool choked = feed_is_choked(f);
	list_each_safe(l, &d->stalled) {
		struct capture_gate *g = list_entry(l, struct capture_gate, stall_link);
		if (!room && !(choked && g->request_state == GATE_REQUEST_STALLED))
			continue;
		room -= room < GATE_HOLD_BYTES ? room : GATE_HOLD_BYTES;
		gate_resume(g);
	}
}
