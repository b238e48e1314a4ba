#include "replay_sim/balancer.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/least.h"
#include "base/limits.h"
#include "capture/journal.h"
#include "replay_sim/world.h"

/* The reading step comes so often while the log has nothing new. */
#define READ_AGAIN_MS 300

/* --- the log --- */

static uint64_t balancer_now_ns(void *about)
{
	const struct balancer *b = about;
	return sim_now_ns(b->world->sim);
}

static uint64_t balancer_random(void *about)
{
	const struct balancer *b = about;
	return sim_random(b->world->sim, UINT64_MAX);
}

static void balancer_wake_log(void *about)
{
	struct balancer *b = about;
	b->woken = true;
}

static void balancer_open_log(struct balancer *b)
{
	struct world *w = b->world;
	taps_open(&b->taps, 0);
	feed_count_in(&b->taps.feed, b->counted.lost[0]);
	counter_set(&b->counted.worker_n, 1);
	mirrored_disk_open(&b->disk, &w->mirror);
	must(writer_lease_make(&b->lease, w->mirror.directory, b->generation));
	b->journal = journal_open(&(struct journal_config){
		.disk = &b->disk.disk,
		.boot = { 1 },
		.generation = b->generation,
		.node = "simulated",
		.now_ns = balancer_now_ns,
		.rng = balancer_random,
		.wake = balancer_wake_log,
		.world = b,
		.segment_bytes = SEGMENT_BYTES_MIN,
		.commit_ns = w->plot.commit_ms * 1000000ull,
		.queue_bytes = 1u << 20,
		.unrecorded = &b->counted,
	});
	feed_attach(&b->taps.feed, b->journal);
	b->woken = true;
}

/* As writer.c does it, which has the thread. */
static void balancer_tell_lease(struct balancer *b)
{
	const struct journal_counts *c = journal_counts(b->journal);
	struct writer_lease_page *p = b->lease.page;
	atomic_store(&p->durable, atomic_load(&c->durable_sequence));
	atomic_store(&p->until_wall_ns, atomic_load(&c->until_wall_ns));
	atomic_store(&p->until_mono_ns, atomic_load(&c->until_mono_ns));
}

static void balancer_end_log(struct balancer *b)
{
	journal_close(b->journal);
	b->journal = NULL;
	disk_free(&b->disk.disk);
	writer_lease_remove(b->world->mirror.directory, b->generation);
	writer_lease_close(&b->lease);
	taps_close(&b->taps);
}

static void balancer_turn_journal(struct balancer *b)
{
	uint64_t now_ns = balancer_now_ns(b);
	b->woken = false;
	b->beat_ns = now_ns + LOG_BEAT_MS * 1000000ull;
	if (b->stopping && !b->workers[0].worker)
		journal_stop(b->journal);
	journal_turn(b->journal, now_ns, world_wall_ns(b->world));
}

static bool balancer_log_is_due(const struct balancer *b)
{
	uint64_t now_ns = sim_now_ns(b->world->sim);
	return b->woken || journal_deadline_ns(b->journal) <= now_ns || b->beat_ns <= now_ns;
}

/* False: there was nothing to do. */
static bool balancer_turn_log(struct balancer *b)
{
	if (!b->journal)
		return false;
	if (b->disk.disk.op ? !mirrored_disk_run(&b->disk) : !balancer_log_is_due(b))
		return false;
	if (!b->disk.disk.op)
		balancer_turn_journal(b);
	balancer_tell_lease(b);
	if (journal_state(b->journal) == JOURNAL_OVER)
		balancer_end_log(b);
	return true;
}

/* --- workers --- */

static void balancer_open_worker(struct balancer *b, unsigned number)
{
	struct balancer_worker *h = &b->workers[number];
	struct world *w = b->world;
	atomic_store(&h->mailbox.plan, &w->plan);
	bufs_open(&h->bufs);
	h->io = sim_io_open(w->sim, &h->bufs);
	h->slot = board_take_slot(&w->board, 1, number);
	h->worker = worker_open(&(struct worker_config){
		.number = number,
		.io = h->io,
		.bufs = &h->bufs,
		.board = &w->board,
		.slot = h->slot,
		.mailbox = &h->mailbox,
		.counters = &h->counters,
		.taps = number ? NULL : &b->taps,
		.seed = w->seed + number,
	});
	if (!number)
		worker_listen(h->worker, sim_listen(h->io, &w->listener), 0);
}

static void balancer_close_worker(struct balancer_worker *h)
{
	worker_close(h->worker);
	h->worker = NULL;
	board_give_slot(h->slot);
	io_free(h->io);
	h->io = NULL;
	bufs_close(&h->bufs);
}

/* As the plot says; after a reload with other values. */
static void balancer_tune(struct balancer *b)
{
	struct world *w = b->world;
	tuning_put(&b->replay_mailbox.tuning, &(struct tuning){
						      .in_flight = w->plot.in_flight,
						      .operations = w->plot.operations,
						      .rate = w->plot.rate,
						      .wait_ms = w->plot.wait_ms,
						      .bulk_bytes = w->plot.bulk_bytes,
						      .response_ms = WORLD_RESPONSE_MS,
					      });
}

static void balancer_open_replay(struct balancer *b)
{
	struct world *w = b->world;
	static const char *const patterns[] = INDEX_FILTER_PRESET;
	atomic_store(&b->replay_mailbox.wish, REPLAY_ON);
	balancer_tune(b);
	b->replay = replay_open(&(struct replay_config){
		.directory = w->mirror.path,
		.state = w->mirror.path,
		.filter = { patterns, sizeof patterns / sizeof *patterns },
		.mailbox = &b->replay_mailbox,
		.worker = b->workers[1].worker,
		.owner = ARM_SOURCE,
		.seed = w->seed,
	});
}

/* A reload at times, with other values. */
static void balancer_tune_again(struct balancer *b)
{
	struct plot *p = &b->world->plot;
	struct dice *d = &b->world->dice;
	if (!dice_chance(d, p->reloads))
		return;
	plot_tune(p, d);
	balancer_tune(b);
}

/* A step costs many calls of the kernel: it comes soon where the log has more, and else at times.
 */
static bool balancer_read(struct balancer *b)
{
	struct dice *d = &b->world->dice;
	uint64_t now_ns = balancer_now_ns(b);
	uint64_t durable = b->lease.page ? atomic_load(&b->lease.page->durable) : 0;
	if (durable != b->read_durable) {
		b->read_durable = durable;
		b->read_ns = least(b->read_ns,
				   now_ns + dice_roll(d, b->world->plot.read_ms_max) * 1000000);
	}
	if (!b->replay || (b->read_ns > now_ns && !b->stopping))
		return false;
	bool more = replay_read_step(b->replay) == REPLAY_READ_MORE;
	b->read_ns = more ? now_ns : now_ns + READ_AGAIN_MS * 1000000ull;
	return more;
}

static void balancer_turn_replay(struct balancer *b)
{
	struct balancer_worker *h = &b->workers[1];
	if (!b->replay)
		return;
	balancer_tune_again(b);
	if (b->stopping)
		replay_stop(b->replay, false);
	if (replay_is_over(b->replay)) {
		replay_close(b->replay);
		b->replay = NULL;
		atomic_store(&h->mailbox.stopping, true);
		return;
	}
	worker_turn(h->worker, replay_turn(b->replay));
}

static void balancer_turn_workers(struct balancer *b)
{
	balancer_turn_replay(b);
	for (unsigned i = 0; i < BALANCER_WORKERS; i++) {
		struct balancer_worker *h = &b->workers[i];
		if (!h->worker || (i && b->replay))
			continue;
		worker_turn(h->worker, UINT64_MAX);
		if (worker_is_over(h->worker))
			balancer_close_worker(h);
	}
}

/* --- a life --- */

void balancer_start(struct balancer *b, struct world *w, uint64_t generation)
{
	*b = (struct balancer){ .world = w, .lives = true, .generation = generation };
	balancer_open_log(b);
	for (unsigned i = 0; i < BALANCER_WORKERS; i++)
		balancer_open_worker(b, i);
	balancer_open_replay(b);
	b->read_ns = balancer_now_ns(b);
}

bool balancer_turn(struct balancer *b)
{
	if (!b->lives)
		return false;
	bool any = balancer_turn_log(b);
	any |= balancer_read(b);
	balancer_turn_workers(b);
	any |= balancer_turn_log(b);
	return any;
}

uint64_t balancer_deadline_ns(const struct balancer *b)
{
	uint64_t next_ns = UINT64_MAX;
	if (!b->lives)
		return next_ns;
	for (unsigned i = 0; i < BALANCER_WORKERS; i++)
		if (b->workers[i].worker)
			next_ns = least(next_ns, sim_waits_until_ns(b->workers[i].io));
	if (b->replay)
		next_ns = least(next_ns, b->read_ns);
	if (b->journal && !b->disk.disk.op)
		next_ns = b->woken ? 0
				   : least(next_ns,
					   least(journal_deadline_ns(b->journal), b->beat_ns));
	return next_ns;
}

void balancer_crash(struct balancer *b)
{
	b->lives = false;
	for (unsigned i = 0; i < BALANCER_WORKERS; i++) {
		struct balancer_worker *h = &b->workers[i];
		if (!h->worker)
			continue;
		sim_crash(h->io);
		io_free(h->io);
		board_give_slot(h->slot);
	}
}

void balancer_stop(struct balancer *b)
{
	b->stopping = b->woken = true;
	atomic_store(&b->workers[0].mailbox.stopping, true);
	io_wake(b->workers[0].io);
	io_wake(b->workers[1].io);
}

bool balancer_is_over(const struct balancer *b)
{
	return !b->lives ||
	       (!b->journal && !b->replay && !b->workers[0].worker && !b->workers[1].worker);
}
