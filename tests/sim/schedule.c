#include "sim/schedule.h"

#include "base/limits.h"
#include "sim/world.h"

/* Timers count whole milliseconds, and a timer may have expired just now. */
#define SLACK_MS 2
/* For two waits for a healthy disk. */
#define LOG_MS 100
/* For bytes that a node reads slowly: longer than all its pauses. */
#define CLIENTLESS_MS 60000

static unsigned long long number(uint64_t n)
{
	return n;
}

static bool is_after(const struct world *w, uint64_t ms)
{
	return world_now_ms(w) > ms + SLACK_MS;
}

/* Whether no worker is stalled, or was until just now. */
static bool all_go_on(const struct world *w)
{
	for (unsigned i = 0; i < w->worker_n; i++)
		if (w->workers[i].stalled || !is_after(w, w->workers[i].went_on_ms))
			return false;
	return true;
}

static bool client_is_connected(const struct client *c)
{
	return c->peer.sock && !c->over && !c->peer.closing && !c->peer.at_end;
}

/* --- no request is in the way of another --- */

/* The client sends and reads everything at once. */
static bool client_is_prompt(const struct client *c)
{
	return client_is_connected(c) && !c->peer.pace.naps && !c->peer.pace.nap_ms &&
	       !c->peer.pace.rest_ms_max && !c->told_to_close && c->responded_n < c->said_n;
}

/* In such a world only the slowness of a node or a client takes time. */
static bool has_no_delays(const struct world *w)
{
	return scenario_is_calm(&w->scenario) && !w->scenario.shifts && !w->scenario.faults.delay &&
	       !w->scenario.share && !w->scenario.sockets;
}

/*
 * The bodies are larger than a connection may hold, and the log holds their bytes until it has
 * written them.
 */
static bool bodies_are_long(const struct world *w, const struct ask *a)
{
	return w->store && a->arm == ARM_SOURCE &&
	       a->body_n + a->action.body_n > STREAM_CREDIT_BYTES;
}

static uint64_t log_takes_ms(const struct ask *a)
{
	return (2 + (a->body_n + a->action.body_n) / STREAM_CREDIT_BYTES) * LOG_MS;
}

/* The time by which the request must be over. UINT64_MAX: unknown. */
static uint64_t due_ms(const struct world *w, const struct client *c, const struct ask *a)
{
	uint64_t since_ms = a->sent_ms > c->responded_ms ? a->sent_ms : c->responded_ms;
	/*
	 * If the log's queue or the memory is small, requests wait for the log one after the other.
	 */
	bool has_room = !w->store || (w->scenario.queue_bytes == LOG_QUEUE_BYTES &&
				      w->scenario.memory_bytes == MEMORY_BYTES);
	/* The write is held, or was held until then. */
	if (a->kind == KIND_WRITE && w->operator.hold.on)
		return UINT64_MAX;
	if (a->kind == KIND_WRITE && since_ms < w->operator.hold.ended_ms)
		since_ms = w->operator.hold.ended_ms;
	if (!a->decided)
		return has_room && all_go_on(w) ? since_ms : UINT64_MAX;
	const struct sim_worker *h = &w->workers[a->worker];
	if (h->stalled || !w->scenario.prompt[a->arm] || a->action.fate != FATE_WHOLE)
		return UINT64_MAX;
	if (since_ms < h->went_on_ms)
		since_ms = h->went_on_ms;
	if (since_ms < a->again_ms)
		since_ms = a->again_ms;
	if (ledger_must_wait(a) && (w->scenario.disk_fails || a->entry.policy.gate == GATE_PIECE))
		return UINT64_MAX;
	if (ledger_must_wait(a))
		since_ms += LOG_MS + 4 * w->scenario.commit_ms;
	/* Each dead address costs at most DIAL_MOMENT_MS. */
	if (w->scenario.ports)
		since_ms += (SERVER_PORTS - 1) * DIAL_MOMENT_MS;
	if ((a->arm == ARM_SOURCE && !has_room) ||
	    (w->scenario.disk_fails && bodies_are_long(w, a)))
		return UINT64_MAX;
	if (bodies_are_long(w, a))
		since_ms += log_takes_ms(a);
	return since_ms + a->action.delay_ms;
}

static void judge_prompt(const struct world *w, const struct client *c)
{
	if (!has_no_delays(w) || !client_is_prompt(c))
		return;
	const struct ask *a = &c->asks[c->responded_n];
	if (!a->sent || a->flaw || a->upgrades)
		return;
	uint64_t due = due_ms(w, c, a);
	if (due != UINT64_MAX && is_after(w, due))
		judge_fail(w, "nobody is in the way", "request %llu waits since %llu ms",
			   number(a->id), number(due));
}

/* --- a break is passed on --- */

/* The client sends in a tunnel whose node is gone. */
static void judge_cut_off(const struct world *w, const struct client *c)
{
	const struct ask *a = &c->asks[c->ask_n - 1];
	if (c->sends_after_fin && !c->over && !c->peer.closing && !c->peer.pace.rest_ms_max &&
	    a->reset_ms && is_after(w, a->reset_ms) && !w->scenario.faults.delay && all_go_on(w))
		judge_fail(w, "a break is passed on",
			   "client %u sends in a tunnel whose node is gone", c->number);
}

/* --- a stop ends --- */

/* All requests were sent whole and answered, and the client reads. */
static bool client_is_idle(const struct world *w, const struct client *c)
{
	const struct ask *last = c->said_n ? &c->asks[c->said_n - 1] : NULL;
	bool asks = c->responded_n < c->said_n || (last && (!last->sent || last->flaw));
	return client_is_connected(c) && !asks && is_after(w, c->responded_ms) &&
	       peer_has_sent_all(&c->peer) && peer_is_awake(&c->peer) &&
	       c->reader.state == READ_HEAD;
}

static void judge_idle_closed(const struct world *w, const struct client *c)
{
	if (w->stopping && is_after(w, w->stopping_ms) && !w->scenario.faults.delay &&
	    all_go_on(w) && client_is_idle(w, c))
		judge_fail(w, "a stop ends", "client %u is idle, and its connection stays open",
			   c->number);
}

static uint64_t clients_of_worker(const struct sim_worker *h)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < SIM_LISTENERS; i++)
		n += counter_read(&h->counters.connections_open[i]);
	return n;
}

/* Requests at a node, with or without their client. */
static uint64_t requests_of_worker(const struct sim_worker *h)
{
	return counter_read(&h->counters.in_flight[ARM_SOURCE]) +
	       counter_read(&h->counters.in_flight[ARM_TARGET]);
}

static void judge_stopping(const struct world *w, unsigned i, struct sim_worker *h)
{
	if (!h->worker || h->stalled || !is_after(w, h->went_on_ms))
		return;
	/* A worker writes its records first, and the disk may be slow. */
	if (w->aborting && !w->store && is_after(w, w->aborting_ms))
		judge_fail(w, "a stop ends", "worker %u goes on after an abort", i);
	if (!w->stopping || clients_of_worker(h) || requests_of_worker(h))
		return;
	if (!h->clientless_ms)
		h->clientless_ms = world_now_ms(w);
	if (is_after(w, h->clientless_ms + CLIENTLESS_MS))
		judge_fail(w, "a stop ends", "worker %u goes on without clients", i);
}

/* --- a sleeping client is given up --- */

/*
 * All nodes respond, so that no request keeps the connection open for longer than the client
 * sleeps.
 */
static bool is_served(const struct client *c)
{
	for (unsigned i = 0; i < c->said_n; i++)
		if (c->asks[i].action.fate != FATE_WHOLE || c->asks[i].upgrades)
			return false;
	return true;
}

/*
 * After its sleep the client reads what its kernel has kept, and then must find the connection
 * closed.
 */
static void judge_sleeper(const struct world *w, const struct client *c)
{
	bool awake = c->leaving == LEAVES_ASLEEP && c->leaves_after && !c->peer.pace.naps &&
		     peer_is_awake(&c->peer);
	if (awake && scenario_is_calm(&w->scenario) && client_is_connected(c) && is_served(c))
		judge_fail(w, "who sleeps is left", "client %u still has a connection", c->number);
}

/* --- an old plan is let go --- */

static void judge_ports(const struct world *w, const struct server *s)
{
	for (unsigned i = 0; i < SERVER_PORTS; i++)
		if (!plans_name_port(&w->plans, s->arm, s->number, i) && server_idle_at(s, i))
			judge_fail(w, "an old plan is let go",
				   "node %u of arm %d keeps a connection at address %u", s->number,
				   s->arm, i);
}

/* A retired process goes on with its last plan. */
static bool only_newest_lives(const struct world *w)
{
	for (unsigned i = 0; i < w->worker_n; i++)
		if (w->workers[i].worker && w->workers[i].process < w->process_n)
			return false;
	return true;
}

static void judge_plan(const struct world *w)
{
	if (!only_newest_lives(w))
		return;
	if (w->scenario.faults.delay || !is_after(w, w->planned_ms) || !all_go_on(w))
		return;
	for (int arm = 0; arm < ARMS; arm++)
		for (unsigned i = 0; i < w->scenario.nodes[arm]; i++)
			judge_ports(w, &w->servers[arm][i]);
}

void schedule_check(struct world *w)
{
	for (unsigned i = 0; i < w->scenario.clients; i++) {
		judge_prompt(w, &w->clients[i]);
		judge_cut_off(w, &w->clients[i]);
		judge_idle_closed(w, &w->clients[i]);
		judge_sleeper(w, &w->clients[i]);
	}
	for (unsigned i = 0; i < w->worker_n; i++)
		judge_stopping(w, i, &w->workers[i]);
	judge_plan(w);
	hold_instant(w);
	if (w->store)
		ledger_instant(w);
}
