#include "proxy/decision.h"

#include "base/bug.h"
#include "proxy/attempt.h"
#include "proxy/exchange.h"
#include "proxy/steer.h"

void decision_withdraw(struct exchange *ex)
{
	list_remove(&ex->wait_link);
	if (ex->queued)
		ex->desk->queues[ex->arm].n--;
	ex->queued = false;
}

static void count_flight(struct exchange *ex)
{
	struct desk *d = ex->desk;
	ex->epoch = d->values.epoch;
	ex->counted = true;
	d->in_flight_now++;
}

/* False: the client wants what nobody can understand. */
bool decision_arm(struct exchange *ex)
{
	struct desk *d = ex->desk;
	enum arm arm = ex->listener->route.arm;
	if (ex->listener->route.weighted) {
		switch (steer(ex->request, ex->plan, &ex->client, &d->values, &arm)) {
		case STEER_BAD:
			return false;
		case STEER_NOT:
			arm = split_take(&d->split, (enum class)ex->class.class, d->values.weights);
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
	decision_withdraw(ex);
	if (q->n == QUEUE_REQUESTS_MAX) {
		exchange_answer(ex, ERR_QUEUE_FULL);
		return;
	}
	ex->state = EXCHANGE_WAITING;
	ex->queued = true;
	ex->queued_ns = d->io->now_ns;
	q->n++;
	list_add_tail(&q->list, &ex->wait_link);
}

void decision_find_client(struct exchange *ex)
{
	const struct networks *trust = ex->listener->trust;
	if (ex->unnamed) {
		/* Not the proxy, whose word would count: what it passes on may be anybody's. */
		ex->client = (struct addr){ 0 };
		return;
	}
	if (!trust || !networks_have(trust, &ex->peer))
		return;
	ex->trusted = true;
	ex->client = forward_origin(ex->request, trust, &ex->peer);
}

bool decision_prepare(struct exchange *ex)
{
	struct desk *d = ex->desk;
	struct forward_facts facts = {
		.listener = ex->listener,
		.peer = &ex->peer,
		.hop = &d->hop,
		.trusted = ex->trusted,
		.wall_ns = d->io->wall_ns,
		.chance = &d->chance,
	};
	const struct cluster *cluster = d->clusters[ex->arm].cluster;
	forward_unmask(ex->request, cluster);
	return forward_client(ex->request, &facts) && forward_edit(ex->request, cluster);
}

/*
 * A first attempt may always be made, and one after a connect that failed, or after trouble of our
 * own: no node had any work of that. A further one when there is budget for it.
 */
static bool may_spend(struct exchange *ex)
{
	struct desk *d = ex->desk;
	if (!ex->attempt_n || ex->unconnected || err_side(ex->last_failure) == SIDE_OURS ||
	    retry_budget_take(&d->budgets[ex->arm], d->io->now_ns))
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
		exchange_answer(ex, ex->last_failure);
	else if (forward_host(ex->request, d->clusters[ex->arm].cluster, node->node))
		attempt_begin(ex, node);
	else
		exchange_answer(ex, ERR_HEAD_SIZE);
}

/* Where there are as many connections to nodes as there may be, one that is idle goes. */
static bool has_socket(const struct exchange *ex, struct live_node *node)
{
	const struct pool_counts *cluster = node->pool.counts;
	return pool_has_room(&node->pool, ex->stale) ||
	       live_nodes_spare_one(node->all, pool_counts_full(cluster) ? cluster : NULL);
}

/* Chooses a node, now or later. The arm was chosen when the request came, and stays. */
void decision_node(struct exchange *ex)
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
		decision_withdraw(ex);
		exchange_answer(ex, ex->attempt_n ? ex->last_failure : ERR_NO_ADDRESS);
		return;
	case CHOICE_DRAINED:
		decision_withdraw(ex);
		exchange_answer(ex, ex->attempt_n ? ex->last_failure : ERR_ALL_DRAINED);
		return;
	case CHOICE_NODE:
		if (has_socket(ex, node))
			break;
		wait_in_queue(ex);
		return;
	}
	decision_withdraw(ex);
	try_node(ex, node, fail_open);
}
