#include "proxy/node_state.h"

void node_state_set_addresses(struct node_state *s, const struct node_addresses *a)
{
	pthread_mutex_lock(&s->lock);
	s->addresses = *a;
	atomic_fetch_add_explicit(&s->changes, 1, memory_order_relaxed);
	pthread_mutex_unlock(&s->lock);
}

bool node_state_look(struct node_state *s, uint32_t *seen, struct node_addresses *a)
{
	if (atomic_load_explicit(&s->changes, memory_order_relaxed) == *seen)
		return false;
	pthread_mutex_lock(&s->lock);
	*seen = atomic_load_explicit(&s->changes, memory_order_relaxed);
	*a = s->addresses;
	pthread_mutex_unlock(&s->lock);
	return true;
}
