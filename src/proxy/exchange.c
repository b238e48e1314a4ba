#include "proxy/exchange.h"

#include "base/bug.h"
#include "proxy/steer.h"

#define exchange_of(pointer, member) list_entry(pointer, struct exchange, member)

/* How long a request waits for the first look-up of its cluster's names. */
#define WAIT_NS (CONNECT_TIMEOUT_MS * 1000000ull)

static void decide(struct exchange *ex);
static void settled(struct tap *t, bool durable);

/* --- the end --- */

static unsigned status_class(const struct exchange *ex)
{
	unsigned class = ex->status / 100;
	return class < STATUS_CLASSES ? class : 0;
}

static void count(struct exchange *ex)
{
	struct desk *d = ex->desk;
	struct counters *c = d->counters;
	unsigned class = ex->orphaned_ns ? 0 : status_class(ex);
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

static void stop_waiting(struct exchange *ex)
{
	list_remove(&ex->wait_link);
	if (ex->queued)
		ex->desk->queues[ex->arm].n--;
	ex->queued = false;
}

static void end_if_over(struct exchange *ex)
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
	stop_waiting(ex);
	retry_close(&ex->retry);
	list_remove(&ex->held_link);
	list_remove(&ex->link);
	list_add_tail(&ex->desk->ended, &ex->link);
}

/* The attempt with this node is over. */
static void leave_node(struct exchange *ex)
{
	if (!ex->node)
		return;
	struct counters *c = ex->desk->counters;
	struct node_counters *n = &c->nodes[ex->node->number];
	must(ex->node->outstanding > 0);
	ex->node->outstanding--;
	ex->desk->queues[ex->arm].freed = true;
	ex->node = NULL;
	counter_sub(&c->in_flight[ex->arm], 1);
	counter_sub(&n->in_flight, 1);
	counter_add(&n->attempts[status_class(ex)], 1);
}

static void leave_node_if_over(struct exchange *ex)
{
	if (stream_over(&ex->back))
		leave_node(ex);
}

/* Nobody knows what became of a request that was sent and not answered. */
static void note_outcome(struct exchange *ex)
{
	if (!ex->node || ex->status || !pool_look(ex->back.peer).sent)
		return;
	ex->unknown = true;
	if (ex->class.class == CLASS_WRITE)
		counter_add(&ex->desk->counters->writes_unknown[ex->arm], 1);
}

/* Whether there is a node's stream to pass anything to. */
static bool is_with_node(const struct exchange *ex)
{
	return ex->state == EXCHANGE_PASSING || ex->state == EXCHANGE_ORPHANED;
}

/* Gives the cluster's side up, both ways. */
static void abandon_back(struct exchange *ex, enum err why)
{
	note_outcome(ex);
	struct stream *node = ex->back.peer;
	if (stream_sends(&ex->back))
		stream_abort(node, STREAM_RESET, why);
	if (stream_receives(&ex->back))
		stream_abort(node, STREAM_STOP, why);
	leave_node(ex);
}

/* --- answers made here --- */

/* The client need not send the rest of a request that is answered already. */
static void stop_request(struct exchange *ex)
{
	if (stream_receives(&ex->front))
		stream_abort(ex->front.peer, STREAM_STOP, ERR_NONE);
}

static void answer_here(struct exchange *ex, enum err why)
{
	struct desk *d = ex->desk;
	must(stream_over(&ex->back) && !ex->status);
	counter_add(&d->counters->answers_here[why], 1);
	ex->why = (uint16_t)why;
	retry_close(&ex->retry);
	ex->state = EXCHANGE_REPLYING;
	ex->status = (uint16_t)err_status(why);
	bool head_only = ex->request && ex->request->method == METHOD_HEAD;
	reply_error(&ex->reply, ex->front.peer, &ex->arena, d->bufs, why, head_only);
	stop_request(ex);
	end_if_over(ex);
}

/* --- the decision --- */

static void count_flight(struct exchange *ex)
{
	struct desk *d = ex->desk;
	ex->epoch = d->values.epoch;
	ex->counted = true;
	d->in_flight_now++;
}

/* False: the client wants what nobody can understand. */
static bool choose_arm(struct exchange *ex)
{
	struct desk *d = ex->desk;
	enum arm arm = ex->listener->route.arm;
	if (ex->listener->route.weighted) {
		switch (steer(ex->request, ex->plan, &ex->client, &d->values, &arm)) {
		case STEER_BAD:
			return false;
		case STEER_NOT:
			arm = split_take(&d->split, d->values.weights);
			break;
		case STEER_OVERRIDE:
			counter_add(&d->counters->overridden, 1);
			break;
		case STEER_STICKY:
			counter_add(&d->counters->sticky, 1);
			break;
		}
		count_flight(ex);
	}
	ex->arm = (uint8_t)arm;
	msg_drop(ex->request, NAME_X_CROSSFADE_CLUSTER);
	return true;
}

static void wait_for_decision(struct exchange *ex)
{
	ex->state = EXCHANGE_WAITING;
	if (list_empty(&ex->wait_link))
		list_add_tail(&ex->desk->waiting, &ex->wait_link);
}

/* Behind those that wait already: nobody overtakes. */
static void wait_in_queue(struct exchange *ex)
{
	struct desk *d = ex->desk;
	struct queue *q = &d->queues[ex->arm];
	if (ex->queued)
		return;
	stop_waiting(ex);
	if (q->n == QUEUE_REQUESTS_MAX) {
		answer_here(ex, ERR_QUEUE_FULL);
		return;
	}
	ex->state = EXCHANGE_WAITING;
	ex->queued = true;
	ex->queued_ns = d->io->now_ns;
	q->n++;
	list_add_tail(&q->list, &ex->wait_link);
}

/* Nothing more comes from the client. */
static bool is_whole(const struct exchange *ex)
{
	return !stream_receives(&ex->front);
}

/* A request that must be durable first passes but for its end; with `gate: piece` piece by piece.
 */
static bool is_held_back(const struct exchange *ex)
{
	const struct recording *r = &ex->recording;
	return r->request_shut && (is_whole(ex) || tap_waits(r->tap));
}

/* What waits of the body goes to the node, as far as that takes it; then the end, if it has come.
 */
static void pass_body(struct exchange *ex)
{
	struct stream *to = ex->back.peer;
	struct chain *pending = &ex->retry.pending, part = { 0 };
	if (!is_with_node(ex) || to->in != STREAM_BODY || is_held_back(ex))
		return;
	chain_move_some(&part, pending, pending->bytes < to->credit ? pending->bytes : to->credit);
	bool over = is_whole(ex) && !pending->bytes;
	if (part.bytes || (over && !ex->trailers))
		stream_data(to, &part, over && !ex->trailers);
	if (over && ex->trailers)
		stream_trailers(to, ex->trailers);
	leave_node_if_over(ex);
}

static void attempt(struct exchange *ex, struct live_node *node)
{
	struct counters *c = ex->desk->counters;
	ex->state = EXCHANGE_PASSING;
	ex->tried[ex->tried_n++] = node;
	if (ex->attempt_n++)
		counter_add(&c->retries[ex->arm], 1);
	else
		retry_budget_asked(&ex->desk->budgets[ex->arm], ex->desk->io->now_ns);
	ex->node = node;
	node->outstanding++;
	counter_add(&c->in_flight[ex->arm], 1);
	counter_add(&c->nodes[node->number].in_flight, 1);
	ex->asked_ns = ex->desk->io->now_ns;
	struct stream *to = ex->stale ? pool_connect(&node->pool, &ex->back, &ex->arena)
				      : pool_take(&node->pool, &ex->back, &ex->arena);
	if (ex->notes)
		access_note_attempt(ex->notes, &ex->arena, pool_address(to), node->node->name);
	if (ex->front.peer->credit)
		stream_grant(to, ex->front.peer->credit);
	bool bare = is_whole(ex) && !ex->trailers && !ex->retry.pending.bytes && !is_held_back(ex);
	stream_head(to, ex->request, bare);
	/* What came before there was this node to pass it to. */
	if (ex->back.peer == to)
		pass_body(ex);
}

static void find_client(struct exchange *ex)
{
	const struct networks *trust = ex->listener->trust;
	if (!trust || !networks_have(trust, &ex->peer))
		return;
	ex->trusted = true;
	ex->client = forward_origin(ex->request, trust, &ex->peer);
}

static bool prepare(struct exchange *ex)
{
	struct desk *d = ex->desk;
	struct forward_facts facts = {
		.listener = ex->listener,
		.peer = &ex->peer,
		.trusted = ex->trusted,
		.wall_ns = d->io->wall_ns,
		.chance = &d->chance,
	};
	return forward_client(ex->request, &facts) &&
	       forward_edit(ex->request, d->clusters[ex->arm].cluster);
}

/* A first attempt may always be made, a further one when there is budget for it. */
static bool may_spend(struct exchange *ex)
{
	struct desk *d = ex->desk;
	if (!ex->attempt_n || retry_budget_take(&d->budgets[ex->arm], d->io->now_ns))
		return true;
	counter_add(&d->counters->retries_refused[ex->arm], 1);
	return false;
}

static void try_node(struct exchange *ex, struct live_node *node, bool fail_open)
{
	struct desk *d = ex->desk;
	if (fail_open)
		counter_add(&d->counters->fail_open, 1);
	if (!may_spend(ex))
		answer_here(ex, ex->last_failure);
	else if (forward_host(ex->request, d->clusters[ex->arm].cluster, node->node))
		attempt(ex, node);
	else
		answer_here(ex, ERR_HEAD_SIZE);
}

/* Chooses a node, now or later. The arm was chosen when the request came, and stays. */
static void decide(struct exchange *ex)
{
	struct desk *d = ex->desk;
	struct live_cluster *cluster = &d->clusters[ex->arm];
	struct live_node *node;
	bool fail_open;
	if (!ex->queued && d->queues[ex->arm].n) {
		wait_in_queue(ex);
		return;
	}
	switch (live_cluster_choose(cluster, ex->tried, ex->tried_n, &node, &fail_open)) {
	case CHOICE_LATER:
		wait_for_decision(ex);
		return;
	case CHOICE_FULL:
		wait_in_queue(ex);
		return;
	case CHOICE_NONE:
		stop_waiting(ex);
		answer_here(ex, ex->attempt_n ? ex->last_failure : ERR_NO_ADDRESS);
		return;
	case CHOICE_DRAINED:
		stop_waiting(ex);
		answer_here(ex, ex->attempt_n ? ex->last_failure : ERR_ALL_DRAINED);
		return;
	case CHOICE_NODE:
		break;
	}
	stop_waiting(ex);
	try_node(ex, node, fail_open);
}

void desk_decide_waiting(struct desk *d)
{
	list_each_safe(l, &d->waiting)
		decide(list_entry(l, struct exchange, wait_link));
}

bool desk_has_waiting(const struct desk *d)
{
	return !list_empty(&d->waiting) || d->queues[ARM_SOURCE].n || d->queues[ARM_TARGET].n;
}

bool desk_is_freed(const struct desk *d)
{
	for (int arm = 0; arm < ARMS; arm++)
		if (d->queues[arm].n && d->queues[arm].freed)
			return true;
	return false;
}

static struct exchange *first_of(const struct queue *q)
{
	return q->n ? list_entry(q->list.next, struct exchange, wait_link) : NULL;
}

/* Who is tried again may wait for a node that those behind it do not need. */
static void serve_queue(struct queue *q)
{
	q->freed = false;
	list_each_safe(l, &q->list) {
		struct exchange *ex = list_entry(l, struct exchange, wait_link);
		bool tried = ex->tried_n > 0;
		decide(ex);
		if (ex->queued && !tried)
			return;
	}
}

void desk_serve_queues(struct desk *d)
{
	for (int arm = 0; arm < ARMS; arm++)
		if (d->queues[arm].n)
			serve_queue(&d->queues[arm]);
}

static void time_queue(struct desk *d, int arm)
{
	uint64_t wait_ns = d->clusters[arm].cluster->queue_ms * 1000000ull;
	for (struct exchange *ex; (ex = first_of(&d->queues[arm]));) {
		if (d->io->now_ns - ex->queued_ns < wait_ns)
			return;
		stop_waiting(ex);
		answer_here(ex, ERR_QUEUE_TIMEOUT);
	}
}

void desk_time_waiting(struct desk *d)
{
	for (int arm = 0; arm < ARMS; arm++)
		time_queue(d, arm);
	list_each_safe(l, &d->waiting) {
		struct exchange *ex = list_entry(l, struct exchange, wait_link);
		if (d->io->now_ns - ex->began_ns < WAIT_NS)
			continue;
		stop_waiting(ex);
		answer_here(ex, ERR_NO_ADDRESS);
	}
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
		answer_here(ex, ERR_METHOD_NOT_ALLOWED);
		return;
	}
	if (ex->desk->draining) {
		answer_here(ex, ERR_STOPPING);
		return;
	}
	ex->state = EXCHANGE_REPLYING;
	ex->status = 200;
	reply_text(&ex->reply, ex->front.peer, &ex->arena, ex->desk->bufs, 200, SPAN("text/plain"),
		   SPAN("ok\n"), m->method == METHOD_HEAD);
	stop_request(ex);
	end_if_over(ex);
}

/*
 * A request that must be durable before it is whole at a node is not begun there before: it goes in
 * one piece then. A large one, and one whose client waits to be told to go on, is begun at once.
 */
static bool is_gathered(const struct exchange *ex, bool end)
{
	const struct msg *m = ex->request;
	return ex->recording.request_shut &&
	       (end || (!m->expects && (m->body != BODY_LENGTH || m->length <= GATE_HOLD_BYTES)));
}

static void gather(struct exchange *ex, bool end)
{
	ex->state = EXCHANGE_HELD;
	if (end)
		tap_wait(ex->recording.tap);
	else
		stream_grant(ex->front.peer, GATE_HOLD_BYTES);
}

static bool asks_for_health(const struct exchange *ex)
{
	struct span path = ex->listener->health, target = msg_target(ex->request);
	return path.n && target.n >= path.n && !memcmp(target.at, path.at, path.n) &&
	       (target.n == path.n || target.at[path.n] == '?');
}

static void asked_head(struct stream *to, struct msg *m, bool end)
{
	struct exchange *ex = exchange_of(to, front);
	ex->request = m;
	ex->class = class_of(ex->plan->profile, (enum method)m->method, msg_target(m));
	find_client(ex);
	if (asks_for_health(ex)) {
		answer_health(ex);
		return;
	}
	if (ex->notes)
		ex->notes->request_head_bytes = m->text_n + 2;
	if (m->body == BODY_LENGTH && is_too_large(ex, m->length)) {
		answer_here(ex, ERR_BODY_SIZE);
		return;
	}
	if (!choose_arm(ex)) {
		answer_here(ex, ERR_OVERRIDE);
		return;
	}
	enum recording_verdict v = recording_begin(ex, end, settled);
	if (v == RECORDING_REFUSED || v == RECORDING_TUNNEL) {
		answer_here(ex, v == RECORDING_TUNNEL ? ERR_CAPTURE_TUNNEL : ERR_CAPTURE);
		return;
	}
	if (!end && !m->tunnel)
		retry_hold(&ex->retry, &ex->desk->clusters[ex->arm].budget);
	if (!prepare(ex))
		answer_here(ex, ERR_HEAD_SIZE);
	else if (is_gathered(ex, end))
		gather(ex, end);
	else
		decide(ex);
}

/* A chunked body shows its size only as it comes. */
static void body_grew_too_large(struct exchange *ex, struct chain *c)
{
	chain_drop(c);
	ex->why = ERR_BODY_SIZE;
	if (ex->status && stream_sends(&ex->front))
		stream_abort(ex->front.peer, STREAM_RESET, ERR_BODY_SIZE);
	abandon_back(ex, ERR_BODY_SIZE);
	if (ex->status)
		stop_request(ex);
	else
		answer_here(ex, ERR_BODY_SIZE);
	end_if_over(ex);
}

/*
 * A body is held for another attempt while there may be one: of a read that may be repeated until
 * it is answered, of others until a byte of them is sent, which desk_sweep() sees.
 */
static void hold(struct exchange *ex, const struct chain *c)
{
	retry_keep(&ex->retry, c);
	if (ex->retry.holds && !ex->class.repeatable && list_empty(&ex->held_link))
		list_add_tail(&ex->desk->held, &ex->held_link);
}

/* Once all of the request is recorded, its end waits until that is durable. */
static void asked_recorded_data(struct exchange *ex, struct chain *c, bool end)
{
	struct recording *r = &ex->recording;
	tap_request_data(r->tap, c, end);
	chain_move(&ex->retry.pending, c);
	if (r->request_shut && (end || r->tap->policy->gate == GATE_PIECE))
		tap_wait(r->tap);
	if (ex->state == EXCHANGE_HELD && !end && ex->retry.pending.bytes == GATE_HOLD_BYTES)
		decide(ex);
	else
		pass_body(ex);
	end_if_over(ex);
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
		asked_recorded_data(ex, c, end);
		return;
	}
	if (ex->state == EXCHANGE_WAITING || ex->retry.pending.bytes ||
	    c->bytes > ex->back.peer->credit) {
		chain_move(&ex->retry.pending, c);
		return;
	}
	stream_data(ex->back.peer, c, end);
	leave_node_if_over(ex);
	end_if_over(ex);
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
	if (!is_with_node(ex) || ex->retry.pending.bytes || is_held_back(ex))
		return;
	stream_trailers(ex->back.peer, m);
	leave_node_if_over(ex);
	end_if_over(ex);
}

static void asked_grant(struct stream *to, size_t bytes)
{
	struct exchange *ex = exchange_of(to, front);
	if (ex->state == EXCHANGE_REPLYING)
		reply_go_on(&ex->reply);
	else if (ex->state == EXCHANGE_PASSING && stream_receives(&ex->back))
		stream_grant(ex->back.peer, bytes);
	end_if_over(ex);
}

/*
 * The request breaks off. When the client is still there (what it sent is no HTTP, or comes too
 * slowly) it is told so; an answer that has begun goes on to its end.
 */
static void request_broke(struct exchange *ex, enum err why)
{
	if (ex->status && stream_sends(&ex->front)) {
		if (stream_sends(&ex->back))
			stream_abort(ex->back.peer, STREAM_RESET, why);
		if (stream_receives(&ex->back)) {
			abandon_back(ex, why);
			stream_abort(ex->front.peer, STREAM_RESET, why);
		}
		return;
	}
	abandon_back(ex, why);
	if (stream_sends(&ex->front))
		answer_here(ex, err_status(why) ? why : ERR_CUT_REQUEST);
}

/*
 * A write of which a node may have got a byte, and the rest is here: what becomes of it is to be
 * known, and an answer that has begun says that. When all is broken off nobody waits.
 */
static bool is_to_be_seen_through(const struct exchange *ex, enum err why)
{
	return why != ERR_STOPPING && ex->state == EXCHANGE_PASSING && ex->node &&
	       ex->class.class == CLASS_WRITE && is_whole(ex) && !ex->status &&
	       pool_look(ex->back.peer).sent;
}

/* Its answer is read, as far as this credit goes, and dropped: nobody waits for more of it. */
static void see_through(struct exchange *ex)
{
	struct desk *d = ex->desk;
	ex->state = EXCHANGE_ORPHANED;
	ex->orphaned_ns = d->io->now_ns;
	counter_add(&d->counters->writes_seen_through[ex->arm], 1);
	if (stream_receives(&ex->back) && ex->back.credit < STREAM_CREDIT_BYTES)
		stream_grant(ex->back.peer, STREAM_CREDIT_BYTES - ex->back.credit);
}

static void client_left(struct exchange *ex, enum err why)
{
	counter_add(&ex->desk->counters->aborted[why], 1);
	reply_stop(&ex->reply);
	if (is_to_be_seen_through(ex, why))
		see_through(ex);
	else
		abandon_back(ex, why);
}

static void asked_abort(struct stream *to, enum stream_way way, enum err why)
{
	struct exchange *ex = exchange_of(to, front);
	ex->why = (uint16_t)why;
	stop_waiting(ex);
	if (way == STREAM_STOP)
		client_left(ex, why);
	else
		request_broke(ex, why);
	end_if_over(ex);
}

/* --- what the log says --- */

static void release_request(struct exchange *ex)
{
	struct recording *r = &ex->recording;
	r->request_shut = !is_whole(ex);
	if (!r->request_shut)
		r->released_ns = ex->desk->io->now_ns;
	if (ex->state == EXCHANGE_HELD && !r->request_shut)
		decide(ex);
	else
		pass_body(ex);
}

/* The log has no byte of it, and no node had all of it. */
static void refuse_request(struct exchange *ex)
{
	recording_drop(ex);
	request_broke(ex, ERR_CAPTURE);
}

static void request_settled(struct exchange *ex, bool durable)
{
	struct recording *r = &ex->recording;
	if (!r->request_shut)
		return;
	if (durable) {
		release_request(ex);
	} else if (r->tap->policy->unavailable == UNAVAILABLE_REFUSE) {
		refuse_request(ex);
	} else {
		recording_forgo(ex);
		release_request(ex);
	}
}

/* It has been recorded as far as it could be: what was done is never answered with an error. */
static void release_answer(struct exchange *ex)
{
	struct recording *r = &ex->recording;
	struct stream *to = ex->front.peer;
	struct msg *head = r->head, *trailers = r->trailers;
	if (!r->answer_shut || !r->over)
		return;
	r->answer_shut = false;
	if (ex->state != EXCHANGE_PASSING || !stream_sends(&ex->front))
		return;
	r->head = NULL;
	if (head)
		stream_head(to, head, !r->body.bytes && !trailers);
	if (stream_sends(&ex->front) && (r->body.bytes || !trailers))
		stream_data(to, &r->body, !trailers);
	if (stream_sends(&ex->front) && trailers)
		stream_trailers(to, trailers);
}

static void settled(struct tap *t, bool durable)
{
	struct exchange *ex = t->owner;
	request_settled(ex, durable);
	release_answer(ex);
	end_if_over(ex);
}

static const struct stream_verbs front_verbs = {
	.head = asked_head,
	.data = asked_data,
	.trailers = asked_trailers,
	.grant = asked_grant,
	.abort = asked_abort,
};

/* --- what the node says --- */

/* Connecting is none of the node's time to answer. */
static void note_answer(struct exchange *ex, const struct msg *m)
{
	uint64_t ready_ns = pool_ready_ns(ex->back.peer);
	ex->status = m->status;
	ex->answered_ns = ex->desk->io->now_ns;
	if (ready_ns > ex->asked_ns)
		ex->asked_ns = ready_ns;
	if (ex->notes)
		access_note_answer(ex->notes, m);
}

/* What an answer says to nobody: when its head is there, a body without end is not waited for. */
static void drop_answer(struct exchange *ex, struct chain *c, bool end)
{
	uint64_t wait_ns = ex->plan->clusters[ex->arm].policy.idle_ms * 1000000ull;
	chain_drop(c);
	if (end || (ex->back.credit && ex->desk->io->now_ns - ex->orphaned_ns < wait_ns))
		return;
	abandon_back(ex, ERR_CANCELED);
}

/* All of it has come: what became of the request is known, and the client hears when that is safe.
 */
static void answer_is_over(struct exchange *ex)
{
	struct recording *r = &ex->recording;
	if (!r->tap)
		return;
	r->over = true;
	recording_tell(ex);
	if (r->answer_shut)
		tap_wait(r->tap);
}

/* An answer whose end must wait is not begun before, where it is small: it goes in one piece. */
static bool answer_waits_whole(const struct exchange *ex, const struct msg *m, bool end)
{
	bool last = m->status >= 200;
	return ex->recording.answer_shut && last &&
	       (end || (m->body == BODY_LENGTH && m->length <= GATE_HOLD_BYTES));
}

static void pass_answer_head(struct exchange *ex, struct msg *m, bool end)
{
	if (ex->recording.tap)
		recording_answer(ex, m, end);
	if (ex->state != EXCHANGE_PASSING)
		return;
	if (answer_waits_whole(ex, m, end))
		ex->recording.head = m;
	else
		stream_head(ex->front.peer, m, end);
}

static void answered_head(struct stream *to, struct msg *m, bool end)
{
	struct exchange *ex = exchange_of(to, back);
	retry_let_go(&ex->retry);
	if (m->status >= 200 || m->status == 101)
		note_answer(ex, m);
	live_node_answered(ex->node);
	pass_answer_head(ex, m, end);
	if (end)
		answer_is_over(ex);
	leave_node_if_over(ex);
	end_if_over(ex);
}

static void pass_answer_data(struct exchange *ex, struct chain *c, bool end)
{
	struct recording *r = &ex->recording;
	ex->answer_bytes += c->bytes;
	if (r->answer_shut && (r->head || end))
		chain_move(&r->body, c);
	else
		stream_data(ex->front.peer, c, end);
}

static void answered_data(struct stream *to, struct chain *c, bool end)
{
	struct exchange *ex = exchange_of(to, back);
	if (ex->recording.tap)
		tap_answer_data(ex->recording.tap, c, end);
	if (ex->state == EXCHANGE_ORPHANED)
		drop_answer(ex, c, end);
	else
		pass_answer_data(ex, c, end);
	if (end)
		answer_is_over(ex);
	leave_node_if_over(ex);
	end_if_over(ex);
}

static void answered_trailers(struct stream *to, struct msg *m)
{
	struct exchange *ex = exchange_of(to, back);
	struct recording *r = &ex->recording;
	if (r->tap)
		tap_answer_trailers(r->tap, m);
	if (r->answer_shut)
		r->trailers = m;
	else if (ex->state == EXCHANGE_PASSING)
		stream_trailers(ex->front.peer, m);
	answer_is_over(ex);
	leave_node_if_over(ex);
	end_if_over(ex);
}

static void answered_grant(struct stream *to, size_t bytes)
{
	(void)bytes;
	struct exchange *ex = exchange_of(to, back);
	if (ex->retry.pending.bytes)
		pass_body(ex);
	uint32_t node_takes = ex->back.peer->credit, client_may = ex->front.credit;
	if (stream_receives(&ex->front) && node_takes > client_may)
		stream_grant(ex->front.peer, node_takes - client_may);
}

static bool may_try_again(const struct exchange *ex, enum err why, const struct pool_attempt *a)
{
	if (ex->state == EXCHANGE_ORPHANED)
		return false;
	struct attempt_facts facts = {
		.repeatable = ex->class.repeatable && !ex->request->tunnel,
		.sent = a->sent,
		.heard = a->heard || ex->status,
		.lost = ex->retry.lost,
		.attempts = ex->attempt_n,
		.why = why,
	};
	return retry_is_right(&facts);
}

/*
 * A connection that was idle may just have been closed in good order: that says nothing of its
 * node, which may be tried again. Others that idle there may have been closed too.
 */
static void begin_again(struct exchange *ex, bool reused)
{
	if (reused) {
		ex->stale = true;
		ex->tried_n--;
	}
	retry_rewind(&ex->retry);
	decide(ex);
}

static void node_failed(struct exchange *ex, enum err why)
{
	struct pool_attempt a = pool_look(ex->back.peer);
	bool again = may_try_again(ex, why, &a);
	if (!ex->status)
		live_node_failed(&ex->desk->clusters[ex->arm], ex->node, why,
				 pool_is_fresh(ex->back.peer));
	ex->last_failure = (uint16_t)why;
	abandon_back(ex, why);
	if (ex->state == EXCHANGE_ORPHANED)
		return;
	if (again) {
		begin_again(ex, a.reused);
		return;
	}
	if (!ex->status) {
		answer_here(ex, why);
		return;
	}
	counter_add(&ex->desk->counters->aborted[why], 1);
	ex->why = (uint16_t)why;
	stop_request(ex);
	if (stream_sends(&ex->front))
		stream_abort(ex->front.peer, STREAM_RESET, why);
}

static void answered_abort(struct stream *to, enum stream_way way, enum err why)
{
	struct exchange *ex = exchange_of(to, back);
	if (way == STREAM_RESET)
		node_failed(ex, why);
	else
		stop_request(ex);
	leave_node_if_over(ex);
	end_if_over(ex);
}

void desk_cut(struct desk *d)
{
	list_each_safe(l, &d->open) {
		struct exchange *ex = list_entry(l, struct exchange, link);
		if (!ex->node || ex->node->duty != DUTY_CUT)
			continue;
		node_failed(ex, ERR_NODE_DRAINED);
		end_if_over(ex);
	}
}

void desk_abandon_orphans(struct desk *d)
{
	list_each_safe(l, &d->open) {
		struct exchange *ex = list_entry(l, struct exchange, link);
		if (ex->state != EXCHANGE_ORPHANED)
			continue;
		abandon_back(ex, ERR_STOPPING);
		end_if_over(ex);
	}
}

static const struct stream_verbs back_verbs = {
	.head = answered_head,
	.data = answered_data,
	.trailers = answered_trailers,
	.grant = answered_grant,
	.abort = answered_abort,
};

/* --- a life --- */

struct arena *exchange_open(struct desk *d, const struct plan *plan, const struct listener *l,
			    const struct front_facts *facts, struct stream *front)
{
	struct exchange *ex = slab_take(&d->exchanges);
	memset(ex, 0, sizeof *ex);
	stream_init(&ex->front, &front_verbs, "exchange");
	stream_init(&ex->back, &back_verbs, "exchange");
	ex->front.tracer = ex->back.tracer = d->tracer;
	ex->desk = d;
	ex->plan = plan;
	ex->listener = l;
	ex->peer = ex->client = *facts->peer;
	ex->connection = facts->number;
	ex->ordinal = facts->requests;
	ex->tls = facts->tls;
	ex->arm = ARM_NONE;
	ex->began_ns = d->io->now_ns;
	arena_open(&ex->arena, &d->chunks);
	if (plan->access != ACCESS_OFF && d->access)
		ex->notes = access_note(&ex->arena, facts);
	list_init(&ex->wait_link);
	list_init(&ex->held_link);
	list_init(&ex->link);
	list_add_tail(&d->open, &ex->link);
	plan_pin(plan, d->worker);
	stream_join(&ex->front, front);
	return &ex->arena;
}

void desk_new_epoch(struct desk *d)
{
	d->in_flight_before += d->in_flight_now;
	d->in_flight_now = 0;
}

/* Of what is sent, and is not to be repeated, nothing need be held any more. */
static void sweep_held(struct desk *d)
{
	list_each_safe(l, &d->held) {
		struct exchange *ex = list_entry(l, struct exchange, held_link);
		if (ex->retry.holds && (!ex->node || !pool_look(ex->back.peer).surely_sent))
			continue;
		retry_let_go(&ex->retry);
		list_remove(&ex->held_link);
	}
}

void desk_sweep(struct desk *d)
{
	sweep_held(d);
	for (struct list *l; (l = list_take_first(&d->ended));) {
		struct exchange *ex = list_entry(l, struct exchange, link);
		arena_close(&ex->arena);
		slab_give(&d->exchanges, ex);
	}
}

bool desk_trim(struct desk *d)
{
	bool more = slab_trim(&d->exchanges, SLAB_RUNS_TRIMMED);
	return slab_trim(&d->chunks, SLAB_RUNS_TRIMMED) || more;
}

void desk_open(struct desk *d)
{
	slab_open(&d->exchanges, sizeof(struct exchange), 32);
	slab_open(&d->chunks, ARENA_CHUNK_BYTES, 32);
	list_init(&d->open);
	list_init(&d->waiting);
	for (int arm = 0; arm < ARMS; arm++)
		list_init(&d->queues[arm].list);
	list_init(&d->held);
	list_init(&d->ended);
}

void desk_close(struct desk *d)
{
	must(list_empty(&d->open) && !desk_has_waiting(d) && list_empty(&d->ended));
	slab_close(&d->exchanges);
	slab_close(&d->chunks);
}
