#include "sim/plans.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "sim/world.h"

#define POISON 0xa5

/* A plan and all that belongs to it, in one piece of memory. */
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

static struct front_policy front_policy(const struct temper *t)
{
	if (t->hasty)
		return (struct front_policy){
			.head_ms = 400, .idle_ms = 600, .keep_alive_ms = 3000, .tunnel_idle_ms = 500
		};
	return (struct front_policy){ .head_ms = HEAD_TIMEOUT_MS * 6,
				      .idle_ms = IDLE_TIMEOUT_MS * 5,
				      .keep_alive_ms = CLIENT_KEEP_ALIVE_MS,
				      .tunnel_idle_ms = TUNNEL_IDLE_TIMEOUT_MS };
}

static struct back_policy back_policy(const struct temper *t)
{
	if (t->hasty)
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
			.policy = front_policy(&w->temper),
			.forwarded = FORWARDED_APPEND,
			.trace = TRACE_MAKE,
			.port = addr_port(&w->listeners[i]),
			.body_max = w->temper.allowed,
			.connections_max = w->plans.clients_max,
			.section = i,
			.ends_reads = w->temper.ends,
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
		.host = w->temper.host[arm],
		.host_name = "inside.example",
		.nodes = p->nodes[arm],
		.policy = back_policy(&w->temper),
		.patience = { .response_ms = back_policy(&w->temper).idle_ms },
		.connections = w->plans.share * w->temper.workers,
		.workers = w->temper.workers,
		.queue_ms = w->temper.hasty ? 300 : 600000,
		.eject = { w->plans.ejects, 500 },
	};
	for (unsigned i = 0; i < w->temper.nodes[arm]; i++)
		if (w->plans.nodes[arm][i].listed)
			write_node(w, p, arm, i, &p->nodes[arm][c->node_n++]);
}

static struct plan_page *write_page(struct world *w)
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
		.worker_n = w->temper.workers,
		.memory_max = w->temper.memory_bytes,
		.node_sockets_max = w->temper.sockets,
		.pins = p->pins,
	};
	if (w->temper.sticks)
		p->plan.sticky =
			(struct sticky){ STICKY_HEADER, NAME_OTHER, SPAN("X-User"), w->seed };
	if (w->temper.names && w->temper.obeys)
		p->plan.override_allow = &p->override_allow;
	p->policy = w->plans.policy;
	if (w->temper.records)
		p->plan.capture = &p->policy;
	p->everybody = (struct range){ 0, (network_place)-1 };
	p->override_allow = (struct networks){ &p->everybody, 1 };
	write_listeners(w, p);
	for (int arm = 0; arm < ARMS; arm++)
		write_cluster(w, p, (enum arm)arm);
	return p;
}

/* --- publishing --- */

static void publish(struct world *w)
{
	struct plan_page *p = write_page(w);
	for (unsigned i = 0; i < w->hand_n; i++)
		if (w->hands[i].process == w->process_n)
			atomic_store(&w->hands[i].door.plan, &p->plan);
	w->planned_ms = world_now_ms(w);
	world_wake(w);
	world_tell(w, "plan %llu", (unsigned long long)p->plan.number);
}

/* States of nodes have changed: all processes hear of it. */
static void tell_workers(struct world *w)
{
	w->plans.duties++;
	for (unsigned i = 0; i < w->hand_n; i++)
		atomic_store(&w->hands[i].door.duties, w->plans.duties);
	world_wake(w);
}

/* --- addresses --- */

static const struct server *server_of(const struct world *w, const struct plan_node *n)
{
	return &w->servers[n->state.number / SIM_NODES_MAX][n->state.number % SIM_NODES_MAX];
}

static unsigned living_doors(const struct world *w, const struct plan_node *n)
{
	unsigned living = 0;
	for (unsigned i = 0; i < SERVER_DOORS; i++)
		living |= !server_of(w, n)->doors[i].dead << i;
	return living;
}

static void share_doors(struct world *w, struct plan_node *n)
{
	struct node_addresses a = { .spare = n->spare };
	for (unsigned i = 0; n->known && i < SERVER_DOORS; i++)
		if ((n->doors | n->spare) >> i & 1) {
			a.list[i] = server_of(w, n)->doors[i].at;
			a.n = i + 1;
		}
	node_state_set_addresses(&n->state, &a);
	atomic_store(&n->state.awaited, !n->known);
	world_tell(w, "node %u is known by %x, and %x", n->state.number, n->known ? n->doors : 0,
		   n->spare);
}

/* One of them lives. */
static void roll_doors(struct world *w, struct plan_node *n)
{
	n->doors = (unsigned)dice_between(&w->dice, 1, (1u << SERVER_DOORS) - 1);
	if (!(n->doors & living_doors(w, n)))
		n->doors = (1u << SERVER_DOORS) - 1;
}

/* What a name stands for. */
static void look_up(struct world *w, struct plan_node *n)
{
	unsigned before = n->doors | n->spare;
	if (n->known) {
		roll_doors(w, n);
		n->spare = dice_says(&w->dice, 500) ? before & ~n->doors : 0;
	}
	tally_note(w, SEEN_LOOK_UP);
	n->known = true;
	share_doors(w, n);
	tell_workers(w);
	w->planned_ms = world_now_ms(w);
}

static void set_door(struct world *w, struct plan_node *n, unsigned door, enum sim_spot_kind kind)
{
	struct server_door *d =
		&w->servers[n->state.number / SIM_NODES_MAX][n->state.number % SIM_NODES_MAX]
			 .doors[door];
	uint64_t bit = UINT64_C(1) << door;
	d->dead = kind != SIM_AS_IT_IS;
	sim_set_spot(w->sim, &d->at, kind);
	if (!d->dead)
		atomic_fetch_and(&n->state.ill, ~bit);
	else if (dice_says(&w->dice, 500))
		atomic_fetch_or(&n->state.ill, bit);
	if (kind != SIM_AS_IT_IS)
		tally_note(w, kind == SIM_REFUSES ? SEEN_DOOR_REFUSES : SEEN_DOOR_SWALLOWS);
	world_tell(w, "door %u of node %u is of kind %d", door, n->state.number, kind);
}

void plans_change_door(struct world *w)
{
	enum arm arm = (enum arm)dice_roll(&w->dice, ARMS);
	struct plan_node *n = &w->plans.nodes[arm][dice_roll(&w->dice, w->temper.nodes[arm])];
	unsigned door = (unsigned)dice_roll(&w->dice, SERVER_DOORS);
	if (server_of(w, n)->doors[door].dead)
		set_door(w, n, door, SIM_AS_IT_IS);
	else if (n->doors & living_doors(w, n) & ~(1u << door))
		set_door(w, n, door, dice_says(&w->dice, 500) ? SIM_REFUSES : SIM_SWALLOWS);
}

/* --- changing --- */

static void roll_policy(struct world *w)
{
	static const enum capture_durable durables[] = { DURABLE_WRITES, DURABLE_WRITES,
							 DURABLE_WRITES, DURABLE_ALL,
							 DURABLE_NONE };
	struct dice *d = &w->scribal;
	w->plans.policy = (struct capture_policy){
		.durable = dice_pick(d, durables),
		.gate = dice_says(d, 700) ? GATE_END : GATE_PIECE,
		.acknowledge = dice_says(d, 700) ? ACKNOWLEDGE_OUTCOME : ACKNOWLEDGE_ANSWER,
		.unavailable = dice_says(d, 500) ? UNAVAILABLE_REFUSE : UNAVAILABLE_FORWARD,
		.answers = (enum capture_answers)dice_roll(d, ANSWERS_HEADS + 1),
	};
	if (w->temper.deceit.releases_early)
		w->plans.policy.durable = DURABLE_NONE;
	if (w->temper.deceit.acknowledges_early)
		w->plans.policy.acknowledge = ACKNOWLEDGE_ANSWER;
}

static void tune(struct world *w)
{
	struct plans *p = &w->plans;
	struct dice *d = &w->dice;
	if (w->temper.tunes && w->temper.records)
		roll_policy(w);
	if (w->temper.tunes) {
		p->turns = dice_says(d, 500);
		p->share = w->temper.share ? (unsigned)dice_between(d, 1, 3) : 0;
		p->ejects = w->temper.ejects ? (unsigned)dice_roll(d, 5) : 0;
	}
	if (w->temper.limits)
		p->clients_max =
			dice_says(d, 500) ? (uint32_t)(1 + dice_size(d, SIM_CLIENTS_MAX)) : 0;
}

void plans_introduce(struct world *w, struct hand *h)
{
	atomic_store(&h->door.plan, &w->plans.pages[w->plans.page_n - 1]->plan);
	atomic_store(&h->door.duties, w->plans.duties);
}

void plans_open(struct world *w)
{
	uint32_t number = 0;
	w->plans.turns = w->seed % 2 == 0;
	w->plans.share = w->temper.share;
	w->plans.ejects = w->temper.ejects;
	for (int arm = 0; arm < ARMS; arm++)
		for (unsigned i = 0; i < SIM_NODES_MAX; i++) {
			struct plan_node *n = &w->plans.nodes[arm][i];
			snprintf(w->plans.names[arm][i], sizeof w->plans.names[arm][i],
				 "%s-%u.example:9200", arm_names[arm], i);
			n->state.number = number++;
			atomic_store(&n->state.healthy, true);
			n->listed = true;
			n->known = !w->temper.shifts ||
				   dice_says(&w->dice, w->temper.deserts ? 200 : 600);
			roll_doors(w, n);
			share_doors(w, n);
		}
	if (w->temper.records)
		roll_policy(w);
	tune(w);
	publish(w);
}

static bool is_ready(const struct plan_node *n)
{
	return atomic_load(&n->state.duty) == DUTY_READY;
}

/* Listed, and not drained. */
static unsigned serving(const struct world *w, enum arm arm)
{
	unsigned count = 0;
	for (unsigned i = 0; i < w->temper.nodes[arm]; i++) {
		const struct plan_node *n = &w->plans.nodes[arm][i];
		count += n->listed && is_ready(n);
	}
	return count;
}

static void set_duty(struct world *w, struct plan_node *n, enum node_duty duty)
{
	atomic_store(&n->state.duty, duty);
	tell_workers(w);
	n->duty_change = w->plans.duties;
	world_tell(w, "node %u has duty %d", n->state.number, duty);
	if (duty != DUTY_READY)
		tally_note(w, duty == DUTY_CUT ? SEEN_CUT : SEEN_DRAINED);
}

void plans_change_duty(struct world *w)
{
	enum arm arm = (enum arm)dice_roll(&w->dice, ARMS);
	struct plan_node *n = &w->plans.nodes[arm][dice_roll(&w->dice, w->temper.nodes[arm])];
	unsigned least = w->temper.deserts ? 0 : 1;
	bool may_go = !n->listed || serving(w, arm) > least;
	if (is_ready(n) && may_go)
		set_duty(w, n, DUTY_DRAINED);
	else if (!is_ready(n) && !temper_is_harmless(&w->temper) && dice_says(&w->dice, 500))
		set_duty(w, n, DUTY_CUT);
	else if (!is_ready(n))
		set_duty(w, n, DUTY_READY);
}

const struct plan_node *plans_node_of(const struct plans *p, const struct node_state *state)
{
	return &p->nodes[state->number / SIM_NODES_MAX][state->number % SIM_NODES_MAX];
}

void plans_shift(struct world *w)
{
	enum arm arm = (enum arm)dice_roll(&w->dice, ARMS);
	struct plan_node *n = &w->plans.nodes[arm][dice_roll(&w->dice, w->temper.nodes[arm])];
	unsigned least = w->temper.deserts ? 0 : 1;
	if (w->plans.page_n + 1 == SIM_PLANS_MAX)
		return;
	if (!n->known || dice_says(&w->dice, 400)) {
		look_up(w, n);
		return;
	}
	if (!n->listed || !is_ready(n) || serving(w, arm) > least)
		n->listed = !n->listed;
	tune(w);
	publish(w);
}

/* Publishes only what is a change. */
static void improve(struct world *w, bool list)
{
	bool changed = false;
	for (int arm = 0; arm < ARMS; arm++)
		for (unsigned i = 0; i < w->temper.nodes[arm]; i++) {
			struct plan_node *n = &w->plans.nodes[arm][i];
			changed |= list && !n->listed;
			if (!n->known)
				look_up(w, n);
			n->listed |= list;
			if (list && !is_ready(n))
				set_duty(w, n, DUTY_READY);
		}
	if (changed)
		publish(w);
}

void plans_know_names(struct world *w)
{
	improve(w, false);
}

void plans_settle(struct world *w)
{
	improve(w, true);
}

bool plans_name_door(const struct plans *p, enum arm arm, unsigned node, unsigned door)
{
	const struct plan_node *n = &p->nodes[arm][node];
	return n->listed && n->known && ((n->doors | n->spare) >> door & 1);
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

/* --- an end --- */

/* Every worker that runs has moved on, and no exchange holds it. */
static bool is_free(const struct world *w, const struct plan_page *p)
{
	for (unsigned i = 0; i < w->hand_n; i++) {
		const struct hand *h = &w->hands[i];
		const struct plan *adopted = atomic_load(&h->door.adopted);
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
		if (p->poisoned || !is_free(w, p))
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
		for (unsigned j = 0; newest && j < w->temper.workers; j++)
			judge_nothing(w, "pins of the newest plan", atomic_load(&p->pins[j].n));
		if (!newest && !(p->poisoned && is_poison(p)))
			judge_fail(w, "an old plan is let go", "plan %u is %s", i + 1,
				   p->poisoned ? "written to" : "still held");
		free(p);
	}
}
