#ifndef BASE_LIST_H
#define BASE_LIST_H

/*
 * A doubly linked ring with its links inside its members. An unlinked member points at itself, so
 * list_remove() may be called twice. The head must exist as long as any member is linked.
 */

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev;
};

#define list_entry(link, type, member) ((type *)((char *)(link)-offsetof(type, member)))

#define list_each(at, head) for (struct list *at = (head)->next; at != (head); at = at->next)

/* The current member may be removed inside the loop. */
#define list_each_safe(at, head)                                                                   \
	for (struct list *at = (head)->next, *at##_next = at->next; at != (head);                  \
	     at = at##_next, at##_next = at->next)

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_add(struct list *head, struct list *l)
{
	l->next = head->next;
	l->prev = head;
	head->next->prev = l;
	head->next = l;
}

static inline void list_add_tail(struct list *head, struct list *l)
{
	list_add(head->prev, l);
}

static inline void list_remove(struct list *l)
{
	l->next->prev = l->prev;
	l->prev->next = l->next;
	list_init(l);
}

/* NULL when the list is empty. */
static inline struct list *list_take_first(struct list *head)
{
	struct list *l = head->next;
	if (l == head)
		return NULL;
	head->next = l->next;
	l->next->prev = head;
	list_init(l);
	return l;
}

/* Moves all members of `from` to the end of `to`; `from` is empty afterwards. */
static inline void list_splice_tail(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#endif
