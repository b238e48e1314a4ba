#include "proxy/stage_check.h"

#include "base/bug.h"
#include "base/checks.h"
#include "http/relay.h"
#include "proxy/exchange.h"

/* Both ends of this direction may still be used. */
static bool both_ways(const struct stream *front, const struct stream *back)
{
	return stream_receives(back) && stream_sends(front);
}

/*
 * The sender of a response has the same credit as its receiver granted, less what waits in this
 * stage.
 */
static void check_response_credit(const struct stream *front, const struct stream *back,
				  size_t waiting)
{
	if (both_ways(front, back))
		must(back->credit + waiting == front->peer->credit);
}

/*
 * After a request's head: if the next stage has granted credit, nothing may be left pending here.
 */
static void check_nothing_stays(const struct stream *back, const struct chain *pending)
{
	if (stream_sends(back) && back->peer->in == STREAM_BODY)
		must(!pending->bytes || !back->peer->credit);
}

/* --- an exchange --- */

static const struct stream *stage_behind(const struct exchange *ex)
{
	return ex->parking ? &ex->parking->front
	       : ex->gate  ? &ex->gate->front
			   : &ex->delivery->front;
}

static void check_passing(const struct exchange *ex)
{
	must(ex->delivery && ex->request.arm < ARMS);
	must(stream_over(&ex->back) || ex->back.peer == stage_behind(ex));
	if (ex->state == EXCHANGE_PASSING)
		check_response_credit(&ex->front, &ex->back, 0);
	if (both_ways(&ex->back, &ex->front))
		must(ex->front.credit == ex->back.peer->credit);
}

static void check_state(const struct exchange *ex)
{
	const struct request *r = &ex->request;
	switch ((enum exchange_state)ex->state) {
	case EXCHANGE_REQUEST:
		must(!r->head && !ex->back.peer && !ex->reply && !ex->parking && !ex->delivery);
		break;
	case EXCHANGE_PARKED:
		must(ex->parking && !ex->delivery && r->arm == ARM_NONE && request_is_write(r));
		must(stream_over(&ex->back) || ex->back.peer == &ex->parking->front);
		break;
	case EXCHANGE_PASSING:
		check_passing(ex);
		break;
	case EXCHANGE_ORPHANED:
		check_passing(ex);
		must(ex->request.orphaned_ns && stream_over(&ex->front));
		break;
	case EXCHANGE_REPLYING:
		must(ex->reply && stream_over(&ex->back));
		break;
	case EXCHANGE_CLOSING:
		must(stream_over(&ex->front) && stream_over(&ex->back));
		break;
	}
}

void exchange_check(const struct exchange *ex)
{
	must(ex->state <= EXCHANGE_CLOSING && !list_empty(&ex->link));
	check_state(ex);
	must(!ex->gate || ex->delivery);
	must(!ex->delivery == (ex->request.arm == ARM_NONE));
	must(!ex->delivery || ex->delivery->request == &ex->request);
	must(!ex->gate || ex->gate->delivery == ex->delivery);
	must(!ex->reply || (ex->status && ex->state >= EXCHANGE_REPLYING));
	must(!ex->request.orphaned_ns || (request_is_write(&ex->request) && !ex->reply));
	must(!ex->request_bytes || ex->request.head);
	must(!ex->response_bytes || ex->delivery);
}

/* --- a delivery --- */

static void check_attempts(const struct delivery *d)
{
	must(d->tried_n <= d->attempt_n && d->attempt_n <= CONNECT_ATTEMPTS_MAX);
	must(d->attempt_n || (!d->node && !d->last_failure && !d->unknown && !d->stale));
	must(!d->node || (d->tried_n && d->tried[d->tried_n - 1] == d->node));
	must(!d->status == !d->responded_ns && (!d->status || d->attempt_n));
	must(!d->responded_ns || d->responded_ns >= d->asked_ns);
}

static void check_waiting(const struct delivery *d)
{
	bool linked = !list_empty(&d->wait_link);
	must(linked == (d->state == DELIVERY_WAITING));
	must(!d->queued || (linked && d->exchanges->queues[d->request->arm].n));
}

/* Only for the first attempt: a further one gets at once what the first one got piece by piece. */
static void check_request_credit(const struct delivery *d)
{
	if (d->state == DELIVERY_PASSING && d->attempt_n == 1 && both_ways(&d->back, &d->front))
		must(d->retry.pending.bytes + d->front.credit <= d->back.peer->credit ||
		     !d->front.credit);
}

void delivery_check(const struct delivery *d)
{
	must(d->state <= DELIVERY_OVER);
	check_attempts(d);
	check_waiting(d);
	check_request_credit(d);
	must(!d->node || d->state == DELIVERY_PASSING);
	must(d->state != DELIVERY_IDLE || !d->attempt_n);
	must(d->state == DELIVERY_PASSING || stream_over(&d->back));
	must(!d->trailers || relay_is_whole(&d->front));
	must(!d->retry.holds || !d->retry.lost);
	must(d->state != DELIVERY_OVER || !d->retry.pending.bytes);
	if (d->node)
		check_response_credit(&d->front, &d->back, 0);
}

/* --- a gate --- */

/* Nothing that is gathered has been passed on. */
static void check_gate_request(const struct capture_gate *g)
{
	enum gate_request state = (enum gate_request)g->request_state;
	bool begun = state > GATE_REQUEST_GATHERED;
	must(state <= GATE_REQUEST_TUNNEL);
	must(begun || !stream_sends(&g->back) || g->back.peer->in == STREAM_HEAD);
	must(state >= GATE_REQUEST_GATHERED || !g->tap);
	must(state != GATE_REQUEST_TUNNEL || !g->tap);
	must(!g->released_ns || (state == GATE_REQUEST_OPEN && relay_is_whole(&g->front)));
	must(list_empty(&g->stall_link) || state == GATE_REQUEST_STALLED || begun);
	must(!g->trailers || relay_is_whole(&g->front));
	must(g->pending.bytes <= g->request_bytes);
}

static void check_gate_response(const struct capture_gate *g)
{
	enum gate_response state = (enum gate_response)g->response_state;
	bool gathers = state == GATE_RESPONSE_GATHERED || state == GATE_RESPONSE_WHOLE;
	must(state <= GATE_RESPONSE_DONE);
	must(gathers || (!g->response_head && !g->response_body.bytes));
	must(!g->response_trailers || state >= GATE_RESPONSE_WHOLE);
	must(state < GATE_RESPONSE_WHOLE || relay_is_whole(&g->back));
	must(state != GATE_RESPONSE_GATHERED || (g->response_head && g->tap));
	must(state != GATE_RESPONSE_WHOLE || (g->tap && tap_waits(g->tap)));
	must(!g->tap || !g->tap->outcome_written || state >= GATE_RESPONSE_WHOLE);
	check_response_credit(&g->front, &g->back, g->response_body.bytes);
}

void capture_gate_check(const struct capture_gate *g)
{
	check_gate_request(g);
	check_gate_response(g);
	must(!g->tap || (g->tap->owner == g && !list_empty(&g->tap->link)));
}

/* --- a write that is held --- */

void parking_check(const struct parking *p)
{
	bool waits = !p->back.peer;
	must(!p->head || p->front.peer);
	must(!p->trailers || relay_is_whole(&p->front));
	must(waits || p->head);
	if (waits) {
		must(p->pending.bytes + p->front.credit <= PARKED_BODY_BYTES);
		must(!stream_receives(&p->front) || stream_sends(&p->front));
	} else {
		check_response_credit(&p->front, &p->back, 0);
	}
}

/* --- at the end of a turn --- */

static void delivery_rests(const struct delivery *d)
{
	delivery_check(d);
	must(d->state != DELIVERY_OVER || stream_over(&d->front));
	must(!d->node == stream_over(&d->back));
	if (d->state == DELIVERY_PASSING)
		check_nothing_stays(&d->back, &d->retry.pending);
}

/* A gate that waits for room is in the list, and no other gate holds anything. */
static void gate_rests(const struct capture_gate *g)
{
	bool stalled = g->request_state == GATE_REQUEST_STALLED;
	bool open = g->request_state >= GATE_REQUEST_OPEN;
	capture_gate_check(g);
	must(!stalled || !list_empty(&g->stall_link) || capture_gate_is_over(g));
	if (g->tap && !open && relay_is_whole(&g->front) && stream_sends(&g->back))
		must(tap_waits(g->tap));
	if (open)
		check_nothing_stays(&g->back, &g->pending);
}

static void parking_rests(const struct parking *p)
{
	parking_check(p);
	if (p->back.peer)
		check_nothing_stays(&p->back, &p->pending);
}

static void exchange_rests(const struct exchange *ex)
{
	bool over = stream_over(&ex->front) && stream_over(&ex->back);
	exchange_check(ex);
	must(over == (ex->state == EXCHANGE_CLOSING));
	if (ex->delivery)
		delivery_rests(ex->delivery);
	if (ex->gate)
		gate_rests(ex->gate);
	if (ex->parking)
		parking_rests(ex->parking);
}

struct tally {
	uint64_t now, before, writes[ARMS];
	unsigned n;
};

static void tally_add(struct tally *t, const struct exchanges *d, const struct exchange *ex)
{
	const struct request *r = &ex->request;
	if (r->arm == ARM_NONE)
		return;
	if (r->listener->route.weighted)
		++*(r->epoch == d->values.epoch ? &t->now : &t->before);
	t->writes[r->arm] += request_is_write(r);
}

static void check_list(struct tally *t, const struct exchanges *d, const struct list *of)
{
	list_each(l, of) {
		const struct exchange *ex = list_entry(l, struct exchange, link);
		if (++t->n > CHECKED_MAX)
			return;
		must((ex->state == EXCHANGE_PARKED) == (of == &d->parked));
		must((ex->state == EXCHANGE_CLOSING) == (of == &d->closing));
		exchange_rests(ex);
		tally_add(t, d, ex);
	}
}

static void check_queue(const struct exchanges *d, unsigned arm)
{
	unsigned n = 0;
	list_each(l, &d->queues[arm].list) {
		const struct delivery *at = list_entry(l, struct delivery, wait_link);
		must(at->queued && at->request->arm == arm);
		if (++n > CHECKED_MAX)
			return;
	}
	must(n == d->queues[arm].n);
}

void exchanges_check(const struct exchanges *d)
{
	struct tally t = { 0 };
	check_list(&t, d, &d->open);
	check_list(&t, d, &d->parked);
	check_list(&t, d, &d->closing);
	if (t.n <= CHECKED_MAX)
		must(t.now == d->in_flight_now && t.before == d->in_flight_before);
	for (unsigned arm = 0; arm < ARMS; arm++) {
		must(t.n > CHECKED_MAX || t.writes[arm] == d->writes[arm]);
		check_queue(d, arm);
	}
}
