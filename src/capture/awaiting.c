#include "capture/awaiting.h"

#include "base/bug.h"

#define LATE_NS (KAFKA_LATE_MS * 1000000ull)

static bool is_late(const struct awaiting *a)
{
	return atomic_load_explicit(&a->late, memory_order_relaxed);
}

bool awaiting_takes(struct awaiting *a, struct batch *b, uint64_t now_ns, enum batch_state *became)
{
	*became = is_late(a) ? BATCH_LATE : BATCH_DURABLE;
	if (!a->acknowledged || !b->urgent || is_late(a))
		return false;
	b->durable_ns = now_ns;
	b->next = NULL;
	if (a->last)
		a->last->next = b;
	else
		a->first = b;
	a->last = b;
	return true;
}

struct batch *awaiting_give_up(struct awaiting *a)
{
	struct batch *b = a->first;
	if (!b)
		return NULL;
	a->first = b->next;
	if (!a->first)
		a->last = NULL;
	return b;
}

static void set_mark(struct awaiting *a, uint64_t durable_sequence, uint64_t now_ns)
{
	a->mark_sequence = durable_sequence;
	a->mark_ns = now_ns;
}

/* In time again is who has, within that time, all that there was at its beginning. */
static void look_whether_late(struct awaiting *a, uint64_t acknowledged, uint64_t durable_sequence,
			      uint64_t now_ns)
{
	if (!is_late(a)) {
		if (!a->first || now_ns - a->first->durable_ns < LATE_NS ||
		    a->first->sequence <= acknowledged)
			return;
		atomic_store_explicit(&a->late, true, memory_order_relaxed);
		set_mark(a, durable_sequence, now_ns);
	} else if (acknowledged >= a->mark_sequence) {
		if (now_ns - a->mark_ns < LATE_NS)
			atomic_store_explicit(&a->late, false, memory_order_relaxed);
		else
			set_mark(a, durable_sequence, now_ns);
	}
}

struct batch *awaiting_next(struct awaiting *a, uint64_t durable_sequence, uint64_t now_ns,
			    enum batch_state *became)
{
	if (!a->acknowledged || (!a->first && !is_late(a)))
		return NULL;
	uint64_t acknowledged = a->acknowledged(a->world);
	look_whether_late(a, acknowledged, durable_sequence, now_ns);
	if (!a->first || (a->first->sequence > acknowledged && !is_late(a)))
		return NULL;
	*became = a->first->sequence > acknowledged ? BATCH_LATE : BATCH_DURABLE;
	return awaiting_give_up(a);
}

/* A follower in another process wakes nobody here. */
uint64_t awaiting_deadline_ns(const struct awaiting *a, uint64_t now_ns)
{
	return a->first || is_late(a) ? now_ns + KAFKA_LOOK_MS * 1000000ull : UINT64_MAX;
}
