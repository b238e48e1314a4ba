/* How much there is in the table, and what holds in it. */

#include "base/bug.h"
#include "replay/keys_private.h"

/* --- how much --- */

static uint64_t keys_index_oldest_ns(const struct keys *k, const struct keys_index *x)
{
	return x->oldest ? keys_entry(k, x->oldest)->time_ns : 0;
}

void keys_each_index(const struct keys *k,
		     void (*see)(void *user, const struct keys_index_count *i), void *user)
{
	for (uint32_t i = 1; i < k->index_n; i++) {
		const struct keys_index *x = &k->indices[i];
		if (!x->name)
			continue;
		struct keys_index_count c = { .name = keys_index_name(x),
					      .waiting = x->n - x->in_flight_n,
					      .in_flight = x->in_flight_n,
					      .oldest_ns = keys_index_oldest_ns(k, x),
					      .parked = x->parked };
		see(user, &c);
	}
}

static void keys_count_index(void *user, const struct keys_index_count *i)
{
	struct keys_count *c = user;
	*(i->parked ? &c->parked : &c->waiting) += i->waiting;
	if (i->oldest_ns && !i->parked && (!c->oldest_ns || i->oldest_ns < c->oldest_ns))
		c->oldest_ns = i->oldest_ns;
}

size_t keys_n(const struct keys *k)
{
	return k->n;
}

size_t keys_in_flight_n(const struct keys *k)
{
	return k->in_flight_n;
}

void keys_count(const struct keys *k, struct keys_count *to)
{
	*to = (struct keys_count){ .in_flight = k->in_flight_n,
				   .fences = k->fence_n,
				   .set_aside = k->set_aside_n };
	to->bytes = sizeof *k + k->store.bytes + keys_table_bytes(&k->table) + k->index_bytes +
		    k->index_room * sizeof *k->indices +
		    k->active_room * (sizeof *k->active + sizeof *k->candidates);
	keys_each_index(k, keys_count_index, to);
}

/* --- what holds --- */

static void keys_check_entry(const struct keys *k, uint32_t index, uint32_t key)
{
	const struct keys_index *x = &k->indices[index];
	const struct keys_entry *e = keys_entry(k, key);
	must(e->index == index && e->hash == keys_table_hash(k, index, keys_id(e)));
	must((e->older != 0) == (key != x->oldest) && (e->younger != 0) == (key != x->youngest));
	must(!e->younger || keys_entry(k, e->younger)->older == key);
	must((uint8_t)(e->generation - x->open) <= (uint8_t)(x->newest - x->open));
	must(e->state != KEYS_IN_FLIGHT || (!e->has_elder && e->generation == x->open));
	must(e->state != KEYS_HELD || e->has_elder);
	must(e->state != KEYS_RETURNED || x->returned[e->heap_at].key == key);
}

static void keys_check_index(const struct keys *k, uint32_t index, size_t n_max)
{
	const struct keys_index *x = &k->indices[index];
	size_t n = 0;
	for (uint32_t key = x->oldest; key && n < n_max; key = keys_entry(k, key)->younger, n++)
		keys_check_entry(k, index, key);
	must(n == n_max || n == x->n);
	must(!x->fresh || keys_entry(k, x->fresh)->state == KEYS_FRESH);
	must(x->n > 0 || x->parked);
	must((x->active_at != KEYS_NOT_ACTIVE) == (!x->parked && (x->fresh || x->returned_n)));
	for (uint32_t i = 1; i < x->returned_n && i < n_max; i++)
		must(x->returned[(i - 1) / 2].not_before_ms <= x->returned[i].not_before_ms);
}

void keys_check(const struct keys *k, size_t n_max)
{
	size_t indices = 0, n = 0;
	key_store_check(&k->store);
	for (uint32_t i = 1; i < k->index_n && i < n_max; i++) {
		if (k->indices[i].name)
			keys_check_index(k, i, n_max);
		n += k->indices[i].n;
		indices++;
	}
	must(indices + 1 < k->index_n || n == k->n + k->parked_n);
	must(k->table.n == k->n + k->parked_n && k->in_flight_n <= k->table.n);
	for (uint32_t i = 0; i < k->active_n && i < n_max; i++)
		must(k->indices[k->active[i]].active_at == i);
}
