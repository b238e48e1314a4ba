#include "proxy/delivery.h"

#include "base/bug.h"
#include "base/checks.h"
#include "http/relay.h"
#include "proxy/access.h"
#include "proxy/forward.h"
#include "proxy/node_trouble.h"
#include "proxy/response_timeout.h"

#define delivery_of(pointer, member) list_entry(pointer, struct delivery, member)

/* --- its end --- */

static void delivery_leave_queue(struct delivery *d)
{
	list_remove(&d->wait_link);
	if (d->queued)
		d->exchanges->queues[d->request->arm].n--;
	d->queued = false;
}

/* By hundreds; 0: the node gave no response. Codes from 600 on have no meaning: RFC 9110, 15. */
static unsigned delivery_status_class(const struct delivery *d)
{
	unsigned class = d->status / 100;
	return class < STATUS_CLASSES ? class : STATUS_CLASSES - 1;
}

/* The attempt with this node is over. */
static void leave_node(struct delivery *d)
{
	if (!d->node)
		return;
	unsigned arm = d->request->arm;
	struct counters *c = d->exchanges->counters;
	struct node_counters *n = &c->nodes[d->node->number];
	live_node_give(&d->exchanges->clusters[arm], d->node);
	d->exchanges->queues[arm].freed = true;
	d->node = NULL;
	counter_sub(&c->in_flight[arm], 1);
	counter_sub(&n->in_flight, 1);
	counter_add(&n->attempts[delivery_status_class(d)], 1);
}

static void leave_if_over(struct delivery *d)
{
	if (stream_over(&d->back))
		leave_node(d);
}

bool delivery_is_unanswered(const struct delivery *d)
{
	return d->node && !d->status && pool_look(d->back.peer).sent;
}

/* The outcome of a request that was sent and got no response is unknown. */
static void delivery_note_outcome(struct delivery *d)
{
	if (!delivery_is_unanswered(d))
		return;
	d->unknown = true;
	if (request_is_write(d->request))
		counter_add(&d->exchanges->counters->writes_unknown[d->request->arm], 1);
}

/* Gives up the stream to the node, in both directions. */
static void abandon_node(struct delivery *d, enum err why)
{
	delivery_note_outcome(d);
	stream_leave(&d->back, why);
	leave_node(d);
}

/*
 * Ends the delivery for the stage before it, which knows of no node: no more of the request is
 * taken, and a response that is not whole breaks off.
 */
void delivery_fail(struct delivery *d, enum err why)
{
	delivery_leave_queue(d);
	retry_close(&d->retry);
	d->state = DELIVERY_OVER;
	stream_fail(&d->front, why);
}

bool delivery_is_over(const struct delivery *d)
{
	return stream_over(&d->front) && stream_over(&d->back) && !d->node;
}

void delivery_close(struct delivery *d)
{
	must(!d->node);
	delivery_leave_queue(d);
	retry_close(&d->retry);
	list_remove(&d->held_link);
}

/* --- to the node --- */

static bool delivery_is_passing(const struct delivery *d)
{
	return d->state == DELIVERY_PASSING;
}

/*
 * Sends the pending part of the body to the node, as far as its credit allows; then the end, if it
 * has come.
 */
static void pass_body(struct delivery *d)
{
	/* A node that responded early and takes no more may have been left already. */
	if (!delivery_is_passing(d))
		return;
	relay_body(&d->front, &d->back, &d->retry.pending, d->trailers);
	leave_if_over(d);
}

/*
 * The pending part of the body goes to the node first; only the rest of the credit is granted to
 * the stage before.
 */
static void delivery_grant_request(struct delivery *d)
{
	if (delivery_is_passing(d))
		relay_grant(&d->front, &d->back, &d->retry.pending);
}

static void begin_attempt(struct delivery *d, struct live_node *node)
{
	struct request *r = d->request;
	struct counters *c = d->exchanges->counters;
	d->state = DELIVERY_PASSING;
	d->tried[d->tried_n++] = node;
	if (d->attempt_n++)
		counter_add(&c->retries[r->arm], 1);
	else
		retry_budget_asked(&d->exchanges->budgets[r->arm], d->exchanges->io->now_ns);
	d->node = node;
	live_node_take(node);
	counter_add(&c->in_flight[r->arm], 1);
	counter_add(&c->nodes[node->number].in_flight, 1);
	d->asked_ns = d->exchanges->io->now_ns;
	struct stream *to = d->stale ? pool_connect(&node->pool, &d->back, r->arena)
				     : pool_take(&node->pool, &d->back, r->arena);
	pool_wait(to, response_timeout_of(&r->plan->clusters[r->arm].response_timeouts, r->head));
	if (r->notes)
		access_note_attempt(r->notes, r->arena, pool_address(to), node->node->name);
	if (d->front.peer->credit)
		stream_grant(to, d->front.peer->credit);
	relay_head(&d->front, &d->back, r->head, &d->retry.pending, d->trailers);
	/* The part of the body that came before this node was chosen. */
	if (d->back.peer == to)
		pass_body(d);
}

/* --- the choice of a node, now or later --- */

static void wait_for_address(struct delivery *d)
{
	d->state = DELIVERY_WAITING;
	if (list_empty(&d->wait_link))
		list_add_tail(&d->exchanges->waiting, &d->wait_link);
}

/* Joins the queue at its end: no delivery overtakes another. */
static void wait_in_queue(struct delivery *d)
{
	struct queue *q = &d->exchanges->queues[d->request->arm];
	if (d->queued)
		return;
	delivery_leave_queue(d);
	if (q->n == QUEUE_REQUESTS_MAX) {
		delivery_fail(d, ERR_QUEUE_FULL);
		return;
	}
	d->state = DELIVERY_WAITING;
	d->queued = true;
	d->queued_ns = d->exchanges->io->now_ns;
	q->n++;
	list_add_tail(&q->list, &d->wait_link);
}

/*
 * The first attempt costs no budget. Neither does one after a failed connect, or after a failure of
 * our own: no node has worked on those. Any other attempt needs budget.
 */
static bool may_spend(struct delivery *d)
{
	struct exchanges *exchanges = d->exchanges;
	unsigned arm = d->request->arm;
	if (!d->attempt_n || d->unconnected || err_side((enum err)d->last_failure) == SIDE_OURS ||
	    retry_budget_take(&exchanges->budgets[arm], exchanges->io->now_ns))
		return true;
	counter_add(&exchanges->counters->retries_refused[arm], 1);
	return false;
}

static void try_node(struct delivery *d, struct live_node *node, bool fail_open)
{
	struct exchanges *exchanges = d->exchanges;
	struct request *r = d->request;
	delivery_leave_queue(d);
	if (fail_open)
		counter_add(&exchanges->counters->fail_open, 1);
	if (!may_spend(d))
		delivery_fail(d, (enum err)d->last_failure);
	else if (forward_host(r->head, exchanges->clusters[r->arm].cluster, node->node))
		begin_attempt(d, node);
	else
		delivery_fail(d, ERR_HEAD_SIZE);
}

/* At the limit of connections to nodes, an idle connection is closed to make room. */
static bool has_socket(const struct delivery *d, struct live_node *node)
{
	const struct pool_counts *cluster = node->pool.counts;
	return pool_has_room(&node->pool, d->stale) ||
	       live_nodes_spare_one(node->all, pool_counts_full(cluster) ? cluster : NULL);
}

static enum err last_failure_or(const struct delivery *d, enum err why)
{
	return d->attempt_n ? (enum err)d->last_failure : why;
}

void delivery_choose(struct delivery *d)
{
	struct exchanges *exchanges = d->exchanges;
	unsigned arm = d->request->arm;
	struct live_node *node;
	bool fail_open;
	if (!d->queued && exchanges->queues[arm].n) {
		wait_in_queue(d);
		return;
	}
	switch (live_cluster_choose(&exchanges->clusters[arm], d->tried, d->tried_n, &node,
				    &fail_open)) {
	case CHOICE_LATER:
		wait_for_address(d);
		return;
	case CHOICE_FULL:
		wait_in_queue(d);
		return;
	case CHOICE_NONE:
		delivery_fail(d, last_failure_or(d, ERR_NO_ADDRESS));
		return;
	case CHOICE_DRAINED:
		delivery_fail(d, last_failure_or(d, ERR_ALL_DRAINED));
		return;
	case CHOICE_NODE:
		break;
	}
	if (has_socket(d, node))
		try_node(d, node, fail_open);
	else
		wait_in_queue(d);
}

/* --- the request --- */

/* Changes the head for the cluster. False: the head has no room for that. */
static bool delivery_prepare_head(struct delivery *d)
{
	struct exchanges *exchanges = d->exchanges;
	struct request *r = d->request;
	struct forward_facts facts = {
		.listener = r->listener,
		.peer = &r->peer,
		.hop = &exchanges->hop,
		.trusted = r->trusted,
		.wall_ns = exchanges->io->wall_ns,
		.rng = &exchanges->rng,
	};
	const struct cluster *cluster = exchanges->clusters[r->arm].cluster;
	forward_unmask(r->head, cluster);
	return forward_client(r->head, &facts) && forward_edit(r->head, cluster);
}

static void delivery_front_head(struct stream *to, struct msg *m, bool end)
{
	struct delivery *d = delivery_of(to, front);
	if (!end && !m->tunnel)
		retry_hold(&d->retry);
	if (delivery_prepare_head(d))
		delivery_choose(d);
	else
		delivery_fail(d, ERR_HEAD_SIZE);
	checks(delivery_check(d));
}

/*
 * A body is held for as long as another attempt is possible: for a read that may be repeated, until
 * the response begins; for others, until a byte of the body is sent, which deliveries_sweep()
 * checks.
 */
static void hold_until_sent(struct delivery *d)
{
	bool holds = d->retry.holds || d->state == DELIVERY_IDLE;
	if (holds && list_empty(&d->held_link))
		list_add_tail(&d->exchanges->held, &d->held_link);
}

static void delivery_front_data(struct stream *to, struct chain *c, bool end)
{
	struct delivery *d = delivery_of(to, front);
	retry_keep(&d->retry, c);
	if (!d->request->class.repeatable)
		hold_until_sent(d);
	if (!delivery_is_passing(d) || d->retry.pending.bytes || c->bytes > d->back.peer->credit) {
		chain_move(&d->retry.pending, c);
		return;
	}
	stream_data(d->back.peer, c, end);
	leave_if_over(d);
	checks(delivery_check(d));
}

static void delivery_front_trailers(struct stream *to, struct msg *m)
{
	struct delivery *d = delivery_of(to, front);
	d->trailers = m;
	forward_trailers(m, &d->request->plan->clusters[d->request->arm]);
	if (!delivery_is_passing(d) || d->retry.pending.bytes)
		return;
	stream_trailers(d->back.peer, m);
	leave_if_over(d);
	checks(delivery_check(d));
}

static void delivery_front_grant(struct stream *to, size_t bytes)
{
	struct delivery *d = delivery_of(to, front);
	if (delivery_is_passing(d) && stream_receives(&d->back))
		stream_grant(d->back.peer, bytes);
	checks(delivery_check(d));
}

static void delivery_front_squeeze(struct stream *to)
{
	hold_until_sent(delivery_of(to, front));
}

/* To abort one direction of an exchange with a node ends both. */
static void delivery_front_abort(struct stream *to, enum stream_way way, enum err why)
{
	struct delivery *d = delivery_of(to, front);
	(void)way;
	if (d->state == DELIVERY_OVER)
		return;
	abandon_node(d, why);
	delivery_fail(d, why);
	checks(delivery_check(d));
}

static const struct stream_verbs front_verbs = {
	.head = delivery_front_head,
	.data = delivery_front_data,
	.trailers = delivery_front_trailers,
	.grant = delivery_front_grant,
	.squeeze = delivery_front_squeeze,
	.abort = delivery_front_abort,
};

/* --- from the node --- */

/* The time to connect does not count as the node's response time. */
static void note_response(struct delivery *d, const struct msg *m)
{
	struct access_notes *notes = d->request->notes;
	uint64_t ready_ns = pool_ready_ns(d->back.peer);
	d->status = m->status;
	d->responded_ns = d->exchanges->io->now_ns;
	if (ready_ns > d->asked_ns)
		d->asked_ns = ready_ns;
	if (notes) {
		access_note_address(notes, pool_address(d->back.peer));
		access_note_response(notes, m);
	}
}

/*
 * The node is left only after stream_head(): the stage before reads the node's name in that call.
 */
static void delivery_back_head(struct stream *to, struct msg *m, bool end)
{
	struct delivery *d = delivery_of(to, back);
	retry_let_go(&d->retry);
	if (m->status >= 200 || m->status == 101)
		note_response(d, m);
	live_node_responded(d->node);
	stream_head(d->front.peer, m, end);
	leave_if_over(d);
	checks(delivery_check(d));
}

static void delivery_back_data(struct stream *to, struct chain *c, bool end)
{
	struct delivery *d = delivery_of(to, back);
	stream_data(d->front.peer, c, end);
	leave_if_over(d);
	checks(delivery_check(d));
}

static void delivery_back_trailers(struct stream *to, struct msg *m)
{
	struct delivery *d = delivery_of(to, back);
	stream_trailers(d->front.peer, m);
	leave_if_over(d);
	checks(delivery_check(d));
}

static void delivery_back_grant(struct stream *to, size_t bytes)
{
	struct delivery *d = delivery_of(to, back);
	(void)bytes;
	if (d->retry.pending.bytes)
		pass_body(d);
	delivery_grant_request(d);
	checks(delivery_check(d));
}

static void delivery_back_squeeze(struct stream *to)
{
	struct delivery *d = delivery_of(to, back);
	if (stream_sends(&d->front))
		stream_squeeze(d->front.peer);
	checks(delivery_check(d));
}

static bool may_try_again(const struct delivery *d, enum err why, const struct pool_attempt *a)
{
	const struct request *r = d->request;
	struct attempt_facts facts = {
		.repeatable = r->class.repeatable && !r->head->tunnel,
		.sent = a->sent,
		.heard = a->heard || d->status,
		.lost = d->retry.lost,
		.attempts = d->attempt_n,
		.why = why,
	};
	return !r->orphaned_ns && retry_is_right(&facts);
}

/*
 * The node may have closed an idle connection in good order: that is no fault of the node, which
 * may be tried again. Its other idle connections may be closed too, so `stale` makes further
 * attempts open new ones. A failure of our own is no fault of the node either.
 */
static void try_again(struct delivery *d, bool reused)
{
	d->state = DELIVERY_WAITING;
	d->stale |= reused;
	if (reused || err_side((enum err)d->last_failure) == SIDE_OURS)
		d->tried_n--;
	retry_rewind(&d->retry);
	delivery_choose(d);
}

static void attempt_failed(struct delivery *d, enum err why)
{
	struct pool_attempt a = pool_look(d->back.peer);
	bool again = may_try_again(d, why, &a);
	node_trouble(d->exchanges, d->request, d->node, d->back.peer, why, d->status);
	if (d->request->notes)
		access_note_address(d->request->notes, pool_address(d->back.peer));
	d->last_failure = (uint16_t)why;
	d->unconnected = !a.connected;
	abandon_node(d, why);
	if (again)
		try_again(d, a.reused);
	else
		delivery_fail(d, why);
}

/*
 * STREAM_RESET: the node's response breaks off. STREAM_STOP: the node takes no more of the request.
 */
static void delivery_back_abort(struct stream *to, enum stream_way way, enum err why)
{
	struct delivery *d = delivery_of(to, back);
	if (way == STREAM_RESET) {
		attempt_failed(d, why);
		return;
	}
	leave_if_over(d);
	stream_abort_open(&d->front, STREAM_STOP, why);
	checks(delivery_check(d));
}

static const struct stream_verbs back_verbs = {
	.head = delivery_back_head,
	.data = delivery_back_data,
	.trailers = delivery_back_trailers,
	.grant = delivery_back_grant,
	.squeeze = delivery_back_squeeze,
	.abort = delivery_back_abort,
};

void delivery_cut(struct delivery *d)
{
	if (d->node && d->node->duty == DUTY_CUT)
		attempt_failed(d, ERR_NODE_DRAINED);
	checks(delivery_check(d));
}

const char *delivery_node_name(const struct delivery *d)
{
	return d->node && d->node->node ? d->node->node->name : NULL;
}

struct delivery *delivery_open(struct exchanges *exchanges, struct request *r,
			       const struct stream_tracer *tracer)
{
	struct delivery *d = arena_take(r->arena, sizeof *d);
	*d = (struct delivery){ .exchanges = exchanges, .request = r };
	stream_init(&d->front, &front_verbs, "delivery");
	stream_init(&d->back, &back_verbs, "delivery");
	d->front.tracer = d->back.tracer = tracer;
	list_init(&d->wait_link);
	list_init(&d->held_link);
	return d;
}
