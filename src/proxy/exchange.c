#include "proxy/exchange.h"

#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "base/checks.h"
#include "base/log.h"
#include "proxy/local_response.h"
#include "proxy/route.h"

#define exchange_of(pointer, member) list_entry(pointer, struct exchange, member)

/* --- the end --- */

/* By hundreds; 0: the client got no response. Codes from 600 on have no meaning: RFC 9110, 15. */
static unsigned exchange_status_class(const struct exchange *ex)
{
	unsigned class = ex->request.orphaned_ns ? 0 : ex->status / 100;
	return class < STATUS_CLASSES ? class : STATUS_CLASSES - 1;
}

static void exchange_count(struct exchange *ex)
{
	const struct request *r = &ex->request;
	const struct delivery *d = ex->delivery;
	struct counters *c = ex->exchanges->counters;
	uint32_t listener = r->listener->number;
	counter_add(&c->requests[listener][r->arm][exchange_status_class(ex)], 1);
	if (r->head)
		counter_add(&c->classes[listener][r->arm][r->class.class], 1);
	if (r->arm == ARM_NONE)
		return;
	counter_add(&c->request_body_bytes[r->arm], ex->request_bytes);
	counter_add(&c->response_body_bytes[r->arm], ex->response_bytes);
	/* The duration of a tunnel is no response time. */
	if (ex->status != 101)
		latency_add(&c->latency[r->arm], (ex->exchanges->io->now_ns - r->began_ns) / 1000);
	if (d && d->responded_ns)
		latency_add(&c->responding[r->arm], (d->responded_ns - d->asked_ns) / 1000);
}

static void count_flight(struct exchange *ex)
{
	struct exchanges *d = ex->exchanges;
	const struct request *r = &ex->request;
	if (r->listener->route.weighted)
		d->in_flight_now++;
	if (request_is_write(r))
		d->writes[r->arm]++;
}

static void uncount_flight(struct exchange *ex)
{
	struct exchanges *d = ex->exchanges;
	const struct request *r = &ex->request;
	uint64_t *n = r->epoch == d->values.epoch ? &d->in_flight_now : &d->in_flight_before;
	if (r->arm == ARM_NONE)
		return;
	if (r->listener->route.weighted) {
		must(*n > 0);
		--*n;
	}
	if (request_is_write(r)) {
		must(d->writes[r->arm] > 0);
		d->writes[r->arm]--;
	}
}

static bool stages_are_over(const struct exchange *ex)
{
	return (!ex->parking || parking_is_over(ex->parking)) &&
	       (!ex->gate || capture_gate_is_over(ex->gate)) &&
	       (!ex->delivery || delivery_is_over(ex->delivery));
}

static void write_line(struct exchange *ex)
{
	const struct delivery *d = ex->delivery;
	uint64_t told = ex->reply ? reply_told(ex->reply) : 0;
	struct access_entry e = {
		.request = &ex->request,
		.now_ns = ex->exchanges->io->now_ns,
		.wall_ns = ex->exchanges->io->wall_ns,
		.asked_ns = d ? d->asked_ns : 0,
		.responded_ns = d ? d->responded_ns : 0,
		.request_bytes = ex->request_bytes,
		.response_bytes = ex->response_bytes + told,
		.status = ex->status,
		.why = (enum err)ex->why,
		.unknown = d && d->unknown,
	};
	access_write(ex->exchanges->access, &e, ex->exchanges->counters);
}

/*
 * The end, when no stream has more to say: the counts, the record in the capture log, the
 * access-log line.
 */
static void exchange_end(struct exchange *ex)
{
	if (ex->parking)
		parking_close(ex->parking);
	if (ex->gate)
		capture_gate_end(ex->gate, ex->status, (enum err)ex->why);
	if (ex->delivery)
		delivery_close(ex->delivery);
	exchange_count(ex);
	if (ex->request.notes)
		write_line(ex);
	uncount_flight(ex);
	plan_unpin(ex->request.plan, ex->exchanges->worker);
	list_remove(&ex->link);
	arena_close(&ex->arena);
	slab_give(&ex->exchanges->exchanges, ex);
}

/* The stages behind may still have work to do; exchanges_sweep() checks. */
static void close_if_over(struct exchange *ex)
{
	if (ex->state == EXCHANGE_CLOSING || !stream_over(&ex->front) || !stream_over(&ex->back))
		return;
	ex->state = EXCHANGE_CLOSING;
	list_remove(&ex->link);
	list_add_tail(&ex->exchanges->closing, &ex->link);
}

/*
 * The error for the client. An error of the client's side that has no status of its own becomes
 * ERR_CUT_REQUEST.
 */
static enum err error_for_client(enum err why)
{
	return err_status(why) || err_side(why) != SIDE_CLIENT ? why : ERR_CUT_REQUEST;
}

/* --- responses that Crossfade makes --- */

/* The request is answered: the client need not send the rest of it. */
static void stop_request(struct exchange *ex)
{
	stream_abort_open(&ex->front, STREAM_STOP, ERR_NONE);
}

/*
 * A write that has reached a node and may have been applied. A request that the client breaks off
 * is whole at no node. A request that the log refuses is whole at no node either, unless it went
 * piece by piece.
 */
static bool is_unknown(const struct exchange *ex, enum err why)
{
	if (!ex->delivery || !ex->delivery->unknown || !request_is_write(&ex->request) ||
	    err_side(why) == SIDE_CLIENT)
		return false;
	return why != ERR_CAPTURE || !ex->gate || !capture_gate_kept_end(ex->gate);
}

/* A status that does not invite clients to send the write again; never 503. */
static unsigned unknown_status(const struct exchange *ex, enum err why)
{
	if (ex->request.plan->unknown_status)
		return ex->request.plan->unknown_status;
	unsigned status = reply_status(why);
	return status == 503 ? 502 : status;
}

/* EXCHANGE_PARKED ends, if that was the state. */
static void leave_parking(struct exchange *ex)
{
	if (ex->state != EXCHANGE_PARKED)
		return;
	list_remove(&ex->link);
	list_add_tail(&ex->exchanges->open, &ex->link);
}

/* No stage behind is joined any more, and no response has begun. */
static struct reply *begin_reply(struct exchange *ex, unsigned status)
{
	must(stream_over(&ex->back) && !ex->status);
	leave_parking(ex);
	ex->state = EXCHANGE_REPLYING;
	ex->status = (uint16_t)status;
	ex->reply = arena_take(&ex->arena, sizeof *ex->reply);
	*ex->reply = (struct reply){ 0 };
	/*
	 * This comes first: then the response's head can say whether the rest of the request ends
	 * the connection.
	 */
	stop_request(ex);
	return ex->reply;
}

static bool exchange_is_head(const struct exchange *ex)
{
	return ex->request.head && ex->request.head->method == METHOD_HEAD;
}

/* The record ends now: the capture log does not wait for a client that reads an error slowly. */
static void end_record(struct exchange *ex, enum err why)
{
	if (ex->gate && capture_gate_is_over(ex->gate))
		capture_gate_end(ex->gate, ex->status, why);
}

static void respond_error(struct exchange *ex, enum err why)
{
	struct exchanges *d = ex->exchanges;
	struct stream *to = ex->front.peer;
	bool unknown = is_unknown(ex, why);
	unsigned status = unknown ? unknown_status(ex, why) : reply_status(why);
	counter_add(&d->counters->responds_here[why], 1);
	odd(&d->counters->oddities, !err_status(why));
	ex->why = (uint16_t)why;
	struct reply *r = begin_reply(ex, status);
	end_record(ex, why);
	if (unknown)
		reply_unknown(r, to, &ex->arena, d->bufs, why, status, exchange_is_head(ex));
	else
		reply_error(r, to, &ex->arena, d->bufs, why, wires_advice(d->wires, why),
			    exchange_is_head(ex));
}

/* Responses that Crossfade makes without asking the cluster. */
static void respond_here(struct exchange *ex, const struct local_response *h)
{
	struct stream *to = ex->front.peer;
	struct reply *r;
	switch (h->response) {
	case LOCAL_RESPONSE_ERROR:
		respond_error(ex, h->why);
		break;
	case LOCAL_RESPONSE_TEXT:
		r = begin_reply(ex, 200);
		reply_text(r, to, &ex->arena, ex->exchanges->bufs, 200, h->type, h->body,
			   exchange_is_head(ex));
		break;
	case LOCAL_RESPONSE_OPTIONS:
		r = begin_reply(ex, 200);
		reply_options(r, to, &ex->arena);
		break;
	case LOCAL_RESPONSE_NONE:
		break;
	}
}

/* --- from the client --- */

/* The bytes of a tunnel are no body. */
static bool is_too_large(const struct exchange *ex, uint64_t body_bytes)
{
	uint64_t max = ex->request.listener->body_max;
	return max && body_bytes > max && ex->status != 101;
}

/* Opens the stages that the request needs to reach a node, and returns the first one's stream. */
static struct stream *way_to_node(struct exchange *ex)
{
	struct exchanges *d = ex->exchanges;
	struct request *r = &ex->request;
	count_flight(ex);
	ex->state = EXCHANGE_PASSING;
	ex->delivery = delivery_open(d, r, ex->back.tracer);
	if (!capture_gate_is_wanted(d, r))
		return &ex->delivery->front;
	ex->gate = capture_gate_open(d, r, ex->delivery);
	return &ex->gate->front;
}

static void pass_to(struct exchange *ex, struct stream *to, bool end)
{
	stream_join(&ex->back, to);
	if (ex->front.peer->credit)
		stream_grant(to, ex->front.peer->credit);
	stream_head(to, ex->request.head, end);
}

/* A write joins the end of the list while others are held: no write overtakes another. */
static bool is_to_be_held(const struct exchange *ex)
{
	const struct exchanges *d = ex->exchanges;
	return request_is_write(&ex->request) && !ex->request.listener->internal &&
	       (board_holds(&d->values) || !list_empty(&d->parked));
}

static void exchange_park(struct exchange *ex, bool end)
{
	ex->state = EXCHANGE_PARKED;
	list_remove(&ex->link);
	list_add_tail(&ex->exchanges->parked, &ex->link);
	ex->parking = parking_open(&ex->arena, ex->back.tracer);
	pass_to(ex, &ex->parking->front, end);
}

static void exchange_let_go(struct exchange *ex)
{
	leave_parking(ex);
	if (route_arm(ex->exchanges, &ex->request))
		parking_let_go(ex->parking, way_to_node(ex));
	else
		stream_leave(&ex->back, ERR_OVERRIDE);
	close_if_over(ex);
	checks(exchange_check(ex));
}

static void exchange_front_head(struct stream *to, struct msg *m, bool end)
{
	struct exchange *ex = exchange_of(to, front);
	struct request *r = &ex->request;
	r->head = m;
	r->class = class_of(r->plan->profile, (enum method)m->method, msg_target(m));
	route_client(r);
	if (r->notes)
		r->notes->request_head_bytes = m->text_n + 2;
	struct local_response here = local_response_to(ex->exchanges, r);
	if (here.response != LOCAL_RESPONSE_NONE) {
		respond_here(ex, &here);
	} else if (m->body == BODY_LENGTH && is_too_large(ex, m->length)) {
		respond_error(ex, ERR_BODY_SIZE);
	} else if (is_to_be_held(ex)) {
		exchange_park(ex, end);
	} else if (!route_arm(ex->exchanges, r)) {
		respond_error(ex, ERR_OVERRIDE);
	} else {
		pass_to(ex, way_to_node(ex), end);
	}
	close_if_over(ex);
	checks(exchange_check(ex));
}

static void exchange_front_data(struct stream *to, struct chain *c, bool end)
{
	struct exchange *ex = exchange_of(to, front);
	ex->request_bytes += c->bytes;
	if (is_too_large(ex, ex->request_bytes)) {
		/* The size of a chunked body is known only as it comes. */
		chain_drop(c);
		ex->why = ERR_BODY_SIZE;
		stream_leave(&ex->back, ERR_BODY_SIZE);
		stop_request(ex);
	} else {
		stream_data(ex->back.peer, c, end);
	}
	close_if_over(ex);
	checks(exchange_check(ex));
}

static void exchange_front_trailers(struct stream *to, struct msg *m)
{
	struct exchange *ex = exchange_of(to, front);
	stream_trailers(ex->back.peer, m);
	close_if_over(ex);
	checks(exchange_check(ex));
}

static void exchange_front_grant(struct stream *to, size_t bytes)
{
	struct exchange *ex = exchange_of(to, front);
	if (ex->state == EXCHANGE_REPLYING)
		reply_go_on(ex->reply);
	else if (stream_receives(&ex->back))
		stream_grant(ex->back.peer, bytes);
	close_if_over(ex);
	checks(exchange_check(ex));
}

static void exchange_front_squeeze(struct stream *to)
{
	struct exchange *ex = exchange_of(to, front);
	if (stream_sends(&ex->back))
		stream_squeeze(ex->back.peer);
	close_if_over(ex);
	checks(exchange_check(ex));
}

/*
 * Logs what the client got wrong, and the response that it got. All parse rules share one line a
 * second: a client that breaks one rule usually breaks it again.
 */
static void tell_malformed(struct exchange *ex, enum err why, const char *said, bool begun)
{
	struct exchanges *d = ex->exchanges;
	char text[ADDR_TEXT_BYTES], told[32], more[PEER_LOG_MORE_BYTES];
	if (!peer_log_begin(&d->peer_log, ERR_REQUEST_LINE, d->io->now_ns / 1000000, more))
		return;
	addr_host_text(&ex->request.client, text);
	snprintf(told, sizeof told, begun ? "its response was cut" : "it got %u", ex->status);
	log_line(LOG_WARN,
		 "worker %u: listener %s: client %s sent a malformed request, and %s: %s (%s%s)",
		 d->worker, ex->request.listener->name, text, told, said, err_word(why), more);
}

/*
 * The request breaks off. If the client is still there (what it sent is not HTTP, or comes too
 * slowly) it gets an error response; a response that has come whole is still sent to its end.
 */
static void request_broke(struct exchange *ex, enum err why)
{
	bool begun = ex->status;
	const char *said = wires_said(ex->exchanges->wires, why);
	stream_leave(&ex->back, why);
	/*
	 * A stage behind may have failed inside stream_leave(); exchange_failed() has sent the
	 * error response then.
	 */
	if (!ex->status && stream_over(&ex->back) && stream_sends(&ex->front))
		respond_error(ex, error_for_client(why));
	if (*said)
		tell_malformed(ex, why, said, begun);
}

/*
 * A write that has come whole and of which a node may have received a byte: its outcome must become
 * known, and the head of the response tells it. With ERR_STOPPING all is broken off, and nothing is
 * awaited.
 */
static bool is_to_be_seen_through(const struct exchange *ex, enum err why)
{
	return why != ERR_STOPPING && ex->state == EXCHANGE_PASSING &&
	       request_is_write(&ex->request) && !stream_receives(&ex->front) &&
	       delivery_is_unanswered(ex->delivery);
}

/* The response is read and dropped, up to this credit; no more of it is awaited. */
static void see_through(struct exchange *ex)
{
	struct exchanges *d = ex->exchanges;
	ex->state = EXCHANGE_ORPHANED;
	ex->request.orphaned_ns = d->io->now_ns;
	counter_add(&d->counters->writes_seen_through[ex->request.arm], 1);
	if (stream_receives(&ex->back) && ex->back.credit < STREAM_CREDIT_BYTES)
		stream_grant(ex->back.peer, STREAM_CREDIT_BYTES - ex->back.credit);
}

static void client_left(struct exchange *ex, enum err why)
{
	counter_add(&ex->exchanges->counters->aborted[why], 1);
	if (ex->reply)
		reply_stop(ex->reply);
	if (is_to_be_seen_through(ex, why))
		see_through(ex);
	else
		stream_leave(&ex->back, why);
}

static void exchange_front_abort(struct stream *to, enum stream_way way, enum err why)
{
	struct exchange *ex = exchange_of(to, front);
	ex->why = (uint16_t)why;
	if (way == STREAM_STOP)
		client_left(ex, why);
	else
		request_broke(ex, why);
	close_if_over(ex);
	checks(exchange_check(ex));
}

static const struct stream_verbs front_verbs = {
	.head = exchange_front_head,
	.data = exchange_front_data,
	.trailers = exchange_front_trailers,
	.grant = exchange_front_grant,
	.squeeze = exchange_front_squeeze,
	.abort = exchange_front_abort,
};

bool exchange_ends_with_client(struct stream *front)
{
	const struct exchange *ex = exchange_of(front, front);
	const struct request *r = &ex->request;
	return r->listener->ends_reads && r->head && !request_is_write(r) && !r->head->tunnel &&
	       ex->state != EXCHANGE_REPLYING;
}

/* --- from the cluster --- */

/* The direction to the client is open. */
static bool client_listens(const struct exchange *ex)
{
	return stream_sends(&ex->front);
}

static void exchange_back_head(struct stream *to, struct msg *m, bool end)
{
	struct exchange *ex = exchange_of(to, back);
	if (m->status >= 200 || m->status == 101)
		ex->status = m->status;
	forward_response(m);
	if (client_listens(ex))
		stream_head(ex->front.peer, m, end);
	close_if_over(ex);
	checks(exchange_check(ex));
}

/*
 * Drops the response body of an orphaned write. Its head is known, so an endless body is not
 * awaited: the exchange leaves when the credit or the time is used up.
 */
static void exchange_drop_data(struct exchange *ex, struct chain *c, bool end)
{
	const struct request *r = &ex->request;
	uint64_t wait_ns = r->plan->clusters[r->arm].policy.idle_ms * 1000000ull;
	chain_drop(c);
	if (!end && (!ex->back.credit || ex->exchanges->io->now_ns - r->orphaned_ns >= wait_ns))
		stream_leave(&ex->back, ERR_CANCELED);
}

static void exchange_back_data(struct stream *to, struct chain *c, bool end)
{
	struct exchange *ex = exchange_of(to, back);
	if (client_listens(ex)) {
		ex->response_bytes += c->bytes;
		stream_data(ex->front.peer, c, end);
	} else {
		exchange_drop_data(ex, c, end);
	}
	close_if_over(ex);
	checks(exchange_check(ex));
}

static void exchange_back_trailers(struct stream *to, struct msg *m)
{
	struct exchange *ex = exchange_of(to, back);
	forward_response(m);
	if (client_listens(ex))
		stream_trailers(ex->front.peer, m);
	close_if_over(ex);
	checks(exchange_check(ex));
}

static void exchange_back_grant(struct stream *to, size_t bytes)
{
	struct exchange *ex = exchange_of(to, back);
	if (stream_receives(&ex->front))
		stream_grant(ex->front.peer, bytes);
	checks(exchange_check(ex));
}

/* The stage behind has failed: the response breaks off, or there is none. */
static void exchange_failed(struct exchange *ex, enum err why)
{
	stream_abort_open(&ex->back, STREAM_RESET, why);
	if (!client_listens(ex))
		return;
	if (!ex->status) {
		respond_error(ex, error_for_client(why));
		return;
	}
	counter_add(&ex->exchanges->counters->aborted[why], 1);
	ex->why = (uint16_t)why;
	stop_request(ex);
	stream_abort(ex->front.peer, STREAM_RESET, why);
}

static void exchange_back_abort(struct stream *to, enum stream_way way, enum err why)
{
	struct exchange *ex = exchange_of(to, back);
	if (way == STREAM_RESET)
		exchange_failed(ex, why);
	else
		stop_request(ex);
	close_if_over(ex);
	checks(exchange_check(ex));
}

static const struct stream_verbs back_verbs = {
	.head = exchange_back_head,
	.data = exchange_back_data,
	.trailers = exchange_back_trailers,
	.grant = exchange_back_grant,
	.abort = exchange_back_abort,
};

/* --- open --- */

struct arena *exchange_open(struct exchanges *d, const struct plan *plan, const struct listener *l,
			    const struct front_facts *facts, struct stream *front)
{
	struct exchange *ex = slab_take(&d->exchanges);
	memset(ex, 0, sizeof *ex);
	stream_init(&ex->front, &front_verbs, "exchange");
	stream_init(&ex->back, &back_verbs, "exchange");
	ex->front.tracer = ex->back.tracer = d->tracer;
	ex->exchanges = d;
	arena_open(&ex->arena, &d->chunks);
	ex->request = (struct request){
		.arena = &ex->arena,
		.plan = plan,
		.listener = l,
		.connection = facts->number,
		.ordinal = facts->requests,
		.began_ns = d->io->now_ns,
		.peer = *facts->peer,
		.client = *facts->peer,
		.arm = ARM_NONE,
		.tls = facts->tls,
		.unnamed = facts->unnamed,
	};
	if (plan->access != ACCESS_OFF && d->access)
		ex->request.notes = access_note(&ex->arena, facts);
	list_init(&ex->link);
	list_add_tail(&d->open, &ex->link);
	plan_pin(plan, d->worker);
	stream_join(&ex->front, front);
	return &ex->arena;
}

/* --- all exchanges of a worker --- */

void exchanges_let_go(struct exchanges *d)
{
	if (board_holds(&d->values))
		return;
	list_each_safe(l, &d->parked)
		exchange_let_go(exchange_of(l, link));
}

static void cut_each(struct list *exchanges)
{
	list_each_safe(l, exchanges) {
		struct exchange *ex = exchange_of(l, link);
		if (ex->delivery)
			delivery_cut(ex->delivery);
	}
}

void exchanges_cut(struct exchanges *d)
{
	cut_each(&d->open);
	cut_each(&d->closing);
}

void exchanges_abandon_orphans(struct exchanges *d)
{
	list_each_safe(l, &d->open) {
		struct exchange *ex = exchange_of(l, link);
		if (ex->state != EXCHANGE_ORPHANED)
			continue;
		stream_leave(&ex->back, ERR_STOPPING);
		close_if_over(ex);
	}
}

void exchanges_sweep(struct exchanges *d)
{
	list_each_safe(l, &d->closing)
		if (stages_are_over(exchange_of(l, link)))
			exchange_end(exchange_of(l, link));
}
