#include "io/sock_table.h"

#include <stdlib.h>

void sock_table_open(struct sock_table *t, uint32_t max)
{
	*t = (struct sock_table){ .socks = calloc(max, sizeof(struct uring_sock)), .max = max };
	must(t->socks);
}

void sock_table_close(struct sock_table *t)
{
	must(t->taken == 0);
	free(t->socks);
	t->socks = NULL;
}

struct uring_sock *sock_table_take(struct sock_table *t)
{
	struct uring_sock *s = t->idle;
	if (s)
		t->idle = s->next_idle;
	else if (t->fresh < t->max)
		s = &t->socks[t->fresh++];
	else
		return NULL;
	*s = (struct uring_sock){ .fd = (int)(s - t->socks), .peer_bytes = sizeof s->sock.peer };
	t->taken++;
	return s;
}

void sock_table_give(struct sock_table *t, struct uring_sock *s)
{
	must(t->taken > 0);
	t->taken--;
	s->open = false;
	s->next_idle = t->idle;
	t->idle = s;
}
