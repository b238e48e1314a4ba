#include "sim/network_faults.h"

#include <stdlib.h>

#include "base/bug.h"
#include "sim/world.h"

static bool find_worker(const struct world *w, const struct io *io, unsigned *worker)
{
	for (*worker = 0; *worker < w->worker_n; ++*worker)
		if (w->workers[*worker].io == io)
			return true;
	return false;
}

static bool find_node(const struct world *w, const struct addr *at, uint32_t *node)
{
	for (int arm = 0; arm < ARMS; arm++)
		for (unsigned i = 0; i < w->scenario.nodes[arm]; i++)
			for (unsigned d = 0; d < SERVER_PORTS; d++)
				if (addr_is(&w->servers[arm][i].ports[d].at, at)) {
					*node = w->plans.nodes[arm][i].state.number;
					return true;
				}
	return false;
}

static const char *const words[] = {
	[SIM_LACKED] = "is short of resources to connect",
	[SIM_REFUSED] = "is refused",
	[SIM_UNANSWERED] = "gets no answer",
	[SIM_BROKEN] = "loses a connection",
};

/* Faults of clients' connections are skipped. */
static void network_fault_note(void *about, const struct io *io, const struct addr *to,
			       enum sim_mishap what)
{
	struct world *w = about;
	struct network_faults *m = &w->network_faults;
	struct network_fault one = { .at_ns = sim_now_ns(w->sim), .what = what };
	if (!find_worker(w, io, &one.worker) || !find_node(w, to, &one.node))
		return;
	if (m->n == m->room) {
		m->room = m->room ? 2 * m->room : 64;
		m->list = realloc(m->list, m->room * sizeof one);
		must(m->list);
	}
	m->list[m->n++] = one;
	world_tell(w, "worker %u %s, at node %u", one.worker, words[what], one.node);
}

void network_faults_open(struct network_faults *m, struct world *w)
{
	*m = (struct network_faults){ 0 };
	sim_watch_mishaps(w->sim, network_fault_note, w);
}

void network_faults_close(struct network_faults *m)
{
	free(m->list);
}

unsigned network_faults_of(const struct network_faults *m, const struct ask *a,
			   enum sim_mishap what)
{
	unsigned n = 0;
	for (size_t i = m->n; i > 0 && m->list[i - 1].at_ns >= a->tried_ns; i--) {
		const struct network_fault *one = &m->list[i - 1];
		n += one->worker == a->worker && one->what == what && (a->tried >> one->node & 1);
	}
	return n;
}
