#include "capture/journal.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/checks.h"
#include "base/crc32c.h"
#include "base/least.h"
#include "capture/awaiting.h"
#include "capture/feed.h"
#include "capture/owed.h"
#include "capture/series.h"

/* What the disk is doing. */
enum step {
	STEP_BROKEN, /* no segment is open; one is tried at probe_ns */
	STEP_CREATING,
	STEP_BEGINNING, /* the segment's head and its first frames are written */
	STEP_IDLE,
	STEP_WRITING,
	STEP_SYNCING,
	STEP_SEALING,  /* the last frame of a segment is written */
	STEP_SEALED,   /* the seal is synced */
	STEP_TRIMMING, /* unused room is cut off: the seal becomes the file's end */
	STEP_CUTTING,  /* what is not durable is cut off */
	STEP_OVER,
};

/* What the journal's thread waits for until the next turn. */
enum rest {
	REST_AWAKE,	/* there will be a turn in a moment: a push need not wake the thread */
	REST_GATHERING, /* waits for more waiters: a push that makes them wanted_n wakes the thread
			 */
	REST_DROWSY,	/* waits for LOG_LAZY_MS: there are batches without waiters */
	REST_ASLEEP,	/* waits for a push */
};

/* A frame of the journal's own, with its payload. */
struct own {
	struct frame head;
	union {
		struct record_gap gap;
		struct record_damage damage;
		struct record_commit commit;
		struct record_owner owner;
	};
};

/*
 * The most of them in one write: a commit, the owner, a gap for each reason and side, and the
 * damages that a start has found.
 */
enum { OWNS = 2 + UNRECORDED_SIDES * GAP_REASONS + DAMAGES_MAX };

struct journal {
	struct journal_config config;
	char node[SEGMENT_NODE_BYTES];
	struct disk_op op;
	enum step step;
	_Atomic(struct batch *) pushed; /* newest first */
	_Atomic int rest;		/* enum rest */
	_Atomic uint64_t queued;
	/* waiters for the next sync; how many wake the thread */
	_Atomic unsigned waits_n, wanted_n;
	_Atomic uint64_t full_at; /* of counts.bytes: at this count no more may be written */
	atomic_bool hurried;	  /* what waits must be written now */
	_Atomic int state, error;
	struct journal_counts counts;
	/*
	 * Batches taken from `pushed`, oldest first; those before `cursor` are in the present
	 * write-out.
	 */
	struct batch *first, *last, *cursor;
	struct awaiting awaiting;
	uint64_t waiting_bytes; /* of the batches from the cursor on */
	uint64_t lazy_ns;	/* when the first of those came */
	bool pressed;		/* they must be written without delay */
	bool stopping;
	unsigned served_n; /* how many waited for the last sync */
	unsigned own_n, damage_n;
	struct disk_file *file;
	char name[SERIES_NAME_BYTES];
	struct segment_head head;
	uint64_t index;
	uint64_t written_at, durable_at; /* offsets */
	uint64_t sequence;		 /* of the next frame */
	uint64_t durable_sequence;
	struct own own[OWNS];
	struct iovec vectors[LOG_VECTORS];
	uint64_t now_ns, wall_ns, began_ns, probe_ns, synced_ns;
	_Atomic(struct feed *) feeds; /* the feeds that put to the journal */
	_Atomic uint64_t floor_ns;    /* feeds put nothing of an earlier time from now on */
	uint64_t covered_ns; /* in this turn: all that was put before this time has been taken */
	/* all before this time is durable with this write-out; 0: not known */
	uint64_t writing_until_ns;
	/* The losses that gaps have reported once this write is durable. */
	struct losses gap_losses[UNRECORDED_SIDES][GAP_REASONS];
	uint64_t gap_durable_ns, kept_ns;
	struct record_damage damages[DAMAGES_MAX]; /* that no segment reports yet */
	struct owed owed;
	/* The owner of the writes; the owner that is durable. For any thread. */
	pthread_mutex_t owner_lock;
	struct record_owner owner, owner_durable;
	atomic_bool owner_news; /* it changed, and was not written since */
};

/* --- up to which time all is durable --- */

/*
 * Called before pushed batches are taken. A feed that is putting has stored its putting_ns, or will
 * see this floor. A batch that was pushed before this read its feed's putting_ns is taken in this
 * turn.
 */
static void journal_look_how_far(struct journal *j)
{
	uint64_t ns = j->now_ns;
	atomic_store(&j->floor_ns, ns);
	for (struct feed *f = atomic_load(&j->feeds); f; f = f->sibling) {
		uint64_t putting_ns = atomic_load(&f->putting_ns);
		ns = putting_ns < ns ? putting_ns : ns;
	}
	j->covered_ns = ns;
}

static void journal_durable_until(struct journal *j, uint64_t mono_ns)
{
	struct journal_counts *c = &j->counts;
	if (mono_ns <= atomic_load_explicit(&c->until_mono_ns, memory_order_relaxed))
		return;
	atomic_store_explicit(&c->until_mono_ns, mono_ns, memory_order_relaxed);
	atomic_store_explicit(&c->until_wall_ns, j->wall_ns - (j->now_ns - mono_ns),
			      memory_order_relaxed);
}

/* --- waiting batches --- */

static void take_pushed(struct journal *j)
{
	struct batch *older = NULL;
	j->pressed |= atomic_exchange(&j->hurried, false);
	struct batch *b = atomic_exchange(&j->pushed, NULL);
	while (b) {
		struct batch *next = b->next;
		b->next = older;
		older = b;
		b = next;
	}
	for (b = older; b; b = b->next) {
		if (!j->cursor) {
			j->cursor = b;
			j->lazy_ns = j->now_ns;
		}
		if (j->last)
			j->last->next = b;
		else
			j->first = b;
		j->last = b;
		j->waiting_bytes += b->log_bytes;
	}
}

static void journal_give_back(struct journal *j, struct batch *b, enum batch_state state)
{
	atomic_fetch_sub_explicit(&j->queued, b->log_bytes, memory_order_relaxed);
	feed_settled(b, state);
}

static struct batch *journal_take_first(struct journal *j)
{
	struct batch *b = j->first;
	j->first = b->next;
	if (!j->first)
		j->last = NULL;
	return b;
}

/* All batches of the present write-out are durable. */
static void settle_durable(struct journal *j)
{
	while (j->first != j->cursor) {
		struct batch *b = journal_take_first(j);
		enum batch_state became;
		if (b->gap_n)
			atomic_fetch_add_explicit(&j->counts.gaps, b->gap_n, memory_order_relaxed);
		if (!awaiting_takes(&j->awaiting, b, j->now_ns, &became))
			journal_give_back(j, b, became);
	}
}

static void settle_awaiting(struct journal *j)
{
	enum batch_state became;
	for (struct batch *b;
	     (b = awaiting_next(&j->awaiting, j->durable_sequence, j->now_ns, &became));)
		journal_give_back(j, b, became);
}

/* Takes the next batch that waits for the disk, for a write-out or to fail. */
static struct batch *take_waiting(struct journal *j)
{
	struct batch *b = j->cursor;
	j->cursor = b->next;
	j->waiting_bytes -= b->log_bytes;
	atomic_fetch_sub(&j->waits_n, b->waits_n);
	return b;
}

/* `in_log`: what was written could not be cut off, and may be in the log. */
static void journal_fail_batches(struct journal *j, bool in_log)
{
	size_t owed = j->owed.frames.n;
	owed_note(&j->owed, j->first, in_log);
	atomic_fetch_add_explicit(&j->queued, j->owed.frames.n - owed, memory_order_relaxed);
	while (j->cursor)
		take_waiting(j);
	while (j->first) {
		struct batch *b = journal_take_first(j);
		b->in_log = in_log;
		journal_give_back(j, b, BATCH_FAILED);
	}
}

/* --- frames --- */

static void journal_number(void *journal, struct frame *f)
{
	struct journal *j = journal;
	f->sequence = j->sequence++;
	f->head_crc = frame_head_crc(f, j->head.id);
	atomic_fetch_add_explicit(&j->counts.frames, 1, memory_order_relaxed);
}

/* Adds a frame of the journal's own behind the `n` vectors that there are. */
static unsigned journal_add_own(struct journal *j, unsigned n, struct own own, size_t payload_n)
{
	struct own *o = &j->own[j->own_n++];
	*o = own;
	o->head.payload_n = (uint32_t)payload_n;
	o->head.payload_crc = crc32c(0, &o->commit, payload_n);
	o->head.mono_ns = j->now_ns;
	o->head.wall_ns = j->wall_ns;
	journal_number(j, &o->head);
	j->vectors[n] = (struct iovec){ o, sizeof o->head + payload_n };
	return n + 1;
}

static unsigned add_commit(struct journal *j, unsigned n)
{
	return journal_add_own(j, n,
			       (struct own){ .head.type = FRAME_COMMIT,
					     .commit.durable_sequence = j->durable_sequence },
			       sizeof(struct record_commit));
}

static bool journal_has_lost(const struct journal *j)
{
	return j->config.unrecorded && unrecorded_has_more(j->config.unrecorded);
}

static unsigned add_gap(struct journal *j, unsigned n, enum unrecorded_side side,
			enum gap_reason reason)
{
	struct losses told = unrecorded_told(j->config.unrecorded, side, reason);
	struct losses now = unrecorded_sum(j->config.unrecorded, side, reason);
	j->gap_losses[side][reason] = now;
	if (!losses_tell_more(&now, &told))
		return n;
	struct losses l = losses_since(&now, &told);
	struct record_gap gap = {
		.reads = l.reads,
		.writes = l.writes,
		.outcomes = l.outcomes,
		.request_bytes = l.request_bytes,
		.response_bytes = l.response_bytes,
		.first_mono_ns = l.first_ns,
		.last_mono_ns = l.last_ns,
		.first_wall_ns = l.first_wall_ns,
		.last_wall_ns = l.last_wall_ns,
		.reason = (uint32_t)reason,
		.flags = (l.uncertain ? GAP_AT_LEAST : 0) |
			 (side == UNRECORDED_INHERITED ? GAP_INHERITED : 0),
	};
	return journal_add_own(j, n, (struct own){ .head.type = FRAME_GAP, .gap = gap },
			       sizeof gap);
}

static unsigned add_gaps(struct journal *j, unsigned n)
{
	for (int side = 0; j->config.unrecorded && side < UNRECORDED_SIDES; side++)
		for (int reason = 0; reason < GAP_REASONS; reason++)
			n = add_gap(j, n, (enum unrecorded_side)side, (enum gap_reason)reason);
	return n;
}

static unsigned add_owner(struct journal *j, unsigned n)
{
	atomic_store(&j->owner_news, false);
	pthread_mutex_lock(&j->owner_lock);
	struct own own = { .head.type = FRAME_OWNER,
			   .head.flags = j->owner.target ? FRAME_TARGET : 0,
			   .owner = j->owner };
	pthread_mutex_unlock(&j->owner_lock);
	return journal_add_own(j, n, own, sizeof own.owner);
}

static unsigned add_damages(struct journal *j, unsigned n)
{
	for (unsigned i = 0; i < j->damage_n; i++)
		n = journal_add_own(j, n,
				    (struct own){ .head.type = FRAME_GAP, .damage = j->damages[i] },
				    sizeof j->damages[i]);
	return n;
}

/* --- writing out --- */

static unsigned add_batch(struct journal *j, struct batch *b, unsigned n)
{
	for (unsigned i = 0; i < b->frame_n; i++)
		journal_number(j, (struct frame *)(void *)(b->bytes + b->frames[i]));
	b->sequence = j->sequence - 1;
	memcpy(&j->vectors[n], b->vectors, b->vector_n * sizeof b->vectors[0]);
	return n + b->vector_n;
}

static void write_vectors(struct journal *j, unsigned n, enum step step)
{
	uint64_t at = j->written_at;
	for (unsigned i = 0; i < n; i++)
		j->written_at += j->vectors[i].iov_len;
	j->step = step;
	disk_write(j->config.disk, &j->op, j->file, j->vectors, n, at);
}

static void add_waiting(struct journal *j, unsigned n)
{
	while (j->cursor && n + j->cursor->vector_n <= LOG_VECTORS)
		n = add_batch(j, take_waiting(j), n);
	write_vectors(j, n, STEP_WRITING);
}

/* At the limit the room is kept for exchanges under way: losses are reported afterwards. */
static bool gap_is_due(const struct journal *j)
{
	if (j->stopping)
		return journal_has_lost(j);
	return !journal_is_full(j) && j->now_ns - j->gap_durable_ns >= LOSS_PAUSE_MS * 1000000ull &&
	       journal_has_lost(j);
}

static void journal_write_out(struct journal *j)
{
	j->own_n = 0;
	j->writing_until_ns = j->covered_ns;
	j->began_ns = j->config.now_ns(j->config.world);
	unsigned n = add_commit(j, 0);
	if (atomic_load(&j->owner_news))
		n = add_owner(j, n);
	add_waiting(j, gap_is_due(j) ? add_gaps(j, n) : n);
	j->pressed &= j->cursor != NULL;
}

/*
 * When a sync has served many waiters, most of them come again at once. They are to share the next
 * sync, which costs as much for one as for all.
 */
static unsigned expected_n(const struct journal *j)
{
	return j->served_n < LOG_GATHER_WAITS ? 1 : j->served_n - j->served_n / 4;
}

static uint64_t urgent_ns(const struct journal *j)
{
	bool all = atomic_load(&j->waits_n) >= expected_n(j);
	uint64_t gather_ns = all ? 0 : LOG_GATHER_US * 1000ull;
	return j->synced_ns + (j->config.commit_ns > gather_ns ? j->config.commit_ns : gather_ns);
}

static bool write_is_due(const struct journal *j)
{
	if (atomic_load(&j->owner_news))
		return true;
	if (!j->cursor)
		return gap_is_due(j);
	if (j->stopping || j->waiting_bytes >= LOG_LAZY_BYTES || j->pressed)
		return true;
	if (atomic_load(&j->waits_n))
		return j->now_ns >= urgent_ns(j);
	return j->now_ns - j->lazy_ns >= LOG_LAZY_MS * 1000000ull;
}

/* --- segments --- */

static void journal_become(struct journal *j, enum journal_state state, int error)
{
	atomic_store_explicit(&j->error, error, memory_order_relaxed);
	atomic_store_explicit(&j->state, (int)state, memory_order_release);
}

static void journal_create(struct journal *j)
{
	j->index++;
	series_name(j->name, j->config.generation, j->index);
	j->step = STEP_CREATING;
	disk_create(j->config.disk, &j->op, j->name, j->config.segment_bytes);
}

/*
 * Where sequence numbers were given up, a commit first says what was durable: so readers do not
 * take the rest for damage.
 */
static unsigned add_given_up(struct journal *j, unsigned n)
{
	return j->sequence > j->durable_sequence + 1 ? add_commit(j, n) : n;
}

static unsigned add_owed(struct journal *j, unsigned n)
{
	if (!j->owed.frames.n)
		return n;
	owed_each(&j->owed, j->now_ns, j->wall_ns, journal_number, j);
	j->vectors[n] = (struct iovec){ j->owed.frames.at, j->owed.frames.n };
	return n + 1;
}

static void begin_segment(struct journal *j)
{
	j->head = (struct segment_head){
		.magic = SEGMENT_MAGIC,
		.major = SEGMENT_MAJOR,
		.minor = SEGMENT_MINOR,
		.id = j->config.rng(j->config.world),
		.generation = j->config.generation,
		.index = j->index,
		.sequence = j->sequence,
		.mono_ns = j->now_ns,
		.wall_ns = j->wall_ns,
	};
	memcpy(j->head.boot, j->config.boot, sizeof j->head.boot);
	memcpy(j->head.node, j->node, sizeof j->head.node);
	j->head.crc = segment_head_crc(&j->head);
	j->written_at = j->durable_at = 0;
	atomic_fetch_add_explicit(&j->counts.segments, 1, memory_order_relaxed);
	j->vectors[0] = (struct iovec){ &j->head, sizeof j->head };
	j->own_n = 0;
	j->began_ns = j->config.now_ns(j->config.world);
	unsigned n = add_owner(j, add_given_up(j, 1));
	n = add_damages(j, add_gaps(j, n));
	write_vectors(j, add_owed(j, n), STEP_BEGINNING);
}

static void journal_seal(struct journal *j)
{
	j->own_n = 0;
	uint8_t last = j->stopping ? FRAME_LAST : 0;
	unsigned n = add_owner(j, 0);
	n = journal_add_own(j, n, (struct own){ .head.type = FRAME_SEAL, .head.flags = last }, 0);
	write_vectors(j, n, STEP_SEALING);
}

static void let_go_of_segment(struct journal *j)
{
	if (j->file)
		disk_close(j->config.disk, j->file);
	j->file = NULL;
}

static void journal_be_over(struct journal *j)
{
	let_go_of_segment(j);
	journal_fail_batches(j, false);
	for (struct batch *b; (b = awaiting_give_up(&j->awaiting));)
		journal_give_back(j, b, BATCH_LATE);
	j->step = STEP_OVER;
	journal_become(j, JOURNAL_OVER, 0);
}

/* --- failures --- */

static void journal_keep(struct journal *j)
{
	j->kept_ns = j->now_ns;
	if (j->config.keep)
		j->config.keep(j->config.world);
}

/*
 * It is on the disk that the log is away before any request passes for that: so it is known,
 * however the process ends.
 */
static void note_absence(struct journal *j)
{
	struct unrecorded_process *p = j->config.unrecorded;
	if (!p || counter_read(&p->away_wall_ns))
		return;
	counter_set(&p->away_wall_ns, j->wall_ns);
	journal_keep(j);
}

/* The log is back, and gaps have reported all losses. */
static void note_return(struct journal *j)
{
	struct unrecorded_process *p = j->config.unrecorded;
	if (!p || !counter_read(&p->away_wall_ns) || journal_has_lost(j))
		return;
	counter_set(&p->away_wall_ns, 0);
	journal_keep(j);
}

static void journal_fail(struct journal *j, int error)
{
	j->writing_until_ns = 0;
	note_absence(j);
	journal_become(j, JOURNAL_UNAVAILABLE, error);
	atomic_fetch_add_explicit(&j->counts.failures, 1, memory_order_relaxed);
	j->probe_ns = j->now_ns + LOG_PROBE_MS * 1000000ull;
}

/*
 * What was written is cut off before its batches fail. Where it cannot be cut off, the numbers of
 * its frames are not used again: readers find requests without an outcome.
 */
static void journal_cut_back(struct journal *j, int error)
{
	journal_fail(j, error);
	j->step = STEP_CUTTING;
	disk_cut(j->config.disk, &j->op, j->file, j->durable_at);
}

static void journal_cut(struct journal *j)
{
	/* Numbers in an earlier segment that was not cut are not used again either. */
	if (!j->op.result)
		j->sequence = most(j->durable_sequence + 1, j->head.sequence);
	let_go_of_segment(j);
	journal_fail_batches(j, j->op.result != 0);
	j->step = STEP_BROKEN;
}

/* --- completions of the disk --- */

static void journal_gap_durable(struct journal *j, const struct record_gap *gap)
{
	enum unrecorded_side side =
		gap->flags & GAP_INHERITED ? UNRECORDED_INHERITED : UNRECORDED_OWN;
	enum gap_reason reason = (enum gap_reason)gap->reason;
	unrecorded_tell(j->config.unrecorded, side, reason, &j->gap_losses[side][reason]);
}

static void journal_owner_is_durable(struct journal *j, const struct record_owner *owner)
{
	pthread_mutex_lock(&j->owner_lock);
	j->owner_durable = *owner;
	pthread_mutex_unlock(&j->owner_lock);
}

static void journal_own_durable(struct journal *j)
{
	for (unsigned i = 0; i < j->own_n; i++) {
		const struct own *o = &j->own[i];
		if (o->head.type == FRAME_OWNER)
			journal_owner_is_durable(j, &o->owner);
		if (o->head.type != FRAME_GAP)
			continue;
		if (o->head.payload_n == sizeof o->damage)
			j->damage_n = 0;
		else
			journal_gap_durable(j, &o->gap);
		j->gap_durable_ns = j->now_ns;
		atomic_fetch_add_explicit(&j->counts.gaps, 1, memory_order_relaxed);
	}
}

/*
 * Only a new segment has owed outcomes, and its beginning is the first that is durable after they
 * were lost.
 */
static void pay_owed(struct journal *j)
{
	atomic_fetch_sub_explicit(&j->queued, j->owed.frames.n, memory_order_relaxed);
	owed_paid(&j->owed);
}

static void journal_durable(struct journal *j)
{
	uint64_t batches = 0;
	j->served_n = 0;
	for (const struct batch *b = j->first; b != j->cursor; b = b->next) {
		batches++;
		j->served_n += b->waits_n;
	}
	j->durable_at = j->written_at;
	j->durable_sequence = j->sequence - 1;
	j->synced_ns = j->config.now_ns(j->config.world);
	journal_own_durable(j);
	pay_owed(j);
	if (j->writing_until_ns)
		journal_durable_until(j, j->writing_until_ns);
	j->writing_until_ns = 0;
	struct journal_counts *c = &j->counts;
	atomic_fetch_add_explicit(&c->commits, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&c->batches, batches, memory_order_relaxed);
	atomic_fetch_add_explicit(&c->waits, j->served_n, memory_order_relaxed);
	atomic_store_explicit(&c->durable_sequence, j->durable_sequence, memory_order_relaxed);
	atomic_store_explicit(&c->durable_wall_ns, j->wall_ns, memory_order_relaxed);
}

static void journal_sync(struct journal *j, enum step step)
{
	j->step = step;
	disk_sync(j->config.disk, &j->op, j->file);
}

static void journal_created(struct journal *j)
{
	if (j->op.result == -EEXIST) {
		journal_create(j);
		return;
	}
	if (j->op.result) {
		journal_fail(j, j->op.result);
		journal_fail_batches(j, false);
		j->step = STEP_BROKEN;
		return;
	}
	j->file = j->op.file;
	begin_segment(j);
}

static void journal_written(struct journal *j)
{
	atomic_store_explicit(&j->counts.bytes,
			      atomic_load_explicit(&j->counts.bytes, memory_order_relaxed) +
				      j->written_at - j->durable_at,
			      memory_order_relaxed);
	if (j->cursor && j->step == STEP_WRITING)
		add_waiting(j, 0);
	else
		journal_sync(j, j->step == STEP_SEALING ? STEP_SEALED : STEP_SYNCING);
}

static void journal_synced(struct journal *j)
{
	journal_durable(j);
	latency_add(&j->counts.commit_times, (j->synced_ns - j->began_ns) / 1000);
	settle_durable(j);
	j->step = STEP_IDLE;
	/* At the limit the log stays away, though exchanges under way are written. */
	if (!journal_is_full(j))
		note_return(j);
	if (!j->stopping && !journal_is_full(j))
		journal_become(j, JOURNAL_AVAILABLE, 0);
}

static void journal_sealed(struct journal *j)
{
	journal_durable(j);
	note_return(j);
	j->step = STEP_TRIMMING;
	disk_cut(j->config.disk, &j->op, j->file, j->durable_at);
}

/* If the cut failed, the file is only longer than it need be. */
static void journal_trimmed(struct journal *j)
{
	let_go_of_segment(j);
	if (j->stopping && !j->cursor)
		journal_be_over(j);
	else
		journal_create(j);
}

static void journal_disk_done(struct disk_op *op)
{
	struct journal *j = (struct journal *)((char *)op - offsetof(struct journal, op));
	switch (j->step) {
	case STEP_CREATING:
		journal_created(j);
		return;
	case STEP_CUTTING:
		journal_cut(j);
		return;
	case STEP_TRIMMING:
		journal_trimmed(j);
		return;
	case STEP_BEGINNING:
	case STEP_WRITING:
	case STEP_SEALING:
		if (op->result)
			journal_cut_back(j, op->result);
		else
			journal_written(j);
		return;
	case STEP_SYNCING:
	case STEP_SEALED:
		if (op->result)
			journal_cut_back(j, op->result);
		else if (j->step == STEP_SYNCING)
			journal_synced(j);
		else
			journal_sealed(j);
		return;
	case STEP_BROKEN:
	case STEP_IDLE:
	case STEP_OVER:
		break;
	}
	must(!"the disk was asked for nothing");
}

/* --- a turn --- */

static void journal_give_up(struct journal *j, int error)
{
	journal_fail(j, error);
	journal_fail_batches(j, false);
	let_go_of_segment(j);
	j->step = STEP_BROKEN;
}

static void journal_probe(struct journal *j)
{
	if (journal_is_full(j))
		journal_fail(j, -EDQUOT);
	else
		journal_create(j);
}

/*
 * At the limit no request begins any more. Exchanges under way are written for one segment more: so
 * a request that was let go has its outcome in the log.
 */
static bool journal_is_past_limit(const struct journal *j)
{
	uint64_t full_at = atomic_load_explicit(&j->full_at, memory_order_relaxed);
	uint64_t bytes = atomic_load_explicit(&j->counts.bytes, memory_order_relaxed);
	return bytes >= full_at && bytes - full_at >= j->config.segment_bytes;
}

static void apply_limit(struct journal *j)
{
	bool full = journal_is_full(j) && !j->stopping;
	if (full && journal_state(j) == JOURNAL_AVAILABLE)
		journal_fail(j, -EDQUOT);
	else if (!full && journal_state(j) == JOURNAL_UNAVAILABLE) {
		journal_become(j, JOURNAL_AVAILABLE, 0);
		note_return(j);
	}
}

static void journal_proceed(struct journal *j)
{
	bool full = j->written_at >= j->config.segment_bytes;
	if (j->step == STEP_BROKEN && j->stopping) {
		journal_be_over(j);
	} else if (j->step == STEP_BROKEN) {
		/* Batches that come before the first segment is there wait for it. */
		if (journal_state(j) != JOURNAL_STARTING)
			journal_fail_batches(j, false);
		if (j->now_ns >= j->probe_ns)
			journal_probe(j);
	} else if (j->step == STEP_IDLE && journal_is_past_limit(j) && !j->stopping) {
		journal_give_up(j, -EDQUOT);
	} else if (j->step == STEP_IDLE) {
		apply_limit(j);
		if (full || (j->stopping && !j->cursor && !journal_has_lost(j)))
			journal_seal(j);
		else if (write_is_due(j))
			journal_write_out(j);
	}
}

static enum rest journal_rest_kind(const struct journal *j)
{
	if (atomic_load(&j->waits_n))
		return j->step == STEP_IDLE ? REST_GATHERING : REST_AWAKE;
	return j->cursor ? REST_DROWSY : REST_ASLEEP;
}

/*
 * `rest` is stored before `pushed` is read: a thread that pushes later sees `rest`, or its batch is
 * seen here.
 */
static void journal_rest(struct journal *j)
{
	if (j->op.verb != DISK_NONE)
		return;
	/* With a least time between syncs, only that time wakes the thread. */
	atomic_store(&j->wanted_n, j->config.commit_ns ? UINT_MAX : expected_n(j));
	atomic_store(&j->rest, journal_rest_kind(j));
	if (atomic_load(&j->pushed))
		j->config.wake(j->config.world);
}

/* Batches are in one list, oldest first; no more is durable than was written. */
void journal_check(const struct journal *j)
{
	unsigned n = 0;
	bool there = !j->cursor;
	must(!j->first == !j->last && (!j->last || !j->last->next));
	for (const struct batch *b = j->first; b && n < CHECKED_MAX; n++, b = b->next)
		there |= b == j->cursor;
	must(there || n == CHECKED_MAX);
	must(j->durable_at <= j->written_at && j->durable_sequence <= j->sequence);
	must(!j->cursor == !j->waiting_bytes);
}

void journal_turn(struct journal *j, uint64_t mono_ns, uint64_t wall_ns)
{
	j->now_ns = mono_ns;
	j->wall_ns = wall_ns;
	atomic_store(&j->rest, REST_AWAKE);
	journal_look_how_far(j);
	take_pushed(j);
	if (j->step == STEP_IDLE && !j->first)
		journal_durable_until(j, j->covered_ns);
	settle_awaiting(j);
	if (journal_has_lost(j) && j->now_ns - j->kept_ns >= LOSS_KEEP_MS * 1000000ull)
		journal_keep(j);
	journal_proceed(j);
	checks(journal_check(j));
	journal_rest(j);
}

/* At the limit no gap is due, but the counts of losses are saved now and then. */
static uint64_t gap_deadline_ns(const struct journal *j)
{
	if (journal_is_full(j))
		return j->now_ns + LOG_PROBE_MS * 1000000ull;
	return journal_has_lost(j) ? j->gap_durable_ns + LOSS_PAUSE_MS * 1000000ull : UINT64_MAX;
}

static uint64_t disk_deadline_ns(const struct journal *j)
{
	if (j->step == STEP_BROKEN)
		return j->probe_ns;
	if (j->step != STEP_IDLE)
		return UINT64_MAX;
	if (atomic_load(&j->owner_news))
		return j->now_ns;
	if (!j->cursor)
		return gap_deadline_ns(j);
	if (j->pressed || atomic_load(&j->hurried))
		return j->now_ns;
	return atomic_load(&j->waits_n) ? urgent_ns(j) : j->lazy_ns + LOG_LAZY_MS * 1000000ull;
}

uint64_t journal_deadline_ns(const struct journal *j)
{
	uint64_t disk_ns = disk_deadline_ns(j);
	uint64_t look_ns = awaiting_deadline_ns(&j->awaiting, j->now_ns);
	return look_ns < disk_ns ? look_ns : disk_ns;
}

void journal_add(struct journal *j, struct feed *f)
{
	f->sibling = atomic_load(&j->feeds);
	while (!atomic_compare_exchange_weak(&j->feeds, &f->sibling, f))
		;
}

uint64_t journal_floor_ns(const struct journal *j)
{
	return atomic_load(&j->floor_ns);
}

void journal_push(struct journal *j, struct batch *b)
{
	unsigned waits_n = b->waits_n;
	uint64_t bytes = b->log_bytes;
	uint64_t queued = atomic_fetch_add_explicit(&j->queued, bytes, memory_order_relaxed);
	waits_n += atomic_fetch_add(&j->waits_n, waits_n);
	struct batch *before = atomic_load_explicit(&j->pushed, memory_order_relaxed);
	do
		b->next = before;
	while (!atomic_compare_exchange_weak(&j->pushed, &before, b));
	/* From here on the batch may be back with its worker. */
	int rest = atomic_load(&j->rest);
	if (rest == REST_AWAKE || (rest == REST_GATHERING && waits_n < atomic_load(&j->wanted_n)) ||
	    (rest == REST_DROWSY && !waits_n && queued + bytes < LOG_LAZY_BYTES))
		return;
	journal_look(j);
}

void journal_look(struct journal *j)
{
	if (atomic_exchange(&j->rest, REST_AWAKE) != REST_AWAKE)
		j->config.wake(j->config.world);
}

void journal_hurry(struct journal *j)
{
	atomic_store(&j->hurried, true);
	journal_look(j);
}

void journal_owner(struct journal *j, const struct record_owner *owner)
{
	pthread_mutex_lock(&j->owner_lock);
	bool same = !memcmp(&j->owner, owner, sizeof *owner);
	j->owner = *owner;
	pthread_mutex_unlock(&j->owner_lock);
	if (same)
		return;
	atomic_store(&j->owner_news, true);
	journal_look(j);
}

struct record_owner journal_owner_durable(struct journal *j)
{
	pthread_mutex_lock(&j->owner_lock);
	struct record_owner owner = j->owner_durable;
	pthread_mutex_unlock(&j->owner_lock);
	return owner;
}

void journal_stop(struct journal *j)
{
	j->stopping = true;
}

/* --- open and close --- */

struct journal *journal_open(const struct journal_config *c)
{
	struct journal *j = calloc(1, sizeof *j);
	must(j && c->segment_bytes >= SEGMENT_BYTES_MIN);
	j->config = *c;
	snprintf(j->node, sizeof j->node, "%s", c->node);
	must(c->damage_n <= DAMAGES_MAX);
	if (c->damage_n)
		memcpy(j->damages, c->damages, c->damage_n * sizeof c->damages[0]);
	j->damage_n = c->damage_n;
	j->op.done = journal_disk_done;
	j->awaiting.acknowledged = c->acknowledged;
	j->awaiting.world = c->world;
	j->sequence = 1;
	j->step = STEP_BROKEN;
	atomic_init(&j->full_at, UINT64_MAX);
	pthread_mutex_init(&j->owner_lock, NULL);
	journal_become(j, JOURNAL_STARTING, 0);
	return j;
}

void journal_close(struct journal *j)
{
	must(j->step == STEP_OVER && !atomic_load(&j->pushed));
	owed_free(&j->owed);
	pthread_mutex_destroy(&j->owner_lock);
	free(j);
}

enum journal_state journal_state(const struct journal *j)
{
	return (enum journal_state)atomic_load_explicit(&j->state, memory_order_acquire);
}

int journal_error(const struct journal *j)
{
	return atomic_load_explicit(&j->error, memory_order_relaxed);
}

const struct journal_counts *journal_counts(const struct journal *j)
{
	return &j->counts;
}

void journal_limit(struct journal *j, uint64_t more)
{
	uint64_t written = atomic_load_explicit(&j->counts.bytes, memory_order_relaxed);
	bool was = journal_is_full(j);
	atomic_store(&j->full_at, more < UINT64_MAX - written ? written + more : UINT64_MAX);
	if (journal_is_full(j) != was)
		j->config.wake(j->config.world);
}

bool journal_is_full(const struct journal *j)
{
	return atomic_load_explicit(&j->counts.bytes, memory_order_relaxed) >=
	       atomic_load_explicit(&j->full_at, memory_order_relaxed);
}

bool journal_is_late(const struct journal *j)
{
	return atomic_load_explicit(&j->awaiting.late, memory_order_relaxed);
}

uint64_t journal_queued(const struct journal *j)
{
	return atomic_load_explicit(&j->queued, memory_order_relaxed);
}

uint64_t journal_room(const struct journal *j)
{
	uint64_t queued = journal_queued(j);
	return queued < j->config.queue_bytes ? j->config.queue_bytes - queued : 0;
}
