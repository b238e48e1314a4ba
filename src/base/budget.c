#include "base/budget.h"

#include "base/bug.h"

void budget_open(struct budget *b, size_t max)
{
	*b = (struct budget){ .max = max };
	list_init(&b->waiting);
	list_init(&b->fed);
	list_init(&b->link);
}

void budget_close(struct budget *b)
{
	must(!b->used && !b->waiting_n && list_empty(&b->link));
}

struct account *account_open(struct slab *home, struct budget *b, void *owner)
{
	struct account *a = slab_take(home);
	*a = (struct account){ .budget = b, .home = home, .owner = owner };
	list_init(&a->link);
	return a;
}

void account_close(struct account *a)
{
	account_stop_waiting(a);
	a->owner = NULL;
	a->is_watched = true;
	account_look(a);
}

/* An account above ACCOUNT_MAX_BYTES waits for its own peer, not for room in the budget. */
static void account_queue(struct account *a)
{
	struct list *to = account_may_receive(a)	? &a->budget->fed
			  : a->used < ACCOUNT_MAX_BYTES ? &a->budget->waiting
							: NULL;
	list_remove(&a->link);
	if (to)
		list_add_tail(to, &a->link);
}

void account_wait(struct account *a)
{
	if (a->waits)
		return;
	a->waits = a->is_watched = true;
	a->budget->waiting_n++;
	a->budget->waits++;
	account_queue(a);
}

void account_stop_waiting(struct account *a)
{
	if (!a->waits)
		return;
	a->waits = a->is_watched = false;
	list_remove(&a->link);
	if (--a->budget->waiting_n == 0)
		list_remove(&a->budget->link);
}

void account_look(struct account *a)
{
	if (a->waits && (list_empty(&a->link) || account_may_receive(a)))
		account_queue(a);
	else if (!a->owner && !a->used)
		slab_give(a->home, a);
}

bool budget_feeds(const struct budget *b)
{
	return !list_empty(&b->fed) || (budget_has_room(b) && !list_empty(&b->waiting));
}

struct account *budget_feed(struct budget *b)
{
	struct list *from = list_empty(&b->fed) ? &b->waiting : &b->fed;
	if (!budget_feeds(b))
		return NULL;
	struct account *a = list_entry(from->next, struct account, link);
	account_stop_waiting(a);
	return a;
}
