#include "base/wheel.h"

#include "base/bug.h"
#include "base/checks.h"

/* Level L holds timers that are due within 64^(L+1) ms; one slot covers 64^L ms. */
#define SLOT_BITS 6
#define SLOT_MASK (WHEEL_SLOTS - 1)
#define HORIZON_MS ((uint64_t)1 << (SLOT_BITS * WHEEL_LEVELS))

void wheel_open(struct wheel *w, uint64_t now_ms)
{
	w->now_ms = now_ms;
	for (int l = 0; l < WHEEL_LEVELS; l++) {
		w->busy[l] = 0;
		for (int s = 0; s < WHEEL_SLOTS; s++)
			list_init(&w->slots[l][s]);
	}
}

void timer_init(struct timer *t, void (*fired)(struct timer *t))
{
	list_init(&t->link);
	t->due_ms = 0;
	t->fired = fired;
}

static void wheel_place(struct wheel *w, struct timer *t)
{
	uint64_t due = t->due_ms > w->now_ms ? t->due_ms : w->now_ms + 1;
	if (due - w->now_ms >= HORIZON_MS)
		due = w->now_ms + HORIZON_MS - 1;
	int level = 0;
	while (level < WHEEL_LEVELS - 1 &&
	       (due >> (SLOT_BITS * level)) - (w->now_ms >> (SLOT_BITS * level)) >= WHEEL_SLOTS)
		level++;
	uint64_t slot = (due >> (SLOT_BITS * level)) & SLOT_MASK;
	list_add_tail(&w->slots[level][slot], &t->link);
	w->busy[level] |= (uint64_t)1 << slot;
}

void timer_set(struct wheel *w, struct timer *t, uint64_t due_ms)
{
	must(t->fired);
	list_remove(&t->link);
	t->due_ms = due_ms;
	wheel_place(w, t);
}

void timer_clear(struct timer *t)
{
	list_remove(&t->link);
}

/*
 * Empties the slot that the clock has reached: fires the due timers, and places the others again.
 */
static void open_slot(struct wheel *w, int level, uint64_t slot)
{
	struct list due;
	list_init(&due);
	list_splice_tail(&due, &w->slots[level][slot]);
	w->busy[level] &= ~((uint64_t)1 << slot);
	for (struct list *l; (l = list_take_first(&due));) {
		struct timer *t = list_entry(l, struct timer, link);
		if (t->due_ms <= w->now_ms)
			t->fired(t);
		else
			wheel_place(w, t);
	}
}

static void wheel_tick(struct wheel *w)
{
	w->now_ms++;
	for (int l = WHEEL_LEVELS - 1; l > 0; l--) {
		uint64_t below = ((uint64_t)1 << (SLOT_BITS * l)) - 1;
		if (!(w->now_ms & below))
			open_slot(w, l, (w->now_ms >> (SLOT_BITS * l)) & SLOT_MASK);
	}
	open_slot(w, 0, w->now_ms & SLOT_MASK);
}

/* A timer that was set for a past time fires in the next millisecond. */
static void check_slot(const struct wheel *w, const struct list *slot, uint64_t next_ms)
{
	if (list_empty(slot))
		return;
	const struct timer *t = list_entry(slot->next, struct timer, link);
	must(t->fired && (t->due_ms > w->now_ms ? next_ms <= t->due_ms : next_ms <= w->now_ms + 1));
}

void wheel_check(const struct wheel *w)
{
	uint64_t next_ms = wheel_next_ms(w);
	must(next_ms > w->now_ms);
	for (int l = 0; l < WHEEL_LEVELS; l++)
		for (int s = 0; s < WHEEL_SLOTS; s++) {
			must(w->busy[l] >> s & 1 || list_empty(&w->slots[l][s]));
			check_slot(w, &w->slots[l][s], next_ms);
		}
}

void wheel_turn(struct wheel *w, uint64_t now_ms)
{
	checks(wheel_check(w));
	while (w->now_ms < now_ms) {
		uint64_t next = wheel_next_ms(w);
		if (next > now_ms) {
			w->now_ms = now_ms;
			return;
		}
		w->now_ms = next - 1;
		wheel_tick(w);
	}
}

/* The next time at which a busy slot of this level is opened. */
static uint64_t wheel_next_of(const struct wheel *w, int level)
{
	uint64_t at = (w->now_ms >> (SLOT_BITS * level)) + 1;
	unsigned turn = (unsigned)(at & SLOT_MASK);
	uint64_t busy = w->busy[level];
	uint64_t from_here = turn ? busy >> turn | busy << (WHEEL_SLOTS - turn) : busy;
	return (at + (uint64_t)__builtin_ctzll(from_here)) << (SLOT_BITS * level);
}

uint64_t wheel_next_ms(const struct wheel *w)
{
	uint64_t next = UINT64_MAX;
	for (int l = 0; l < WHEEL_LEVELS; l++) {
		if (!w->busy[l])
			continue;
		uint64_t at = wheel_next_of(w, l);
		if (at < next)
			next = at;
	}
	return next;
}
