#include "capture/awaiting.h"

#include "base/bug.h"
#include "capture/kafka_limits.h"

#define LATE_NS (KAFKA_LATE_MS * 1000000ull)

static bool awaiting_is_late(const struct awaiting *a)
{
	return atomic_load_explicit(&a->late, memory_order_relaxed);
}

bool awaiting_takes(struct awaiting *a, struct batch *b, uint64_t now_ns, enum batch_state *became)
{
	*became = awaiting_is_late(a) ? BATCH_LATE : BATCH_DURABLE;
	if (!a->acknowledged || !b->urgent || awaiting_is_late(a))
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

static void set_catch_up_goal(struct awaiting *a, uint64_t durable_sequence, uint64_t now_ns)
{
	a->catch_up_sequence = durable_sequence;
	a->catch_up_since_ns = now_ns;
}

/*
 * A late follower is in time again when it acknowledges, within LATE_NS, all that was durable at
 * the beginning of that time.
 */
static void awaiting_look_whether_late(struct awaiting *a, uint64_t acknowledged,
				       uint64_t durable_sequence, uint64_t now_ns)
{
	if (!awaiting_is_late(a)) {
		if (!a->first || now_ns - a->first->durable_ns < LATE_NS ||
		    a->first->sequence <= acknowledged)
			return;
		atomic_store_explicit(&a->late, true, memory_order_relaxed);
		set_catch_up_goal(a, durable_sequence, now_ns);
	} else if (acknowledged >= a->catch_up_sequence) {
		if (now_ns - a->catch_up_since_ns < LATE_NS)
			atomic_store_explicit(&a->late, false, memory_order_relaxed);
		else
			set_catch_up_goal(a, durable_sequence, now_ns);
	}
}

struct batch *awaiting_next(struct awaiting *a, uint64_t durable_sequence, uint64_t now_ns,
			    enum batch_state *became)
{
	if (!a->acknowledged || (!a->first && !awaiting_is_late(a)))
		return NULL;
	uint64_t acknowledged = a->acknowledged(a->world);
	awaiting_look_whether_late(a, acknowledged, durable_sequence, now_ns);
	if (!a->first || (a->first->sequence > acknowledged && !awaiting_is_late(a)))
		return NULL;
	*became = a->first->sequence > acknowledged ? BATCH_LATE : BATCH_DURABLE;
	return awaiting_give_up(a);
}

/* A follower in another process cannot wake this thread: it looks every KAFKA_LOOK_MS. */
uint64_t awaiting_deadline_ns(const struct awaiting *a, uint64_t now_ns)
{
	return a->first || awaiting_is_late(a) ? now_ns + KAFKA_LOOK_MS * 1000000ull : UINT64_MAX;
}
