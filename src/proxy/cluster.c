#include "proxy/cluster.h"

#include <stdlib.h>

#include "base/bug.h"
#include "base/checks.h"

/* --- ejection --- */

static void ejection_is_over(struct timer *t)
{
	struct live_node *n = list_entry(t, struct live_node, ejection.back);
	ejection_end(&n->ejection);
	if (n->all->counters)
		counter_set(&n->all->counters[n->number].ejected, 0);
}

/* Called before the node is freed, or when the worker's knowledge of it is no longer valid. */
static void forget_ejection(struct live_node *n)
{
	timer_clear(&n->ejection.back);
	if (n->ejection.out)
		ejection_is_over(&n->ejection.back);
}

static bool is_healthy(const struct live_node *n)
{
	return atomic_load_explicit(&n->node->state->healthy, memory_order_relaxed);
}

static uint32_t recoveries_of(const struct live_node *n)
{
	return atomic_load_explicit(&n->node->state->recoveries, memory_order_relaxed);
}

/* An ejection also ends when health checks have found the node unhealthy and then healthy again. */
static bool is_ejected(struct live_node *n)
{
	if (!n->ejection.out || n->ejection.recoveries == recoveries_of(n))
		return n->ejection.out;
	forget_ejection(n);
	ejection_responded(&n->ejection);
	return false;
}

static bool one_more_may_go(const struct live_cluster *c)
{
	size_t serving = 0, out = 0;
	for (size_t i = 0; i < c->node_n; i++) {
		const struct live_node *n = c->nodes[i];
		if (n->duty != DUTY_READY || !n->pool.address_n || !is_healthy(n))
			continue;
		serving++;
		out += n->ejection.out;
	}
	return (out + 1) * 2 <= serving;
}

static void live_node_eject(struct live_node *n)
{
	struct node_counters *counts = &n->all->counters[n->number];
	uint32_t pause_ms = ejection_begin(&n->ejection, &n->cluster->eject);
	timer_set(n->all->wheel, &n->ejection.back, n->all->wheel->now_ms + pause_ms);
	n->ejection.recoveries = recoveries_of(n);
	counter_add(&counts->ejections, 1);
	counter_set(&counts->ejected, 1);
	counter_set(&counts->ejected_for, n->ejection.why);
}

void live_node_failed(struct live_cluster *c, struct live_node *n, enum err why, bool fresh)
{
	if (!n->node || !ejection_counts(why, fresh))
		return;
	if (ejection_failed(&n->ejection, &n->cluster->eject, why, n->all->wheel->now_ms) &&
	    one_more_may_go(c))
		live_node_eject(n);
}

/* --- plans --- */

/* The number may go to another node next: no counts of this one may remain. */
static void node_counters_clear(struct live_nodes *all, uint32_t number)
{
	if (!all->counters)
		return;
	struct node_counters *c = &all->counters[number];
	for (unsigned i = 0; i < STATUS_CLASSES; i++)
		counter_set(&c->attempts[i], 0);
	counter_set(&c->in_flight, 0);
	counter_set(&c->ejections, 0);
	counter_set(&c->ejected, 0);
	counter_set(&c->ejected_for, 0);
	counter_set(&c->held, 0);
}

static void live_node_free(struct live_node *n)
{
	struct live_nodes *all = n->all;
	must(n->outstanding == 0);
	forget_ejection(n);
	pool_close(&n->pool);
	list_remove(&n->leaving);
	all->by_number[n->number] = NULL;
	node_counters_clear(all, n->number);
	free(n);
}

static struct live_node *live_node_of(struct live_nodes *all, struct live_cluster *c,
				      const struct node *node)
{
	must(node->state->number < NODES_MAX);
	struct live_node **at = &all->by_number[node->state->number];
	if (!*at) {
		*at = calloc(1, sizeof **at);
		must(*at);
		(*at)->all = all;
		(*at)->number = node->state->number;
		list_init(&(*at)->leaving);
		if (all->counters)
			counter_set(&all->counters[node->state->number].held, 1);
		ejection_init(&(*at)->ejection, ejection_is_over);
		pool_open(&(*at)->pool, all->backs, &c->budget, &c->counts);
	}
	list_remove(&(*at)->leaving);
	return *at;
}

static void follow_admin(struct live_node *n)
{
	struct node_addresses a;
	if (node_state_look(n->node->state, &n->changes, &a))
		pool_know(&n->pool, a.list, a.n, a.spare);
	n->duty = (enum node_duty)atomic_load_explicit(&n->node->state->duty, memory_order_relaxed);
	pool_drain(&n->pool, n->duty != DUTY_READY);
}

void live_nodes_follow_admin(struct live_nodes *all)
{
	for (uint32_t i = 0; i < NODES_MAX; i++)
		if (all->by_number[i] && all->by_number[i]->node)
			follow_admin(all->by_number[i]);
}

/* Shares may differ by one, and none is 0: control makes `connections` at least `workers`. */
static unsigned share_of(const struct cluster *c, unsigned worker)
{
	if (!c->connections)
		return 0;
	must(c->connections >= c->workers && worker < c->workers);
	return c->connections / c->workers + (worker < c->connections % c->workers);
}

void live_cluster_open(struct live_cluster *c)
{
	*c = (struct live_cluster){ 0 };
	budget_open(&c->budget, MEMORY_BYTES);
}

void live_cluster_adopt(struct live_cluster *c, struct live_nodes *all,
			const struct cluster *cluster, unsigned worker)
{
	free(c->nodes);
	c->nodes = calloc(cluster->node_n ? cluster->node_n : 1, sizeof(struct live_node *));
	must(c->nodes);
	c->cluster = cluster;
	c->node_n = cluster->node_n;
	c->share = share_of(cluster, worker);
	if (c->turn == 0)
		c->turn = worker;
	c->turn = c->node_n ? c->turn % c->node_n : 0;
	c->least = 0;
	for (size_t i = 0; i < cluster->node_n; i++) {
		const struct node *node = &cluster->nodes[i];
		struct live_node *live = live_node_of(all, c, node);
		live->node = node;
		live->cluster = cluster;
		c->nodes[i] = live;
		struct pool_terms terms = {
			.policy = cluster->policy,
			.tls = node->tls ? cluster->tls[worker] : NULL,
			.server_name = node->server_name,
			.ill = &node->state->ill,
			.share = c->share,
		};
		pool_renew(&live->pool, &terms);
		follow_admin(live);
	}
}

void live_cluster_close(struct live_cluster *c)
{
	budget_close(&c->budget);
	free(c->nodes);
	c->nodes = NULL;
}

/* Each node belongs to this cluster, and `by_number` has it at its number. */
void live_cluster_check(const struct live_cluster *c)
{
	must(!c->node_n || c->turn < c->node_n);
	for (size_t i = 0; i < c->node_n; i++) {
		const struct live_node *n = c->nodes[i];
		must(n->cluster == c->cluster && n->node == &c->cluster->nodes[i]);
		must(n->all->by_number[n->number] == n && list_empty(&n->leaving));
		must(n->pool.counts == &c->counts && n->pool.drained == (n->duty != DUTY_READY));
		must(n->ejection.out == timer_is_set(&n->ejection.back));
	}
}

void live_nodes_sweep(struct live_nodes *all, const struct plan *plan)
{
	bool named[NODES_MAX] = { false };
	plan_name_nodes(plan, named);
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		struct live_node *live = all->by_number[i];
		if (!live || named[i])
			continue;
		forget_ejection(live);
		live->node = NULL;
		live->cluster = NULL;
		pool_close_idle(&live->pool);
		live->changes = 0; /* the node may come back */
		list_remove(&live->leaving);
		list_add_tail(&all->leaving, &live->leaving);
	}
	live_nodes_let_go(all);
}

void live_nodes_let_go(struct live_nodes *all)
{
	list_each_safe(l, &all->leaving) {
		struct live_node *n = list_entry(l, struct live_node, leaving);
		if (!n->outstanding && !n->pool.open_n)
			live_node_free(n);
	}
}

bool live_nodes_spare_one(struct live_nodes *all, const struct pool_counts *of)
{
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		struct live_node *n = all->by_number[i];
		if (n && (!of || n->pool.counts == of) && pool_spare_one(&n->pool))
			return true;
	}
	return false;
}

void live_nodes_close_idle(struct live_nodes *all)
{
	for (uint32_t i = 0; i < NODES_MAX; i++)
		if (all->by_number[i])
			pool_drain(&all->by_number[i]->pool, true);
}

void live_nodes_open(struct live_nodes *all, struct h1_backs *backs, struct node_counters *counters,
		     struct wheel *wheel)
{
	*all = (struct live_nodes){ .backs = backs, .counters = counters, .wheel = wheel };
	list_init(&all->leaving);
}

void live_nodes_close(struct live_nodes *all)
{
	for (uint32_t i = 0; i < NODES_MAX; i++)
		if (all->by_number[i])
			live_node_free(all->by_number[i]);
}

/* --- the choice --- */

static unsigned times_tried(const struct live_node *n, struct live_node *const *tried,
			    unsigned tried_n)
{
	unsigned times = 0;
	for (unsigned i = 0; i < tried_n; i++)
		times += tried[i] == n;
	return times;
}

/* Which nodes may be chosen. */
struct wanted {
	struct live_node *const *tried;
	unsigned tried_n;
	bool again; /* also a node that was tried, if another of its addresses may work */
	bool healthy_only;
};

static bool was_tried(const struct live_node *n, const struct wanted *w)
{
	unsigned times = times_tried(n, w->tried, w->tried_n);
	return times && (!w->again || times >= n->pool.address_n || !pool_has_another(&n->pool));
}

static bool live_node_is_full(const struct live_cluster *c, const struct live_node *n)
{
	return c->share && n->outstanding >= c->share;
}

static bool may_be_chosen(struct live_node *n, bool healthy_only)
{
	return n->duty == DUTY_READY && n->pool.address_n &&
	       (!healthy_only || (!is_ejected(n) && is_healthy(n)));
}

/* The next choice begins after this node: so ties rotate. */
static struct live_node *take_turn(struct live_cluster *c, size_t place)
{
	c->turn = place + 1 < c->node_n ? place + 1 : 0;
	return c->nodes[place];
}

/*
 * Returns the first of the best nodes. No node can be better than one with only `least` requests:
 * so the search is short, even among thousands of nodes. A node that comes back with fewer requests
 * is found when its turn comes.
 */
static struct live_node *live_cluster_best(struct live_cluster *c, const struct wanted *w,
					   bool *full)
{
	size_t best = c->node_n, place = c->turn;
	*full = false;
	for (size_t i = 0; i < c->node_n; i++, place = place + 1 < c->node_n ? place + 1 : 0) {
		struct live_node *n = c->nodes[place];
		if (!may_be_chosen(n, w->healthy_only) || was_tried(n, w))
			continue;
		if (live_node_is_full(c, n)) {
			*full = true;
			continue;
		}
		if (c->cluster->balance == BALANCE_ROUND_ROBIN || n->outstanding <= c->least)
			return take_turn(c, place);
		if (best == c->node_n || n->outstanding < c->nodes[best]->outstanding)
			best = place;
	}
	if (best == c->node_n)
		return NULL;
	if (!w->tried_n)
		c->least = c->nodes[best]->outstanding;
	return take_turn(c, best);
}

/*
 * Nodes that were not tried come first: an attempt at a node has tried all its addresses if none
 * connected.
 */
static struct live_node *best_untried(struct live_cluster *c, struct wanted *w, bool *full)
{
	w->again = false;
	struct live_node *n = live_cluster_best(c, w, full);
	if (n || *full || !w->tried_n)
		return n;
	w->again = true;
	return live_cluster_best(c, w, full);
}

/* Also true for a node whose look-up is done and whose addresses this worker has not copied yet. */
static bool is_awaited(const struct live_node *n)
{
	const struct node_state *s = n->node->state;
	return atomic_load_explicit(&s->awaited, memory_order_acquire) ||
	       atomic_load_explicit(&s->changes, memory_order_relaxed) != n->changes;
}

static bool any_awaited(const struct live_cluster *c)
{
	for (size_t i = 0; i < c->node_n; i++)
		if (is_awaited(c->nodes[i]))
			return true;
	return false;
}

static bool cluster_all_drained(const struct live_cluster *c)
{
	for (size_t i = 0; i < c->node_n; i++)
		if (c->nodes[i]->duty == DUTY_READY)
			return false;
	return c->node_n > 0;
}

/* Why there is no node. */
static enum choice why_no_node(const struct live_cluster *c, bool first)
{
	if (cluster_all_drained(c))
		return CHOICE_DRAINED;
	return any_awaited(c) && first ? CHOICE_LATER : CHOICE_NONE;
}

enum choice live_cluster_choose(struct live_cluster *c, struct live_node *const *tried,
				unsigned tried_n, struct live_node **chosen, bool *fail_open)
{
	struct wanted w = { .tried = tried, .tried_n = tried_n, .healthy_only = true };
	bool full;
	checks(live_cluster_check(c));
	*fail_open = false;
	*chosen = best_untried(c, &w, &full);
	if (!*chosen && !full) {
		w.healthy_only = false;
		*chosen = best_untried(c, &w, &full);
		*fail_open = *chosen != NULL;
	}
	if (!*chosen && full)
		return CHOICE_FULL;
	if (!*chosen)
		return why_no_node(c, !tried_n);
	return CHOICE_NODE;
}
