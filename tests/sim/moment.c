#include "sim/moment.h"

#include "base/limits.h"
#include "sim/world.h"

/* Timers count whole milliseconds, and one may have fired just now. */
#define SLACK_MS 2
/* Two waits for a healthy disk. */
#define LOG_MS 100
/* For bytes that a node takes slowly: all its naps, and more. */
#define CLIENTLESS_MS 60000

static unsigned long long number(uint64_t n)
{
	return n;
}

static bool is_past(const struct world *w, uint64_t ms)
{
	return world_now_ms(w) > ms + SLACK_MS;
}

/* Whether no worker stands still, or has only just gone on. */
static bool all_go_on(const struct world *w)
{
	for (unsigned i = 0; i < w->hand_n; i++)
		if (w->hands[i].stalled || !is_past(w, w->hands[i].went_on_ms))
			return false;
	return true;
}

static bool is_there(const struct client *c)
{
	return c->peer.sock && !c->over && !c->peer.closing && !c->peer.at_end;
}

/* --- nobody is in the way --- */

/* It says and hears everything at once. */
static bool is_prompt(const struct client *c)
{
	return is_there(c) && !c->peer.pace.naps && !c->peer.pace.nap_ms &&
	       !c->peer.pace.rest_ms_max && !c->told_to_close && c->answered_n < c->said_n;
}

/* In such a world only a node's or a client's own slowness takes time. */
static bool is_brisk(const struct world *w)
{
	return temper_is_calm(&w->temper) && !w->temper.shifts && !w->temper.faults.delay &&
	       !w->temper.share && !w->temper.sockets;
}

/* More than what a connection may hold may have come, and the log holds it until it is written. */
static bool is_long(const struct world *w, const struct ask *a)
{
	return w->store && a->arm == ARM_SOURCE && a->body_n + a->deed.body_n > STREAM_CREDIT_BYTES;
}

static uint64_t log_takes_ms(const struct ask *a)
{
	return (2 + (a->body_n + a->deed.body_n) / STREAM_CREDIT_BYTES) * LOG_MS;
}

/* When it must be over. UINT64_MAX: that cannot be said. */
static uint64_t due_ms(const struct world *w, const struct client *c, const struct ask *a)
{
	uint64_t since_ms = a->sent_ms > c->answered_ms ? a->sent_ms : c->answered_ms;
	/* Where it has little, or memory is short, one waits for the log after the other. */
	bool has_room = !w->store || (w->temper.queue_bytes == LOG_QUEUE_BYTES &&
				      w->temper.memory_bytes == MEMORY_BYTES);
	if (!a->decided)
		return has_room && all_go_on(w) ? since_ms : UINT64_MAX;
	const struct hand *h = &w->hands[a->worker];
	if (h->stalled || !w->temper.prompt[a->arm] || a->deed.fate != FATE_WHOLE)
		return UINT64_MAX;
	if (since_ms < h->went_on_ms)
		since_ms = h->went_on_ms;
	if (since_ms < a->again_ms)
		since_ms = a->again_ms;
	if (ledger_must_wait(a) && (w->temper.ails || a->entry.policy.gate == GATE_PIECE))
		return UINT64_MAX;
	if (ledger_must_wait(a))
		since_ms += LOG_MS + 4 * w->temper.commit_ms;
	/* Each dead address costs a moment, and no more. */
	if (w->temper.doors)
		since_ms += (SERVER_DOORS - 1) * DIAL_MOMENT_MS;
	if ((a->arm == ARM_SOURCE && !has_room) || (w->temper.ails && is_long(w, a)))
		return UINT64_MAX;
	if (is_long(w, a))
		since_ms += log_takes_ms(a);
	return since_ms + a->deed.delay_ms;
}

static void judge_prompt(const struct world *w, const struct client *c)
{
	if (!is_brisk(w) || !is_prompt(c))
		return;
	const struct ask *a = &c->asks[c->answered_n];
	if (!a->sent || a->flaw || a->upgrades)
		return;
	uint64_t due = due_ms(w, c, a);
	if (due != UINT64_MAX && is_past(w, due))
		judge_fail(w, "nobody is in the way", "request %llu waits since %llu ms",
			   number(a->id), number(due));
}

/* --- a break is passed on --- */

/* It talks to nobody. */
static void judge_cut_off(const struct world *w, const struct client *c)
{
	const struct ask *a = &c->asks[c->ask_n - 1];
	if (c->talks_on && !c->over && !c->peer.closing && !c->peer.pace.rest_ms_max &&
	    a->slammed_ms && is_past(w, a->slammed_ms) && !w->temper.faults.delay && all_go_on(w))
		judge_fail(w, "a break is passed on", "client %u talks to nobody in a tunnel",
			   c->number);
}

/* --- a stop ends --- */

/* Whatever it has asked was sent whole, and answered, and it hears. */
static bool is_idle(const struct world *w, const struct client *c)
{
	const struct ask *last = c->said_n ? &c->asks[c->said_n - 1] : NULL;
	bool asks = c->answered_n < c->said_n || (last && (!last->sent || last->flaw));
	return is_there(c) && !asks && is_past(w, c->answered_ms) && peer_has_sent_all(&c->peer) &&
	       peer_is_awake(&c->peer) && c->reader.state == READ_HEAD;
}

static void judge_dismissed(const struct world *w, const struct client *c)
{
	if (w->stopping && is_past(w, w->stopping_ms) && !w->temper.faults.delay && all_go_on(w) &&
	    is_idle(w, c))
		judge_fail(w, "a stop ends", "client %u is kept, and asks nothing", c->number);
}

static uint64_t clients_of(const struct hand *h)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < SIM_LISTENERS; i++)
		n += counter_read(&h->counters.connections_open[i]);
	return n;
}

/* With a node: with a client, or left behind by one. */
static uint64_t requests_of(const struct hand *h)
{
	return counter_read(&h->counters.in_flight[ARM_SOURCE]) +
	       counter_read(&h->counters.in_flight[ARM_TARGET]);
}

static void judge_stopping(const struct world *w, unsigned i, struct hand *h)
{
	if (!h->worker || h->stalled || !is_past(w, h->went_on_ms))
		return;
	/* What was recorded is written first, and its disk may be slow. */
	if (w->aborting && !w->store && is_past(w, w->aborting_ms))
		judge_fail(w, "a stop ends", "worker %u goes on though it is to break off", i);
	if (!w->stopping || clients_of(h) || requests_of(h))
		return;
	if (!h->clientless_ms)
		h->clientless_ms = world_now_ms(w);
	if (is_past(w, h->clientless_ms + CLIENTLESS_MS))
		judge_fail(w, "a stop ends", "worker %u goes on without clients", i);
}

/* --- who sleeps is left --- */

/* Nodes answer, so that no request of its holds it longer than it sleeps. */
static bool is_served(const struct client *c)
{
	for (unsigned i = 0; i < c->said_n; i++)
		if (c->asks[i].deed.fate != FATE_WHOLE || c->asks[i].upgrades)
			return false;
	return true;
}

/* Awake again it finds what its kernel has kept, and the connection over. */
static void judge_sleeper(const struct world *w, const struct client *c)
{
	bool awake = c->leaving == LEAVES_ASLEEP && c->leaves_after && !c->peer.pace.naps &&
		     peer_is_awake(&c->peer);
	if (awake && temper_is_calm(&w->temper) && is_there(c) && is_served(c))
		judge_fail(w, "who sleeps is left", "client %u is not", c->number);
}

/* --- an old plan is let go --- */

static void judge_doors(const struct world *w, const struct server *s)
{
	for (unsigned i = 0; i < SERVER_DOORS; i++)
		if (!plans_name_door(&w->plans, s->arm, s->number, i) && server_idle_at(s, i))
			judge_fail(w, "an old plan is let go",
				   "node %u of arm %d keeps a connection at address %u", s->number,
				   s->arm, i);
}

/* A process that has retired goes on by its last plan. */
static bool only_newest_lives(const struct world *w)
{
	for (unsigned i = 0; i < w->hand_n; i++)
		if (w->hands[i].worker && w->hands[i].process < w->process_n)
			return false;
	return true;
}

static void judge_plan(const struct world *w)
{
	if (!only_newest_lives(w))
		return;
	if (w->temper.faults.delay || !is_past(w, w->planned_ms) || !all_go_on(w))
		return;
	for (int arm = 0; arm < ARMS; arm++)
		for (unsigned i = 0; i < w->temper.nodes[arm]; i++)
			judge_doors(w, &w->servers[arm][i]);
}

void moment_is_over(struct world *w)
{
	for (unsigned i = 0; i < w->temper.clients; i++) {
		judge_prompt(w, &w->clients[i]);
		judge_cut_off(w, &w->clients[i]);
		judge_dismissed(w, &w->clients[i]);
		judge_sleeper(w, &w->clients[i]);
	}
	for (unsigned i = 0; i < w->hand_n; i++)
		judge_stopping(w, i, &w->hands[i]);
	judge_plan(w);
	if (w->store)
		ledger_moment(w);
}
