#include "sim/watch.h"

#include <stdlib.h>
#include <string.h>

#include "proxy/exchange.h"
#include "sim/world.h"

#define exchange_of(s, member)                                                                     \
	((const struct exchange *)((const char *)(s)-offsetof(struct exchange, member)))

static bool is_called(const struct stream *s, const char *name)
{
	return strcmp(s->name, name) == 0;
}

/* Each hop of a request has its exchange at one end. */
static const struct exchange *exchange_at(const struct stream *to)
{
	if (is_called(to, "front"))
		return exchange_of(to->peer, front);
	if (is_called(to, "back"))
		return exchange_of(to->peer, back);
	return is_called(to->peer, "front") ? exchange_of(to, front) : exchange_of(to, back);
}

/* Targets are "/r/ID", with a query where a flaw is. */
static uint64_t id_of(const struct exchange *ex)
{
	if (!ex->request || ex->request->target_n < 4)
		return 0;
	return strtoull(msg_target(ex->request).at + 3, NULL, 10);
}

/* The first that is said after a head is the consequence: a word to a node, or our own answer. */
static void settle_decision(struct watch *t)
{
	const struct exchange *ex = t->deciding;
	if (!ex || (ex->arm == ARM_NONE && !ex->status))
		return;
	t->deciding = NULL;
	if (ex->arm == ARM_NONE)
		return;
	struct ask *a = world_ask(t->world, id_of(ex));
	judge_decided(t->world, t->worker, ex, a);
	ledger_decided(t->world, t->worker, ex, a);
	judge_chosen(t->world, ex);
}

static void said(const struct stream_tracer *tracer, const struct stream *to, const char *verb,
		 unsigned long long number, bool end)
{
	struct watch *t = (struct watch *)((uintptr_t)tracer - offsetof(struct watch, tracer));
	const struct exchange *ex = exchange_at(to);
	t->desk = ex->desk;
	settle_decision(t);
	if (to == &ex->front && strcmp(verb, "head") == 0)
		t->deciding = ex;
	struct ask *a = is_called(to, "back") ? world_ask(t->world, id_of(ex)) : NULL;
	const struct node_state *node =
		is_called(to, "back") && ex->node && ex->node->node ? ex->node->node->state : NULL;
	if (a && node && strcmp(verb, "head") == 0)
		judge_attempt(t->world, a, node);
	if (node)
		judge_word(t->world, t->worker, node, verb);
	world_tell(t->world, "worker %u, request %llu: %s -> %s: %s %llu%s", t->worker,
		   (unsigned long long)id_of(ex), to->peer->name, to->name, verb, number,
		   end ? ", end" : "");
}

void watch_open(struct watch *t, struct world *w, unsigned worker)
{
	*t = (struct watch){ .tracer = { said }, .world = w, .worker = worker };
}

static void note_ejected(struct world *w, const struct desk *d)
{
	for (int arm = 0; arm < ARMS; arm++)
		for (size_t i = 0; i < d->clusters[arm].node_n; i++)
			if (d->clusters[arm].nodes[i]->ejection.out)
				tally_note(w, SEEN_EJECTED);
}

void watch_turn(struct watch *t)
{
	settle_decision(t);
	/* Clients may be there for long before the first says a word. */
	judge_limits(t->world, t->worker);
	if (!t->desk)
		return;
	judge_in_flight(t->world, t->worker, t->desk);
	judge_cut(t->world, t->worker, t->desk);
	judge_busy(t->world, t->worker, t->desk);
	judge_sockets(t->world, t->worker, t->desk);
	note_ejected(t->world, t->desk);
}
