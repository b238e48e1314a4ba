#include "sim/scenario.h"

static unsigned roll_strength(struct dice *d)
{
	static const unsigned of_1000[] = { 10, 100, 500, 1000 };
	return dice_chance(d, 500) ? 0 : dice_pick(d, of_1000);
}

static unsigned roll_rare(struct dice *d)
{
	static const unsigned of_1000[] = { 1, 5, 30, 200 };
	return dice_chance(d, 600) ? 0 : dice_pick(d, of_1000);
}

/* These faults only slow the bytes down: all of them arrive. */
static void make_friction(struct sim_faults *f, struct dice *d)
{
	static const unsigned delays_ms[] = { 1, 5, 40, 300 };
	static const unsigned windows[] = { 0, 0, 16, 700, 9000 };
	f->short_recv = roll_strength(d);
	f->short_send = roll_strength(d);
	f->delay = roll_strength(d);
	f->delay_ms_max = dice_pick(d, delays_ms);
	f->starve = roll_strength(d);
	f->window_bytes_max = dice_pick(d, windows);
	/* A head of a few hundred bytes must arrive before its timeout. */
	if (f->window_bytes_max && f->window_bytes_max < 100 && f->delay_ms_max > 5)
		f->delay_ms_max = 5;
}

static void make_harm(struct sim_faults *f, struct dice *d)
{
	f->reset = roll_rare(d) / 4;
	f->refuse = roll_rare(d);
	f->unreachable = roll_rare(d) / 4;
	f->accept_error = dice_chance(d, 200) ? 800 : roll_rare(d);
}

/* The more operations carry a byte, the more it costs to simulate. */
static uint64_t body_bytes_max(const struct sim_faults *f)
{
	bool tiny = f->short_recv >= 500 || f->short_send >= 500 ||
		    (f->window_bytes_max && f->window_bytes_max < 100);
	bool little = f->short_recv >= 100 || f->short_send >= 100 || f->window_bytes_max ||
		      (f->delay >= 500 && f->delay_ms_max >= 40);
	return tiny ? 1500 : little ? 40000 : 2 * 1024 * 1024;
}

void scenario_make(struct scenario *t, struct dice *d)
{
	*t = (struct scenario){ .ending = ENDING_IN_PEACE };
	bool friction = dice_chance(d, 600), harm = dice_chance(d, 400);
	if (friction)
		make_friction(&t->faults, d);
	if (harm)
		make_harm(&t->faults, d);
	if (dice_chance(d, 300))
		t->faults.shortage = roll_strength(d);
	t->body_max = body_bytes_max(&t->faults);
	t->workers = (unsigned)dice_between(d, 1, SIM_WORKERS_MAX);
	t->clients = (unsigned)dice_between(d, 1, SIM_CLIENTS_MAX);
	t->asks_max = (unsigned)dice_between(d, 1, SIM_ASKS_MAX);
	for (int arm = 0; arm < ARMS; arm++) {
		t->nodes[arm] = (unsigned)dice_between(d, 1, SIM_NODES_MAX);
		t->host[arm] = (enum host_policy)dice_roll(d, HOST_NAME + 1);
		t->prompt[arm] = dice_chance(d, 500);
	}
	if (dice_chance(d, 200))
		t->allowed = 1 + dice_size(d, dice_chance(d, 500) ? 7 : t->body_max);
	t->short_timeouts = harm && dice_chance(d, 300);
	t->closes_idle = harm && dice_chance(d, 300);
	t->crashes = harm && dice_chance(d, 200);
	t->loses_all_nodes = harm && dice_chance(d, 250);
	t->stalls = dice_chance(d, 300);
	t->shifts = dice_chance(d, 500);
	t->first_node_down = !t->shifts && dice_chance(d, 200);
	t->peers_misbehave = dice_chance(d, 600);
	t->drains = !t->first_node_down && dice_chance(d, 400);
	t->ejects = dice_chance(d, 600) ? (unsigned)dice_between(d, 1, 4) : 0;
	t->share = dice_chance(d, 200) ? (unsigned)dice_between(d, 1, 3) : 0;
	t->tunes = t->shifts && dice_chance(d, 500);
	t->limits = t->shifts && harm && dice_chance(d, 300);
	t->hands_over = dice_chance(d, 300);
	t->sticky_users = dice_chance(d, 200);
	t->names = dice_chance(d, 200);
	t->override_allowed = dice_chance(d, 700);
	t->ports = dice_chance(d, 400);
	t->smooth = !friction;
	t->alternates = dice_chance(d, 150);
	t->memory_bytes = dice_chance(d, 500) ? MEMORY_BYTES : dice_size(d, 256 * 1024);
	t->changes = (unsigned)dice_size(d, 60);
	if (dice_chance(d, 250))
		t->ending = dice_chance(d, 500) ? ENDING_EARLY : ENDING_ABORT;
	t->ends = dice_chance(d, 200);
	t->sockets = dice_chance(d, 150) ? (unsigned)dice_between(d, 1, 8) : 0;
}

void scenario_make_log(struct scenario *t, struct dice *d)
{
	static const unsigned commits_ms[] = { 0, 0, 0, 1, 20, 200 };
	static const unsigned queues[] = { 4096, 16384, 65536, 1048576 };
	t->records = dice_chance(d, 500);
	if (!t->records)
		return;
	t->disk_fails = dice_chance(d, 500);
	t->disk_loses_bytes = t->disk_fails && dice_chance(d, 600);
	t->loses_directory = t->disk_fails && dice_chance(d, 150);
	t->reboots = dice_chance(d, 400) ? (unsigned)dice_between(d, 1, SIM_REBOOTS_MAX) : 0;
	t->commit_ms = dice_pick(d, commits_ms);
	t->queue_bytes = dice_chance(d, 500) ? LOG_QUEUE_BYTES : dice_pick(d, queues);
}

bool scenario_is_harmless(const struct scenario *t)
{
	const struct sim_faults *f = &t->faults;
	return !f->reset && !f->refuse && !f->unreachable && !f->accept_error &&
	       !t->short_timeouts && !t->disk_fails && !t->reboots && !t->closes_idle &&
	       !t->crashes && !t->loses_all_nodes && !t->limits && t->ending != ENDING_ABORT;
}

bool scenario_is_calm(const struct scenario *t)
{
	return scenario_is_harmless(t) && !t->faults.shortage && t->ending == ENDING_IN_PEACE;
}

bool scenario_blames_nodes(const struct scenario *t)
{
	const struct sim_faults *f = &t->faults;
	return f->reset || f->refuse || f->unreachable || f->accept_error || t->peers_misbehave ||
	       t->short_timeouts || t->closes_idle || t->crashes || t->loses_all_nodes ||
	       t->first_node_down || t->ending != ENDING_IN_PEACE;
}
