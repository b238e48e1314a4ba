#include "sim/operator.h"

#include "sim/world.h"

static void operator_set_timer(struct operator* o, struct timer *t, uint64_t ms)
{
	timer_set(&o->world->wheel, t, world_now_ms(o->world) + ms);
}

/* --- weights --- */

/* Mostly weights that people choose. */
static uint32_t roll_weight(struct dice *d)
{
	static const uint32_t usual[] = { 0, 0, 1, 1, 1, 10, 50, 90 };
	return dice_chance(d, 600) ? dice_pick(d, usual)
				   : (uint32_t)(1 + dice_size(d, WEIGHT_MAX - 1));
}

static void change_weights(struct operator* o)
{
	struct world *w = o->world;
	struct board_values *v = &o->values;
	/* One change at a time. */
	if (o->hold.on)
		return;
	v->epoch += dice_between(&w->dice, 1, 3);
	v->rolled_back = dice_chance(&w->dice, 100);
	do {
		v->weights[ARM_SOURCE] = roll_weight(&w->dice);
		v->weights[ARM_TARGET] = roll_weight(&w->dice);
	} while (!v->weights[ARM_SOURCE] && !v->weights[ARM_TARGET]);
	if (v->rolled_back) {
		v->weights[ARM_SOURCE] = 1;
		v->weights[ARM_TARGET] = 0;
	}
	board_publish(&w->board, v);
	judge_published(w, v);
	world_wake(w);
	world_tell(w, "weights %u:%u%s, epoch %llu", v->weights[ARM_SOURCE], v->weights[ARM_TARGET],
		   v->rolled_back ? ", rolled back" : "", (unsigned long long)v->epoch);
}

/* --- machines --- */

static void operator_revive(struct operator* o)
{
	struct world *w = o->world;
	for (unsigned i = 0; i < w->worker_n; i++) {
		if (w->workers[i].stalled)
			w->workers[i].went_on_ms = world_now_ms(w);
		w->workers[i].stalled = false;
		if (w->workers[i].io)
			sim_stall(w->workers[i].io, false);
	}
	for (int arm = 0; arm < ARMS; arm++)
		for (unsigned i = 0; i < w->scenario.nodes[arm]; i++)
			if (!w->servers[arm][i].io)
				server_restart(&w->servers[arm][i]);
	world_tell(w, "stalls and crashes end");
}

static void revive_later(struct operator* o)
{
	if (!timer_is_set(&o->revive))
		operator_set_timer(o, &o->revive, dice_size(&o->world->dice, 1500));
}

static void time_to_revive(struct timer *t)
{
	operator_revive(list_entry(t, struct operator, revive));
}

static void operator_stall_worker(struct operator* o)
{
	struct world *w = o->world;
	unsigned i = (unsigned)dice_roll(&w->dice, w->worker_n);
	if (!w->scenario.stalls || !w->workers[i].io)
		return;
	world_tell(w, "worker %u stalls", i);
	tally_note(w, SEEN_STALLED);
	w->workers[i].stalled = true;
	sim_stall(w->workers[i].io, true);
	revive_later(o);
}

static struct server *pick_server(struct world *w)
{
	enum arm arm = (enum arm)dice_roll(&w->dice, ARMS);
	return &w->servers[arm][dice_roll(&w->dice, w->scenario.nodes[arm])];
}

static void operator_crash_node(struct operator* o)
{
	struct world *w = o->world;
	struct server *s = pick_server(w);
	if (!w->scenario.crashes)
		return;
	world_tell(w, "node %u of arm %d crashes", s->number, s->arm);
	server_crash(s);
	tally_note(w, SEEN_CRASHED);
	revive_later(o);
}

/* As control's checks would set it, right or wrong. */
static void flip_health(struct operator* o)
{
	struct world *w = o->world;
	struct server *s = pick_server(w);
	atomic_bool *healthy = &w->plans.nodes[s->arm][s->number].state.healthy;
	atomic_store(healthy, !atomic_load(healthy));
}

/* --- the operator's changes --- */

static void change_something(struct operator* o)
{
	struct world *w = o->world;
	switch (dice_roll(&w->dice, 8)) {
	case 0:
		if (w->scenario.shifts)
			plans_shift(w);
		return;
	case 1:
		flip_health(o);
		return;
	case 2:
		operator_stall_worker(o);
		return;
	case 3:
		operator_crash_node(o);
		return;
	case 4:
		if (w->scenario.drains)
			plans_change_duty(w);
		return;
	case 5:
		if (w->scenario.ports)
			plans_change_port(w);
		return;
	default:
		change_weights(o);
	}
}

/* Weights also change while workers are busy. */
void operator_round(struct operator* o)
{
	if (o->changes_left && dice_chance(&o->world->dice, 5)) {
		o->changes_left--;
		change_weights(o);
	}
}

static void time_to_change(struct timer *t)
{
	struct operator* o = list_entry(t, struct operator, next);
	if (!o->changes_left)
		return;
	o->changes_left--;
	change_something(o);
	if (o->changes_left)
		operator_set_timer(o, t, dice_size(&o->world->dice, o->interval_ms));
}

static void time_to_know_names(struct timer *t)
{
	plans_know_names(list_entry(t, struct operator, names)->world);
}

/*
 * Another process starts to serve. Soon the previous one retires, and later it may be told to stop.
 */
static void time_to_hand_over(struct timer *t)
{
	struct operator* o = list_entry(t, struct operator, handover);
	struct world *w = o->world;
	if (w->stopping)
		return;
	/* No process runs that could be replaced. */
	if (w->disk_faults.down) {
		operator_set_timer(o, t, 1100);
		return;
	}
	switch (o->steps++) {
	case 0:
		world_hand_over(w);
		operator_set_timer(o, t, dice_size(&w->dice, 50));
		return;
	case 1:
		world_retire(w, false);
		if (dice_chance(&w->dice, 500))
			operator_set_timer(o, t, dice_size(&w->dice, 2000));
		return;
	default:
		world_retire(w, true);
	}
}

static void operator_time_to_end(struct timer *t)
{
	struct operator* o = list_entry(t, struct operator, end);
	struct world *w = o->world;
	if (!w->stopping) {
		world_stop(w);
		tally_note(w, SEEN_STOPPED);
		if (w->scenario.ending == ENDING_ABORT)
			operator_set_timer(o, t, dice_size(&w->dice, 500));
	} else {
		world_abort(w);
	}
}

void operator_open(struct operator* o, struct world *w)
{
	*o = (struct operator){ .world = w, .changes_left = w->scenario.changes };
	timer_init(&o->next, time_to_change);
	timer_init(&o->end, operator_time_to_end);
	timer_init(&o->names, time_to_know_names);
	timer_init(&o->revive, time_to_revive);
	timer_init(&o->handover, time_to_hand_over);
	hold_open(&o->hold, w);
	o->interval_ms = dice_size(&w->dice, 800);
	change_weights(o);
	if (o->changes_left)
		operator_set_timer(o, &o->next, dice_size(&w->dice, 1000));
	if (w->scenario.ending != ENDING_IN_PEACE)
		operator_set_timer(o, &o->end, dice_size(&w->dice, 3000));
	if (w->scenario.hands_over)
		operator_set_timer(o, &o->handover, dice_size(&w->dice, 2500));
	operator_set_timer(o, &o->names,
			   dice_size(&w->dice, CONNECT_TIMEOUT_MS *
						       (w->scenario.loses_all_nodes ? 3 : 1) / 2));
}

void operator_rest(struct operator* o)
{
	o->changes_left = 0;
	timer_clear(&o->next);
	timer_clear(&o->revive);
	timer_clear(&o->handover);
	operator_revive(o);
	hold_rest(&o->hold);
	disk_faults_rest(&o->world->disk_faults);
	plans_settle(o->world);
}
