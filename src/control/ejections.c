#include "control/ejections.h"

#include "base/limits.h"
#include "base/log.h"

struct ejected ejected_now(const struct counters *counters, unsigned worker_n,
			   const struct node_record *n)
{
	struct ejected e = { 0 };
	for (unsigned i = 0; i < worker_n; i++) {
		const struct node_counters *c = &counters[i].nodes[n->state.number];
		e.total += counter_read(&c->ejections);
		if (!counter_read(&c->ejected))
			continue;
		e.workers++;
		e.why = (enum err)counter_read(&c->ejected_for);
	}
	return e;
}

static void ejections_log(const struct ejections *e, struct node_record *n)
{
	struct ejected now = ejected_now(e->counters, e->worker_n, n);
	if (now.workers && now.total != n->ejections_said)
		log_line(LOG_WARN, "%s: node %s is ejected by %u of %u workers: %s",
			 arm_name(n->arm), n->name, now.workers, e->worker_n, err_word(now.why));
	else if (!now.workers && n->ejected_said)
		log_line(LOG_INFO, "%s: node %s is no longer ejected", arm_name(n->arm), n->name);
	n->ejections_said = now.total;
	n->ejected_said = now.workers > 0;
}

static void ejections_look(struct timer *t)
{
	struct ejections *e = list_entry(t, struct ejections, look);
	for (size_t i = 0; i < e->nodes->n; i++)
		ejections_log(e, e->nodes->list[i]);
	timer_set(e->wheel, t, e->wheel->now_ms + EJECT_LOOK_MS);
}

void ejections_open(struct ejections *e, const struct nodes *nodes, const struct counters *counters,
		    unsigned worker_n, struct wheel *wheel)
{
	*e = (struct ejections){
		.nodes = nodes, .counters = counters, .worker_n = worker_n, .wheel = wheel
	};
	timer_init(&e->look, ejections_look);
	timer_set(wheel, &e->look, wheel->now_ms + EJECT_LOOK_MS);
}

void ejections_close(struct ejections *e)
{
	timer_clear(&e->look);
}
