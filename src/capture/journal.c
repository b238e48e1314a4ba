#include "capture/journal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/crc32c.h"
#include "base/least.h"
#include "capture/awaiting.h"
#include "capture/feed.h"
#include "capture/series.h"

/* What the disk is at. */
enum step {
	STEP_BROKEN, /* there is no segment; one is tried at probe_ns */
	STEP_CREATING,
	STEP_BEGINNING, /* the segment's head, and a gap, are written */
	STEP_IDLE,
	STEP_WRITING,
	STEP_SYNCING,
	STEP_SEALING,  /* the last frame of a segment is written */
	STEP_SEALED,   /* and synced */
	STEP_TRIMMING, /* its room that is not used goes: the seal is the file's end */
	STEP_CUTTING,  /* what is not durable goes */
	STEP_OVER,
};

/* What its thread does until the next turn. */
enum rest {
	REST_AWAKE, /* the disk is busy, or others are waited for: there will be a turn in a moment
		     */
	REST_GATHERING, /* more are expected to wait with those who do: so many bring it back */
	REST_DROWSY,	/* what nobody waits for will be written in a while */
	REST_ASLEEP,	/* only a push brings it back */
};

/* A frame of the journal's own, with its payload. */
struct own {
	struct frame head;
	union {
		struct record_gap gap;
		struct record_damage damage;
		struct record_commit commit;
	};
};

/* Of one write: a segment's head or a commit, a gap of each reason and of what others have left,
 * and what a start has found. */
enum { OWNS = 1 + UNRECORDED_SIDES * GAP_REASONS + DAMAGES_MAX };

struct journal {
	struct journal_config config;
	char node[SEGMENT_NODE_BYTES];
	struct disk_op op;
	enum step step;
	_Atomic(struct batch *) pushed; /* newest first */
	_Atomic int rest;		/* enum rest */
	_Atomic uint64_t queued;
	_Atomic unsigned waits_n, wanted_n; /* who waits for the next sync; how many are to */
	_Atomic uint64_t full_at;	    /* of counts.bytes: no more may be written */
	atomic_bool hurried;		    /* what waits is to be written */
	_Atomic int state, error;
	struct journal_counts counts;
	/* Taken, oldest first; those before `cursor` are in the present write-out. */
	struct batch *first, *last, *cursor;
	struct awaiting awaiting;
	uint64_t waiting_bytes; /* of those behind the cursor */
	uint64_t lazy_ns;	/* when the first of them came */
	bool pressed;		/* they are not to be put off */
	bool stopping;
	unsigned served_n; /* who waited for the last sync */
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
	/* What gaps will have told of when this write is durable. */
	struct losses telling[UNRECORDED_SIDES][GAP_REASONS];
	uint64_t told_ns, kept_ns;
	struct record_damage damages[DAMAGES_MAX]; /* that no segment tells of yet */
};

/* --- what waits --- */

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

static void give_back(struct journal *j, struct batch *b, enum batch_state state)
{
	atomic_fetch_sub_explicit(&j->queued, b->log_bytes, memory_order_relaxed);
	feed_settled(b, state);
}

static struct batch *take_first(struct journal *j)
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
		struct batch *b = take_first(j);
		enum batch_state became;
		if (b->gap_n)
			atomic_fetch_add_explicit(&j->counts.gaps, b->gap_n, memory_order_relaxed);
		if (!awaiting_takes(&j->awaiting, b, j->now_ns, &became))
			give_back(j, b, became);
	}
}

static void settle_awaiting(struct journal *j)
{
	enum batch_state became;
	for (struct batch *b;
	     (b = awaiting_next(&j->awaiting, j->durable_sequence, j->now_ns, &became));)
		give_back(j, b, became);
}

/* The next one that waits for the disk is in a write-out, or fails. */
static struct batch *take_waiting(struct journal *j)
{
	struct batch *b = j->cursor;
	j->cursor = b->next;
	j->waiting_bytes -= b->log_bytes;
	atomic_fetch_sub(&j->waits_n, b->waits_n);
	return b;
}

static void fail_all(struct journal *j)
{
	while (j->cursor)
		take_waiting(j);
	while (j->first)
		give_back(j, take_first(j), BATCH_FAILED);
}

/* --- frames --- */

static void number(struct journal *j, struct frame *f)
{
	f->sequence = j->sequence++;
	f->head_crc = frame_head_crc(f, j->head.id);
	atomic_fetch_add_explicit(&j->counts.frames, 1, memory_order_relaxed);
}

/* Adds a frame of the journal's own behind the `n` vectors that there are. */
static unsigned add_own(struct journal *j, unsigned n, struct own own, size_t payload_n)
{
	struct own *o = &j->own[j->own_n++];
	*o = own;
	o->head.payload_n = (uint32_t)payload_n;
	o->head.payload_crc = crc32c(0, &o->commit, payload_n);
	o->head.mono_ns = j->now_ns;
	o->head.wall_ns = j->wall_ns;
	number(j, &o->head);
	j->vectors[n] = (struct iovec){ o, sizeof o->head + payload_n };
	return n + 1;
}

static unsigned add_commit(struct journal *j, unsigned n)
{
	return add_own(j, n,
		       (struct own){ .head.type = FRAME_COMMIT,
				     .commit.durable_sequence = j->durable_sequence },
		       sizeof(struct record_commit));
}

static bool has_lost(const struct journal *j)
{
	return j->config.unrecorded && unrecorded_has_more(j->config.unrecorded);
}

static unsigned add_gap(struct journal *j, unsigned n, enum unrecorded_side side,
			enum gap_reason reason)
{
	struct losses told = unrecorded_told(j->config.unrecorded, side, reason);
	struct losses now = unrecorded_sum(j->config.unrecorded, side, reason);
	j->telling[side][reason] = now;
	if (!losses_tell_more(&now, &told))
		return n;
	struct losses l = losses_since(&now, &told);
	struct record_gap gap = {
		.reads = l.reads,
		.writes = l.writes,
		.outcomes = l.outcomes,
		.request_bytes = l.request_bytes,
		.answer_bytes = l.answer_bytes,
		.first_mono_ns = l.first_ns,
		.last_mono_ns = l.last_ns,
		.first_wall_ns = l.first_wall_ns,
		.last_wall_ns = l.last_wall_ns,
		.reason = (uint32_t)reason,
		.flags = (l.uncertain ? GAP_AT_LEAST : 0) |
			 (side == UNRECORDED_INHERITED ? GAP_INHERITED : 0),
	};
	return add_own(j, n, (struct own){ .head.type = FRAME_GAP, .gap = gap }, sizeof gap);
}

static unsigned add_gaps(struct journal *j, unsigned n)
{
	for (int side = 0; j->config.unrecorded && side < UNRECORDED_SIDES; side++)
		for (int reason = 0; reason < GAP_REASONS; reason++)
			n = add_gap(j, n, (enum unrecorded_side)side, (enum gap_reason)reason);
	return n;
}

static unsigned add_damages(struct journal *j, unsigned n)
{
	for (unsigned i = 0; i < j->damage_n; i++)
		n = add_own(j, n, (struct own){ .head.type = FRAME_GAP, .damage = j->damages[i] },
			    sizeof j->damages[i]);
	return n;
}

/* --- writing out --- */

static unsigned add_batch(struct journal *j, struct batch *b, unsigned n)
{
	for (unsigned i = 0; i < b->frame_n; i++)
		number(j, (struct frame *)(void *)(b->bytes + b->frames[i]));
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

static bool gap_is_due(const struct journal *j)
{
	return (j->stopping || j->now_ns - j->told_ns >= LOSS_PAUSE_MS * 1000000ull) && has_lost(j);
}

static void write_out(struct journal *j)
{
	j->own_n = 0;
	j->began_ns = j->config.now_ns(j->config.world);
	unsigned n = add_commit(j, 0);
	add_waiting(j, gap_is_due(j) ? add_gaps(j, n) : n);
	j->pressed &= j->cursor != NULL;
}

/*
 * When a sync has served many, most of them come again at once: they are to share the next one,
 * which costs as much for one as for all.
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

static bool is_due(const struct journal *j)
{
	if (!j->cursor)
		return gap_is_due(j);
	if (j->stopping || j->waiting_bytes >= LOG_LAZY_BYTES || j->pressed)
		return true;
	if (atomic_load(&j->waits_n))
		return j->now_ns >= urgent_ns(j);
	return j->now_ns - j->lazy_ns >= LOG_LAZY_MS * 1000000ull;
}

/* --- segments --- */

static void become(struct journal *j, enum journal_state state, int error)
{
	atomic_store_explicit(&j->error, error, memory_order_relaxed);
	atomic_store_explicit(&j->state, (int)state, memory_order_release);
}

static void create(struct journal *j)
{
	j->index++;
	series_name(j->name, j->config.generation, j->index);
	j->step = STEP_CREATING;
	disk_create(j->config.disk, &j->op, j->name, j->config.segment_bytes);
}

/* Where numbers were given up, a commit says first what was durable: the rest is no damage. */
static unsigned add_given_up(struct journal *j, unsigned n)
{
	return j->sequence > j->durable_sequence + 1 ? add_commit(j, n) : n;
}

static void begin_segment(struct journal *j)
{
	j->head = (struct segment_head){
		.magic = SEGMENT_MAGIC,
		.version = SEGMENT_VERSION,
		.id = j->config.chance(j->config.world),
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
	unsigned n = add_given_up(j, 1);
	write_vectors(j, add_damages(j, add_gaps(j, n)), STEP_BEGINNING);
}

static void seal(struct journal *j)
{
	j->own_n = 0;
	uint8_t last = j->stopping ? FRAME_LAST : 0;
	unsigned n = add_own(j, 0, (struct own){ .head.type = FRAME_SEAL, .head.flags = last }, 0);
	write_vectors(j, n, STEP_SEALING);
}

static void let_go_of_segment(struct journal *j)
{
	if (j->file)
		disk_close(j->config.disk, j->file);
	j->file = NULL;
}

static void be_over(struct journal *j)
{
	let_go_of_segment(j);
	fail_all(j);
	for (struct batch *b; (b = awaiting_give_up(&j->awaiting));)
		give_back(j, b, BATCH_LATE);
	j->step = STEP_OVER;
	become(j, JOURNAL_OVER, 0);
}

/* --- when it fails --- */

static void keep(struct journal *j)
{
	j->kept_ns = j->now_ns;
	if (j->config.keep)
		j->config.keep(j->config.world);
}

/* On the disk before anything passes for it: whatever ends now, that it was away is known. */
static void note_absence(struct journal *j)
{
	struct unrecorded_process *p = j->config.unrecorded;
	if (!p || counter_read(&p->away_wall_ns))
		return;
	counter_set(&p->away_wall_ns, j->wall_ns);
	keep(j);
}

/* It is back, and all is told. */
static void note_return(struct journal *j)
{
	struct unrecorded_process *p = j->config.unrecorded;
	if (!p || !counter_read(&p->away_wall_ns) || has_lost(j))
		return;
	counter_set(&p->away_wall_ns, 0);
	keep(j);
}

static void fail(struct journal *j, int error)
{
	note_absence(j);
	become(j, JOURNAL_UNAVAILABLE, error);
	atomic_fetch_add_explicit(&j->counts.failures, 1, memory_order_relaxed);
	j->probe_ns = j->now_ns + LOG_PROBE_MS * 1000000ull;
}

/*
 * Before anybody hears that what was written is not in the log, it is taken out. Where that cannot
 * be done the numbers of its frames are not used again: readers find requests without an outcome.
 */
static void cut_back(struct journal *j, int error)
{
	fail(j, error);
	j->step = STEP_CUTTING;
	disk_cut(j->config.disk, &j->op, j->file, j->durable_at);
}

static void cut(struct journal *j)
{
	/* Those of an earlier segment that was not cut are not used again either. */
	if (!j->op.result)
		j->sequence = most(j->durable_sequence + 1, j->head.sequence);
	let_go_of_segment(j);
	fail_all(j);
	j->step = STEP_BROKEN;
}

/* --- what the disk says --- */

static void have_told_losses(struct journal *j, const struct record_gap *gap)
{
	enum unrecorded_side side =
		gap->flags & GAP_INHERITED ? UNRECORDED_INHERITED : UNRECORDED_OWN;
	enum gap_reason reason = (enum gap_reason)gap->reason;
	unrecorded_tell(j->config.unrecorded, side, reason, &j->telling[side][reason]);
}

static void have_told(struct journal *j)
{
	for (unsigned i = 0; i < j->own_n; i++) {
		const struct own *o = &j->own[i];
		if (o->head.type != FRAME_GAP)
			continue;
		if (o->head.payload_n == sizeof o->damage)
			j->damage_n = 0;
		else
			have_told_losses(j, &o->gap);
		j->told_ns = j->now_ns;
		atomic_fetch_add_explicit(&j->counts.gaps, 1, memory_order_relaxed);
	}
}

static void durable(struct journal *j)
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
	have_told(j);
	struct journal_counts *c = &j->counts;
	atomic_fetch_add_explicit(&c->commits, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&c->batches, batches, memory_order_relaxed);
	atomic_fetch_add_explicit(&c->waits, j->served_n, memory_order_relaxed);
	atomic_store_explicit(&c->durable_sequence, j->durable_sequence, memory_order_relaxed);
	atomic_store_explicit(&c->durable_wall_ns, j->wall_ns, memory_order_relaxed);
}

static void sync_all(struct journal *j, enum step step)
{
	j->step = step;
	disk_sync(j->config.disk, &j->op, j->file);
}

static void created(struct journal *j)
{
	if (j->op.result == -EEXIST) {
		create(j);
		return;
	}
	if (j->op.result) {
		fail(j, j->op.result);
		fail_all(j);
		j->step = STEP_BROKEN;
		return;
	}
	j->file = j->op.file;
	begin_segment(j);
}

static void written(struct journal *j)
{
	atomic_store_explicit(&j->counts.bytes,
			      atomic_load_explicit(&j->counts.bytes, memory_order_relaxed) +
				      j->written_at - j->durable_at,
			      memory_order_relaxed);
	if (j->cursor && j->step == STEP_WRITING)
		add_waiting(j, 0);
	else
		sync_all(j, j->step == STEP_SEALING ? STEP_SEALED : STEP_SYNCING);
}

static void synced(struct journal *j)
{
	durable(j);
	latency_add(&j->counts.commit_times, (j->synced_ns - j->began_ns) / 1000);
	settle_durable(j);
	j->step = STEP_IDLE;
	note_return(j);
	if (!j->stopping)
		become(j, JOURNAL_AVAILABLE, 0);
}

static void sealed(struct journal *j)
{
	durable(j);
	note_return(j);
	j->step = STEP_TRIMMING;
	disk_cut(j->config.disk, &j->op, j->file, j->durable_at);
}

/* Where it did not work the file is longer than it need be. */
static void trimmed(struct journal *j)
{
	let_go_of_segment(j);
	if (j->stopping && !j->cursor)
		be_over(j);
	else
		create(j);
}

static void disk_says(struct disk_op *op)
{
	struct journal *j = (struct journal *)((char *)op - offsetof(struct journal, op));
	switch (j->step) {
	case STEP_CREATING:
		created(j);
		return;
	case STEP_CUTTING:
		cut(j);
		return;
	case STEP_TRIMMING:
		trimmed(j);
		return;
	case STEP_BEGINNING:
	case STEP_WRITING:
	case STEP_SEALING:
		if (op->result)
			cut_back(j, op->result);
		else
			written(j);
		return;
	case STEP_SYNCING:
	case STEP_SEALED:
		if (op->result)
			cut_back(j, op->result);
		else if (j->step == STEP_SYNCING)
			synced(j);
		else
			sealed(j);
		return;
	case STEP_BROKEN:
	case STEP_IDLE:
	case STEP_OVER:
		break;
	}
	must(!"the disk was asked for nothing");
}

/* --- a turn --- */

static void give_up(struct journal *j, int error)
{
	fail(j, error);
	fail_all(j);
	let_go_of_segment(j);
	j->step = STEP_BROKEN;
}

static void probe(struct journal *j)
{
	if (journal_is_full(j))
		fail(j, -EDQUOT);
	else
		create(j);
}

static void go_on(struct journal *j)
{
	bool full = j->written_at >= j->config.segment_bytes;
	if (j->step == STEP_BROKEN && j->stopping) {
		be_over(j);
	} else if (j->step == STEP_BROKEN) {
		/* Who comes before the first segment is there waits for it. */
		if (journal_state(j) != JOURNAL_STARTING)
			fail_all(j);
		if (j->now_ns >= j->probe_ns)
			probe(j);
	} else if (j->step == STEP_IDLE && journal_is_full(j) && !j->stopping) {
		give_up(j, -EDQUOT);
	} else if (j->step == STEP_IDLE) {
		if (full || (j->stopping && !j->cursor && !has_lost(j)))
			seal(j);
		else if (is_due(j))
			write_out(j);
	}
}

static enum rest rest_of(const struct journal *j)
{
	if (atomic_load(&j->waits_n))
		return j->step == STEP_IDLE ? REST_GATHERING : REST_AWAKE;
	return j->cursor ? REST_DROWSY : REST_ASLEEP;
}

/* Whoever pushes from here on sees that it rests, or what was pushed is seen here. */
static void take_a_rest(struct journal *j)
{
	if (j->op.verb != DISK_NONE)
		return;
	/* Where a time was set for syncs it is the time that brings it back. */
	atomic_store(&j->wanted_n, j->config.commit_ns ? UINT_MAX : expected_n(j));
	atomic_store(&j->rest, rest_of(j));
	if (atomic_load(&j->pushed))
		j->config.wake(j->config.world);
}

void journal_turn(struct journal *j, uint64_t mono_ns, uint64_t wall_ns)
{
	j->now_ns = mono_ns;
	j->wall_ns = wall_ns;
	atomic_store(&j->rest, REST_AWAKE);
	take_pushed(j);
	settle_awaiting(j);
	if (has_lost(j) && j->now_ns - j->kept_ns >= LOSS_KEEP_MS * 1000000ull)
		keep(j);
	go_on(j);
	take_a_rest(j);
}

static uint64_t gap_deadline_ns(const struct journal *j)
{
	return has_lost(j) ? j->told_ns + LOSS_PAUSE_MS * 1000000ull : UINT64_MAX;
}

static uint64_t disk_deadline_ns(const struct journal *j)
{
	if (j->step == STEP_BROKEN)
		return j->probe_ns;
	if (j->step != STEP_IDLE)
		return UINT64_MAX;
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
	/* From here on the batch may be back already. */
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

void journal_stop(struct journal *j)
{
	j->stopping = true;
}

/* --- a life --- */

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
	j->op.done = disk_says;
	j->awaiting.acknowledged = c->acknowledged;
	j->awaiting.world = c->world;
	j->sequence = 1;
	j->step = STEP_BROKEN;
	atomic_init(&j->full_at, UINT64_MAX);
	become(j, JOURNAL_STARTING, 0);
	return j;
}

void journal_close(struct journal *j)
{
	must(j->step == STEP_OVER && !atomic_load(&j->pushed));
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
