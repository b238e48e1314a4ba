#include "control/change_lock.h"

#include <stdio.h>

#include "base/bug.h"
#include "base/limits.h"

static struct change_claim *claim_of(struct list *l)
{
	return list_entry(l, struct change_claim, link);
}

static void change_lock_hold(struct change_lock *l, const struct change_claim *c)
{
	l->held = true;
	snprintf(l->what, sizeof l->what, "%s", c->what);
}

void change_claim_drop(struct change_claim *c)
{
	if (!c->lock)
		return;
	list_remove(&c->link);
	timer_clear(&c->late);
	c->lock = NULL;
}

static void claim_is_late(struct timer *t)
{
	struct change_claim *c = list_entry(t, struct change_claim, late);
	change_claim_drop(c);
	c->refused(c, false);
}

void change_lock_open(struct change_lock *l, struct wheel *wheel)
{
	*l = (struct change_lock){ .wheel = wheel };
	list_init(&l->waiting);
}

void change_lock_begin(struct change_lock *l)
{
	l->closed = false;
}

void change_lock_hand_over(struct change_lock *l)
{
	l->closed = true;
	while (!list_empty(&l->waiting)) {
		struct change_claim *c = claim_of(l->waiting.next);
		change_claim_drop(c);
		c->refused(c, true);
	}
}

/*
 * When the lock is closed, admin calls are refused before they come here. A claim that still comes
 * waits for CHANGE_WAIT_MS, and is refused then.
 */
bool change_lock_take(struct change_lock *l, struct change_claim *c, const char *what)
{
	c->lock = NULL;
	list_init(&c->link);
	timer_init(&c->late, claim_is_late);
	snprintf(c->what, sizeof c->what, "%s", what);
	if (!l->held && !l->closed) {
		change_lock_hold(l, c);
		return true;
	}
	c->lock = l;
	list_add_tail(&l->waiting, &c->link);
	timer_set(l->wheel, &c->late, l->wheel->now_ms + CHANGE_WAIT_MS);
	return false;
}

void change_lock_give(struct change_lock *l)
{
	must(l->held);
	l->held = false;
	if (list_empty(&l->waiting))
		return;
	struct change_claim *c = claim_of(l->waiting.next);
	change_claim_drop(c);
	change_lock_hold(l, c);
	c->begins(c);
}
