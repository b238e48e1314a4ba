#include "ends/pool.h"

#include "base/bug.h"
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

static void take_out(struct pool *p, struct h1_back *b)
{
	list_remove(&b->link);
	p->idle_n--;
}

static void forget(struct pool *p, struct h1_back *b)
{
	must(p->open_n > 0 && p->counts->open > 0);
	p->open_n--;
	p->counts->open--;
	if (!list_empty(&b->link))
		take_out(p, b);
}

static void close_idle(struct pool *p, struct h1_back *b)
{
	forget(p, b);
	h1_back_close(b);
}

static bool is_ours(const struct pool *p, const struct h1_back *b)
{
	for (size_t i = 0; i < p->address_n; i++)
		if (addr_is(&p->addresses[i], &b->address))
			return true;
	return false;
}

void pool_renew(struct pool *p, const struct pool_terms *terms)
{
	if (terms->tls)
		tls_context_hold(terms->tls);
	if (p->tls)
		tls_context_drop(p->tls);
	p->policy = terms->policy;
	p->tls = terms->tls;
	p->server_name = terms->server_name;
	p->addresses = terms->addresses;
	p->address_n = terms->address_n;
	p->share = terms->share;
	list_each_safe(l, &p->idle)
		if (!is_ours(p, idle_back(l)))
			close_idle(p, idle_back(l));
}

static void close_all_idle(struct pool *p)
{
	list_each_safe(l, &p->idle)
		close_idle(p, idle_back(l));
}

void pool_close_idle(struct pool *p)
{
	p->address_n = 0;
	close_all_idle(p);
}

void pool_drain(struct pool *p, bool drained)
{
	p->drained = drained;
	if (drained)
		close_all_idle(p);
}

void pool_close(struct pool *p)
{
	must(p->open_n == 0);
	if (p->tls)
		tls_context_drop(p->tls);
	p->tls = NULL;
}

static void on_idle(struct h1_back *b)
{
	struct pool *p = b->owner;
	/* It has rested. */
	if (!list_empty(&b->link))
		take_out(p, b);
	if (p->idle_n >= IDLE_WIRES_PER_NODE || p->drained || !is_ours(p, b)) {
		close_idle(p, b);
		return;
	}
	if (b->rests)
		list_add_tail(&p->idle, &b->link);
	else
		list_add(&p->idle, &b->link);
	p->idle_n++;
}

static void on_lost(struct h1_back *b, enum err why)
{
	struct pool *p = b->owner;
	if (!b->ready_ns && why != ERR_NONE)
		p->counts->connects_failed++;
	forget(p, b);
}

static const struct h1_back_user back_user = { .idle = on_idle, .lost = on_lost };

static struct h1_back *connect_next(struct pool *p)
{
	must(p->address_n > 0);
	const struct addr *to = &p->addresses[p->next_address++ % p->address_n];
	p->counts->connects++;
	p->counts->open++;
	p->open_n++;
	struct h1_back *b = h1_back_connect(p->backs, &back_user, &p->policy, p, to, p->tls,
					    p->server_name, p->budget);
	h1_back_count_handshake(b, &p->counts->handshakes);
	return b;
}

/*
 * NULL: there is none. When the first one rests, all do: it goes when there may be no more
 * connections beside it.
 */
static struct h1_back *take_idle(struct pool *p)
{
	if (list_empty(&p->idle))
		return NULL;
	struct h1_back *b = idle_back(p->idle.next);
	if (b->rests && p->idle_n < RESTING_WIRES_MAX) {
		if (p->share && p->open_n >= p->share)
			close_idle(p, b);
		return NULL;
	}
	take_out(p, b);
	return b;
}

struct stream *pool_take(struct pool *p, struct stream *peer, struct arena *arena)
{
	struct h1_back *b = take_idle(p);
	if (!b)
		b = connect_next(p);
	h1_back_take(b, peer, arena);
	return &b->stream;
}

struct stream *pool_connect(struct pool *p, struct stream *peer, struct arena *arena)
{
	struct h1_back *b = connect_next(p);
	h1_back_take(b, peer, arena);
	return &b->stream;
}

struct pool_attempt pool_look(struct stream *end)
{
	const struct h1_back *b = h1_back_of(end);
	must(b);
	return (struct pool_attempt){
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
