#ifndef BASE_WHEEL_H
#define BASE_WHEEL_H

/*
 * Timers of one worker, to the millisecond, never early. Adding and removing take constant time.
 * A deadline that moves with every request is best kept beside the timer and looked at when it
 * fires: the timer is then added again for the rest.
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
	uint64_t now_ms; /* all timers due by then have fired */
	uint64_t busy[WHEEL_LEVELS];
	struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

void wheel_open(struct wheel *w, uint64_t now_ms);

void timer_init(struct timer *t, void (*fired)(struct timer *t));
static inline bool timer_is_set(const struct timer *t)
{
	return !list_empty(&t->link);
}
/* Fires once when `due_ms` has come; a timer that is set already is moved. */
void timer_set(struct wheel *w, struct timer *t, uint64_t due_ms);
void timer_clear(struct timer *t);

/* Fires what is due by `now_ms`. A timer may be set, moved and cleared by one that fires. */
void wheel_turn(struct wheel *w, uint64_t now_ms);

/* No timer fires before this; UINT64_MAX when none is set. It may be early, never late. */
uint64_t wheel_next_ms(const struct wheel *w);

#endif
