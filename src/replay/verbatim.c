#include "replay/verbatim.h"

#include <stdlib.h>

#include "base/bug.h"
#include "base/checks.h"
#include "base/least.h"

/* --- the heap --- */

static void verbatim_swap(struct verbatim *v, size_t a, size_t b)
{
	struct verbatim_item *i = v->waits[a];
	v->waits[a] = v->waits[b];
	v->waits[b] = i;
}

static void verbatim_rise(struct verbatim *v, size_t at)
{
	for (; at && v->waits[at]->began < v->waits[(at - 1) / 2]->began; at = (at - 1) / 2)
		verbatim_swap(v, at, (at - 1) / 2);
}

static void verbatim_sink(struct verbatim *v)
{
	for (size_t at = 0, child; (child = 2 * at + 1) < v->n; at = child) {
		if (child + 1 < v->n && v->waits[child + 1]->began < v->waits[child]->began)
			child++;
		if (v->waits[at]->began <= v->waits[child]->began)
			return;
		verbatim_swap(v, at, child);
	}
}

static struct verbatim_item *verbatim_take(struct verbatim *v)
{
	struct verbatim_item *first = v->waits[0];
	v->waits[0] = v->waits[--v->n];
	verbatim_sink(v);
	first->waits = false;
	return first;
}

/* --- the order --- */

void verbatim_add(struct verbatim *v, struct verbatim_item *i)
{
	must(i->began < i->ended && i->ended > v->last);
	if (v->n == v->room) {
		v->room = 2 * v->room + 64;
		v->waits = realloc(v->waits, v->room * sizeof(struct verbatim_item *));
		must(v->waits);
	}
	v->last = i->ended;
	i->waits = true;
	list_add_tail(&v->unfinished, &i->link);
	v->waits[v->n++] = i;
	verbatim_rise(v, v->n - 1);
	checks(verbatim_check(v));
}

struct verbatim_item *verbatim_oldest(const struct verbatim *v)
{
	return list_empty(&v->unfinished)
		       ? NULL
		       : list_entry(v->unfinished.next, struct verbatim_item, link);
}

/*
 * If any request may begin, the one that began first may. The oldest of the unfinished ones always
 * may: it began before it ended.
 */
struct verbatim_item *verbatim_next(struct verbatim *v)
{
	if (!v->n || v->waits[0]->began >= verbatim_oldest(v)->ended)
		return NULL;
	return verbatim_take(v);
}

void verbatim_done(struct verbatim *v, struct verbatim_item *i)
{
	must(!i->waits && !list_empty(&v->unfinished));
	list_remove(&i->link);
	checks(verbatim_check(v));
}

struct verbatim_item *verbatim_drop(struct verbatim *v)
{
	if (!v->n)
		return NULL;
	struct verbatim_item *i = verbatim_take(v);
	list_remove(&i->link);
	return i;
}

/* No request began before the place 0: nothing begins while one that has ended there is left. */
void verbatim_begin_anew(struct verbatim *v)
{
	must(!v->n);
	list_each(at, &v->unfinished)
		list_entry(at, struct verbatim_item, link)->ended = 0;
	v->last = 0;
}

void verbatim_check(const struct verbatim *v)
{
	uint64_t before = 0;
	int looked = 0;
	list_each(at, &v->unfinished) {
		if (looked++ == CHECKED_MAX)
			break;
		struct verbatim_item *i = list_entry(at, struct verbatim_item, link);
		must(i->ended >= before);
		before = i->ended;
	}
	for (size_t i = 1; i < least(v->n, (size_t)CHECKED_MAX); i++)
		must(v->waits[i]->waits && v->waits[(i - 1) / 2]->began <= v->waits[i]->began);
}

/* --- a life --- */

void verbatim_open(struct verbatim *v)
{
	*v = (struct verbatim){ 0 };
	list_init(&v->unfinished);
}

void verbatim_close(struct verbatim *v)
{
	must(list_empty(&v->unfinished) && !v->n);
	free(v->waits);
}
