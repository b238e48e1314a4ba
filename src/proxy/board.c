#include "proxy/board.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "base/bug.h"
#include "base/checks.h"

static_assert(sizeof(struct board_values) == 128, "the layout of all of BOARD_MAJOR");
static_assert(sizeof(struct board_slot) == 128, "the layout of all of BOARD_MAJOR");
static_assert(offsetof(struct board, copies) == 256, "the layout of all of BOARD_MAJOR");
static_assert(offsetof(struct board, slots) == 512, "the layout of all of BOARD_MAJOR");

void board_format(struct board *b, uint64_t id)
{
	memset(b, 0, sizeof *b);
	b->major = BOARD_MAJOR;
	b->minor = BOARD_MINOR;
	b->id = id;
}

bool board_fits(const struct board *b)
{
	return b->major == BOARD_MAJOR;
}

/* --- values --- */

/* Values are copied as words, so that a newer version's values in `room` are copied too. */
#define VALUES_WORDS 16
static_assert(sizeof(struct board_values) == VALUES_WORDS * sizeof(uint64_t), "it has no rest");

static struct board_values *copy_of(struct board *b, uint32_t change)
{
	return &b->copies[change & 1];
}

/* Writes the copy that is not valid, then makes it the valid one. */
void board_publish(struct board *b, const struct board_values *v)
{
	uint32_t change = atomic_load_explicit(&b->changes, memory_order_relaxed);
	must(v->epoch > copy_of(b, change)->epoch && v->owner < ARMS);
	const uint64_t *from = (const uint64_t *)v;
	uint64_t *to = (uint64_t *)copy_of(b, change + 1);
	/* No reader may see a write below before the last increment of `changes`. */
	atomic_thread_fence(memory_order_seq_cst);
	for (size_t i = 0; i < VALUES_WORDS; i++)
		__atomic_store_n(&to[i], from[i], __ATOMIC_RELAXED);
	atomic_store_explicit(&b->changes, change + 1, memory_order_release);
}

/*
 * A reader may sleep between reading `changes` and the copy. After two changes in that time, the
 * writer may be writing this copy while it is read. So the reader repeats until `changes` has not
 * moved.
 */
struct board_values board_read(const struct board *b)
{
	struct board_values v;
	uint64_t *to = (uint64_t *)&v;
	uint32_t before, after;
	do {
		before = atomic_load_explicit(&b->changes, memory_order_acquire);
		const uint64_t *from = (const uint64_t *)&b->copies[before & 1];
		for (size_t i = 0; i < VALUES_WORDS; i++)
			to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
		atomic_thread_fence(memory_order_acquire);
		after = atomic_load_explicit(&b->changes, memory_order_relaxed);
	} while (before != after);
	return v;
}

/* An epoch has one set of values: the same epoch means the same values. */
bool board_look(const struct board *b, struct board_values *v)
{
	uint32_t change = atomic_load_explicit(&b->changes, memory_order_acquire);
	if (__atomic_load_n(&b->copies[change & 1].epoch, __ATOMIC_RELAXED) == v->epoch)
		return false;
	*v = board_read(b);
	return true;
}

/* --- slots --- */

/*
 * A request that moves from `in_flight_now` to `in_flight_before` is added to the second before it
 * leaves the first: a reader may count it twice, and never misses it.
 */
void board_show(struct board_slot *s, const struct board_counts *c)
{
	for (int arm = 0; arm < ARMS; arm++)
		atomic_store_explicit(&s->writes[arm], c->writes[arm], memory_order_relaxed);
	atomic_store_explicit(&s->in_flight_before, c->in_flight_before, memory_order_relaxed);
	atomic_store_explicit(&s->in_flight_now, c->in_flight_now, memory_order_release);
}

void board_acknowledge(struct board_slot *s, uint64_t epoch, const struct board_counts *c)
{
	board_show(s, c);
	atomic_store_explicit(&s->acknowledged, epoch, memory_order_release);
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
		board_acknowledge(s, 0, &(struct board_counts){ 0 });
		memset(s->room, 0, sizeof s->room);
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

static bool is_taken(const struct board_slot *s)
{
	return atomic_load_explicit(&s->state, memory_order_acquire) == SLOT_TAKEN;
}

/* Reads in the opposite order of the writes in board_show(). */
static uint64_t in_flight_before(const struct board_slot *s, bool late)
{
	uint64_t now = atomic_load_explicit(&s->in_flight_now, memory_order_acquire);
	uint64_t before = atomic_load_explicit(&s->in_flight_before, memory_order_relaxed);
	return before + (late ? now : 0);
}

unsigned board_late(const struct board *b, uint64_t epoch, uint64_t *in_flight, unsigned *late)
{
	unsigned n = 0;
	*in_flight = 0;
	for (unsigned i = 0; i < BOARD_SLOTS; i++) {
		const struct board_slot *s = &b->slots[i];
		if (!is_taken(s))
			continue;
		bool is_late = atomic_load_explicit(&s->acknowledged, memory_order_acquire) < epoch;
		*in_flight += in_flight_before(s, is_late);
		if (is_late && !n++)
			*late = i;
	}
	return n;
}

void board_writes(const struct board *b, uint64_t writes[ARMS])
{
	memset(writes, 0, ARMS * sizeof *writes);
	for (unsigned i = 0; i < BOARD_SLOTS; i++) {
		const struct board_slot *s = &b->slots[i];
		if (!is_taken(s))
			continue;
		for (int arm = 0; arm < ARMS; arm++)
			writes[arm] += atomic_load_explicit(&s->writes[arm], memory_order_relaxed);
	}
}

/* --- checks --- */

/* The slots are read before the board's values: then no slot can be ahead of them. */
void board_check(const struct board *b)
{
	uint64_t shown = 0;
	for (unsigned i = 0; i < CHECKED_MAX; i++) {
		const struct board_slot *s = &b->slots[i];
		must(atomic_load_explicit(&s->state, memory_order_relaxed) <= SLOT_TAKEN);
		uint64_t epoch = atomic_load_explicit(&s->acknowledged, memory_order_acquire);
		if (is_taken(s) && epoch > shown)
			shown = epoch;
	}
	struct board_values v = board_read(b);
	must(v.owner < ARMS && v.rolled_back <= 1);
	must(v.since <= v.epoch && shown <= v.epoch);
}
