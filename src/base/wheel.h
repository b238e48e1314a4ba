#ifndef BASE_WHEEL_H
#define BASE_WHEEL_H

/*
 * The timers of one worker, in milliseconds, never early. Adding and removing take constant time.
 * If a deadline moves with every request, keep it beside the timer and check it when the timer
 * fires; then set the timer again for the rest.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

#define WHEEL_LEVELS 4
#define WHEEL_SLOTS 64

struct timer {
	struct list link;
	uint64_t due_ms;
	void (*fired)(struct timer *t);
};

struct wheel {
	uint64_t now_ms; /* all timers that are due by then have fired */
	uint64_t busy[WHEEL_LEVELS];
	struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

void wheel_open(struct wheel *w, uint64_t now_ms);

void timer_init(struct timer *t, void (*fired)(struct timer *t));
static inline bool timer_is_set(const struct timer *t)
{
	return !list_empty(&t->link);
}
/* Fires once at `due_ms`. A timer that is already set is moved. */
void timer_set(struct wheel *w, struct timer *t, uint64_t due_ms);
void timer_clear(struct timer *t);

/* Fires all timers due by `now_ms`. A fired() function may set, move and clear timers. */
void wheel_turn(struct wheel *w, uint64_t now_ms);

/*
 * No timer fires before this time; UINT64_MAX when none is set. The time may be too early, never
 * too late.
 */
uint64_t wheel_next_ms(const struct wheel *w);

void wheel_check(const struct wheel *w);

#endif
