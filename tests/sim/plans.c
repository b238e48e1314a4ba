#include "sim/plans.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "sim/world.h"

#define POISON 0xa5

/* A plan and all that belongs to it, in one block of memory. */
struct plan_page {
	bool poisoned;
	struct plan plan;
	struct listener listeners[SIM_LISTENERS];
	struct node nodes[ARMS][SIM_NODES_MAX];
	char names[ARMS][SIM_NODES_MAX][32];
	struct plan_pins pins[SIM_WORKERS_MAX]; /* of all processes */
	struct range everybody;
	struct networks override_allow;
	struct capture_policy policy;
};

static const char *const arm_names[ARMS] = { "source", "target" };

/* --- making --- */

static struct front_policy front_policy(const struct scenario *t)
{
	if (t->short_timeouts)
		return (struct front_policy){
			.head_ms = 400, .idle_ms = 600, .keep_alive_ms = 3000, .tunnel_idle_ms = 500
		};
	return (struct front_policy){ .head_ms = HEAD_TIMEOUT_MS * 6,
				      .idle_ms = IDLE_TIMEOUT_MS * 5,
				      .keep_alive_ms = CLIENT_KEEP_ALIVE_MS,
				      .tunnel_idle_ms = TUNNEL_IDLE_TIMEOUT_MS };
}

static struct back_policy back_policy(const struct scenario *t)
{
	if (t->short_timeouts)
		return (struct back_policy){ 300, 500, 500, 400, { 0 } };
	return (struct back_policy){ CONNECT_TIMEOUT_MS,
				     IDLE_TIMEOUT_MS * 5,
				     TUNNEL_IDLE_TIMEOUT_MS,
				     IDLE_TIMEOUT_MS,
				     { 0 } };
}

static void write_listeners(struct world *w, struct plan_page *p)
{
	static const char *const names[] = { "weighted", "source", "target" };
	for (uint32_t i = 0; i < SIM_LISTENERS; i++)
		p->listeners[i] = (struct listener){
			.number = i,
			.name = names[i],
			.route = { .weighted = i == 0, .arm = i == 2 ? ARM_TARGET : ARM_SOURCE },
			.policy = front_policy(&w->scenario),
			.forwarded = FORWARDED_APPEND,
			.trace = TRACE_MAKE,
			.port = addr_port(&w->listeners[i]),
			.body_max = w->scenario.allowed,
			.connections_max = w->plans.clients_max,
			.section = i,
			.ends_reads = w->scenario.ends,
		};
}

static void write_node(struct world *w, struct plan_page *p, enum arm arm, unsigned i,
		       struct node *n)
{
	struct plan_node *from = &w->plans.nodes[arm][i];
	char *name = p->names[arm][i];
	memcpy(name, w->plans.names[arm][i], sizeof p->names[arm][i]);
	*n = (struct node){
		.state = &from->state,
		.name = name,
		.server_name = name,
	};
}

static void write_cluster(struct world *w, struct plan_page *p, enum arm arm)
{
	struct cluster *c = &p->plan.clusters[arm];
	*c = (struct cluster){
		.name = arm_names[arm],
		.arm = arm,
		.balance = w->plans.turns ? BALANCE_ROUND_ROBIN : BALANCE_LEAST_OUTSTANDING,
		.host = w->scenario.host[arm],
		.host_name = "inside.example",
		.nodes = p->nodes[arm],
		.policy = back_policy(&w->scenario),
		.response_timeouts = { .response_ms = back_policy(&w->scenario).idle_ms },
		.connections = w->plans.share * w->scenario.workers,
		.workers = w->scenario.workers,
		.queue_ms = w->scenario.short_timeouts ? 300 : 600000,
		.eject = { w->plans.ejects, 500 },
	};
	for (unsigned i = 0; i < w->scenario.nodes[arm]; i++)
		if (w->plans.nodes[arm][i].listed)
			write_node(w, p, arm, i, &p->nodes[arm][c->node_n++]);
}

static struct plan_page *plans_write_page(struct world *w)
{
	struct plan_page *p = aligned_alloc(64, (sizeof *p + 63) / 64 * 64);
	must(p && w->plans.page_n < SIM_PLANS_MAX);
	memset(p, 0, sizeof *p);
	w->plans.pages[w->plans.page_n++] = p;
	p->plan = (struct plan){
		.number = w->plans.page_n,
		.listeners = p->listeners,
		.listener_n = SIM_LISTENERS,
		.profile = PROFILE_OPENSEARCH,
		.worker_n = w->scenario.workers,
		.accepting_n = w->scenario.workers,
		.memory_max = w->scenario.memory_bytes,
		.node_sockets_max = w->scenario.sockets,
		.pins = p->pins,
	};
	if (w->scenario.sticky_users)
		p->plan.sticky =
			(struct sticky){ STICKY_HEADER, NAME_OTHER, SPAN("X-User"), w->seed };
	if (w->scenario.names && w->scenario.override_allowed)
		p->plan.override_allow = &p->override_allow;
	p->policy = w->plans.policy;
	if (w->scenario.records)
		p->plan.capture = &p->policy;
	p->everybody = (struct range){ 0, (network_place)-1 };
	p->override_allow = (struct networks){ &p->everybody, 1 };
	write_listeners(w, p);
	for (int arm = 0; arm < ARMS; arm++)
		write_cluster(w, p, (enum arm)arm);
	return p;
}

/* --- publishing --- */

static void plans_publish(struct world *w)
{
	struct plan_page *p = plans_write_page(w);
	for (unsigned i = 0; i < w->worker_n; i++)
		if (w->workers[i].process == w->process_n)
			atomic_store(&w->workers[i].mailbox.plan, &p->plan);
	w->planned_ms = world_now_ms(w);
	world_wake(w);
	world_tell(w, "plan %llu", (unsigned long long)p->plan.number);
}

/* States of nodes have changed: notifies the workers of all processes. */
static void tell_workers(struct world *w)
{
	w->plans.node_admin++;
	for (unsigned i = 0; i < w->worker_n; i++)
		atomic_store(&w->workers[i].mailbox.node_admin, w->plans.node_admin);
	world_wake(w);
}

/* --- addresses --- */

static const struct server *server_of(const struct world *w, const struct plan_node *n)
{
	return &w->servers[n->state.number / SIM_NODES_MAX][n->state.number % SIM_NODES_MAX];
}

static unsigned living_ports(const struct world *w, const struct plan_node *n)
{
	unsigned living = 0;
	for (unsigned i = 0; i < SERVER_PORTS; i++)
		living |= !server_of(w, n)->ports[i].dead << i;
	return living;
}

static void share_ports(struct world *w, struct plan_node *n)
{
	struct node_addresses a = { .spare = n->spare };
	for (unsigned i = 0; n->known && i < SERVER_PORTS; i++)
		if ((n->ports | n->spare) >> i & 1) {
			a.list[i] = server_of(w, n)->ports[i].at;
			a.n = i + 1;
		}
	node_state_set_addresses(&n->state, &a);
	atomic_store(&n->state.awaited, !n->known);
	world_tell(w, "node %u has ports %x, and spare ones %x", n->state.number,
		   n->known ? n->ports : 0, n->spare);
}

/* At least one of the chosen ports is alive. */
static void roll_ports(struct world *w, struct plan_node *n)
{
	n->ports = (unsigned)dice_between(&w->dice, 1, (1u << SERVER_PORTS) - 1);
	if (!(n->ports & living_ports(w, n)))
		n->ports = (1u << SERVER_PORTS) - 1;
}

/* Simulates a look-up of the node's name. */
static void node_look_up(struct world *w, struct plan_node *n)
{
	unsigned before = n->ports | n->spare;
	if (n->known) {
		roll_ports(w, n);
		n->spare = dice_chance(&w->dice, 500) ? before & ~n->ports : 0;
	}
	tally_note(w, SEEN_LOOK_UP);
	n->known = true;
	share_ports(w, n);
	tell_workers(w);
	w->planned_ms = world_now_ms(w);
}

static void set_port(struct world *w, struct plan_node *n, unsigned port, enum sim_spot_kind kind)
{
	struct server_port *d =
		&w->servers[n->state.number / SIM_NODES_MAX][n->state.number % SIM_NODES_MAX]
			 .ports[port];
	uint64_t bit = UINT64_C(1) << port;
	d->dead = kind != SIM_AS_IT_IS;
	sim_set_spot(w->sim, &d->at, kind);
	if (!d->dead)
		atomic_fetch_and(&n->state.ill, ~bit);
	else if (dice_chance(&w->dice, 500))
		atomic_fetch_or(&n->state.ill, bit);
	if (kind != SIM_AS_IT_IS)
		tally_note(w, kind == SIM_REFUSES ? SEEN_PORT_REFUSES : SEEN_PORT_SWALLOWS);
	world_tell(w, "port %u of node %u is of kind %d", port, n->state.number, kind);
}

void plans_change_port(struct world *w)
{
	enum arm arm = (enum arm)dice_roll(&w->dice, ARMS);
	struct plan_node *n = &w->plans.nodes[arm][dice_roll(&w->dice, w->scenario.nodes[arm])];
	unsigned port = (unsigned)dice_roll(&w->dice, SERVER_PORTS);
	if (server_of(w, n)->ports[port].dead)
		set_port(w, n, port, SIM_AS_IT_IS);
	else if (n->ports & living_ports(w, n) & ~(1u << port))
		set_port(w, n, port, dice_chance(&w->dice, 500) ? SIM_REFUSES : SIM_SWALLOWS);
}

/* --- changing --- */

static void roll_policy(struct world *w)
{
	static const enum capture_durable durables[] = { DURABLE_WRITES, DURABLE_WRITES,
							 DURABLE_WRITES, DURABLE_ALL,
							 DURABLE_NONE };
	struct dice *d = &w->log_dice;
	w->plans.policy = (struct capture_policy){
		.durable = dice_pick(d, durables),
		.gate = dice_chance(d, 700) ? GATE_END : GATE_PIECE,
		.acknowledge = dice_chance(d, 700) ? ACKNOWLEDGE_OUTCOME : ACKNOWLEDGE_RESPONSE,
		.unavailable = dice_chance(d, 500) ? UNAVAILABLE_REFUSE : UNAVAILABLE_FORWARD,
		.responses = (enum capture_responses)dice_roll(d, RESPONSES_HEADS + 1),
	};
	if (w->scenario.deceit.releases_early)
		w->plans.policy.durable = DURABLE_NONE;
	if (w->scenario.deceit.acknowledges_early)
		w->plans.policy.acknowledge = ACKNOWLEDGE_RESPONSE;
}

static void plans_tune(struct world *w)
{
	struct plans *p = &w->plans;
	struct dice *d = &w->dice;
	if (w->scenario.tunes && w->scenario.records)
		roll_policy(w);
	if (w->scenario.tunes) {
		p->turns = dice_chance(d, 500);
		p->share = w->scenario.share ? (unsigned)dice_between(d, 1, 3) : 0;
		p->ejects = w->scenario.ejects ? (unsigned)dice_roll(d, 5) : 0;
	}
	if (w->scenario.limits)
		p->clients_max =
			dice_chance(d, 500) ? (uint32_t)(1 + dice_size(d, SIM_CLIENTS_MAX)) : 0;
}

void plans_introduce(struct world *w, struct sim_worker *h)
{
	atomic_store(&h->mailbox.plan, &w->plans.pages[w->plans.page_n - 1]->plan);
	atomic_store(&h->mailbox.node_admin, w->plans.node_admin);
}

void plans_open(struct world *w)
{
	uint32_t number = 0;
	w->plans.turns = w->seed % 2 == 0;
	w->plans.share = w->scenario.share;
	w->plans.ejects = w->scenario.ejects;
	for (int arm = 0; arm < ARMS; arm++)
		for (unsigned i = 0; i < SIM_NODES_MAX; i++) {
			struct plan_node *n = &w->plans.nodes[arm][i];
			snprintf(w->plans.names[arm][i], sizeof w->plans.names[arm][i],
				 "%s-%u.example:9200", arm_names[arm], i);
			n->state.number = number++;
			atomic_store(&n->state.healthy, true);
			n->listed = true;
			n->known = !w->scenario.shifts ||
				   dice_chance(&w->dice, w->scenario.loses_all_nodes ? 200 : 600);
			roll_ports(w, n);
			share_ports(w, n);
		}
	if (w->scenario.records)
		roll_policy(w);
	plans_tune(w);
	plans_publish(w);
}

static bool node_is_ready(const struct plan_node *n)
{
	return atomic_load(&n->state.duty) == DUTY_READY;
}

/* Nodes that are listed and not drained. */
static unsigned count_serving(const struct world *w, enum arm arm)
{
	unsigned count = 0;
	for (unsigned i = 0; i < w->scenario.nodes[arm]; i++) {
		const struct plan_node *n = &w->plans.nodes[arm][i];
		count += n->listed && node_is_ready(n);
	}
	return count;
}

static void plans_set_duty(struct world *w, struct plan_node *n, enum node_duty duty)
{
	atomic_store(&n->state.duty, duty);
	tell_workers(w);
	n->node_admin_change = w->plans.node_admin;
	world_tell(w, "node %u has duty %d", n->state.number, duty);
	if (duty != DUTY_READY)
		tally_note(w, duty == DUTY_CUT ? SEEN_CUT : SEEN_DRAINED);
}

void plans_change_duty(struct world *w)
{
	enum arm arm = (enum arm)dice_roll(&w->dice, ARMS);
	struct plan_node *n = &w->plans.nodes[arm][dice_roll(&w->dice, w->scenario.nodes[arm])];
	unsigned least = w->scenario.loses_all_nodes ? 0 : 1;
	bool may_go = !n->listed || count_serving(w, arm) > least;
	if (node_is_ready(n) && may_go)
		plans_set_duty(w, n, DUTY_DRAINED);
	else if (!node_is_ready(n) && !scenario_is_harmless(&w->scenario) &&
		 dice_chance(&w->dice, 500))
		plans_set_duty(w, n, DUTY_CUT);
	else if (!node_is_ready(n))
		plans_set_duty(w, n, DUTY_READY);
}

const struct plan_node *plans_node_of(const struct plans *p, const struct node_state *state)
{
	return &p->nodes[state->number / SIM_NODES_MAX][state->number % SIM_NODES_MAX];
}

void plans_shift(struct world *w)
{
	enum arm arm = (enum arm)dice_roll(&w->dice, ARMS);
	struct plan_node *n = &w->plans.nodes[arm][dice_roll(&w->dice, w->scenario.nodes[arm])];
	unsigned least = w->scenario.loses_all_nodes ? 0 : 1;
	if (w->plans.page_n + 1 == SIM_PLANS_MAX)
		return;
	if (!n->known || dice_chance(&w->dice, 400)) {
		node_look_up(w, n);
		return;
	}
	if (!n->listed || !node_is_ready(n) || count_serving(w, arm) > least)
		n->listed = !n->listed;
	plans_tune(w);
	plans_publish(w);
}

/* Publishes only if something has changed. */
static void plans_complete(struct world *w, bool list)
{
	bool changed = false;
	for (int arm = 0; arm < ARMS; arm++)
		for (unsigned i = 0; i < w->scenario.nodes[arm]; i++) {
			struct plan_node *n = &w->plans.nodes[arm][i];
			changed |= list && !n->listed;
			if (!n->known)
				node_look_up(w, n);
			n->listed |= list;
			if (list && !node_is_ready(n))
				plans_set_duty(w, n, DUTY_READY);
		}
	if (changed)
		plans_publish(w);
}

void plans_know_names(struct world *w)
{
	plans_complete(w, false);
}

void plans_settle(struct world *w)
{
	plans_complete(w, true);
}

bool plans_name_port(const struct plans *p, enum arm arm, unsigned node, unsigned port)
{
	const struct plan_node *n = &p->nodes[arm][node];
	return n->listed && n->known && ((n->ports | n->spare) >> port & 1);
}

const char *plans_name_of(const struct plans *p, enum arm arm, unsigned node)
{
	return p->names[arm][node];
}

void plans_forget_pins(struct world *w)
{
	for (unsigned i = 0; i < w->plans.page_n; i++)
		for (unsigned j = 0; !w->plans.pages[i]->poisoned && j < SIM_WORKERS_MAX; j++)
			atomic_store(&w->plans.pages[i]->pins[j].n, 0);
}

/* --- the end --- */

/* Every running worker has adopted a later plan, and nothing pins this one. */
static bool plan_is_unused(const struct world *w, const struct plan_page *p)
{
	for (unsigned i = 0; i < w->worker_n; i++) {
		const struct sim_worker *h = &w->workers[i];
		const struct plan *adopted = atomic_load(&h->mailbox.adopted);
		if ((h->worker && adopted->number <= p->plan.number) ||
		    atomic_load(&p->pins[h->number].n))
			return false;
	}
	return true;
}

void plans_sweep(struct world *w)
{
	for (unsigned i = 0; i + 1 < w->plans.page_n; i++) {
		struct plan_page *p = w->plans.pages[i];
		if (p->poisoned || !plan_is_unused(w, p))
			continue;
		memset(p, POISON, sizeof *p);
		p->poisoned = true;
	}
}

static bool is_poison(const struct plan_page *p)
{
	const unsigned char *at = (const unsigned char *)&p->plan;
	const unsigned char *end = (const unsigned char *)(p + 1);
	while (at < end && *at == POISON)
		at++;
	return at == end;
}

void plans_close(struct world *w)
{
	plans_sweep(w);
	for (unsigned i = 0; i < w->plans.page_n; i++) {
		struct plan_page *p = w->plans.pages[i];
		bool newest = i + 1 == w->plans.page_n;
		for (unsigned j = 0; newest && j < w->scenario.workers; j++)
			judge_nothing(w, "pins of the newest plan", atomic_load(&p->pins[j].n));
		if (!newest && !(p->poisoned && is_poison(p)))
			judge_fail(w, "an old plan is let go", "plan %u is %s", i + 1,
				   p->poisoned ? "written to" : "still held");
		free(p);
	}
}
