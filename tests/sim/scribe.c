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

void scribe_open(struct scribe *s, struct world *w, unsigned process, uint64_t generation)
{
	*s = (struct scribe){ .world = w, .process = process, .generation = generation };
	for (unsigned i = 0; i < w->temper.workers; i++) {
		s->feeds[i] = &s->taps[i].feed;
		taps_open(&s->taps[i], i);
	}
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
		.feeds = s->feeds,
		.feed_n = w->temper.workers,
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
}

static void turn_journal(struct scribe *s)
{
	uint64_t now = sim_now_ns(s->world->sim);
	s->woken = false;
	if (s->stopping) {
		s->broken_at_last |= journal_state(s->journal) != JOURNAL_AVAILABLE &&
				     journal_state(s->journal) != JOURNAL_OVER;
		journal_stop(s->journal);
	}
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

void scribe_crash(struct scribe *s)
{
	s->crashed |= s->journal != NULL;
	s->journal = NULL;
}

struct scribe_losses scribe_losses(const struct scribe *s)
{
	struct scribe_losses sum = { 0 };
	for (unsigned i = 0; i < s->world->temper.workers; i++)
		for (int reason = 0; reason < GAP_REASONS; reason++) {
			const struct feed_losses *l = &s->feeds[i]->lost[reason];
			sum.reads += atomic_load(&l->reads);
			sum.writes += atomic_load(&l->writes);
			sum.outcomes += atomic_load(&l->outcomes);
		}
	return sum;
}
