#include "proxy/deliveries.h"

#include "proxy/delivery.h"

/* How long a request waits for the first look-up of its cluster's node names. */
#define WAIT_NS (CONNECT_TIMEOUT_MS * 1000000ull)

void deliveries_choose(struct exchanges *exchanges)
{
	list_each_safe(l, &exchanges->waiting)
		delivery_choose(list_entry(l, struct delivery, wait_link));
}

bool deliveries_wait(const struct exchanges *exchanges)
{
	return !list_empty(&exchanges->waiting) || exchanges->queues[ARM_SOURCE].n ||
	       exchanges->queues[ARM_TARGET].n;
}

bool deliveries_can_be_served(const struct exchanges *exchanges)
{
	for (int arm = 0; arm < ARMS; arm++)
		if (exchanges->queues[arm].n && exchanges->queues[arm].freed)
			return true;
	return false;
}

/*
 * A delivery that is tried again may wait for a node that the deliveries behind it do not need: the
 * loop continues past it.
 */
static void queue_serve(struct queue *q)
{
	q->freed = false;
	list_each_safe(l, &q->list) {
		struct delivery *d = list_entry(l, struct delivery, wait_link);
		bool tried = d->tried_n > 0;
		delivery_choose(d);
		if (d->queued && !tried)
			return;
	}
}

void deliveries_serve(struct exchanges *exchanges)
{
	for (int arm = 0; arm < ARMS; arm++)
		if (exchanges->queues[arm].n)
			queue_serve(&exchanges->queues[arm]);
}

static struct delivery *queue_first(const struct queue *q)
{
	return q->n ? list_entry(q->list.next, struct delivery, wait_link) : NULL;
}

static void queue_expire(struct exchanges *exchanges, int arm)
{
	uint64_t wait_ns = exchanges->clusters[arm].cluster->queue_ms * 1000000ull;
	for (struct delivery *d; (d = queue_first(&exchanges->queues[arm]));) {
		if (exchanges->io->now_ns - d->queued_ns < wait_ns)
			return;
		delivery_fail(d, ERR_QUEUE_TIMEOUT);
	}
}

void deliveries_expire(struct exchanges *exchanges)
{
	for (int arm = 0; arm < ARMS; arm++)
		queue_expire(exchanges, arm);
	list_each_safe(l, &exchanges->waiting) {
		struct delivery *d = list_entry(l, struct delivery, wait_link);
		if (exchanges->io->now_ns - d->request->began_ns >= WAIT_NS)
			delivery_fail(d, ERR_NO_ADDRESS);
	}
}

void deliveries_sweep(struct exchanges *exchanges)
{
	list_each_safe(l, &exchanges->held) {
		struct delivery *d = list_entry(l, struct delivery, held_link);
		bool sent = d->node && pool_look(d->back.peer).surely_sent;
		if (d->state == DELIVERY_IDLE || (d->retry.holds && !sent))
			continue;
		retry_let_go(&d->retry);
		list_remove(&d->held_link);
	}
}
