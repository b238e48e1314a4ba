#include "sim/judge.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proxy/exchange.h"
#include "sim/pattern.h"
#include "sim/world.h"

void judge_fail(const struct world *w, const char *invariant, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fflush(stdout);
	fprintf(stderr, "seed %llu, at %llu ms: %s: ", (unsigned long long)w->seed,
		(unsigned long long)world_now_ms(w), invariant);
	vfprintf(stderr, format, arguments);
	fprintf(stderr, "\n");
	va_end(arguments);
	_exit(1);
}

static unsigned long long number(uint64_t n)
{
	return n;
}

/* So many attempts have failed that a worker has made no more retries. */
static bool is_budget_spent(const struct world *w)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < w->worker_n; i++)
		for (int arm = 0; arm < ARMS; arm++)
			n += counter_read(&w->workers[i].counters.retries_refused[arm]);
	return n > 0;
}

static bool is_calm(const struct world *w)
{
	return scenario_is_calm(&w->scenario) && !is_budget_spent(w);
}

static bool is_harmless(const struct world *w)
{
	return scenario_is_harmless(&w->scenario) && !is_budget_spent(w);
}

/* --- the balancer's decisions --- */

void judge_published(struct world *w, const struct board_values *v)
{
	struct judge *j = &w->judge;
	must(j->published_n < SIM_EPOCHS_MAX);
	j->published[j->published_n++] = *v;
}

static const struct board_values *values_of(const struct judge *j, uint64_t epoch)
{
	for (unsigned i = 0; i < j->published_n; i++)
		if (j->published[i].epoch == epoch)
			return &j->published[i];
	return NULL;
}

/* After any number of requests of a class no arm is more than one away from its share. */
static void judge_share(const struct world *w, unsigned worker, enum class class)
{
	const struct period *p = &w->judge.periods[worker][class];
	double n = (double)(p->taken[ARM_SOURCE] + p->taken[ARM_TARGET]);
	double sum = (double)p->weights[ARM_SOURCE] + p->weights[ARM_TARGET];
	for (int arm = 0; arm < ARMS; arm++) {
		double away = (double)p->taken[arm] - n * p->weights[arm] / sum;
		if (away > 1.000001 || away < -1.000001)
			judge_fail(w, "exact weights", "worker %u, %ss: %u:%u became %llu:%llu",
				   worker, class_name(class), p->weights[0], p->weights[1],
				   number(p->taken[0]), number(p->taken[1]));
	}
}

/* A worker decides by the values that it has acknowledged. */
static const struct board_values *judge_epoch(const struct world *w, unsigned worker)
{
	uint64_t epoch = atomic_load(&w->workers[worker].slot->acknowledged);
	const struct board_values *v = values_of(&w->judge, epoch);
	if (!v || epoch < w->judge.settled || epoch < w->judge.epochs[worker])
		judge_fail(w, "acknowledged",
			   "worker %u decides in epoch %llu, all workers had %llu", worker,
			   number(epoch), number(w->judge.settled));
	return v;
}

/*
 * An arm of weight 0 gets nothing, and does not end a period: requests of the other arm do not
 * count as turns.
 */
static void judge_turn(struct world *w, unsigned worker, enum class class, enum arm arm,
		       const struct board_values *v)
{
	struct period *p = &w->judge.periods[worker][class];
	if (!v->weights[arm])
		judge_fail(w, "exact weights", "worker %u chooses arm %d, which has weight 0",
			   worker, arm);
	if (!v->weights[ARM_SOURCE] || !v->weights[ARM_TARGET])
		return;
	if (memcmp(p->weights, v->weights, sizeof p->weights) != 0) {
		*p = (struct period){ 0 };
		memcpy(p->weights, v->weights, sizeof p->weights);
	}
	p->taken[arm]++;
	judge_share(w, worker, class);
}

/*
 * The target's share of all users is above this user's threshold, or is not. Earlier weights make
 * no difference.
 */
static void judge_user(struct world *w, unsigned user, enum arm arm, const struct board_values *v)
{
	double sum = (double)v->weights[ARM_SOURCE] + v->weights[ARM_TARGET];
	double share = v->weights[ARM_TARGET] / sum;
	struct user *u = &w->judge.users[user];
	if (arm == ARM_TARGET && (!u->to_target || share < u->to_target_min))
		u->to_target_min = share;
	if (arm == ARM_SOURCE && (!u->to_source || share > u->to_source_max))
		u->to_source_max = share;
	u->to_target |= arm == ARM_TARGET;
	u->to_source |= arm == ARM_SOURCE;
	if (!v->weights[arm] ||
	    (u->to_target && u->to_source && u->to_source_max >= u->to_target_min))
		judge_fail(w, "steered", "user %u goes to arm %d at weights %u:%u", user, arm,
			   v->weights[0], v->weights[1]);
}

static void judge_weighted(struct world *w, unsigned worker, const struct exchange *ex,
			   const struct ask *a)
{
	const struct board_values *v = judge_epoch(w, worker);
	enum arm arm = (enum arm)ex->request.arm;
	w->judge.epochs[worker] = v->epoch;
	bool named = a && a->names && w->scenario.override_allowed && !v->rolled_back;
	if (!named && !(a && a->user))
		judge_turn(w, worker, (enum class)ex->request.class.class, arm, v);
	else if (!named)
		judge_user(w, a->user, arm, v);
	else if (arm != a->named)
		judge_fail(w, "steered", "request %llu goes to arm %d, its override is %d",
			   number(a->id), arm, a->named);
}

/* For any listener. */
static void judge_held(const struct world *w, unsigned worker, const struct exchange *ex)
{
	const struct sim_worker *h = &w->workers[worker];
	const struct board_values *v = values_of(&w->judge, atomic_load(&h->slot->acknowledged));
	if (!request_is_write(&ex->request))
		return;
	if (v && board_holds(v))
		judge_fail(w, "held", "worker %u gives a write to arm %d in epoch %llu", worker,
			   ex->request.arm, number(v->epoch));
}

void judge_decided(struct world *w, unsigned worker, const struct exchange *ex, struct ask *a)
{
	uint32_t listener = ex->request.listener->number;
	enum arm arm = (enum arm)ex->request.arm;
	w->judge.decided[worker][listener][arm]++;
	judge_held(w, worker, ex);
	if (listener == 0)
		judge_weighted(w, worker, ex, a);
	else if (arm != (listener == 1 ? ARM_SOURCE : ARM_TARGET))
		judge_fail(w, "one node", "listener %u gives a request to arm %d", listener, arm);
	if (!a)
		return;
	a->decided = true;
	a->arm = arm;
	a->worker = worker;
	a->worker_retired = atomic_load(&w->workers[worker].slot->retired);
}

/* Healthy and not ejected: a request may be given to the node. */
static bool node_is_well(const struct live_node *n)
{
	return atomic_load(&n->node->state->healthy) && !n->ejection.out;
}

void judge_chosen(const struct world *w, const struct exchange *ex)
{
	const struct delivery *d = ex->delivery;
	if (!d || !d->node || d->attempt_n > 1 || !d->node->node || node_is_well(d->node))
		return;
	const struct live_cluster *c = &ex->exchanges->clusters[ex->request.arm];
	for (size_t i = 0; i < c->node_n; i++) {
		const struct live_node *n = c->nodes[i];
		if (n->pool.address_n && node_is_well(n) &&
		    atomic_load(&n->node->state->duty) == DUTY_READY)
			judge_fail(w, "a sick node is spared", "%s was chosen, not %s",
				   d->node->node->name, n->node->name);
	}
}

void judge_cut(const struct world *w, unsigned worker, const struct exchanges *d)
{
	list_each(l, &d->open) {
		const struct exchange *ex = list_entry(l, struct exchange, link);
		const struct live_node *n = ex->delivery ? ex->delivery->node : NULL;
		if (n && n->node && atomic_load(&n->node->state->duty) == DUTY_CUT)
			judge_fail(w, "drained", "worker %u has a request with %s, which is cut",
				   worker, n->node->name);
	}
}

/* A request that is tried again may wait for a node that the requests behind it do not need. */
static unsigned judge_order(const struct world *w, unsigned worker, const struct queue *q)
{
	uint64_t before_ns = 0;
	unsigned n = 0, fresh = 0;
	list_each(l, &q->list) {
		const struct delivery *d = list_entry(l, struct delivery, wait_link);
		if (d->queued_ns < before_ns)
			judge_fail(w, "a fair share",
				   "worker %u: a request overtakes another in the queue", worker);
		before_ns = d->queued_ns;
		n++;
		fresh += d->tried_n == 0;
	}
	if (n != q->n)
		judge_fail(w, "a fair share", "worker %u counts %u in the queue, it has %u", worker,
			   q->n, n);
	return fresh;
}

void judge_busy(struct world *w, unsigned worker, const struct exchanges *d)
{
	for (int arm = 0; arm < ARMS; arm++) {
		const struct live_cluster *c = &d->clusters[arm];
		unsigned waiting = judge_order(w, worker, &d->queues[arm]);
		unsigned share = c->cluster->connections / c->cluster->workers;
		for (size_t i = 0; share && i < c->node_n; i++) {
			const struct live_node *n = c->nodes[i];
			unsigned *before = &w->workers[worker].at_node[n->node->state->number];
			bool free = n->duty == DUTY_READY && n->pool.address_n && node_is_well(n) &&
				    n->outstanding < share;
			if (n->outstanding > share && n->outstanding > *before)
				judge_fail(w, "a fair share", "worker %u has %u requests at %s",
					   worker, n->outstanding, n->node->name);
			if (free && waiting && !d->queues[arm].freed && !w->scenario.sockets)
				judge_fail(w, "a fair share",
					   "worker %u: %u requests wait, and %s is free", worker,
					   waiting, n->node->name);
			*before = n->outstanding;
		}
	}
}

/* Connections to nodes: no more than the limit, and no cluster may use all of them. */
void judge_sockets(const struct world *w, unsigned worker, const struct exchanges *d)
{
	uint64_t max = w->scenario.sockets, all = 0;
	for (int arm = 0; max && arm < ARMS; arm++) {
		uint64_t open = d->clusters[arm].counts.open;
		all += open;
		if (open > max - max / 4 || all > max)
			judge_fail(w, "a limit holds",
				   "worker %u has %llu connections to nodes, %llu to the %s, limit "
				   "%llu",
				   worker, number(all), number(open),
				   d->clusters[arm].cluster->name, number(max));
	}
}

/*
 * Each worker has a share of the limit. Clients that are connected when the limit shrinks may stay.
 */
void judge_limits(struct world *w, unsigned worker)
{
	struct sim_worker *h = &w->workers[worker];
	const struct plan *plan = atomic_load(&h->mailbox.adopted);
	for (unsigned i = 0; i < SIM_LISTENERS; i++) {
		uint32_t max = plan->listeners[i].connections_max, workers = w->scenario.workers;
		uint64_t open = counter_read(&h->counters.connections_open[i]);
		if (max && open > max / workers + (h->number < max % workers) &&
		    open > h->clients[i])
			judge_fail(w, "a limit holds", "worker %u has %llu clients, %u are allowed",
				   worker, number(open), max);
		h->clients[i] = open;
	}
}

void judge_in_flight(const struct world *w, unsigned worker, const struct exchanges *d)
{
	const struct board_slot *s = w->workers[worker].slot;
	uint64_t epoch = atomic_load(&s->acknowledged), now = 0, before = 0;
	uint64_t writes[ARMS] = { 0 };
	const struct list *lists[] = { &d->open, &d->closing };
	for (unsigned i = 0; i < 2; i++)
		list_each(l, lists[i]) {
			const struct request *r = &list_entry(l, struct exchange, link)->request;
			if (r->arm == ARM_NONE)
				continue;
			bool weighted = r->listener->route.weighted;
			now += weighted && r->epoch == epoch;
			before += weighted && r->epoch != epoch;
			writes[r->arm] += request_is_write(r);
		}
	for (int arm = 0; arm < ARMS; arm++)
		if (atomic_load(&s->writes[arm]) != writes[arm])
			judge_fail(w, "in flight",
				   "worker %u has %llu writes to arm %d, its slot says %llu",
				   worker, number(writes[arm]), arm,
				   number(atomic_load(&s->writes[arm])));
	if (counter_read(&s->in_flight_now) != now || counter_read(&s->in_flight_before) != before)
		judge_fail(w, "in flight",
			   "worker %u has %llu requests of this epoch and %llu of earlier "
			   "ones, its slot says %llu and %llu",
			   worker, number(now), number(before),
			   number(counter_read(&s->in_flight_now)),
			   number(counter_read(&s->in_flight_before)));
}

void judge_word(const struct world *w, unsigned worker, const struct node_state *node,
		const char *verb)
{
	const struct plan_node *n = plans_node_of(&w->plans, node);
	uint32_t duty = atomic_load(&node->duty);
	bool heeded = atomic_load(&w->workers[worker].mailbox.node_admin_acknowledged) >=
		      n->node_admin_change;
	bool head = strcmp(verb, "head") == 0;
	bool abort = strcmp(verb, "stop") == 0 || strcmp(verb, "reset") == 0;
	if (heeded && ((duty == DUTY_DRAINED && head) || (duty == DUTY_CUT && !abort)))
		judge_fail(w, "drained", "worker %u calls %s on node %u", worker, verb,
			   node->number);
}

/* --- what a node gets --- */

static void judge_hop_fields(const struct world *w, const struct http_reader *r)
{
	static const char *const fields[] = { "X-Hop", "Keep-Alive", "TE", "Proxy-Connection",
					      "X-Crossfade-Cluster" };
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (http_reader_count(&r->head, fields[i]))
			judge_fail(w, "plain HTTP", "%s was passed on", fields[i]);
}

static void judge_request_framing(const struct world *w, const struct ask *a,
				  const struct http_reader *r)
{
	const char *length = http_reader_field(&r->head, "Content-Length");
	const char *coding = http_reader_field(&r->head, "Transfer-Encoding");
	bool right = true;
	if (a->flaw)
		return;
	if (a->framing == FRAMED_LENGTH)
		right = length && !coding && strtoull(length, NULL, 10) == a->body_n;
	else
		right = !length && (coding != NULL) == (a->framing == FRAMED_CHUNKED);
	if (!right)
		judge_fail(w, "bytes are equal", "request %llu is framed by length %s, coding %s",
			   number(a->id), length ? length : "-", coding ? coding : "-");
}

static bool is_right_host(const struct world *w, const struct server *s, const char *host)
{
	switch (w->scenario.host[s->arm]) {
	case HOST_PRESERVE:
		return strcmp(host, "shop.example") == 0;
	case HOST_NODE:
		return strcmp(host, plans_name_of(&w->plans, s->arm, s->number)) == 0;
	case HOST_NAME:
		return strcmp(host, "inside.example") == 0;
	}
	return false;
}

static void judge_request_fields(const struct world *w, const struct server *s, const struct ask *a,
				 const struct http_reader *r)
{
	const char *host = http_reader_field(&r->head, "Host");
	const char *from = http_reader_field(&r->head, "X-Forwarded-For");
	const char *trace = http_reader_field(&r->head, "traceparent");
	const char *hop = http_reader_field(&r->head, "X-Crossfade-Hop");
	const char *begins = a->relayed && !a->flaw ? "192.0.2.1, 192.0.2.2, 10.0.0." : "10.0.0.";
	if (!host || !is_right_host(w, s, host) || !from ||
	    strncmp(from, begins, strlen(begins)) != 0 || !trace || strlen(trace) != 55)
		judge_fail(w, "plain HTTP", "request %llu has Host %s, from %s, trace %s",
			   number(a->id), host, from, trace);
	if (r->minor != 1 || (!a->flaw && strcmp(r->method, a->method) != 0) ||
	    (http_reader_count(&r->head, "Expect") == 1) != a->expects)
		judge_fail(w, "plain HTTP", "request %llu has another first line or expectation",
			   number(a->id));
	if (!hop || http_reader_count(&r->head, "X-Crossfade-Hop") != 1 ||
	    strcmp(hop, "0000000000000007") != 0)
		judge_fail(w, "plain HTTP", "request %llu has passed %s", number(a->id),
			   hop ? hop : "-");
	judge_hop_fields(w, r);
}

void judge_attempt(const struct world *w, struct ask *a, const struct node_state *node)
{
	if (!a->tries++)
		a->tried_ns = sim_now_ns(w->sim);
	a->tried |= 1u << node->number;
	if (a->heard)
		judge_fail(w, "no read twice",
			   "request %llu goes to a node after its response began", number(a->id));
}

/* Mostly, nodes fail a request only once. */
static void judge_repeated(struct world *w, struct ask *a)
{
	bool writes = a->kind == KIND_WRITE;
	if (a->kind != KIND_REPEATABLE || a->upgrades || a->flaw ||
	    a->reached_n > CONNECT_ATTEMPTS_MAX)
		judge_fail(w, writes ? "no write twice" : "no read twice",
			   "request %llu reaches a node for the %u. time, last node %u of arm %d",
			   number(a->id), a->reached_n, a->server->number, a->server->arm);
	a->arrived = false;
	a->request_heard = 0;
	a->again_ms = world_now_ms(w);
	if (dice_chance(&w->dice, 700))
		a->action.fate = FATE_WHOLE;
}

struct ask *judge_reached(struct world *w, struct server *s, const struct http_reader *r)
{
	const char *field = http_reader_field(&r->head, "X-Request-Id");
	uint64_t id = strncmp(r->target, "/r/", 3) == 0 ? strtoull(r->target + 3, NULL, 10) : 0;
	struct ask *a = world_ask(w, id);
	if (!a || !field || strtoull(field, NULL, 10) != id)
		judge_fail(w, "plain HTTP", "a node gets target %s with X-Request-Id %s", r->target,
			   field);
	world_tell(w, "node %u of arm %d gets request %llu", s->number, s->arm, number(id));
	bool never =
		(a->flaw && !a->flaw->in_body) || (a->too_large && a->framing == FRAMED_LENGTH);
	if (never)
		judge_fail(w, "plain HTTP", "a node gets request %llu, which is not valid",
			   number(id));
	if (a->abandoned)
		judge_fail(w, "held", "request %llu was held, its client left, and it was sent",
			   number(id));
	if (a->reached_n++)
		judge_repeated(w, a);
	if (!a->decided || a->arm != s->arm)
		judge_fail(w, "one node", "request %llu was for arm %d, reached arm %d", number(id),
			   a->arm, s->arm);
	a->server = s;
	judge_request_framing(w, a, r);
	judge_request_fields(w, s, a, r);
	return a;
}

static bool are_trailers(const struct text *t, bool expected, uint64_t id)
{
	const char *sum = http_reader_field(t, "X-Sum"), *empty = http_reader_field(t, "X-Empty");
	if (!expected)
		return t->n == 0;
	return sum && strtoull(sum, NULL, 10) == id && empty && !*empty;
}

void judge_arrived(struct world *w, struct ask *a, const struct http_reader *r)
{
	a->arrived = true;
	if (a->flaw || (a->too_large && !a->upgrades))
		judge_fail(w, "bytes are equal", "request %llu arrives whole, though it never ends",
			   number(a->id));
	uint64_t n = a->upgrades ? 0 : a->body_n;
	if (!r->equal || r->body_n != n || !are_trailers(&r->trailers, a->trailers, a->id))
		judge_fail(w, "bytes are equal", "request %llu: %llu bytes of %llu arrived%s%s",
			   number(a->id), number(r->body_n), number(n),
			   r->equal ? "" : ", with other bytes",
			   are_trailers(&r->trailers, a->trailers, a->id) ? ""
									  : ", other trailers");
	if (!a->sent)
		judge_fail(w, "bytes are equal", "request %llu arrived before it was sent",
			   number(a->id));
	ledger_arrived(w, a);
}

void judge_abandoned(const struct world *w, const struct ask *a)
{
	if (scenario_is_harmless(&w->scenario) && a->kind == KIND_WRITE && !a->upgrades &&
	    a->action.fate == FATE_WHOLE)
		judge_fail(w, "seen through", "write %llu is left with node %u of arm %d",
			   number(a->id), a->server->number, a->server->arm);
}

void judge_one_at_a_time(const struct world *w, const struct ask *present)
{
	if (present)
		judge_fail(w, "one at a time", "a request comes before %llu has its response",
			   number(present->id));
}

void judge_uninvited(const struct world *w, const struct ask *last)
{
	if (last && last->action.closes)
		judge_fail(w, "one at a time",
			   "a request comes after the connection's last one, %llu",
			   number(last->id));
}

/* --- what a client gets --- */

/* The client's first request says which worker has the client. */
static bool may_be_retired(const struct world *w, const struct client *c)
{
	const struct ask *first = &c->asks[0];
	return sim_worker_is_retired(&w->workers[first->decided ? first->worker : 0]);
}

static bool is_made_here(const struct http_reader *r)
{
	return http_reader_count(&r->head, "X-Crossfade-Error") > 0;
}

static void judge_interim(const struct world *w, const struct client *c, const struct ask *a)
{
	if (a->minor == 0 || c->interims > a->action.interims)
		judge_fail(w, "one response", "one 1xx response too many for request %llu",
			   number(a->id));
}

void judge_response_head(struct world *w, const struct client *c, struct ask *a,
			 const struct http_reader *r)
{
	const char *field = http_reader_field(&r->head, "X-Answer-For");
	if (a)
		a->heard = true;
	else
		judge_fail(w, "one response", "client %u gets a response, %u, without a request",
			   c->number, r->status);
	world_tell(w, "client %u gets %u for request %llu%s", c->number, r->status, number(a->id),
		   is_made_here(r) ? ", made here" : "");
	judge_hop_fields(w, r);
	if (r->status < 200 && r->status != 101) {
		judge_interim(w, c, a);
		return;
	}
	if (http_reader_count(&r->head, "X-Farewell"))
		judge_fail(w, "the right response", "request %llu gets the 408 of an idle node",
			   number(a->id));
	if (!is_made_here(r) && (!field || strtoull(field, NULL, 10) != a->id))
		judge_fail(w, "one response", "request %llu gets the response to %s", number(a->id),
			   field);
	if ((r->status == 101) != a->action.tunnel && !is_made_here(r))
		judge_fail(w, "the right response",
			   "request %llu: client and node disagree about a tunnel", number(a->id));
}

/*
 * The status of the response that the balancer must make if nothing else fails; 0: none. A reset
 * within a response may overtake even the response's head.
 */
static unsigned due_here(const struct ask *a)
{
	if (a->flaw && a->flaw->status == 408 && a->client->leaving == LEAVES_HALF)
		return 400;
	if (a->flaw)
		return a->flaw->status;
	if (a->too_large && !a->upgrades)
		return 413;
	if (a->upgrades && a->entry.recorded)
		return 501;
	switch (a->action.fate) {
	case FATE_RESET_BEFORE:
	case FATE_FIN_BEFORE:
	case FATE_RUBBISH:
	case FATE_RESET_IN:
	case FATE_FIN_IN:
		return 502;
	case FATE_SILENT:
		return 504;
	case FATE_WHOLE:
	case FATE_BAD_CHUNK:
	case FATE_STUCK:
		return 0;
	}
	return 0;
}

static bool is_shortage(enum err why)
{
	return why == ERR_OUT_OF_HANDLES || why == ERR_OUT_OF_PORTS || why == ERR_OUT_OF_MEMORY ||
	       why == ERR_NETWORK_DOWN || why == ERR_NOT_PERMITTED;
}

/*
 * Each attempt at a live node succeeds, unless a network fault happens or its time is too short.
 * One node may be absent, and an attempt that reached a node is no failed connect.
 */
static bool has_met_enough(const struct world *w, const struct ask *a)
{
	unsigned met = network_faults_of(&w->network_faults, a, SIM_LACKED) +
		       network_faults_of(&w->network_faults, a, SIM_REFUSED) +
		       network_faults_of(&w->network_faults, a, SIM_UNANSWERED) +
		       network_faults_of(&w->network_faults, a, SIM_BROKEN);
	unsigned excused = a->reached_n + a->stale_n + w->scenario.first_node_down;
	return met && (w->scenario.short_timeouts || met + excused >= a->tries);
}

/* A node of one of its attempts has crashed. */
static bool has_crashed(const struct world *w, const struct ask *a)
{
	for (int arm = 0; arm < ARMS; arm++)
		for (unsigned i = 0; i < w->scenario.nodes[arm]; i++)
			if (w->servers[arm][i].crashed &&
			    (a->tried >> w->plans.nodes[arm][i].state.number & 1))
				return true;
	return false;
}

/*
 * A node may read the request late, long after its attempt was given up, and so come after another
 * node that gave it this fate.
 */
static bool has_suffered(const struct ask *a, enum fate f)
{
	return a->reached_n > 1 && (a->fates >> f & 1);
}

/* The body's first bytes may come together with the head, before the head was passed on. */
static bool has_begun_badly(const struct ask *a)
{
	return a->action.fate == FATE_BAD_CHUNK && !a->action.cut_at;
}

/* Whether the faults that hit the request, or the scenario, allow that error. */
static bool may_be_made_here(const struct world *w, const struct ask *a, enum err why)
{
	const struct scenario *t = &w->scenario;
	if (is_shortage(why))
		return network_faults_of(&w->network_faults, a, SIM_LACKED);
	switch (why) {
	case ERR_HEAD_TIMEOUT:
	case ERR_BODY_TIMEOUT:
		return t->short_timeouts || t->closes_idle;
	case ERR_BACK_REFUSED:
	case ERR_BACK_UNREACHABLE:
		return has_met_enough(w, a) || has_crashed(w, a);
	case ERR_CONNECT_TIMEOUT:
		return has_met_enough(w, a) || has_crashed(w, a) || t->short_timeouts;
	case ERR_BACK_RESET:
		return network_faults_of(&w->network_faults, a, SIM_BROKEN) || t->closes_idle ||
		       has_crashed(w, a) || has_suffered(a, FATE_RESET_BEFORE) ||
		       has_suffered(a, FATE_FIN_BEFORE);
	case ERR_BACK_MALFORMED:
		return has_suffered(a, FATE_RUBBISH) || has_begun_badly(a);
	case ERR_RESPONSE_TIMEOUT:
		return t->short_timeouts || has_suffered(a, FATE_SILENT);
	case ERR_NODE_DRAINED:
		return t->drains && !is_harmless(w);
	case ERR_NO_ADDRESS:
	case ERR_ALL_DRAINED:
		return t->loses_all_nodes;
	case ERR_QUEUE_FULL:
	case ERR_QUEUE_TIMEOUT:
		/*
		 * Silent nodes hold a place for long, one after the other, or for a client that has
		 * left.
		 */
		return (t->share || t->sockets) && (t->short_timeouts || t->peers_misbehave);
	case ERR_CAPTURE:
		return t->disk_fails;
	case ERR_STOPPING:
		return t->ending == ENDING_ABORT;
	default:
		return false;
	}
}

/* Reads the first word, as in "connection_reset; outcome=unknown". */
static enum err why_of(const struct http_reader *r)
{
	const char *word = http_reader_field(&r->head, "X-Crossfade-Error");
	size_t n = word ? strcspn(word, ";") : 0;
	for (int i = 0; n && i < ERRS; i++)
		if (strlen(err_word((enum err)i)) == n && !strncmp(err_word((enum err)i), word, n))
			return (enum err)i;
	return ERR_NONE;
}

static void judge_made_here(const struct world *w, const struct ask *a, const struct http_reader *r)
{
	unsigned due = due_here(a);
	bool failed_first = r->status >= 502 && a->too_large && a->action.fate != FATE_WHOLE;
	bool grew_first = r->status == 413 && a->flaw && a->flaw->in_body && w->scenario.allowed;
	if (r->status != due && !failed_first && !grew_first && !may_be_made_here(w, a, why_of(r)))
		judge_fail(w, "the right response",
			   "request %llu gets %u (%s) from the balancer, due is %u", number(a->id),
			   r->status, http_reader_field(&r->head, "X-Crossfade-Error"), due);
	if (a->flaw && !a->flaw->in_body && a->reached_n)
		judge_fail(w, "plain HTTP", "request %llu is not valid, and reached a node",
			   number(a->id));
}

static void judge_whole_body(const struct world *w, const struct ask *a,
			     const struct http_reader *r)
{
	const struct action *d = &a->action;
	uint64_t n = action_body_n(d, a);
	const char *length = http_reader_field(&r->head, "Content-Length");
	bool trailers = d->trailers && a->minor == 1;
	if (!r->equal || r->body_n != n)
		judge_fail(w, "bytes are equal", "response %llu: %llu bytes of %llu%s",
			   number(a->id), number(r->body_n), number(n),
			   r->equal ? "" : ", with other bytes");
	if (!are_trailers(&r->trailers, trailers, a->id))
		judge_fail(w, "bytes are equal", "response %llu has other trailers", number(a->id));
	if (d->framing == FRAMED_LENGTH && d->status != 204 &&
	    (!length || strtoull(length, NULL, 10) != d->body_n))
		judge_fail(w, "bytes are equal", "response %llu says length %s", number(a->id),
			   length);
	if (a->minor == 0 && r->chunked)
		judge_fail(w, "plain HTTP", "response %llu to HTTP/1.0 is chunked", number(a->id));
}

static void judge_from_node(const struct world *w, const struct ask *a, const struct http_reader *r)
{
	const struct action *d = &a->action;
	if (a->flaw || d->fate != FATE_WHOLE || !a->reached_n)
		judge_fail(w, "bytes are equal",
			   "request %llu gets a whole response, which no node sent", number(a->id));
	if (r->status != d->status || (!a->arrived && !action_is_early(d)))
		judge_fail(w, "the right response", "request %llu gets %u, not %u", number(a->id),
			   r->status, d->status);
	judge_whole_body(w, a, r);
}

/* The client has sent FIN after this request, or the rest of the request is too long to be read. */
static bool has_to_close(const struct ask *a, const struct http_reader *r)
{
	const struct client *c = a->client;
	bool last = c->said_n == c->ask_n && a == &c->asks[c->ask_n - 1];
	return (last && c->leaving == LEAVES_HALF) ||
	       (is_made_here(r) && a->body_n > DROPPED_BODY_BYTES);
}

static void judge_closing(const struct world *w, const struct ask *a, const struct http_reader *r)
{
	bool last = a->closes || (a->flaw && a->flaw->status == r->status);
	if (last && a->minor == 1 && !http_reader_closes(r))
		judge_fail(w, "plain HTTP", "response %llu does not say that it is the last",
			   number(a->id));
	if (a->worker_retired && a->minor == 1 && !http_reader_closes(r))
		judge_fail(w, "a stop ends", "response %llu of a retired worker is not the last",
			   number(a->id));
	if (is_calm(w) && http_reader_closes(r) && !ask_may_close(a) && !has_to_close(a, r) &&
	    !may_be_retired(w, a->client))
		judge_fail(w, "one response", "response %llu closes without a reason",
			   number(a->id));
}

void judge_response(struct world *w, const struct client *c, struct ask *a,
		    const struct http_reader *r)
{
	(void)c;
	bool here = is_made_here(r);
	if (here)
		judge_made_here(w, a, r);
	else
		judge_from_node(w, a, r);
	judge_closing(w, a, r);
	a->outcome = here ? ASK_MADE_HERE : ASK_RESPONDED;
	a->status = r->status;
	const char *why = http_reader_field(&r->head, "X-Crossfade-Error");
	if (!here)
		ledger_responded(w, a);
	else if (why && strcmp(why, "capture_unavailable") == 0)
		ledger_refused(w, a);
}

void judge_echo(struct world *w, const struct ask *a, uint64_t place, const uint8_t *bytes,
		size_t n)
{
	if (!a->action.tunnel || place + n > a->body_n || !pattern_is(ask_key(a), place, bytes, n))
		judge_fail(w, "bytes are equal", "the tunnel of request %llu returns other bytes",
			   number(a->id));
}

/* --- the end of a client's connection --- */

/*
 * Whether requests of that client may end without a response. If a response is cut, the reset may
 * overtake the response before it. A response that is sent while its request still comes is cut if
 * that request grows too large.
 */
static bool may_lose(const struct world *w, const struct client *c)
{
	bool gone = w->scenario.ends && c->peer.finishing;
	if (gone || !is_harmless(w) || c->left || c->told_to_close || c->leaving == LEAVES_ASLEEP)
		return true;
	for (unsigned i = 0; i < c->said_n; i++) {
		const struct ask *a = &c->asks[i];
		enum fate f = a->action.fate;
		bool is_rest = a->body_n > DROPPED_BODY_BYTES || a->trailers;
		if (a->outcome == ASK_MADE_HERE && is_rest)
			return true;
		if ((a->too_large && a->framing == FRAMED_CHUNKED) || ask_may_leave_rest(a) ||
		    (a->action.resets && a->action.tunnel))
			return true;
		if (f == FATE_RESET_IN || f == FATE_FIN_IN || f == FATE_BAD_CHUNK ||
		    f == FATE_STUCK)
			return true;
	}
	return false;
}

static bool is_stopping(const struct world *w, const struct client *c)
{
	return w->stopping || (w->retired_is_stopped && may_be_retired(w, c));
}

/*
 * A stop closes the connection after the response in progress: later requests get none. A client
 * that pauses for longer than LINGER_MS may lose the end of that response.
 */
static bool may_lose_by_stop(const struct world *w, const struct client *c, const struct ask *a)
{
	return is_stopping(w, c) && (!a->decided || c->peer.pace.nap_ms >= LINGER_MS);
}

static void lose_rest(struct world *w, struct client *c)
{
	for (unsigned i = c->responded_n; i < c->ask_n; i++) {
		struct ask *a = &c->asks[i];
		if (!may_lose_by_stop(w, c, a) && !may_lose(w, c))
			judge_fail(w, "one response", "request %llu gets no response",
				   number(a->id));
		a->outcome = ASK_LOST;
	}
}

/* A tunnel that ended with FIN has returned all bytes, or as many as the node echoes. */
static void judge_tunnel_end(const struct world *w, struct client *c)
{
	struct ask *a = &c->asks[c->responded_n++];
	uint64_t most = a->action.hang_up_at, n = most && most < a->body_n ? most : a->body_n;
	if (is_calm(w) && !a->action.resets && c->tunnel_n < n)
		judge_fail(w, "bytes are equal",
			   "the tunnel of request %llu returned %llu bytes of %llu", number(a->id),
			   number(c->tunnel_n), number(a->body_n));
	a->outcome = ASK_RESPONDED;
}

void judge_finished(struct world *w, struct client *c)
{
	world_tell(w, "client %u gets FIN", c->number);
	if (c->reader.state == READ_RAW)
		judge_tunnel_end(w, c);
	else
		http_reader_finish(&c->reader);
	lose_rest(w, c);
}

void judge_broken(struct world *w, struct client *c)
{
	world_tell(w, "client %u gets RST", c->number);
	lose_rest(w, c);
}

/* --- general --- */

void judge_readable(const struct world *w, const struct http_reader *r, const char *who)
{
	if (r->state == READ_BAD)
		judge_fail(w, "plain HTTP", "%s gets %s", who, r->bad);
}

/* The board says that all workers have the newest values: a stalled worker must have them too. */
static void judge_settled(const struct world *w)
{
	for (unsigned i = 0; i < w->worker_n; i++) {
		uint64_t epoch = atomic_load(&w->workers[i].slot->acknowledged);
		if (w->workers[i].worker && epoch != w->judge.settled)
			judge_fail(w, "acknowledged",
				   "worker %u has epoch %llu, the board says %llu", i,
				   number(epoch), number(w->judge.settled));
	}
}

static void judge_acknowledged(struct world *w)
{
	uint64_t newest = w->operator.values.epoch, before;
	unsigned late;
	for (unsigned i = 0; i < w->worker_n; i++) {
		const struct sim_worker *h = &w->workers[i];
		if (!h->worker || h->stalled)
			continue;
		if (atomic_load(&h->slot->acknowledged) != newest)
			judge_fail(w, "acknowledged", "worker %u runs and has epoch %llu, not %llu",
				   i, number(atomic_load(&h->slot->acknowledged)), number(newest));
		if (atomic_load(&h->mailbox.node_admin_acknowledged) != w->plans.node_admin)
			judge_fail(w, "drained", "worker %u runs and has not acknowledged it", i);
		if (atomic_load(&h->mailbox.adopted) != atomic_load(&h->mailbox.plan))
			judge_fail(w, "an old plan is let go",
				   "worker %u runs and uses an old plan", i);
	}
	if (board_late(&w->board, newest, &before, &late) > 0)
		return;
	w->judge.settled = newest;
	judge_settled(w);
}

/*
 * Bytes between a node and its client: the kernels' buffers on both hops, the granted credit, one
 * requested block, and the framing of chunks.
 */
#define HELD_BYTES_MAX (2 * 64 * 1024 + STREAM_CREDIT_BYTES + BLOCK_LARGE_BYTES + 64 * 1024)

static void judge_held_responses(const struct world *w, const struct client *c)
{
	if (c->responses_gone > c->peer.heard_n + HELD_BYTES_MAX)
		judge_fail(w, "bounded", "%llu bytes of responses are on their way to client %u",
			   number(c->responses_gone - c->peer.heard_n), c->number);
}

/* Whether there is no reason to drop the body of this client's last request. */
static bool body_is_wanted(const struct world *w, const struct client *c)
{
	const struct ask *last = &c->asks[c->said_n - 1];
	for (const struct ask *a = c->asks; a < last; a++)
		if (ask_may_close(a))
			return false;
	return is_calm(w) && !may_be_retired(w, c) && last->sent && last->outcome == ASK_OPEN &&
	       !last->too_large && last->action.fate == FATE_WHOLE &&
	       !action_is_early(&last->action);
}

static void judge_held_request(const struct world *w, const struct client *c)
{
	if (!c->said_n || !body_is_wanted(w, c) || c->peer.sent_n < c->body_from)
		return;
	const struct ask *a = &c->asks[c->said_n - 1];
	uint64_t gone = c->peer.sent_n - c->body_from;
	if (gone > a->request_heard + HELD_BYTES_MAX)
		judge_fail(w, "bounded", "%llu bytes of request %llu are on their way",
			   number(gone - a->request_heard), number(a->id));
}

static void judge_bounds(const struct world *w)
{
	for (unsigned i = 0; i < w->scenario.clients; i++) {
		if (w->clients[i].over)
			continue;
		judge_held_responses(w, &w->clients[i]);
		judge_held_request(w, &w->clients[i]);
	}
}

void judge_round(struct world *w)
{
	judge_acknowledged(w);
	judge_bounds(w);
}

void judge_nothing(const struct world *w, const char *what, uint64_t n)
{
	if (n)
		judge_fail(w, "nothing is left", "%llu %s", number(n), what);
}

/* Each request that was decided is counted once, whatever its outcome. */
static void judge_counts(const struct world *w, unsigned worker)
{
	const struct counters *c = &w->workers[worker].counters;
	for (unsigned l = 0; l < SIM_LISTENERS; l++)
		for (int arm = 0; arm < ARMS; arm++) {
			uint64_t counted = 0, decided = w->judge.decided[worker][l][arm];
			for (int class = 0; class < STATUS_CLASSES; class ++)
				counted += counter_read(&c->requests[l][arm][class]);
			if (counted != decided)
				judge_fail(w, "one response",
					   "worker %u: %llu requests decided, %llu counted", worker,
					   number(decided), number(counted));
		}
}

/*
 * A shortage of this machine is no fault of a node, and must not use up the retries of other
 * requests.
 */
static void judge_shortage(const struct world *w, unsigned worker)
{
	const struct counters *c = &w->workers[worker].counters;
	if (scenario_blames_nodes(&w->scenario))
		return;
	for (size_t i = 0; i < NODES_MAX; i++)
		if (counter_read(&c->nodes[i].ejections))
			judge_fail(w, "a shortage is ours", "worker %u has ejected node %zu: %s",
				   worker, i,
				   err_word((enum err)counter_read(&c->nodes[i].ejected_for)));
	for (int arm = 0; arm < ARMS; arm++)
		if (counter_read(&c->retries_refused[arm]))
			judge_fail(w, "a shortage is ours", "worker %u has spent its retry budget",
				   worker);
}

void judge_worker_over(struct world *w, unsigned worker)
{
	judge_shortage(w, worker);
	const struct sim_worker *h = &w->workers[worker];
	const struct counters *c = &h->counters;
	for (unsigned i = 0; i < LISTENERS_MAX; i++)
		judge_nothing(w, "connections of clients", counter_read(&c->connections_open[i]));
	for (int arm = 0; arm < ARMS; arm++) {
		judge_nothing(w, "requests in flight", counter_read(&c->in_flight[arm]));
		judge_nothing(w, "connections to nodes", counter_read(&c->back_open[arm]));
	}
	for (unsigned i = 0; i < NODES_MAX; i++)
		judge_nothing(w, "requests at a node", counter_read(&c->nodes[i].in_flight));
	judge_nothing(w, "requests on the board",
		      counter_read(&h->slot->in_flight_now) +
			      counter_read(&h->slot->in_flight_before));
	judge_nothing(w, "bytes of blocks", h->bufs.bytes_out);
	judge_counts(w, worker);
}
