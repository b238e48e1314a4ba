#include "ends/pool.h"

#include <stdlib.h>

#include "base/bug.h"
#include "base/checks.h"
#include "base/limits.h"

void pool_open(struct pool *p, struct h1_backs *backs, struct budget *budget,
	       struct pool_counts *counts)
{
	*p = (struct pool){ .backs = backs, .budget = budget, .counts = counts };
	list_init(&p->idle);
}

static struct h1_back *idle_back(struct list *l)
{
	return list_entry(l, struct h1_back, link);
}

static void pool_take_out(struct pool *p, struct h1_back *b)
{
	list_remove(&b->link);
	p->idle_n--;
}

static void pool_forget(struct pool *p, struct h1_back *b)
{
	must(p->open_n > 0 && p->counts->open > 0);
	p->open_n--;
	p->counts->open--;
	if (!list_empty(&b->link))
		pool_take_out(p, b);
}

static void pool_close_one(struct pool *p, struct h1_back *b)
{
	pool_forget(p, b);
	h1_back_close(b);
}

/* --- addresses --- */

static uint64_t pool_now_ms(const struct pool *p)
{
	return io_now_ms(p->backs->wires->io);
}

/* place_n: no place has that address. */
static unsigned pool_place_of(const struct pool *p, const struct addr *at)
{
	unsigned i = 0;
	while (i < p->place_n && !addr_is(&p->places[i].at, at))
		i++;
	return i;
}

/*
 * Addresses change their places only when they were removed meanwhile, so `place` is mostly right.
 */
static bool pool_is_ours(const struct pool *p, struct h1_back *b)
{
	if (b->place >= p->place_n || !addr_is(&p->places[b->place].at, &b->address))
		b->place = (uint8_t)pool_place_of(p, &b->address);
	return b->place < p->place_n;
}

static void pool_close_other_addresses(struct pool *p)
{
	list_each_safe(l, &p->idle)
		if (!pool_is_ours(p, idle_back(l)))
			pool_close_one(p, idle_back(l));
}

void pool_know(struct pool *p, const struct addr *at, unsigned n, uint64_t spare)
{
	must(n <= NODE_ADDRESSES_MAX);
	struct pool_place *places = calloc(n + 1, sizeof *places);
	must(places);
	p->taken = p->v6 = 0;
	p->address_n = 0;
	for (unsigned i = 0; i < n; i++) {
		if (at[i].any.sa_family == AF_UNSPEC)
			continue;
		unsigned before = pool_place_of(p, &at[i]);
		if (before < p->place_n)
			places[i] = p->places[before];
		places[i].at = at[i];
		p->taken |= UINT64_C(1) << i;
		p->v6 |= (uint64_t)(at[i].any.sa_family == AF_INET6) << i;
		p->address_n++;
	}
	free(p->places);
	p->places = places;
	p->place_n = n;
	p->spare = spare & p->taken;
	pool_close_other_addresses(p);
	checks(pool_check(p));
}

static uint64_t places_ill(const struct pool *p)
{
	return p->ill ? atomic_load_explicit(p->ill, memory_order_relaxed) : 0;
}

static uint64_t places_paused(const struct pool *p)
{
	uint64_t paused = 0;
	for (unsigned i = 0; i < p->place_n; i++)
		if (p->places[i].paused_until_ms && p->places[i].paused_until_ms > pool_now_ms(p))
			paused |= UINT64_C(1) << i;
	return paused;
}

static void place_pause(struct pool_place *at, uint64_t now)
{
	unsigned doubled = at->times > 4 ? 4 : at->times;
	uint64_t pause = (uint64_t)ADDRESS_PAUSE_MS << (doubled ? doubled - 1 : 0);
	at->paused_until_ms = now + (pause < ADDRESS_PAUSE_MAX_MS ? pause : ADDRESS_PAUSE_MAX_MS);
}

/* Failures of connections that began together count once: at most one each ADDRESS_PAUSE_MS / 2. */
static void place_missed(struct pool *p, const struct addr *address)
{
	unsigned place = pool_place_of(p, address);
	if (place == p->place_n || p->address_n < 2)
		return;
	struct pool_place *at = &p->places[place];
	if (!at->times || pool_now_ms(p) - at->missed_ms >= ADDRESS_PAUSE_MS / 2) {
		at->times += at->times < UINT8_MAX;
		at->missed_ms = pool_now_ms(p);
	}
	place_pause(at, pool_now_ms(p));
}

/*
 * After a pause one attempt tries the address first: the pause begins again, and the other requests
 * wait for the outcome.
 */
static void place_taken(struct pool *p, struct pool_place *at)
{
	if (at->times && p->address_n > 1)
		place_pause(at, pool_now_ms(p));
}

static void place_responded(struct pool_place *at)
{
	if (at->times)
		at->times = 0, at->paused_until_ms = 0;
}

/* The first place from `turn` on. */
static unsigned places_first(uint64_t places, unsigned turn)
{
	uint64_t behind = turn < 64 ? places >> turn << turn : 0;
	return (unsigned)__builtin_ctzll(behind ? behind : places);
}

/*
 * The places of the best kind that is left; among these, of the address family that was tried less.
 */
static uint64_t best_places(const struct pool *p, uint64_t tried)
{
	uint64_t left = p->taken & ~tried, ill = places_ill(p);
	uint64_t well = left & ~ill & ~places_paused(p);
	uint64_t kinds[] = { well & ~p->spare, well, left & ~ill & ~p->spare, left };
	size_t k = 0;
	while (k < 3 && !kinds[k])
		k++;
	int v6_n = __builtin_popcountll(tried & p->v6), v4_n = __builtin_popcountll(tried) - v6_n;
	uint64_t other = v6_n > v4_n ? kinds[k] & ~p->v6 : v4_n > v6_n ? kinds[k] & p->v6 : 0;
	return other ? other : kinds[k];
}

/* False: all places were tried. */
static bool pool_choose(struct pool *p, uint64_t tried, unsigned *place)
{
	uint64_t best = p->place_n == 1 ? p->taken & ~tried : best_places(p, tried);
	if (!best)
		return false;
	*place = places_first(best, p->turn);
	must(*place < NODE_ADDRESSES_MAX);
	p->turn = *place + 1 < p->place_n ? *place + 1 : 0;
	place_taken(p, &p->places[*place]);
	return true;
}

bool pool_has_another(const struct pool *p)
{
	return p->address_n > 1 && (p->taken & ~places_ill(p) & ~places_paused(p));
}

static void check_places(const struct pool *p)
{
	uint64_t beyond = p->place_n < 64 ? ~UINT64_C(0) << p->place_n : 0;
	must(p->place_n <= NODE_ADDRESSES_MAX && !(p->taken & beyond));
	must((size_t)__builtin_popcountll(p->taken) == p->address_n);
	must(!(p->spare & ~p->taken) && !(p->v6 & ~p->taken));
}

/* Connections that rest are last, and each connection is to an address of the node. */
void pool_check(const struct pool *p)
{
	unsigned n = 0;
	bool rests = false;
	check_places(p);
	must(p->idle_n <= p->open_n && p->open_n <= p->counts->open);
	for (struct list *l = p->idle.next; l != &p->idle; l = l->next, n++) {
		const struct h1_back *b = list_entry(l, struct h1_back, link);
		must(b->owner == p && b->state == BACK_IDLE && !b->arena);
		must(b->rests || !rests);
		rests = b->rests;
		must(pool_place_of(p, &b->address) < p->place_n);
	}
	must(n == p->idle_n && (!n || !p->drained));
}

/* --- terms --- */

void pool_renew(struct pool *p, const struct pool_terms *terms)
{
	if (terms->tls)
		tls_context_hold(terms->tls);
	if (p->tls)
		tls_context_drop(p->tls);
	p->policy = terms->policy;
	p->tls = terms->tls;
	p->server_name = terms->server_name;
	p->ill = terms->ill;
	p->share = terms->share;
}

static void pool_close_all(struct pool *p)
{
	list_each_safe(l, &p->idle)
		pool_close_one(p, idle_back(l));
}

void pool_close_idle(struct pool *p)
{
	pool_know(p, NULL, 0, 0);
	pool_close_all(p);
}

void pool_drain(struct pool *p, bool drained)
{
	p->drained = drained;
	if (drained)
		pool_close_all(p);
}

void pool_close(struct pool *p)
{
	must(p->open_n == 0);
	if (p->tls)
		tls_context_drop(p->tls);
	p->tls = NULL;
	free(p->places);
	p->places = NULL;
	p->place_n = 0;
}

/* --- connections --- */

static void pool_on_idle(struct h1_back *b)
{
	struct pool *p = b->owner;
	/* It was in the list because it rested. */
	if (!list_empty(&b->link))
		pool_take_out(p, b);
	if (p->idle_n >= (b->rests ? RESTING_WIRES_MAX : IDLE_WIRES_PER_NODE) || p->drained ||
	    !pool_is_ours(p, b)) {
		pool_close_one(p, b);
		return;
	}
	place_responded(&p->places[b->place]);
	if (b->rests)
		list_add_tail(&p->idle, &b->link);
	else
		list_add(&p->idle, &b->link);
	p->idle_n++;
	checks(pool_check(p));
}

/* Addresses that did not connect were counted in pool_on_missed(). */
static void pool_on_lost(struct h1_back *b, enum err why)
{
	struct pool *p = b->owner;
	if (b->connected && !b->ready_ns && why != ERR_NONE)
		p->counts->connects_failed++;
	pool_forget(p, b);
	checks(pool_check(p));
}

static void pool_on_missed(struct h1_back *b, const struct addr *at, enum err why)
{
	struct pool *p = b->owner;
	(void)why;
	p->counts->connects_failed++;
	place_missed(p, at);
}

static bool pool_on_next(struct h1_back *b, struct addr *to)
{
	struct pool *p = b->owner;
	unsigned place;
	if (!pool_choose(p, b->tried, &place))
		return false;
	*to = p->places[place].at;
	b->tried |= UINT64_C(1) << place;
	p->counts->connects++;
	return true;
}

static const struct h1_back_user lone_user = {
	.idle = pool_on_idle,
	.lost = pool_on_lost,
	.missed = pool_on_missed,
};

static const struct h1_back_user named_user = {
	.idle = pool_on_idle,
	.lost = pool_on_lost,
	.missed = pool_on_missed,
	.next = pool_on_next,
};

static struct h1_back *pool_connect_next(struct pool *p)
{
	unsigned place;
	must(pool_choose(p, 0, &place));
	p->counts->connects++;
	p->counts->open++;
	p->open_n++;
	struct h1_back *b =
		h1_back_connect(p->backs, p->address_n > 1 ? &named_user : &lone_user, &p->policy,
				p, &p->places[place].at, p->tls, p->server_name, p->budget);
	b->tried = UINT64_C(1) << place;
	b->place = (uint8_t)place;
	h1_back_count_handshake(b, &p->counts->handshakes);
	return b;
}

/* Connections to an address that fails its checks are useless while there are other addresses. */
static void pool_close_ill(struct pool *p)
{
	uint64_t ill = p->address_n > 1 ? places_ill(p) & p->taken : 0;
	if (!ill || ill == p->taken)
		return;
	for (struct list *l; (l = p->idle.next) != &p->idle;) {
		if (!(ill >> idle_back(l)->place & 1))
			return;
		pool_close_one(p, idle_back(l));
	}
}

static bool pool_is_full(const struct pool *p)
{
	return (p->share && p->open_n >= p->share) || h1_backs_full(p->backs) ||
	       pool_counts_full(p->counts);
}

/*
 * NULL: no connection can be taken. If the first one rests, all do. That one is closed if the
 * limits would not allow a new connection beside it.
 */
static struct h1_back *pool_take_idle(struct pool *p)
{
	pool_close_ill(p);
	if (list_empty(&p->idle))
		return NULL;
	struct h1_back *b = idle_back(p->idle.next);
	if (b->rests) {
		if (pool_is_full(p))
			pool_close_one(p, b);
		return NULL;
	}
	pool_take_out(p, b);
	return b;
}

struct stream *pool_take(struct pool *p, struct stream *peer, struct arena *arena)
{
	struct h1_back *b = pool_take_idle(p);
	if (!b)
		b = pool_connect_next(p);
	h1_back_take(b, peer, arena);
	checks(pool_check(p));
	return &b->stream;
}

struct stream *pool_connect(struct pool *p, struct stream *peer, struct arena *arena)
{
	struct h1_back *b = pool_connect_next(p);
	h1_back_take(b, peer, arena);
	return &b->stream;
}

bool pool_has_room(const struct pool *p, bool new)
{
	return (p->idle_n && !new) || (!h1_backs_full(p->backs) && !pool_counts_full(p->counts));
}

bool pool_spare_one(struct pool *p)
{
	if (!p->idle_n)
		return false;
	pool_close_one(p, idle_back(p->idle.prev));
	return true;
}

void pool_wait(struct stream *end, uint32_t response_ms)
{
	struct h1_back *b = h1_back_of(end);
	must(b);
	h1_back_wait(b, response_ms);
}

struct pool_attempt pool_look(struct stream *end)
{
	const struct h1_back *b = h1_back_of(end);
	must(b);
	return (struct pool_attempt){
		.connected = b->connected,
		.reused = b->reused,
		.sent = h1_back_has_sent(b),
		.surely_sent = h1_back_has_surely_sent(b),
		.heard = b->heard,
	};
}

uint64_t pool_ready_ns(struct stream *end)
{
	const struct h1_back *b = h1_back_of(end);
	must(b);
	return b->ready_ns;
}

const char *pool_said(struct stream *end, enum err why)
{
	const struct h1_back *b = h1_back_of(end);
	must(b);
	return wires_said(b->backs->wires, why);
}

enum err pool_is_late(struct stream *end)
{
	struct h1_back *b = h1_back_of(end);
	must(b);
	return h1_back_is_late(b);
}

const struct addr *pool_address(struct stream *end)
{
	const struct h1_back *b = h1_back_of(end);
	must(b);
	return &b->address;
}

bool pool_is_fresh(struct stream *end)
{
	struct h1_back *b = h1_back_of(end);
	must(b);
	return b->sent_before == 0;
}

void pool_blame(struct stream *end)
{
	struct h1_back *b = h1_back_of(end);
	must(b);
	if (b->connected)
		place_missed(b->owner, &b->address);
}
