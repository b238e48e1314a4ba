#include "sim/scribe.h"

#include "base/bug.h"
#include "capture/journal.h"
#include "io/sim_disk.h"
#include "sim/world.h"

static uint64_t now_ns(void *about)
{
	const struct scribe *s = about;
	return sim_now_ns(s->world->sim);
}

static uint64_t chance(void *about)
{
	const struct scribe *s = about;
	return sim_random(s->world->sim, UINT64_MAX);
}

static void wake(void *about)
{
	struct scribe *s = about;
	s->woken = true;
}

static void keep(void *about)
{
	struct scribe *s = about;
	s->kept = s->counted;
}

void scribe_open(struct scribe *s, struct world *w, unsigned process, uint64_t generation)
{
	*s = (struct scribe){ .world = w, .process = process, .generation = generation };
	for (unsigned i = 0; i < w->temper.workers; i++) {
		s->feeds[i] = &s->taps[i].feed;
		taps_open(&s->taps[i], i);
		feed_count_in(s->feeds[i], s->counted.lost[i]);
	}
	counter_set(&s->counted.worker_n, w->temper.workers);
	s->kept = s->counted;
	s->disk = sim_disk_open(w->store);
	s->journal = journal_open(&(struct journal_config){
		.disk = s->disk,
		.boot = { 1 },
		.generation = generation,
		.node = "simulated",
		.now_ns = now_ns,
		.chance = chance,
		.wake = wake,
		.world = s,
		.segment_bytes = SEGMENT_BYTES_MIN,
		.commit_ns = w->temper.commit_ms * 1000000ull,
		.queue_bytes = w->temper.queue_bytes,
		.unrecorded = &s->counted,
		.keep = keep,
	});
	for (unsigned i = 0; i < w->temper.workers; i++)
		feed_attach(s->feeds[i], s->journal);
	s->woken = true;
}

static void close_journal(struct scribe *s)
{
	journal_close(s->journal);
	disk_free(s->disk);
	s->journal = NULL;
	for (unsigned i = 0; i < s->world->temper.workers; i++)
		taps_close(&s->taps[i]);
	counter_set(&s->counted.away_wall_ns, 0);
	s->left = true;
}

static void turn_journal(struct scribe *s)
{
	uint64_t now = sim_now_ns(s->world->sim);
	s->woken = false;
	if (s->stopping)
		journal_stop(s->journal);
	journal_turn(s->journal, now, s->world->town->wall_ns);
}

bool scribe_turn(struct scribe *s)
{
	if (!s->journal)
		return false;
	bool is_due = s->disk->op ? sim_disk_run(s->disk)
				  : s->woken || journal_deadline_ns(s->journal) <= now_ns(s);
	if (!is_due)
		return false;
	if (!s->disk->op)
		turn_journal(s);
	if (journal_state(s->journal) == JOURNAL_OVER)
		close_journal(s);
	return true;
}

uint64_t scribe_deadline_ns(const struct scribe *s)
{
	if (!s->journal || s->disk->op)
		return UINT64_MAX;
	return s->woken ? 0 : journal_deadline_ns(s->journal);
}

void scribe_stop(struct scribe *s)
{
	if (!s->journal || s->stopping)
		return;
	s->stopping = true;
	s->woken = true;
}

void scribe_crash(struct scribe *s, bool power)
{
	if (!s->journal)
		return;
	s->lost_at_crash = scribe_losses(s);
	s->was_away = journal_state(s->journal) == JOURNAL_UNAVAILABLE;
	s->crashed = s->left = true;
	s->journal = NULL;
	s->cut = power;
	/* The kernel may have written it meanwhile. */
	if (power && sim_random(s->world->sim, 2))
		s->counted = s->kept;
}

void scribe_inherit(struct scribe *s, struct scribe *gone)
{
	unrecorded_inherit(&s->counted, &gone->counted, gone->cut, s->world->town->wall_ns);
	/* As unrecorded_take_over() does it. */
	keep(s);
	gone->left = false;
	s->woken = true;
}

static void add(struct scribe_losses *to, const struct losses *l)
{
	to->reads += l->reads;
	to->writes += l->writes;
	to->outcomes += l->outcomes;
	to->uncertain += l->uncertain;
	if (l->last_write_wall_ns > to->last_write_wall_ns)
		to->last_write_wall_ns = l->last_write_wall_ns;
}

struct scribe_losses scribe_known(const struct scribe *s)
{
	struct scribe_losses sum = { 0 };
	for (int reason = 0; reason < GAP_REASONS; reason++) {
		struct losses l =
			unrecorded_sum(&s->counted, UNRECORDED_OWN, (enum gap_reason)reason);
		add(&sum, &l);
	}
	return sum;
}

struct scribe_losses scribe_losses(const struct scribe *s)
{
	return s->crashed ? s->lost_at_crash : scribe_known(s);
}

struct scribe_losses scribe_untold(const struct scribe *s)
{
	struct scribe_losses sum = { 0 };
	for (int side = 0; side < UNRECORDED_SIDES; side++)
		for (int reason = 0; reason < GAP_REASONS; reason++) {
			struct losses now = unrecorded_sum(&s->counted, (enum unrecorded_side)side,
							   (enum gap_reason)reason);
			struct losses told = unrecorded_told(
				&s->counted, (enum unrecorded_side)side, (enum gap_reason)reason);
			now = losses_since(&now, &told);
			add(&sum, &now);
		}
	return sum;
}
