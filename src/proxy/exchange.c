#include "proxy/exchange.h"

#include <stdio.h>

#include "base/bug.h"
#include "base/log.h"
#include "proxy/attempt.h"
#include "proxy/decision.h"
#include "proxy/hop.h"
#include "proxy/recipient.h"
#include "proxy/sniffing.h"

#define exchange_of(pointer, member) list_entry(pointer, struct exchange, member)

/* --- the end --- */

static void count(struct exchange *ex)
{
	struct desk *d = ex->desk;
	struct counters *c = d->counters;
	unsigned class = ex->orphaned_ns ? 0 : exchange_status_class(ex);
	counter_add(&c->requests[ex->listener->number][ex->arm][class], 1);
	if (ex->request)
		counter_add(&c->classes[ex->listener->number][ex->arm][ex->class.class], 1);
	if (ex->arm == ARM_NONE)
		return;
	counter_add(&c->request_body_bytes[ex->arm], ex->request_bytes);
	counter_add(&c->answer_body_bytes[ex->arm], ex->answer_bytes);
	/* A tunnel's length is no answer time. */
	if (ex->status != 101)
		latency_add(&c->latency[ex->arm], (d->io->now_ns - ex->began_ns) / 1000);
	if (ex->answered_ns)
		latency_add(&c->answering[ex->arm], (ex->answered_ns - ex->asked_ns) / 1000);
}

static void uncount_flight(struct exchange *ex)
{
	struct desk *d = ex->desk;
	if (!ex->counted)
		return;
	uint64_t *n = ex->epoch == d->values.epoch ? &d->in_flight_now : &d->in_flight_before;
	must(*n > 0);
	--*n;
}

void exchange_end_if_over(struct exchange *ex)
{
	if (ex->state == EXCHANGE_ENDED || !stream_over(&ex->front) || !stream_over(&ex->back) ||
	    ex->node)
		return;
	ex->state = EXCHANGE_ENDED;
	recording_end(ex);
	count(ex);
	if (ex->notes)
		access_write(ex->desk->access, ex, ex->desk->counters);
	uncount_flight(ex);
	plan_unpin(ex->plan, ex->desk->worker);
	decision_withdraw(ex);
	retry_close(&ex->retry);
	list_remove(&ex->held_link);
	list_remove(&ex->stall_link);
	list_remove(&ex->link);
	list_add_tail(&ex->desk->ended, &ex->link);
}

/* The client need not send the rest of a request that is answered already. */
void exchange_stop_request(struct exchange *ex)
{
	if (stream_receives(&ex->front))
		stream_abort(ex->front.peer, STREAM_STOP, ERR_NONE);
}

/*
 * A write that has reached a node and may have been applied. What a client breaks off itself is no
 * whole request anywhere, nor is what the log refuses, unless it went piece by piece.
 */
static bool is_unknown(const struct exchange *ex, enum err why)
{
	if (!ex->unknown || ex->class.class != CLASS_WRITE || err_side(why) == SIDE_CLIENT)
		return false;
	return why != ERR_CAPTURE || ex->recording.in_pieces;
}

/* One that clients do not take for an invitation to send it again; never 503. */
static unsigned unknown_status(const struct exchange *ex, enum err why)
{
	if (ex->plan->unknown_status)
		return ex->plan->unknown_status;
	unsigned status = reply_status(why);
	return status == 503 ? 502 : status;
}

void exchange_answer(struct exchange *ex, enum err why)
{
	struct desk *d = ex->desk;
	must(stream_over(&ex->back) && !ex->status);
	counter_add(&d->counters->answers_here[why], 1);
	ex->why = (uint16_t)why;
	retry_close(&ex->retry);
	ex->state = EXCHANGE_REPLYING;
	odd(&d->counters->oddities, !err_status(why));
	bool unknown = is_unknown(ex, why);
	ex->status = (uint16_t)(unknown ? unknown_status(ex, why) : reply_status(why));
	bool head_only = ex->request && ex->request->method == METHOD_HEAD;
	/* First, so that the head says whether what is left of it ends the connection. */
	exchange_stop_request(ex);
	if (unknown)
		reply_unknown(&ex->reply, ex->front.peer, &ex->arena, d->bufs, why, ex->status,
			      head_only);
	else
		reply_error(&ex->reply, ex->front.peer, &ex->arena, d->bufs, why,
			    wires_advice(d->wires, why), head_only);
	exchange_end_if_over(ex);
}

void exchange_answer_text(struct exchange *ex, struct span type, struct span body)
{
	ex->state = EXCHANGE_REPLYING;
	ex->status = 200;
	reply_text(&ex->reply, ex->front.peer, &ex->arena, ex->desk->bufs, 200, type, body,
		   ex->request->method == METHOD_HEAD);
	exchange_stop_request(ex);
	exchange_end_if_over(ex);
}

void exchange_answer_options(struct exchange *ex)
{
	struct msg *m = arena_take(&ex->arena, sizeof *m);
	struct chain nothing = { 0 };
	ex->state = EXCHANGE_REPLYING;
	ex->status = 200;
	msg_open(m, &ex->arena, MSG_ANSWER);
	msg_set_status(m, 200, status_reason(200));
	msg_add_named(m, SPAN("Allow"), SPAN(REPLY_ALLOW));
	reply_start(&ex->reply, ex->front.peer, m, &nothing, false);
	exchange_stop_request(ex);
	exchange_end_if_over(ex);
}

/* Nothing more comes from the client. */
bool exchange_is_whole(const struct exchange *ex)
{
	return !stream_receives(&ex->front);
}

/* --- what the client says --- */

/* What goes through a tunnel is no body. */
static bool is_too_large(const struct exchange *ex, uint64_t body_bytes)
{
	uint64_t max = ex->listener->body_max;
	return max && body_bytes > max && ex->status != 101;
}

/* For a load balancer in front of this one: a cluster that is down is no reason to go elsewhere. */
static void answer_health(struct exchange *ex)
{
	struct msg *m = ex->request;
	ex->notes = NULL; /* it would fill the log */
	if (m->method != METHOD_GET && m->method != METHOD_HEAD) {
		exchange_answer(ex, ERR_METHOD_NOT_ALLOWED);
		return;
	}
	if (ex->desk->draining) {
		exchange_answer(ex, ERR_STOPPING);
		return;
	}
	exchange_answer_text(ex, SPAN("text/plain"), SPAN("ok\n"));
}

static bool asks_for_health(const struct exchange *ex)
{
	struct span path = ex->listener->health, target = msg_target(ex->request);
	return path.n && target.n >= path.n && !memcmp(target.at, path.at, path.n) &&
	       (target.n == path.n || target.at[path.n] == '?');
}

void exchange_go_on(struct exchange *ex)
{
	bool end = exchange_is_whole(ex);
	switch (recording_begin(ex)) {
	case RECORDING_REFUSED:
		exchange_answer(ex, ERR_CAPTURE);
		return;
	case RECORDING_TUNNEL:
		exchange_answer(ex, ERR_CAPTURE_TUNNEL);
		return;
	case RECORDING_LATER:
		ex->state = EXCHANGE_STALLED;
		return;
	case RECORDING_NOT:
	case RECORDING_BEGUN:
		break;
	}
	if (!end && !ex->request->tunnel)
		retry_hold(&ex->retry);
	if (!decision_prepare(ex))
		exchange_answer(ex, ERR_HEAD_SIZE);
	else if (recording_gathers(ex, end))
		recording_gather(ex, end);
	else
		decision_node(ex);
}

/* Answered here, whatever the cluster would say. */
static bool ends_here(struct exchange *ex)
{
	enum method method = (enum method)ex->request->method;
	if ((method == METHOD_OTHER || method >= METHOD_OPTIONS) && recipient_meets(ex))
		return true;
	return ex->plan->sniffing && sniffing_asks(ex->request) && sniffing_meets(ex);
}

/* Loud once: how often is counted. */
static void say_loop(struct exchange *ex)
{
	char text[ADDR_TEXT_BYTES];
	if (ex->desk->loop_said)
		return;
	ex->desk->loop_said = true;
	addr_host_text(&ex->client, text);
	log_line(LOG_ERROR,
		 "worker %u: 508 to a request from %s: %s More of these are counted and not told",
		 ex->desk->worker, text, err_sentence(ERR_LOOP));
}

static void asked_head(struct stream *to, struct msg *m, bool end)
{
	(void)end;
	struct exchange *ex = exchange_of(to, front);
	ex->request = m;
	ex->class = class_of(ex->plan->profile, (enum method)m->method, msg_target(m));
	decision_find_client(ex);
	if (ex->notes)
		ex->notes->request_head_bytes = m->text_n + 2;
	/* Before the health path: a check of our own that comes here is to fail. */
	if (hop_goes_round(m, &ex->desk->hop)) {
		say_loop(ex);
		exchange_answer(ex, ERR_LOOP);
		return;
	}
	if (asks_for_health(ex)) {
		answer_health(ex);
		return;
	}
	if (ends_here(ex))
		return;
	if (m->body == BODY_LENGTH && is_too_large(ex, m->length)) {
		exchange_answer(ex, ERR_BODY_SIZE);
		return;
	}
	if (!decision_arm(ex)) {
		exchange_answer(ex, ERR_OVERRIDE);
		return;
	}
	exchange_go_on(ex);
}

/* A chunked body shows its size only as it comes. */
static void body_grew_too_large(struct exchange *ex, struct chain *c)
{
	chain_drop(c);
	ex->why = ERR_BODY_SIZE;
	if (ex->status && stream_sends(&ex->front))
		stream_abort(ex->front.peer, STREAM_RESET, ERR_BODY_SIZE);
	attempt_abandon(ex, ERR_BODY_SIZE);
	if (ex->status)
		exchange_stop_request(ex);
	else
		exchange_answer(ex, ERR_BODY_SIZE);
	exchange_end_if_over(ex);
}

/*
 * A body is held for another attempt while there may be one: of a read that may be repeated until
 * it is answered, of others until a byte of them is sent, which desk_sweep() sees.
 */
static void hold_until_sent(struct exchange *ex)
{
	if (ex->retry.holds && list_empty(&ex->held_link))
		list_add_tail(&ex->desk->held, &ex->held_link);
}

static void hold(struct exchange *ex, const struct chain *c)
{
	retry_keep(&ex->retry, c);
	if (!ex->class.repeatable)
		hold_until_sent(ex);
}

static void asked_data(struct stream *to, struct chain *c, bool end)
{
	struct exchange *ex = exchange_of(to, front);
	ex->request_bytes += c->bytes;
	if (is_too_large(ex, ex->request_bytes)) {
		body_grew_too_large(ex, c);
		return;
	}
	hold(ex, c);
	if (ex->recording.tap) {
		recording_asked_data(ex, c, end);
		return;
	}
	if (!attempt_is_on(ex) || ex->retry.pending.bytes || c->bytes > ex->back.peer->credit) {
		chain_move(&ex->retry.pending, c);
		return;
	}
	stream_data(ex->back.peer, c, end);
	attempt_leave_if_over(ex);
	exchange_end_if_over(ex);
}

static void asked_trailers(struct stream *to, struct msg *m)
{
	struct exchange *ex = exchange_of(to, front);
	ex->trailers = m;
	if (ex->recording.tap) {
		tap_request_trailers(ex->recording.tap, m);
		if (ex->recording.request_shut)
			tap_wait(ex->recording.tap);
	}
	if (ex->arm != ARM_NONE)
		forward_trailers(m, &ex->plan->clusters[ex->arm]);
	if (!attempt_is_on(ex) || ex->retry.pending.bytes || recording_holds_back(ex))
		return;
	stream_trailers(ex->back.peer, m);
	attempt_leave_if_over(ex);
	exchange_end_if_over(ex);
}

static void asked_grant(struct stream *to, size_t bytes)
{
	struct exchange *ex = exchange_of(to, front);
	if (ex->state == EXCHANGE_REPLYING)
		reply_go_on(&ex->reply);
	else if (ex->state == EXCHANGE_PASSING && stream_receives(&ex->back))
		stream_grant(ex->back.peer, bytes);
	exchange_end_if_over(ex);
}

/*
 * What waits for the log as a whole goes on its way, but for its end. Then it is held for another
 * attempt only as long as that may be needed whatever the request is: until a byte of it is sent.
 */
static void asked_squeeze(struct stream *to)
{
	struct exchange *ex = exchange_of(to, front);
	hold_until_sent(ex);
	if (ex->state == EXCHANGE_HELD && !ex->recording.in_pieces && !exchange_is_whole(ex))
		decision_node(ex);
	exchange_end_if_over(ex);
}

/*
 * The request breaks off. When the client is still there (what it sent is no HTTP, or comes too
 * slowly) it is told so; an answer that has begun goes on to its end.
 */
void exchange_request_broke(struct exchange *ex, enum err why)
{
	if (ex->status && stream_sends(&ex->front)) {
		if (stream_sends(&ex->back))
			stream_abort(ex->back.peer, STREAM_RESET, why);
		if (stream_receives(&ex->back)) {
			attempt_abandon(ex, why);
			stream_abort(ex->front.peer, STREAM_RESET, why);
		}
		return;
	}
	attempt_abandon(ex, why);
	if (stream_sends(&ex->front))
		exchange_answer(ex, err_status(why) ? why : ERR_CUT_REQUEST);
}

/*
 * What a client has got wrong, and what it was told. All rules have one line in a second: a client
 * that breaks one breaks it again.
 */
static void tell_malformed(struct exchange *ex, enum err why, const char *said, bool begun)
{
	struct desk *d = ex->desk;
	char text[ADDR_TEXT_BYTES], told[32], more[TELLING_MORE_BYTES];
	if (!telling_begins(&d->telling, ERR_REQUEST_LINE, d->io->now_ns / 1000000, more))
		return;
	addr_host_text(&ex->client, text);
	snprintf(told, sizeof told, begun ? "its response was cut" : "it got %u", ex->status);
	log_line(LOG_WARN,
		 "worker %u: listener %s: client %s sent a malformed request, and %s: %s (%s%s)",
		 d->worker, ex->listener->name, text, told, said, err_word(why), more);
}

static void broke(struct exchange *ex, enum err why)
{
	bool begun = ex->status;
	const char *said = wires_said(ex->desk->wires, why);
	exchange_request_broke(ex, why);
	if (*said)
		tell_malformed(ex, why, said, begun);
}

bool exchange_ends_with_client(struct stream *front)
{
	const struct exchange *ex = exchange_of(front, front);
	return ex->listener->ends_reads && ex->request && ex->class.class == CLASS_READ &&
	       !ex->request->tunnel && ex->state != EXCHANGE_REPLYING;
}

static void client_left(struct exchange *ex, enum err why)
{
	counter_add(&ex->desk->counters->aborted[why], 1);
	reply_stop(&ex->reply);
	if (attempt_is_to_be_seen_through(ex, why))
		attempt_see_through(ex);
	else
		attempt_abandon(ex, why);
}

static void asked_abort(struct stream *to, enum stream_way way, enum err why)
{
	struct exchange *ex = exchange_of(to, front);
	ex->why = (uint16_t)why;
	decision_withdraw(ex);
	if (way == STREAM_STOP)
		client_left(ex, why);
	else
		broke(ex, why);
	exchange_end_if_over(ex);
}

static const struct stream_verbs front_verbs = {
	.head = asked_head,
	.data = asked_data,
	.trailers = asked_trailers,
	.grant = asked_grant,
	.squeeze = asked_squeeze,
	.abort = asked_abort,
};

/* --- a life --- */

struct arena *exchange_open(struct desk *d, const struct plan *plan, const struct listener *l,
			    const struct front_facts *facts, struct stream *front)
{
	struct exchange *ex = slab_take(&d->exchanges);
	memset(ex, 0, sizeof *ex);
	stream_init(&ex->front, &front_verbs, "exchange");
	stream_init(&ex->back, &attempt_verbs, "exchange");
	ex->front.tracer = ex->back.tracer = d->tracer;
	ex->desk = d;
	ex->plan = plan;
	ex->listener = l;
	ex->peer = ex->client = *facts->peer;
	ex->connection = facts->number;
	ex->ordinal = facts->requests;
	ex->tls = facts->tls;
	ex->unnamed = facts->unnamed;
	ex->arm = ARM_NONE;
	ex->began_ns = d->io->now_ns;
	arena_open(&ex->arena, &d->chunks);
	if (plan->access != ACCESS_OFF && d->access)
		ex->notes = access_note(&ex->arena, facts);
	list_init(&ex->wait_link);
	list_init(&ex->held_link);
	list_init(&ex->stall_link);
	list_init(&ex->link);
	list_add_tail(&d->open, &ex->link);
	plan_pin(plan, d->worker);
	stream_join(&ex->front, front);
	return &ex->arena;
}
