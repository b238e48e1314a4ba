#include "sim/mishaps.h"

#include <stdlib.h>

#include "base/bug.h"
#include "sim/world.h"

static bool find_hand(const struct world *w, const struct io *io, unsigned *hand)
{
	for (*hand = 0; *hand < w->hand_n; ++*hand)
		if (w->hands[*hand].io == io)
			return true;
	return false;
}

static bool find_node(const struct world *w, const struct addr *at, uint32_t *node)
{
	for (int arm = 0; arm < ARMS; arm++)
		for (unsigned i = 0; i < w->temper.nodes[arm]; i++)
			for (unsigned d = 0; d < SERVER_DOORS; d++)
				if (addr_is(&w->servers[arm][i].doors[d].at, at)) {
					*node = w->plans.nodes[arm][i].state.number;
					return true;
				}
	return false;
}

static const char *const words[] = {
	[SIM_LACKED] = "lacks what it takes to connect",
	[SIM_REFUSED] = "is refused",
	[SIM_UNANSWERED] = "hears nothing",
	[SIM_BROKEN] = "loses a connection",
};

/* Clients meet some, too. */
static void befell(void *about, const struct io *io, const struct addr *to, enum sim_mishap what)
{
	struct world *w = about;
	struct mishaps *m = &w->mishaps;
	struct mishap one = { .at_ns = sim_now_ns(w->sim), .what = what };
	if (!find_hand(w, io, &one.hand) || !find_node(w, to, &one.node))
		return;
	if (m->n == m->room) {
		m->room = m->room ? 2 * m->room : 64;
		m->list = realloc(m->list, m->room * sizeof one);
		must(m->list);
	}
	m->list[m->n++] = one;
	world_tell(w, "worker %u %s, node %u", one.hand, words[what], one.node);
}

void mishaps_open(struct mishaps *m, struct world *w)
{
	*m = (struct mishaps){ 0 };
	sim_watch_mishaps(w->sim, befell, w);
}

void mishaps_close(struct mishaps *m)
{
	free(m->list);
}

unsigned mishaps_of(const struct mishaps *m, const struct ask *a, enum sim_mishap what)
{
	unsigned n = 0;
	for (size_t i = m->n; i > 0 && m->list[i - 1].at_ns >= a->tried_ns; i--) {
		const struct mishap *one = &m->list[i - 1];
		n += one->hand == a->worker && one->what == what && (a->tried >> one->node & 1);
	}
	return n;
}
