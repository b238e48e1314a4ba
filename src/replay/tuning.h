#ifndef REPLAY_TUNING_H
#define REPLAY_TUNING_H

/* How fast replay may be: what a reload changes while it goes on. */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct tuning {
	uint32_t in_flight;   /* batches at a time; 1 to REPLAY_IN_FLIGHT_MAX */
	uint32_t operations;  /* documents of a batch */
	uint32_t rate;	      /* operations a second; 0: no limit */
	uint32_t wait_ms;     /* a batch that is not full waits so long for more keys */
	uint32_t response_ms; /* an uncertain write may act for so long */
	size_t bulk_bytes;
};

/* Control writes it, the copying thread reads it. All values are 0 before the first one. */
struct shared_tuning {
	_Atomic uint32_t in_flight, operations, rate, wait_ms, response_ms;
	_Atomic size_t bulk_bytes;
};

static inline void tuning_put(struct shared_tuning *s, const struct tuning *t)
{
	atomic_store(&s->in_flight, t->in_flight);
	atomic_store(&s->operations, t->operations);
	atomic_store(&s->rate, t->rate);
	atomic_store(&s->wait_ms, t->wait_ms);
	atomic_store(&s->response_ms, t->response_ms);
	atomic_store(&s->bulk_bytes, t->bulk_bytes);
}

/* While it is written, some values may be of before: the next reading has them all. */
static inline struct tuning tuning_read(struct shared_tuning *s)
{
	return (struct tuning){ .in_flight = atomic_load(&s->in_flight),
				.operations = atomic_load(&s->operations),
				.rate = atomic_load(&s->rate),
				.wait_ms = atomic_load(&s->wait_ms),
				.response_ms = atomic_load(&s->response_ms),
				.bulk_bytes = atomic_load(&s->bulk_bytes) };
}

#endif
