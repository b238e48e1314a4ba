#include "sim/log_process.h"

#include "base/bug.h"
#include "capture/journal.h"
#include "io/sim_disk.h"
#include "sim/world.h"

static uint64_t log_now_ns(void *about)
{
	const struct log_process *s = about;
	return sim_now_ns(s->world->sim);
}

static uint64_t log_random(void *about)
{
	const struct log_process *s = about;
	return sim_random(s->world->sim, UINT64_MAX);
}

static void log_wake(void *about)
{
	struct log_process *s = about;
	s->woken = true;
}

static void log_keep(void *about)
{
	struct log_process *s = about;
	s->kept = s->counted;
}

void log_process_open(struct log_process *s, struct world *w, unsigned process, uint64_t generation)
{
	*s = (struct log_process){ .world = w, .process = process, .generation = generation };
	for (unsigned i = 0; i < w->scenario.workers; i++) {
		s->feeds[i] = &s->taps[i].feed;
		taps_open(&s->taps[i], i);
		feed_count_in(s->feeds[i], s->counted.lost[i]);
	}
	counter_set(&s->counted.worker_n, w->scenario.workers);
	s->kept = s->counted;
	s->disk = sim_disk_open(w->store);
	s->journal = journal_open(&(struct journal_config){
		.disk = s->disk,
		.boot = { 1 },
		.generation = generation,
		.node = "simulated",
		.now_ns = log_now_ns,
		.rng = log_random,
		.wake = log_wake,
		.world = s,
		.segment_bytes = SEGMENT_BYTES_MIN,
		.commit_ns = w->scenario.commit_ms * 1000000ull,
		.queue_bytes = w->scenario.queue_bytes,
		.unrecorded = &s->counted,
		.keep = log_keep,
	});
	for (unsigned i = 0; i < w->scenario.workers; i++)
		feed_attach(s->feeds[i], s->journal);
	s->woken = true;
}

static void close_journal(struct log_process *s)
{
	journal_close(s->journal);
	disk_free(s->disk);
	s->journal = NULL;
	for (unsigned i = 0; i < s->world->scenario.workers; i++)
		taps_close(&s->taps[i]);
	counter_set(&s->counted.away_wall_ns, 0);
	s->left = true;
}

static void turn_journal(struct log_process *s)
{
	uint64_t now = sim_now_ns(s->world->sim);
	s->woken = false;
	if (s->stopping)
		journal_stop(s->journal);
	journal_turn(s->journal, now, s->world->clients_io->wall_ns);
}

bool log_process_turn(struct log_process *s)
{
	if (!s->journal)
		return false;
	bool is_due = s->disk->op ? sim_disk_run(s->disk)
				  : s->woken || journal_deadline_ns(s->journal) <= log_now_ns(s);
	if (!is_due)
		return false;
	if (!s->disk->op)
		turn_journal(s);
	if (journal_state(s->journal) == JOURNAL_OVER)
		close_journal(s);
	return true;
}

uint64_t log_process_deadline_ns(const struct log_process *s)
{
	if (!s->journal || s->disk->op)
		return UINT64_MAX;
	return s->woken ? 0 : journal_deadline_ns(s->journal);
}

void log_process_stop(struct log_process *s)
{
	if (!s->journal || s->stopping)
		return;
	s->stopping = true;
	s->woken = true;
}

void log_process_crash(struct log_process *s, bool power)
{
	if (!s->journal)
		return;
	s->lost_at_crash = log_process_losses(s);
	s->was_away = journal_state(s->journal) == JOURNAL_UNAVAILABLE;
	s->crashed = s->left = true;
	s->journal = NULL;
	s->cut = power;
	/* The kernel may have written the counts in the meantime. */
	if (power && sim_random(s->world->sim, 2))
		s->counted = s->kept;
}

void log_process_inherit(struct log_process *s, struct log_process *gone)
{
	unrecorded_inherit(&s->counted, &gone->counted, gone->cut, s->world->clients_io->wall_ns);
	/* As unrecorded_take_over() does it. */
	log_keep(s);
	gone->left = false;
	s->woken = true;
}

static void log_losses_add(struct log_process_losses *to, const struct losses *l)
{
	to->reads += l->reads;
	to->writes += l->writes;
	to->outcomes += l->outcomes;
	to->uncertain += l->uncertain;
	if (l->last_write_wall_ns > to->last_write_wall_ns)
		to->last_write_wall_ns = l->last_write_wall_ns;
}

struct log_process_losses log_process_known(const struct log_process *s)
{
	struct log_process_losses sum = { 0 };
	for (int reason = 0; reason < GAP_REASONS; reason++) {
		struct losses l =
			unrecorded_sum(&s->counted, UNRECORDED_OWN, (enum gap_reason)reason);
		log_losses_add(&sum, &l);
	}
	return sum;
}

struct log_process_losses log_process_losses(const struct log_process *s)
{
	return s->crashed ? s->lost_at_crash : log_process_known(s);
}

struct log_process_losses log_process_untold(const struct log_process *s)
{
	struct log_process_losses sum = { 0 };
	for (int side = 0; side < UNRECORDED_SIDES; side++)
		for (int reason = 0; reason < GAP_REASONS; reason++) {
			struct losses now = unrecorded_sum(&s->counted, (enum unrecorded_side)side,
							   (enum gap_reason)reason);
			struct losses told = unrecorded_told(
				&s->counted, (enum unrecorded_side)side, (enum gap_reason)reason);
			now = losses_since(&now, &told);
			log_losses_add(&sum, &now);
		}
	return sum;
}
