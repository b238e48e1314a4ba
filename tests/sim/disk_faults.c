#include "sim/disk_faults.h"

#include "capture/journal.h"
#include "sim/world.h"

static struct dice *disk_faults_dice(const struct disk_faults *t)
{
	return &t->world->log_dice;
}

static void disk_faults_set_timer(struct disk_faults *t, struct timer *timer, uint64_t ms)
{
	timer_set(&t->world->wheel, timer, world_now_ms(t->world) + ms);
}

/* --- the disk --- */

static void set_limit(struct disk_faults *t, bool full)
{
	for (unsigned i = 0; i < t->world->process_n; i++)
		if (t->world->log_processes[i].journal)
			journal_limit(t->world->log_processes[i].journal, full ? 0 : UINT64_MAX);
}

static void disk_faults_end(struct disk_faults *t)
{
	struct sim_disk_faults fine = { .lie = t->world->scenario.deceit.disk };
	sim_store_set_faults(t->world->store, &fine);
	set_limit(t, false);
	if (!t->is_fine)
		t->fine_ms = world_now_ms(t->world);
	t->is_fine = true;
}

static void take_directory(struct disk_faults *t, struct sim_disk_faults *f)
{
	f->gone = true;
	world_tell(t->world, "the log's directory is lost");
	ledger_directory_lost(t->world);
	sim_store_remove_directory(t->world->store);
}

static void disk_faults_note(struct world *w, const struct sim_disk_faults *f)
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

static void disk_faults_begin(struct disk_faults *t)
{
	static const unsigned of_1000[] = { 50, 300, 1000 };
	struct world *w = t->world;
	struct dice *d = disk_faults_dice(t);
	struct sim_disk_faults f = { .lie = w->scenario.deceit.disk };
	t->is_fine = false;
	if (dice_chance(d, 350))
		f.full = dice_pick(d, of_1000);
	if (w->scenario.disk_loses_bytes && dice_chance(d, 500))
		f.sick = dice_pick(d, of_1000);
	if (dice_chance(d, 300)) {
		f.slow = dice_pick(d, of_1000);
		f.slow_ms_max = (unsigned)dice_between(d, 1, SIM_SLOW_MS_MAX);
	}
	if (w->scenario.loses_directory && dice_chance(d, 300))
		take_directory(t, &f);
	if (dice_chance(d, 150)) {
		set_limit(t, true);
		tally_note(w, SEEN_LOG_FULL);
	}
	disk_faults_note(w, &f);
	world_tell(w, "of 1,000 disk operations %u find it full, %u fail, %u are slow%s", f.full,
		   f.sick, f.slow, f.gone ? "; the directory is gone" : "");
	sim_store_set_faults(w->store, &f);
}

static void disk_faults_toggle(struct timer *timer)
{
	struct disk_faults *t = list_entry(timer, struct disk_faults, turns);
	if (t->is_fine)
		disk_faults_begin(t);
	else
		disk_faults_end(t);
	disk_faults_set_timer(t, timer, dice_size(disk_faults_dice(t), t->is_fine ? 4000 : 2500));
}

/* --- the machine --- */

static void disk_faults_reboot(struct disk_faults *t)
{
	t->down = false;
	if (!t->world->stopping)
		world_reboot(t->world);
}

static void time_to_crash(struct timer *timer)
{
	struct disk_faults *t = list_entry(timer, struct disk_faults, crash);
	if (t->down) {
		disk_faults_reboot(t);
		if (t->reboots_left)
			disk_faults_set_timer(t, timer, dice_size(disk_faults_dice(t), 3000));
		return;
	}
	t->reboots_left--;
	t->down = true;
	world_crash(t->world, dice_chance(disk_faults_dice(t), 700));
	disk_faults_set_timer(t, timer, dice_size(disk_faults_dice(t), 1000));
}

/* --- open and close --- */

void disk_faults_open(struct disk_faults *t, struct world *w)
{
	*t = (struct disk_faults){ .world = w, .reboots_left = w->scenario.reboots };
	timer_init(&t->turns, disk_faults_toggle);
	timer_init(&t->crash, time_to_crash);
	disk_faults_end(t);
	if (w->scenario.disk_fails)
		disk_faults_set_timer(t, &t->turns, dice_size(disk_faults_dice(t), 3000));
	if (t->reboots_left)
		disk_faults_set_timer(t, &t->crash, 1 + dice_size(disk_faults_dice(t), 4000));
}

void disk_faults_rest(struct disk_faults *t)
{
	if (!t->world)
		return;
	disk_faults_close(t);
	disk_faults_end(t);
	if (t->down)
		disk_faults_reboot(t);
	t->over = true;
}

void disk_faults_close(struct disk_faults *t)
{
	timer_clear(&t->turns);
	timer_clear(&t->crash);
}
