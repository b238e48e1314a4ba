#include "sim/tally.h"

#include "base/bug.h"
#include "sim/world.h"

static_assert(SEENS <= 64, "a bit each");

void tally_note(struct world *w, enum seen what)
{
	w->seen |= UINT64_C(1) << what;
}

const char *tally_words(enum seen what)
{
	static const char *const words[] = {
#define SEEN(name, words) words,
#include "sim/tally.def"
#undef SEEN
	};
	must(what < SEENS);
	return words[what];
}

static uint64_t bit_if(bool happened, enum seen what)
{
	return (uint64_t)happened << what;
}

static uint64_t seen_by_network(const struct world *w)
{
	const struct sim_counts *c = sim_counts(w->sim);
	return bit_if(c->short_recvs, SEEN_SHORT_RECVS) | bit_if(c->short_sends, SEEN_SHORT_SENDS) |
	       bit_if(c->full_windows, SEEN_WINDOW_FULL) | bit_if(c->delays, SEEN_DELAYED) |
	       bit_if(c->starved, SEEN_STARVED) | bit_if(c->resets, SEEN_RESET) |
	       bit_if(c->refused, SEEN_REFUSED) | bit_if(c->unanswered, SEEN_UNANSWERED) |
	       bit_if(c->accept_errors, SEEN_ACCEPT_FAILED) | bit_if(c->shortages, SEEN_LACKED);
}

static uint64_t seen_by_worker(const struct sim_worker *h)
{
	const struct counters *c = &h->counters;
	uint64_t told = 0;
	for (int e = ERR_OUT_OF_HANDLES; e <= ERR_NOT_PERMITTED; e++)
		told += counter_read(&c->responds_here[e]);
	return bit_if(told, SEEN_LACKED_TOLD) |
	       bit_if(counter_read(&c->rejected[ERR_TOO_MANY_CONNECTIONS]), SEEN_FULL) |
	       bit_if(counter_read(&c->overridden), SEEN_NAMED) |
	       bit_if(counter_read(&c->sticky), SEEN_STAYED);
}

static uint64_t seen_by_ask(const struct ask *a)
{
	unsigned f = a->fates;
	bool breaks = f & (1u << FATE_RESET_IN | 1u << FATE_FIN_IN | 1u << FATE_BAD_CHUNK);
	return bit_if(a->flaw, SEEN_FLAW) | bit_if(breaks, SEEN_BROKE_OFF) |
	       bit_if(f & 1u << FATE_RUBBISH, SEEN_RUBBISH) |
	       bit_if(f & (1u << FATE_SILENT | 1u << FATE_STUCK), SEEN_SILENT) |
	       bit_if(a->reached_n > 1, SEEN_AGAIN) |
	       bit_if(a->entry.unrecorded || a->entry.untold, SEEN_UNRECORDED);
}

static uint64_t seen_by_client(const struct client *c)
{
	uint64_t seen = 0;
	for (unsigned i = 0; i < c->said_n; i++)
		seen |= seen_by_ask(&c->asks[i]);
	return seen | bit_if(c->leaving == LEAVES_HALF && c->said_n == c->ask_n, SEEN_HALF) |
	       bit_if(c->left, SEEN_LEFT) | bit_if(c->tunnel_n, SEEN_TUNNEL) |
	       bit_if(c->leaving == LEAVES_ASLEEP && c->leaves_after && !c->peer.pace.naps,
		      SEEN_ASLEEP);
}

static uint64_t seen_by_scenario(const struct world *w)
{
	const struct scenario *t = &w->scenario;
	return bit_if(scenario_is_calm(t), SEEN_CALM) | bit_if(t->records, SEEN_RECORDED) |
	       bit_if(t->memory_bytes != MEMORY_BYTES, SEEN_LITTLE_MEMORY);
}

uint64_t tally_of(const struct world *w)
{
	uint64_t seen = w->seen | seen_by_network(w) | seen_by_scenario(w);
	for (unsigned i = 0; i < w->worker_n; i++)
		seen |= seen_by_worker(&w->workers[i]);
	for (unsigned i = 0; i < w->scenario.clients; i++)
		seen |= seen_by_client(&w->clients[i]);
	return seen | bit_if(w->judge.published_n > 1, SEEN_WEIGHTS) |
	       bit_if(w->plans.page_n > 1, SEEN_RELOAD) |
	       bit_if(w->plans.page_n > 1 && w->scenario.tunes, SEEN_TUNED) |
	       bit_if(w->retired_is_stopped, SEEN_DISMISSED) | bit_if(w->aborting, SEEN_ABORTED);
}
