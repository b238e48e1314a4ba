#include "proxy/desk.h"

#include "base/bug.h"
#include "proxy/attempt.h"
#include "proxy/decision.h"
#include "proxy/exchange.h"

/* How long a request waits for the first look-up of its cluster's names. */
#define WAIT_NS (CONNECT_TIMEOUT_MS * 1000000ull)

void desk_decide_waiting(struct desk *d)
{
	list_each_safe(l, &d->waiting)
		decision_node(list_entry(l, struct exchange, wait_link));
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
		decision_node(ex);
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
		decision_withdraw(ex);
		exchange_answer(ex, ERR_QUEUE_TIMEOUT);
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
		decision_withdraw(ex);
		exchange_answer(ex, ERR_NO_ADDRESS);
	}
}

void desk_cut(struct desk *d)
{
	list_each_safe(l, &d->open) {
		struct exchange *ex = list_entry(l, struct exchange, link);
		if (!ex->node || ex->node->duty != DUTY_CUT)
			continue;
		attempt_failed(ex, ERR_NODE_DRAINED);
		exchange_end_if_over(ex);
	}
}

void desk_abandon_orphans(struct desk *d)
{
	list_each_safe(l, &d->open) {
		struct exchange *ex = list_entry(l, struct exchange, link);
		if (ex->state != EXCHANGE_ORPHANED)
			continue;
		attempt_abandon(ex, ERR_STOPPING);
		exchange_end_if_over(ex);
	}
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
	for (int arm = 0; arm < ARMS; arm++)
		live_cluster_open(&d->clusters[arm]);
	list_init(&d->open);
	list_init(&d->waiting);
	for (int arm = 0; arm < ARMS; arm++)
		list_init(&d->queues[arm].list);
	list_init(&d->stalled);
	list_init(&d->held);
	list_init(&d->ended);
}

void desk_close(struct desk *d)
{
	must(list_empty(&d->open) && !desk_has_waiting(d) && list_empty(&d->ended));
	slab_close(&d->exchanges);
	slab_close(&d->chunks);
}
