#ifndef BASE_COUNTER_H
#define BASE_COUNTER_H

/*
 * A count that one thread writes and any thread may read at any time. It is a relaxed atomic with
 * one writer, so counting is a plain add.
 */

#include <stdatomic.h>
#include <stdint.h>

typedef _Atomic uint64_t counter;

static inline void counter_add(counter *c, uint64_t n)
{
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

static inline void counter_sub(counter *c, uint64_t n)
{
	counter_add(c, -n);
}

static inline void counter_set(counter *c, uint64_t n)
{
	atomic_store_explicit(c, n, memory_order_relaxed);
}

static inline uint64_t counter_read(const counter *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

#endif
