#include "sim/weather.h"

#include "capture/journal.h"
#include "sim/world.h"

static struct dice *dice_of(const struct weather *t)
{
	return &t->world->scribal;
}

static void set_timer(struct weather *t, struct timer *timer, uint64_t ms)
{
	timer_set(&t->world->wheel, timer, world_now_ms(t->world) + ms);
}

/* --- the disk --- */

static void set_limit(struct weather *t, bool full)
{
	for (unsigned i = 0; i < t->world->process_n; i++)
		if (t->world->scribes[i].journal)
			journal_limit(t->world->scribes[i].journal, full ? 0 : UINT64_MAX);
}

static void clear_up(struct weather *t)
{
	struct sim_disk_faults fine = { .lie = t->world->temper.deceit.disk };
	sim_store_set_faults(t->world->store, &fine);
	set_limit(t, false);
	if (!t->is_fine)
		t->fine_ms = world_now_ms(t->world);
	t->is_fine = true;
}

static void take_directory(struct weather *t, struct sim_disk_faults *f)
{
	f->gone = true;
	world_tell(t->world, "the log's directory goes");
	ledger_forgive(t->world);
	sim_store_remove_directory(t->world->store);
}

static void note_faults(struct world *w, const struct sim_disk_faults *f)
{
	if (f->full)
		tally_note(w, SEEN_DISK_FULL);
	if (f->sick)
		tally_note(w, SEEN_DISK_SICK);
	if (f->slow)
		tally_note(w, SEEN_DISK_SLOW);
	if (f->gone)
		tally_note(w, SEEN_DISK_GONE);
}

static void turn_foul(struct weather *t)
{
	static const unsigned of_1000[] = { 50, 300, 1000 };
	struct world *w = t->world;
	struct dice *d = dice_of(t);
	struct sim_disk_faults f = { .lie = w->temper.deceit.disk };
	t->is_fine = false;
	if (dice_says(d, 350))
		f.full = dice_pick(d, of_1000);
	if (w->temper.sickens && dice_says(d, 500))
		f.sick = dice_pick(d, of_1000);
	if (dice_says(d, 300)) {
		f.slow = dice_pick(d, of_1000);
		f.slow_ms_max = (unsigned)dice_between(d, 1, SIM_SLOW_MS_MAX);
	}
	if (w->temper.forgives && dice_says(d, 300))
		take_directory(t, &f);
	if (dice_says(d, 150)) {
		set_limit(t, true);
		tally_note(w, SEEN_LOG_FULL);
	}
	note_faults(w, &f);
	world_tell(w, "the disk is full %u, sick %u, slow %u of 1,000%s", f.full, f.sick, f.slow,
		   f.gone ? ", gone" : "");
	sim_store_set_faults(w->store, &f);
}

static void weather_turns(struct timer *timer)
{
	struct weather *t = list_entry(timer, struct weather, turns);
	if (t->is_fine)
		turn_foul(t);
	else
		clear_up(t);
	set_timer(t, timer, dice_size(dice_of(t), t->is_fine ? 4000 : 2500));
}

/* --- the machine --- */

static void reboot(struct weather *t)
{
	t->down = false;
	if (!t->world->stopping)
		world_reboot(t->world);
}

static void time_to_crash(struct timer *timer)
{
	struct weather *t = list_entry(timer, struct weather, crash);
	if (t->down) {
		reboot(t);
		if (t->reboots_left)
			set_timer(t, timer, dice_size(dice_of(t), 3000));
		return;
	}
	t->reboots_left--;
	t->down = true;
	world_crash(t->world, dice_says(dice_of(t), 700));
	set_timer(t, timer, dice_size(dice_of(t), 1000));
}

/* --- a life --- */

void weather_open(struct weather *t, struct world *w)
{
	*t = (struct weather){ .world = w, .reboots_left = w->temper.reboots };
	timer_init(&t->turns, weather_turns);
	timer_init(&t->crash, time_to_crash);
	clear_up(t);
	if (w->temper.ails)
		set_timer(t, &t->turns, dice_size(dice_of(t), 3000));
	if (t->reboots_left)
		set_timer(t, &t->crash, 1 + dice_size(dice_of(t), 4000));
}

void weather_rest(struct weather *t)
{
	if (!t->world)
		return;
	weather_close(t);
	clear_up(t);
	if (t->down)
		reboot(t);
	t->over = true;
}

void weather_close(struct weather *t)
{
	timer_clear(&t->turns);
	timer_clear(&t->crash);
}
