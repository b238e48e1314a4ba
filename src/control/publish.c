#include "control/publish.h"

#include "base/limits.h"

void publisher_open(struct publisher *p, struct publish_worker *workers, unsigned worker_n,
		    const struct plan *first)
{
	*p = (struct publisher){ .workers = workers, .worker_n = worker_n };
	for (unsigned i = 0; i < worker_n; i++)
		pthread_mutex_init(&workers[i].io_lock, NULL);
	must(publish(p, first));
}

void publisher_close(struct publisher *p)
{
	for (size_t i = 0; i < p->plan_n; i++)
		plan_free(p->plans[i]);
	for (unsigned i = 0; i < p->worker_n; i++)
		pthread_mutex_destroy(&p->workers[i].io_lock);
	p->plan_n = p->worker_n = 0;
}

const struct plan *publisher_newest(const struct publisher *p)
{
	must(p->plan_n > 0);
	return p->plans[p->plan_n - 1];
}

void publish_worker_io(struct publish_worker *w, struct io *io)
{
	pthread_mutex_lock(&w->io_lock);
	w->io = io;
	pthread_mutex_unlock(&w->io_lock);
}

void publisher_wake(struct publisher *p)
{
	for (unsigned i = 0; i < p->worker_n; i++) {
		struct publish_worker *w = &p->workers[i];
		pthread_mutex_lock(&w->io_lock);
		if (w->io)
			io_wake(w->io);
		pthread_mutex_unlock(&w->io_lock);
	}
}

bool publish(struct publisher *p, const struct plan *plan)
{
	publisher_sweep(p);
	if (p->plan_n == PLANS_MAX)
		return false;
	p->plans[p->plan_n++] = plan;
	for (unsigned i = 0; i < p->worker_n; i++)
		atomic_store_explicit(&p->workers[i].mailbox.plan, plan, memory_order_release);
	publisher_wake(p);
	return true;
}

/* Workers only change to newer plans: a worker that has left this plan never uses it again. */
static bool has_been_left(const struct publisher *p, const struct plan *plan)
{
	for (unsigned i = 0; i < p->worker_n; i++) {
		const struct plan *adopted =
			atomic_load_explicit(&p->workers[i].mailbox.adopted, memory_order_acquire);
		if (!adopted || adopted->number <= plan->number)
			return false;
	}
	return true;
}

/* False: a worker still uses the plan. */
static bool plan_try_free(const struct publisher *p, const struct plan *plan)
{
	if (!has_been_left(p, plan))
		return false;
	plan_let_go_of_tls(plan);
	if (plan_pinned(plan))
		return false;
	plan_free(plan);
	return true;
}

bool publisher_sweep(struct publisher *p)
{
	size_t kept = 0, before = p->plan_n;
	for (size_t i = 0; i < p->plan_n; i++)
		if (i + 1 == p->plan_n || !plan_try_free(p, p->plans[i]))
			p->plans[kept++] = p->plans[i];
	p->plan_n = kept;
	return kept < before;
}

void publisher_name_nodes(const struct publisher *p, bool named[NODES_MAX])
{
	memset(named, 0, NODES_MAX * sizeof *named);
	for (size_t i = 0; i < p->plan_n; i++)
		plan_name_nodes(p->plans[i], named);
}

uint32_t publisher_change_node_admin(struct publisher *p)
{
	uint32_t change = 0;
	for (unsigned i = 0; i < p->worker_n; i++)
		change = atomic_fetch_add_explicit(&p->workers[i].mailbox.node_admin, 1,
						   memory_order_release) +
			 1;
	publisher_wake(p);
	return change;
}

static bool worker_serves(struct publish_worker *w)
{
	pthread_mutex_lock(&w->io_lock);
	bool it_does = w->io != NULL;
	pthread_mutex_unlock(&w->io_lock);
	return it_does;
}

unsigned publisher_unacknowledged(struct publisher *p, uint32_t change)
{
	unsigned n = 0;
	for (unsigned i = 0; i < p->worker_n; i++) {
		const struct worker_mailbox *mailbox = &p->workers[i].mailbox;
		uint32_t acknowledged = atomic_load_explicit(&mailbox->node_admin_acknowledged,
							     memory_order_acquire);
		n += (int32_t)(acknowledged - change) < 0 && worker_serves(&p->workers[i]);
	}
	return n;
}

void publisher_name_listeners(const struct publisher *p, bool named[LISTENERS_MAX])
{
	memset(named, 0, LISTENERS_MAX * sizeof *named);
	for (size_t i = 0; i < p->plan_n; i++)
		for (size_t k = 0; k < p->plans[i]->listener_n; k++)
			named[p->plans[i]->listeners[k].number] = true;
}
