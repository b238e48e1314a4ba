#include "replay/parked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/least.h"
#include "base/limits.h"
#include "base/list.h"

struct parked_index {
	struct list link;
	bool waits; /* false: its keys go on, and it may be refused again */
	uint64_t pause_ms, due_ms;
	char why[PARKED_WHY_BYTES];
	size_t name_n;
	char name[];
};

static struct parked_index *parked_find(const struct parked *p, struct span index)
{
	list_each(at, &p->list) {
		struct parked_index *x = list_entry(at, struct parked_index, link);
		if (span_is((struct span){ x->name, x->name_n }, index))
			return x;
	}
	return NULL;
}

static struct parked_index *parked_make(struct parked *p, struct span index)
{
	struct parked_index *x = malloc(sizeof *x + index.n);
	must(x);
	*x = (struct parked_index){ .name_n = index.n };
	memcpy(x->name, index.at, index.n);
	list_init(&x->link);
	list_add(&p->list, &x->link);
	return x;
}

/* Behind its keys' going on it was not refused for long. */
static bool parked_is_forgotten(const struct parked_index *x, uint64_t now_ms)
{
	return !x->waits && now_ms > x->due_ms + PARKED_PAUSE_MS;
}

static void parked_free(struct parked_index *x)
{
	list_remove(&x->link);
	free(x);
}

void parked_add(struct parked *p, struct span index, const char *why, uint64_t now_ms)
{
	struct parked_index *x = parked_find(p, index);
	if (x && parked_is_forgotten(x, now_ms)) {
		parked_free(x);
		x = NULL;
	}
	if (x && x->waits && now_ms < x->due_ms)
		return;
	x = x ? x : parked_make(p, index);
	p->n += !x->waits;
	x->waits = true;
	x->pause_ms = x->pause_ms ? least(2 * x->pause_ms, PARKED_PAUSE_MS_MAX) : PARKED_PAUSE_MS;
	x->due_ms = now_ms + x->pause_ms;
	snprintf(x->why, sizeof x->why, "index %.*s: %s; its keys wait", (int)least(x->name_n, 100),
		 x->name, why);
	keys_park(p->keys, index);
}

bool parked_each_due(const struct parked *p, uint64_t now_ms,
		     void (*want)(void *user, struct span index), void *user)
{
	bool any = false;
	list_each(at, &p->list) {
		const struct parked_index *x = list_entry(at, struct parked_index, link);
		if (!x->waits || x->due_ms > now_ms)
			continue;
		want(user, (struct span){ x->name, x->name_n });
		any = true;
	}
	return any;
}

void parked_is_well(struct parked *p, struct span index, uint64_t now_ms)
{
	struct parked_index *x = parked_find(p, index);
	if (!x || !x->waits || x->due_ms > now_ms)
		return;
	x->waits = false;
	x->due_ms = now_ms;
	p->n--;
	keys_resume(p->keys, index);
}

uint64_t parked_due_ms(const struct parked *p)
{
	uint64_t due = UINT64_MAX;
	list_each(at, &p->list) {
		const struct parked_index *x = list_entry(at, struct parked_index, link);
		if (x->waits)
			due = least(due, x->due_ms);
	}
	return due;
}

const char *parked_why(const struct parked *p)
{
	list_each(at, &p->list) {
		const struct parked_index *x = list_entry(at, struct parked_index, link);
		if (x->waits)
			return x->why;
	}
	return "";
}

void parked_open(struct parked *p, struct keys *keys)
{
	*p = (struct parked){ .keys = keys };
	list_init(&p->list);
}

void parked_close(struct parked *p)
{
	while (!list_empty(&p->list))
		parked_free(list_entry(list_take_first(&p->list), struct parked_index, link));
}
