#include "sim/watch.h"

#include <stdlib.h>
#include <string.h>

#include "proxy/exchange.h"
#include "sim/world.h"

#define object_of(s, type, member) ((const type *)((const char *)(s)-offsetof(type, member)))

static bool stream_has_name(const struct stream *s, const char *name)
{
	return strcmp(s->name, name) == 0;
}

/* The request of the stage that owns this end; NULL: the owner is a connection. */
static const struct request *request_of_stage(const struct stream *s, bool is_front)
{
	if (stream_has_name(s, "exchange"))
		return &(is_front ? object_of(s, struct exchange, front)
				  : object_of(s, struct exchange, back))
				->request;
	if (stream_has_name(s, "parking"))
		return NULL;
	if (stream_has_name(s, "gate"))
		return (is_front ? object_of(s, struct capture_gate, front)
				 : object_of(s, struct capture_gate, back))
			->request;
	if (stream_has_name(s, "delivery"))
		return (is_front ? object_of(s, struct delivery, front)
				 : object_of(s, struct delivery, back))
			->request;
	return NULL;
}

/* How near a stage is to the node. Each hop connects two. */
static unsigned depth_of(const struct stream *s)
{
	static const char *const names[] = { "front", "exchange", "parking",
					     "gate",  "delivery", "back" };
	unsigned i = 0;
	while (i < sizeof names / sizeof *names && !stream_has_name(s, names[i]))
		i++;
	return i;
}

/* Each hop has a stage of the request at one end at least. */
static const struct exchange *exchange_at(const struct stream *to)
{
	bool down = depth_of(to) > depth_of(to->peer);
	const struct request *r = request_of_stage(to, down);
	if (!r)
		r = request_of_stage(to->peer, !down);
	return object_of(r, struct exchange, request);
}

/* Targets are "/r/ID", with a query in some invalid requests. */
uint64_t watch_id_of(const struct exchange *ex)
{
	const struct msg *m = ex->request.head;
	if (!m || m->target_n < 4)
		return 0;
	return strtoull(msg_target(m).at + 3, NULL, 10);
}

void watch_decided(struct watch *t, const struct exchange *ex)
{
	struct ask *a = world_ask(t->world, watch_id_of(ex));
	judge_decided(t->world, t->worker, ex, a);
	ledger_decided(t->world, t->worker, ex, a);
}

/*
 * The first call after a request's head is its consequence: a call to a node, or the balancer's own
 * response.
 */
static void settle_decision(struct watch *t)
{
	const struct exchange *ex = t->deciding;
	if (!ex || (ex->request.arm == ARM_NONE && !ex->status))
		return;
	t->deciding = NULL;
	if (ex->request.arm == ARM_NONE)
		return;
	held_pass(t, ex);
	watch_decided(t, ex);
}

static void hold_undecided(struct watch *t)
{
	if (t->deciding)
		held_add(t, t->deciding);
	t->deciding = NULL;
}

/* An attempt failed. The node may have closed an idle connection in good order. */
static void note_stale(struct ask *a, struct stream *node)
{
	struct pool_attempt attempt = pool_look(node);
	if (a && attempt.reused && !attempt.heard)
		a->stale_n++;
}

static void watch_said(const struct stream_tracer *tracer, const struct stream *to,
		       const char *verb, unsigned long long number, bool end)
{
	struct watch *t = (struct watch *)((uintptr_t)tracer - offsetof(struct watch, tracer));
	const struct exchange *ex = exchange_at(to);
	t->exchanges = ex->exchanges;
	held_settle(t);
	settle_decision(t);
	if (to == &ex->front && strcmp(verb, "head") == 0) {
		hold_undecided(t);
		t->deciding = ex;
	}
	struct ask *a = stream_has_name(to, "back") ? world_ask(t->world, watch_id_of(ex)) : NULL;
	const struct live_node *live = ex->delivery ? ex->delivery->node : NULL;
	const struct node_state *node =
		stream_has_name(to, "back") && live && live->node ? live->node->state : NULL;
	if (node && strcmp(verb, "head") == 0)
		judge_chosen(t->world, ex);
	if (a && node && strcmp(verb, "head") == 0)
		judge_attempt(t->world, a, node);
	if (stream_has_name(to->peer, "back") && strcmp(verb, "reset") == 0)
		note_stale(world_ask(t->world, watch_id_of(ex)), to->peer);
	if (node)
		judge_word(t->world, t->worker, node, verb);
	world_tell(t->world, "worker %u, request %llu: %s -> %s: %s %llu%s", t->worker,
		   (unsigned long long)watch_id_of(ex), to->peer->name, to->name, verb, number,
		   end ? ", end" : "");
}

void watch_open(struct watch *t, struct world *w, unsigned worker)
{
	*t = (struct watch){ .tracer = { watch_said }, .world = w, .worker = worker };
}

static void note_ejected(struct world *w, const struct exchanges *d)
{
	for (int arm = 0; arm < ARMS; arm++)
		for (size_t i = 0; i < d->clusters[arm].node_n; i++)
			if (d->clusters[arm].nodes[i]->ejection.out)
				tally_note(w, SEEN_EJECTED);
}

void watch_turn(struct watch *t)
{
	held_settle(t);
	settle_decision(t);
	hold_undecided(t);
	/* Clients may be connected long before the first request. */
	judge_limits(t->world, t->worker);
	if (!t->exchanges)
		return;
	judge_in_flight(t->world, t->worker, t->exchanges);
	judge_cut(t->world, t->worker, t->exchanges);
	judge_busy(t->world, t->worker, t->exchanges);
	judge_sockets(t->world, t->worker, t->exchanges);
	note_ejected(t->world, t->exchanges);
}
