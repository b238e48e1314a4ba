#include "sim/temper.h"

static unsigned strength(struct dice *d)
{
	static const unsigned of_1000[] = { 10, 100, 500, 1000 };
	return dice_says(d, 500) ? 0 : dice_pick(d, of_1000);
}

static unsigned rare(struct dice *d)
{
	static const unsigned of_1000[] = { 1, 5, 30, 200 };
	return dice_says(d, 600) ? 0 : dice_pick(d, of_1000);
}

/* These only disturb; what is sent arrives all the same. */
static void make_friction(struct sim_faults *f, struct dice *d)
{
	static const unsigned delays_ms[] = { 1, 5, 40, 300 };
	static const unsigned windows[] = { 0, 0, 16, 700, 9000 };
	f->short_recv = strength(d);
	f->short_send = strength(d);
	f->delay = strength(d);
	f->delay_ms_max = dice_pick(d, delays_ms);
	f->starve = strength(d);
	f->window_bytes_max = dice_pick(d, windows);
	/* A head of a few hundred bytes must be able to come in its time. */
	if (f->window_bytes_max && f->window_bytes_max < 100 && f->delay_ms_max > 5)
		f->delay_ms_max = 5;
}

static void make_harm(struct sim_faults *f, struct dice *d)
{
	f->reset = rare(d) / 4;
	f->refuse = rare(d);
	f->unreachable = rare(d) / 4;
	f->accept_error = dice_says(d, 200) ? 800 : rare(d);
}

/* A simulated byte costs more the more operations carry it. */
static uint64_t body_bytes_max(const struct sim_faults *f)
{
	bool tiny = f->short_recv >= 500 || f->short_send >= 500 ||
		    (f->window_bytes_max && f->window_bytes_max < 100);
	bool little = f->short_recv >= 100 || f->short_send >= 100 || f->window_bytes_max ||
		      (f->delay >= 500 && f->delay_ms_max >= 40);
	return tiny ? 1500 : little ? 40000 : 2 * 1024 * 1024;
}

void temper_make(struct temper *t, struct dice *d)
{
	*t = (struct temper){ .ending = ENDING_IN_PEACE };
	bool friction = dice_says(d, 600), harm = dice_says(d, 400);
	if (friction)
		make_friction(&t->faults, d);
	if (harm)
		make_harm(&t->faults, d);
	if (dice_says(d, 300))
		t->faults.shortage = strength(d);
	t->body_max = body_bytes_max(&t->faults);
	t->workers = (unsigned)dice_between(d, 1, SIM_WORKERS_MAX);
	t->clients = (unsigned)dice_between(d, 1, SIM_CLIENTS_MAX);
	t->asks_max = (unsigned)dice_between(d, 1, SIM_ASKS_MAX);
	for (int arm = 0; arm < ARMS; arm++) {
		t->nodes[arm] = (unsigned)dice_between(d, 1, SIM_NODES_MAX);
		t->host[arm] = (enum host_policy)dice_roll(d, HOST_NAME + 1);
		t->prompt[arm] = dice_says(d, 500);
	}
	if (dice_says(d, 200))
		t->allowed = 1 + dice_size(d, dice_says(d, 500) ? 7 : t->body_max);
	t->hasty = harm && dice_says(d, 300);
	t->fickle = harm && dice_says(d, 300);
	t->crashes = harm && dice_says(d, 200);
	t->deserts = harm && dice_says(d, 250);
	t->stalls = dice_says(d, 300);
	t->shifts = dice_says(d, 500);
	t->absent = !t->shifts && dice_says(d, 200);
	t->ill = dice_says(d, 600);
	t->drains = !t->absent && dice_says(d, 400);
	t->ejects = dice_says(d, 600) ? (unsigned)dice_between(d, 1, 4) : 0;
	t->share = dice_says(d, 200) ? (unsigned)dice_between(d, 1, 3) : 0;
	t->tunes = t->shifts && dice_says(d, 500);
	t->limits = t->shifts && harm && dice_says(d, 300);
	t->hands_over = dice_says(d, 300);
	t->sticks = dice_says(d, 200);
	t->names = dice_says(d, 200);
	t->obeys = dice_says(d, 700);
	t->doors = dice_says(d, 400);
	t->smooth = !friction;
	t->beats = dice_says(d, 150);
	t->memory_bytes = dice_says(d, 500) ? MEMORY_BYTES : dice_size(d, 256 * 1024);
	t->changes = (unsigned)dice_size(d, 60);
	if (dice_says(d, 250))
		t->ending = dice_says(d, 500) ? ENDING_EARLY : ENDING_ABORT;
	t->ends = dice_says(d, 200);
	t->sockets = dice_says(d, 150) ? (unsigned)dice_between(d, 1, 8) : 0;
}

void temper_make_log(struct temper *t, struct dice *d)
{
	static const unsigned commits_ms[] = { 0, 0, 0, 1, 20, 200 };
	static const unsigned queues[] = { 4096, 16384, 65536, 1048576 };
	t->records = dice_says(d, 500);
	if (!t->records)
		return;
	t->ails = dice_says(d, 500);
	t->sickens = t->ails && dice_says(d, 600);
	t->forgives = t->ails && dice_says(d, 150);
	t->reboots = dice_says(d, 400) ? (unsigned)dice_between(d, 1, SIM_REBOOTS_MAX) : 0;
	t->commit_ms = dice_pick(d, commits_ms);
	t->queue_bytes = dice_says(d, 500) ? LOG_QUEUE_BYTES : dice_pick(d, queues);
}

bool temper_is_harmless(const struct temper *t)
{
	const struct sim_faults *f = &t->faults;
	return !f->reset && !f->refuse && !f->unreachable && !f->accept_error && !t->hasty &&
	       !t->ails && !t->reboots && !t->fickle && !t->crashes && !t->deserts && !t->limits &&
	       t->ending != ENDING_ABORT;
}

bool temper_is_calm(const struct temper *t)
{
	return temper_is_harmless(t) && !t->faults.shortage && t->ending == ENDING_IN_PEACE;
}

bool temper_blames_nodes(const struct temper *t)
{
	const struct sim_faults *f = &t->faults;
	return f->reset || f->refuse || f->unreachable || f->accept_error || t->ill || t->hasty ||
	       t->fickle || t->crashes || t->deserts || t->absent || t->ending != ENDING_IN_PEACE;
}
