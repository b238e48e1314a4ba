#include "proxy/board.h"

#include <string.h>

#include "base/bug.h"

void board_format(struct board *b, uint64_t id)
{
	memset(b, 0, sizeof *b);
	b->version = BOARD_VERSION;
	b->id = id;
}

bool board_fits(const struct board *b)
{
	return b->version == BOARD_VERSION;
}

static struct board_values *copy_of(struct board *b, uint32_t change)
{
	return &b->copies[change & 1];
}

/* The copy that is not valid is written; only then does it become the valid one. */
void board_publish(struct board *b, const struct board_values *v)
{
	uint32_t change = atomic_load_explicit(&b->changes, memory_order_relaxed);
	must(v->epoch > copy_of(b, change)->epoch);
	struct board_values *to = copy_of(b, change + 1);
	/* No write below may be seen before the last change was. */
	atomic_thread_fence(memory_order_seq_cst);
	__atomic_store_n(&to->epoch, v->epoch, __ATOMIC_RELAXED);
	for (int arm = 0; arm < ARMS; arm++)
		__atomic_store_n(&to->weights[arm], v->weights[arm], __ATOMIC_RELAXED);
	__atomic_store_n(&to->rolled_back, v->rolled_back, __ATOMIC_RELAXED);
	atomic_store_explicit(&b->changes, change + 1, memory_order_release);
}

/*
 * A reader may sleep between reading the number of changes and the copy, while two changes go by:
 * then the copy is being written under its hands. It reads again until the number has stood still.
 */
struct board_values board_read(const struct board *b)
{
	struct board_values v;
	uint32_t before, after;
	do {
		before = atomic_load_explicit(&b->changes, memory_order_acquire);
		const struct board_values *from = &b->copies[before & 1];
		v.epoch = __atomic_load_n(&from->epoch, __ATOMIC_RELAXED);
		for (int arm = 0; arm < ARMS; arm++)
			v.weights[arm] = __atomic_load_n(&from->weights[arm], __ATOMIC_RELAXED);
		v.rolled_back = __atomic_load_n(&from->rolled_back, __ATOMIC_RELAXED);
		atomic_thread_fence(memory_order_acquire);
		after = atomic_load_explicit(&b->changes, memory_order_relaxed);
	} while (before != after);
	return v;
}

struct board_values board_acknowledge(const struct board *b, struct board_slot *s)
{
	struct board_values v = board_read(b);
	if (atomic_load_explicit(&s->acknowledged, memory_order_relaxed) != v.epoch)
		atomic_store_explicit(&s->acknowledged, v.epoch, memory_order_release);
	return v;
}

struct board_slot *board_take_slot(struct board *b, uint32_t pid, uint32_t worker)
{
	for (unsigned i = 0; i < BOARD_SLOTS; i++) {
		struct board_slot *s = &b->slots[i];
		uint32_t was_free = SLOT_FREE;
		if (!atomic_compare_exchange_strong(&s->state, &was_free, SLOT_TAKING))
			continue;
		atomic_store(&s->pid, pid);
		atomic_store(&s->worker, worker);
		atomic_store(&s->retired, 0);
		atomic_store(&s->in_flight_now, 0);
		atomic_store(&s->in_flight_before, 0);
		atomic_store(&s->acknowledged, 0);
		atomic_store(&s->state, SLOT_TAKEN);
		return s;
	}
	return NULL;
}

void board_give_slot(struct board_slot *s)
{
	must(atomic_load(&s->state) == SLOT_TAKEN);
	atomic_store(&s->state, SLOT_FREE);
}

void board_free_slots_of(struct board *b, uint32_t pid)
{
	for (unsigned i = 0; i < BOARD_SLOTS; i++) {
		struct board_slot *s = &b->slots[i];
		if (atomic_load(&s->state) != SLOT_FREE && atomic_load(&s->pid) == pid)
			atomic_store(&s->state, SLOT_FREE);
	}
}

unsigned board_late(const struct board *b, uint64_t epoch, uint64_t *in_flight_before,
		    unsigned *late)
{
	unsigned n = 0;
	*in_flight_before = 0;
	for (unsigned i = 0; i < BOARD_SLOTS; i++) {
		const struct board_slot *s = &b->slots[i];
		if (atomic_load_explicit(&s->state, memory_order_acquire) != SLOT_TAKEN)
			continue;
		uint64_t seen = atomic_load_explicit(&s->acknowledged, memory_order_acquire);
		*in_flight_before +=
			atomic_load_explicit(&s->in_flight_before, memory_order_relaxed);
		if (seen >= epoch)
			continue;
		*in_flight_before += atomic_load_explicit(&s->in_flight_now, memory_order_relaxed);
		if (!n++)
			*late = i;
	}
	return n;
}
