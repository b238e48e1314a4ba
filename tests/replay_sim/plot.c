#include "replay_sim/plot.h"

#include <string.h>

#include "base/limits.h"

/* Shorter than WORLD_RESPONSE_MS: what is uncertain has acted by then. */
#define LATE_MS_MAX 90000

static const char *const indices[PLOT_INDICES_MAX] = { "a", "b", "logs-1", "logs-2" };

const char *plot_index(unsigned i)
{
	return indices[i];
}

unsigned plot_shards(const struct plot *p, const char *index)
{
	for (unsigned i = 0; i < PLOT_INDICES_MAX; i++)
		if (!strcmp(index, indices[i]) && p->sharded >> i & 1)
			return PLOT_SHARDS;
	return 1;
}

static bool plot_has(struct dice *d, const struct plot_wishes *wishes, enum plot_trouble t)
{
	bool has = dice_chance(d, 500);
	return wishes->trouble_given ? wishes->trouble >> t & 1 : has;
}

static struct sim_faults plot_network(struct dice *d)
{
	return (struct sim_faults){
		.short_recv = (unsigned)dice_size(d, 300),
		.short_send = (unsigned)dice_size(d, 300),
		.delay = (unsigned)dice_size(d, 500),
		.delay_ms_max = 1 + (unsigned)dice_size(d, 500),
		.reset = (unsigned)dice_size(d, 20),
		.refuse = (unsigned)dice_size(d, 50),
		.window_bytes_max = dice_chance(d, 300) ? 1 + (unsigned)dice_size(d, 4096) : 0,
	};
}

static struct cluster_faults plot_cluster(struct dice *d)
{
	return (struct cluster_faults){
		.refuses = (unsigned)dice_size(d, 200),
		.breaks = (unsigned)dice_size(d, 100),
		.loses = (unsigned)dice_size(d, 150),
		.holds = (unsigned)dice_size(d, 300),
		.slow = (unsigned)dice_size(d, 500),
		.slow_ms_max = 1 + (unsigned)dice_size(d, dice_chance(d, 200) ? 130000 : 3000),
	};
}

static void plot_make_late(struct cluster_faults *f, struct dice *d)
{
	f->late = 1 + (unsigned)dice_size(d, 100);
	f->late_ms_max = 1 + (unsigned)dice_size(d, LATE_MS_MAX);
}

static void plot_make_troubles(struct plot *p, struct dice *d, const struct plot_wishes *wishes)
{
	if (plot_has(d, wishes, TROUBLE_NETWORK))
		p->network = plot_network(d);
	if (plot_has(d, wishes, TROUBLE_OWNER)) {
		p->faults[ARM_SOURCE] = plot_cluster(d);
		if (dice_chance(d, 400))
			plot_make_late(&p->faults[ARM_SOURCE], d);
	}
	if (plot_has(d, wishes, TROUBLE_REPLICA)) {
		p->faults[ARM_TARGET] = plot_cluster(d);
		if (dice_chance(d, 400))
			plot_make_late(&p->faults[ARM_TARGET], d);
	}
	if (plot_has(d, wishes, TROUBLE_CRASHES))
		p->crashes = (unsigned)dice_roll(d, 5);
	if (plot_has(d, wishes, TROUBLE_KILLS))
		p->kills = (unsigned)dice_roll(d, 5);
	if (plot_has(d, wishes, TROUBLE_POWER))
		p->power_cuts = (unsigned)dice_roll(d, 4);
	if (plot_has(d, wishes, TROUBLE_STOPS))
		p->stops = (unsigned)dice_roll(d, 4);
	if (plot_has(d, wishes, TROUBLE_HANDOVERS))
		p->handovers = (unsigned)dice_roll(d, 4);
	if (plot_has(d, wishes, TROUBLE_DISK) && dice_chance(d, 500))
		p->disk =
			(struct sim_disk_faults){ .full = (unsigned)dice_size(d, 100),
						  .sick = (unsigned)dice_size(d, 100),
						  .slow = (unsigned)dice_size(d, 300),
						  .slow_ms_max = 1 + (unsigned)dice_size(d, 2000) };
	/* What is set aside has no routing in its name. */
	p->refuses = plot_has(d, wishes, TROUBLE_REFUSALS) && dice_chance(d, 300) &&
		     !(p->sharded && p->routings);
}

void plot_tune(struct plot *p, struct dice *d)
{
	p->in_flight = (unsigned)dice_between(d, 1, 4);
	p->operations = 1 + (uint32_t)dice_size(d, 30);
	p->rate = dice_chance(d, 200) ? 20 + (uint32_t)dice_size(d, 1000) : 0;
	p->wait_ms = dice_chance(d, 300) ? (uint32_t)dice_size(d, REPLAY_BATCH_WAIT_MS_MAX) : 0;
}

void plot_make(struct plot *p, struct dice *d, const struct plot_wishes *wishes)
{
	*p = (struct plot){
		.clients = (unsigned)dice_between(d, 1, PLOT_CLIENTS_MAX),
		.writes = 5 + (unsigned)dice_size(d, 60),
		.indices = (unsigned)dice_between(d, 1, PLOT_INDICES_MAX),
		.sharded = dice_chance(d, 600) ? (unsigned)dice_roll(d, 1u << PLOT_INDICES_MAX) : 0,
		.ids = 1 + (unsigned)dice_size(d, 49),
		.kinds = 1u << PLOT_DOCUMENTS | (unsigned)dice_roll(d, 1u << PLOT_KINDS),
		.think_ms_max = 1 + (unsigned)dice_size(d, 2000),
		.new_fields = (unsigned)dice_roll(d, 300),
		.routings = dice_chance(d, 500) ? 200 : 0,
		.hidden_ids = dice_chance(d, 500) ? 100 : 0,
		.read_ms_max = 1 + (unsigned)dice_size(d, 200),
		.commit_ms = (unsigned)dice_size(d, 20),
		.reloads = dice_chance(d, 500) ? (unsigned)dice_between(d, 1, 50) : 0,
		.bulk_bytes = REPLAY_BATCH_BYTES_MIN,
		.pause_ms = 10 + (unsigned)dice_size(d, 20000),
		.after_ms = (unsigned)dice_size(d, 60000),
	};
	plot_tune(p, d);
	for (int arm = 0; arm < ARMS; arm++)
		p->nodes[arm] = (unsigned)dice_between(d, 1, CLUSTER_NODES_MAX);
	if (wishes->kind_given)
		p->kinds = 1u << PLOT_DOCUMENTS | wishes->kinds;
	plot_make_troubles(p, d, wishes);
	p->simple_indices = p->kinds >> PLOT_INDICES & 1 && (p->kills || p->power_cuts);
	if (wishes->late)
		plot_make_late(&p->faults[ARM_TARGET], d);
}
