#include "proxy/exchanges.h"

#include "base/bug.h"

void exchanges_new_epoch(struct exchanges *d)
{
	d->in_flight_before += d->in_flight_now;
	d->in_flight_now = 0;
}

bool exchanges_trim(struct exchanges *d)
{
	bool more = slab_trim(&d->exchanges, SLAB_RUNS_TRIMMED);
	return slab_trim(&d->chunks, SLAB_RUNS_TRIMMED) || more;
}

void exchanges_open(struct exchanges *d)
{
	slab_open(&d->exchanges, EXCHANGE_BYTES, 32);
	slab_open(&d->chunks, ARENA_CHUNK_BYTES, 32);
	for (int arm = 0; arm < ARMS; arm++) {
		live_cluster_open(&d->clusters[arm]);
		list_init(&d->queues[arm].list);
	}
	list_init(&d->open);
	list_init(&d->parked);
	list_init(&d->closing);
	list_init(&d->waiting);
	list_init(&d->held);
	list_init(&d->stalled);
}

static bool is_idle(const struct exchanges *d)
{
	return list_empty(&d->open) && list_empty(&d->parked) && list_empty(&d->closing) &&
	       list_empty(&d->waiting) && !d->queues[ARM_SOURCE].n && !d->queues[ARM_TARGET].n;
}

void exchanges_close(struct exchanges *d)
{
	must(is_idle(d));
	slab_close(&d->exchanges);
	slab_close(&d->chunks);
}
