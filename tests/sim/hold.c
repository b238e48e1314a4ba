#include "sim/hold.h"

#include "proxy/exchange.h"
#include "sim/world.h"

/* Longer than any hold: no request may get a response because of it. */
#define DEADLINE_MS 5000
/* At least so much of a held write's body is read; PARKED_BODY_BYTES is more. */
#define SEEN_BODY_BYTES (48 * 1024)

static unsigned long long number(uint64_t n)
{
	return n;
}

static void hold_set_timer(struct hold *h, struct timer *t, uint64_t ms)
{
	timer_set(&h->world->wheel, t, world_now_ms(h->world) + ms);
}

static void hold_publish(struct hold *h, enum board_phase phase)
{
	struct world *w = h->world;
	struct board_values *v = &w->operator.values;
	v->epoch++;
	v->phase = phase;
	v->deadline_ns =
		phase == BOARD_PHASE_OPEN ? 0 : sim_now_ns(w->sim) + DEADLINE_MS * 1000000ull;
	board_publish(&w->board, v);
	judge_published(w, v);
	world_wake(w);
	world_tell(w, "writes %s, epoch %llu", board_holds(v) ? "are held" : "are let go",
		   number(v->epoch));
}

static void hold_end(struct hold *h)
{
	h->on = false;
	h->ended_ms = world_now_ms(h->world);
	hold_publish(h, BOARD_PHASE_OPEN);
	if (h->left_n)
		hold_set_timer(h, &h->begins, dice_size(&h->dice, 1000));
}

static void hold_time_to_begin(struct timer *t)
{
	struct hold *h = list_entry(t, struct hold, begins);
	h->left_n--;
	h->on = true;
	hold_publish(h, BOARD_PHASE_HOLD);
	hold_set_timer(h, &h->leaves, HOLD_MS / 2);
	hold_set_timer(h, &h->ends, HOLD_MS);
}

/* Half of the clients whose writes are held leave. */
static void hold_time_to_leave(struct timer *t)
{
	struct hold *h = list_entry(t, struct hold, leaves);
	struct world *w = h->world;
	for (unsigned i = 0; w->scenario.peers_misbehave && i < w->worker_n; i++) {
		const struct sim_worker *worker = &w->workers[i];
		for (unsigned j = 0; worker->worker && j < worker->watch.held.n; j++) {
			struct ask *a = world_ask(w, worker->watch.held.ids[j]);
			if (a && dice_chance(&h->dice, 500))
				client_leave(a->client, dice_chance(&h->dice, 700));
		}
	}
}

static void hold_time_to_end(struct timer *t)
{
	hold_end(list_entry(t, struct hold, ends));
}

void hold_open(struct hold *h, struct world *w)
{
	*h = (struct hold){ .world = w, .dice.state = dice_mix(w->seed ^ 0x401d401d401d) };
	timer_init(&h->begins, hold_time_to_begin);
	timer_init(&h->leaves, hold_time_to_leave);
	timer_init(&h->ends, hold_time_to_end);
	if (!SIM_HOLDS || !dice_chance(&h->dice, 500))
		return;
	h->left_n = (unsigned)dice_between(&h->dice, 1, SIM_HOLDS_MAX);
	hold_set_timer(h, &h->begins, dice_size(&h->dice, 2500));
}

void hold_rest(struct hold *h)
{
	timer_clear(&h->begins);
	timer_clear(&h->leaves);
	timer_clear(&h->ends);
	h->left_n = 0;
	if (h->on)
		hold_end(h);
}

/* --- held writes --- */

static const struct exchange *held_find_in(const struct list *all, uint64_t id)
{
	list_each(l, all) {
		const struct exchange *ex = list_entry(l, struct exchange, link);
		if (watch_id_of(ex) == id)
			return ex;
	}
	return NULL;
}

static const struct exchange *held_find(const struct exchanges *d, uint64_t id)
{
	const struct exchange *ex = held_find_in(&d->parked, id);
	ex = ex ? ex : held_find_in(&d->open, id);
	return ex ? ex : held_find_in(&d->closing, id);
}

void held_add(struct watch *t, const struct exchange *ex)
{
	struct held *h = &t->held;
	/* A write is held during a hold, and afterwards while earlier ones are not let go. */
	bool due = board_holds(&ex->exchanges->values) || h->n;
	if (!request_is_write(&ex->request) || !due)
		judge_fail(t->world, "held", "worker %u: request %llu waits for its arm", t->worker,
			   number(watch_id_of(ex)));
	if (h->n == SIM_CLIENTS_MAX)
		judge_fail(t->world, "held", "worker %u holds more than one write of a client",
			   t->worker);
	h->ids[h->n++] = watch_id_of(ex);
	tally_note(t->world, SEEN_HELD);
}

void held_pass(const struct watch *t, const struct exchange *ex)
{
	if (request_is_write(&ex->request) && t->held.n)
		judge_fail(t->world, "held",
			   "worker %u: request %llu overtakes %llu, which is held", t->worker,
			   number(watch_id_of(ex)), number(t->held.ids[0]));
}

void held_settle(struct watch *t)
{
	struct held *h = &t->held;
	unsigned kept = 0;
	for (unsigned i = 0; i < h->n; i++) {
		const struct exchange *ex = held_find(t->exchanges, h->ids[i]);
		if (ex && ex->state == EXCHANGE_PARKED)
			h->ids[kept++] = h->ids[i];
		else if (ex && ex->request.arm != ARM_NONE && kept)
			judge_fail(t->world, "held", "worker %u: request %llu overtakes %llu",
				   t->worker, number(h->ids[i]), number(h->ids[0]));
		else if (ex && ex->request.arm != ARM_NONE)
			watch_decided(t, ex);
	}
	h->n = kept;
}

/* --- clients that left --- */

/*
 * The client has left, and its worker can notice it: a reset, or an end within a body. A FIN after
 * a whole request is no sign: the client may still read. A reset after that FIN is not noticed,
 * because nothing is received any more.
 */
static bool client_is_gone(const struct ask *a)
{
	const struct client *c = a->client;
	bool last = a == &c->asks[c->said_n - 1];
	return c->left && c->over && !c->peer.finishing && last && a->body_n <= SEEN_BODY_BYTES &&
	       (c->leaves_by_reset || (!a->sent && a->body_n));
}

void hold_instant(struct world *w)
{
	/* Where memory is short the worker may not read from a client. */
	bool hears = w->scenario.smooth && w->scenario.memory_bytes == MEMORY_BYTES;
	for (unsigned i = 0; hears && i < w->worker_n; i++) {
		const struct sim_worker *h = &w->workers[i];
		for (unsigned j = 0; h->worker && !h->stalled && j < h->watch.held.n; j++) {
			struct ask *a = world_ask(w, h->watch.held.ids[j]);
			if (!a || a->abandoned || !client_is_gone(a))
				continue;
			a->abandoned = true;
			tally_note(w, SEEN_HELD_LEFT);
		}
	}
}
