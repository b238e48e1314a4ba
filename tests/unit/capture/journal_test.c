#include "unit/cmocka_all.h"

#include <stdio.h>

#include "capture/kafka_limits.h"
#include "unit/capture/kit.h"

/* What a directory has, as a reader finds it. */
struct found {
	struct frame frames[256];
	struct record_gap gaps[8];
	uint64_t durable[256]; /* as each commit says; 0 of others */
	unsigned n, gap_n;
};

struct world {
	struct kit_disk disk;
	struct journal *journal;
	struct bufs bufs;
	struct feed feed;
	struct unrecorded_process unrecorded;
	uint64_t now_ns;
	unsigned wakes, feed_wakes;
	struct feed_wait wait;
	unsigned settled;
	bool late;
	bool durable;
	uint64_t acknowledged; /* by a follower, where one is waited for */
};

static uint64_t rng(void *world)
{
	struct world *w = world;
	return 0x9e3779b97f4a7c15u * (w->disk.file_n + 1);
}

static uint64_t clock_ns(void *world)
{
	const struct world *w = world;
	return w->now_ns;
}

static void woken(void *world)
{
	struct world *w = world;
	w->wakes++;
}

static void feed_woken(struct feed *f)
{
	struct world *w = f->owner;
	w->feed_wakes++;
}

static void settled(struct feed_wait *wait, enum batch_state became)
{
	struct world *w = list_entry(wait, struct world, wait);
	w->settled++;
	w->durable = became == BATCH_DURABLE;
	w->late = became == BATCH_LATE;
}

static uint64_t acknowledged(void *world)
{
	const struct world *w = world;
	return w->acknowledged;
}

static void begin(struct world *w, uint64_t (*follower)(void *world),
		  const struct record_damage *damages, unsigned damage_n)
{
	w->journal = journal_open(&(struct journal_config){ .disk = &w->disk.disk,
							    .generation = 7,
							    .node = "a",
							    .rng = rng,
							    .now_ns = clock_ns,
							    .world = w,
							    .segment_bytes = SEGMENT_BYTES_MIN,
							    .queue_bytes = LOG_QUEUE_BYTES,
							    .unrecorded = &w->unrecorded,
							    .acknowledged = follower,
							    .damages = damages,
							    .damage_n = damage_n,
							    .wake = woken });
	feed_attach(&w->feed, w->journal);
}

static int open_with(void **state, uint64_t (*follower)(void *world))
{
	struct world *w = calloc(1, sizeof *w);
	kit_disk_open(&w->disk);
	bufs_open(&w->bufs);
	feed_open(&w->feed, 3);
	counter_set(&w->unrecorded.worker_n, 1);
	feed_count_in(&w->feed, w->unrecorded.lost[0]);
	w->now_ns = 1000000000;
	begin(w, follower, NULL, 0);
	feed_own(&w->feed, &w->bufs, feed_woken, w);
	list_init(&w->wait.link);
	w->wait.settled = settled;
	*state = w;
	return 0;
}

static int open_world(void **state)
{
	return open_with(state, NULL);
}

static int open_followed(void **state)
{
	return open_with(state, acknowledged);
}

/* Until nothing is to be done now. */
static void turn(struct world *w)
{
	do
		journal_turn(w->journal, w->now_ns, w->now_ns + 5);
	while (kit_run(&w->disk));
	feed_look(&w->feed, w->now_ns, w->now_ns + 5);
}

static void pass(struct world *w, unsigned ms)
{
	w->now_ns += ms * 1000000ull;
	turn(w);
}

static int close_world(void **state)
{
	struct world *w = *state;
	journal_stop(w->journal);
	turn(w);
	turn(w);
	assert_int_equal(journal_state(w->journal), JOURNAL_OVER);
	journal_close(w->journal);
	feed_close(&w->feed);
	bufs_close(&w->bufs);
	disk_free(&w->disk.disk);
	free(w);
	return 0;
}

/* A request's head of a write, and who waits for it. */
static void put(struct world *w, uint64_t connection, bool wait)
{
	struct frame f = { .type = FRAME_REQUEST_HEAD,
			   .flags = FRAME_WRITE | FRAME_END,
			   .connection = connection,
			   .ordinal = 1 };
	struct span text = SPAN("POST / HTTP/1.1\r\n\r\n");
	feed_put(&w->feed, &f, &text, 1, NULL);
	if (wait)
		feed_wait(&w->feed, &w->wait);
	feed_push(&w->feed);
}

static void read_file(const uint8_t *bytes, struct found *to)
{
	struct segment_head head;
	struct frame f;
	struct span payload;
	size_t at = sizeof head;
	memcpy(&head, bytes, sizeof head);
	if (!segment_head_is_good(&head))
		return;
	while (frame_read(bytes + at, KIT_FILE_BYTES - at, head.id, &f, &payload) == FRAME_GOOD) {
		assert_true(to->n < 256);
		if (f.type == FRAME_GAP && to->gap_n < 8)
			memcpy(&to->gaps[to->gap_n++], payload.at, sizeof to->gaps[0]);
		if (f.type == FRAME_COMMIT)
			memcpy(&to->durable[to->n], payload.at, sizeof to->durable[0]);
		to->frames[to->n++] = f;
		at += frame_bytes(&f);
	}
}

/* What outlasts a crash now. */
static struct found survivors(const struct world *w)
{
	struct found found = { .n = 0 };
	for (unsigned i = 0; i < w->disk.file_n; i++)
		read_file(w->disk.files[i].synced, &found);
	return found;
}

/* What readers find now, and may find after a crash. */
static struct found written(const struct world *w)
{
	struct found found = { .n = 0 };
	for (unsigned i = 0; i < w->disk.file_n; i++)
		read_file(w->disk.files[i].bytes, &found);
	return found;
}

static unsigned gaps_of(const struct world *w)
{
	struct found all = survivors(w);
	unsigned n = 0;
	for (unsigned i = 0; i < all.n; i++)
		n += all.frames[i].type == FRAME_GAP;
	return n;
}

static bool has(const struct world *w, uint64_t connection)
{
	struct found all = survivors(w);
	for (unsigned i = 0; i < all.n; i++)
		if (all.frames[i].type == FRAME_REQUEST_HEAD &&
		    all.frames[i].connection == connection)
			return true;
	return false;
}

/* --- as it should be --- */

static void who_waits_hears_when_it_is_durable(void **state)
{
	struct world *w = *state;
	turn(w);
	assert_int_equal(journal_state(w->journal), JOURNAL_AVAILABLE);
	put(w, 1, true);
	assert_true(w->wakes > 0);
	journal_turn(w->journal, w->now_ns, 0);
	assert_true(kit_run(&w->disk)); /* written, not synced */
	feed_look(&w->feed, 0, 0);
	assert_int_equal(w->settled, 0);
	assert_false(has(w, 1));
	turn(w);
	assert_int_equal(w->settled, 1);
	assert_true(w->durable && has(w, 1) && w->feed_wakes == 1);
}

static void nobody_waits_for_a_read_and_it_is_written_in_a_while(void **state)
{
	struct world *w = *state;
	turn(w);
	put(w, 1, false);
	turn(w);
	pass(w, LOG_LAZY_MS - 1);
	assert_false(has(w, 1));
	assert_int_equal(journal_deadline_ns(w->journal) - w->now_ns, 1000000);
	pass(w, 1);
	assert_true(has(w, 1));
}

/* It is about to be handed over, or was in an earlier turn. */
static void a_read_whose_memory_is_needed_is_written_at_once(void **state)
{
	struct world *w = *state;
	turn(w);
	for (uint64_t n = 1; n <= 2; n++) {
		put(w, n, false);
		if (n == 2)
			turn(w);
		assert_false(has(w, n));
		feed_press(&w->feed);
		turn(w);
		assert_true(has(w, n));
	}
	struct frame f = { .type = FRAME_REQUEST_HEAD, .connection = 3, .ordinal = 1 };
	feed_put(&w->feed, &f, &SPAN("GET / HTTP/1.1\r\n\r\n"), 1, NULL);
	feed_press(&w->feed);
	feed_push(&w->feed);
	turn(w);
	assert_true(has(w, 3));
}

static void many_are_one_sync(void **state)
{
	struct world *w = *state;
	turn(w);
	unsigned before = w->disk.syncs;
	for (uint64_t i = 0; i < 50; i++)
		put(w, i, i == 30);
	turn(w);
	assert_int_equal(w->disk.syncs, before + 1);
	for (uint64_t i = 0; i < 50; i++)
		assert_true(has(w, i));
}

static void a_commit_counts_its_time_and_whom_it_serves(void **state)
{
	struct world *w = *state;
	turn(w);
	const struct journal_counts *c = journal_counts(w->journal);
	struct latency_seen before = { 0 }, after = { 0 };
	latency_see(&before, &c->commit_times);
	assert_true(c->waits == 0 && c->batches == 0);
	for (uint64_t i = 0; i < 3; i++)
		put(w, i, i == 1);
	journal_turn(w->journal, w->now_ns, 0);
	w->now_ns += 2000000;
	assert_true(kit_run(&w->disk)); /* written; now it is synced */
	w->now_ns += 3000000;
	turn(w);
	latency_see(&after, &c->commit_times);
	assert_int_equal(latency_count(&after), latency_count(&before) + 1);
	assert_int_equal(after.sum_us, before.sum_us + 5000);
	assert_int_equal(after.buckets[latency_bucket(5000)], 1);
	assert_true(c->waits == 1 && c->batches == 3);
}

/* It is not durable, whatever it took. */
static void a_sync_that_fails_is_no_commit(void **state)
{
	struct world *w = *state;
	turn(w);
	const struct journal_counts *c = journal_counts(w->journal);
	struct latency_seen before = { 0 }, after = { 0 };
	latency_see(&before, &c->commit_times);
	w->disk.fail = DISK_SYNC;
	w->disk.error = -EIO;
	put(w, 1, true);
	turn(w);
	latency_see(&after, &c->commit_times);
	assert_int_equal(latency_count(&after), latency_count(&before));
	assert_int_equal(c->waits, 0);
}

static void sequences_have_no_gap_and_commits_say_what_was_durable(void **state)
{
	struct world *w = *state;
	turn(w);
	for (uint64_t i = 0; i < 20; i++) {
		put(w, i, true);
		turn(w);
	}
	struct found all = survivors(w);
	assert_int_equal(all.n, 41);
	assert_int_equal(all.frames[0].type, FRAME_OWNER);
	assert_int_equal(all.frames[0].sequence, 1);
	for (unsigned i = 1; i < all.n; i++) {
		assert_int_equal(all.frames[i].sequence, i + 1);
		assert_int_equal(all.frames[i].type, i % 2 ? FRAME_COMMIT : FRAME_REQUEST_HEAD);
		assert_int_equal(all.frames[i].worker, i % 2 ? 0 : 3);
	}
}

static void a_full_segment_is_sealed_and_the_next_goes_on(void **state)
{
	struct world *w = *state;
	struct frame f = { .type = FRAME_REQUEST_BODY };
	static char bytes[60000];
	struct span part = { bytes, sizeof bytes };
	turn(w);
	for (int i = 0; i < 40; i++) {
		feed_put(&w->feed, &f, &part, 1, NULL);
		feed_push(&w->feed);
		pass(w, LOG_LAZY_MS);
	}
	assert_int_equal(w->disk.file_n, 3);
	assert_string_equal(w->disk.files[2].name, "00000007-00000003.capture");
	struct found all = survivors(w);
	unsigned seals = 0, bodies = 0;
	for (unsigned i = 0; i < all.n; i++) {
		assert_int_equal(all.frames[i].sequence, i + 1);
		seals += all.frames[i].type == FRAME_SEAL;
		bodies += all.frames[i].type == FRAME_REQUEST_BODY;
	}
	assert_int_equal(seals, 2);
	assert_int_equal(bodies, 40);
}

/* What the log says of the owner, by epochs: "3t" is the target in epoch 3; "h" a head, "d" a
 * worker that is drained, "." a segment's end. */
static void assert_owners(const struct world *w, const char *expected)
{
	char text[256] = "";
	size_t n = 0;
	for (unsigned i = 0; i < w->disk.file_n; i++) {
		const uint8_t *bytes = w->disk.files[i].synced;
		struct segment_head head;
		struct frame f;
		struct span payload;
		size_t at = sizeof head;
		memcpy(&head, bytes, sizeof head);
		for (; frame_read(bytes + at, KIT_FILE_BYTES - at, head.id, &f, &payload) ==
		       FRAME_GOOD;
		     at += frame_bytes(&f)) {
			struct record_owner o;
			assert_in_range(n, 0, sizeof text - 8);
			if (f.type == FRAME_REQUEST_HEAD)
				text[n++] = 'h';
			if (f.type == FRAME_DRAINED)
				text[n++] = 'd';
			if (f.type == FRAME_SEAL)
				text[n++] = '.';
			if (f.type != FRAME_OWNER)
				continue;
			memcpy(&o, payload.at, sizeof o);
			assert_int_equal(o.target, (f.flags & FRAME_TARGET) != 0);
			assert_int_equal(f.epoch, 0);
			n += (size_t)sprintf(text + n, "%u%c", (unsigned)o.epoch,
					     o.target ? 't' : 's');
		}
	}
	text[n] = 0;
	assert_string_equal(text, expected);
}

static void own(struct world *w, bool target, uint64_t epoch)
{
	journal_owner(w->journal,
		      &(struct record_owner){ .target = target, .since = epoch, .epoch = epoch });
}

static void the_owner_stands_at_both_ends_of_a_segment_and_where_it_changes(void **state)
{
	struct world *w = *state;
	turn(w);
	unsigned wakes = w->wakes;
	own(w, true, 3);
	assert_int_equal(w->wakes, wakes + 1);
	assert_true(journal_deadline_ns(w->journal) <= w->now_ns);
	/* It comes before what is decided by it. */
	put(w, 1, false);
	put(w, 2, false);
	turn(w);
	assert_owners(w, "0s3thh");
	assert_int_equal(journal_owner_durable(w->journal).epoch, 3);
	own(w, true, 3);
	pass(w, LOG_LAZY_MS);
	assert_owners(w, "0s3thh");
	own(w, false, 4);
	w->disk.fail = DISK_SYNC;
	w->disk.error = -EIO;
	turn(w);
	assert_int_equal(journal_owner_durable(w->journal).epoch, 3);
	pass(w, LOG_PROBE_MS);
	assert_owners(w, "0s3thh4s");
	assert_int_equal(journal_owner_durable(w->journal).epoch, 4);
	journal_stop(w->journal);
	turn(w);
	assert_owners(w, "0s3thh4s4s.");
}

static void a_worker_says_that_it_is_drained_and_waits_until_that_lasts(void **state)
{
	struct world *w = *state;
	turn(w);
	put(w, 1, false);
	feed_drained(&w->feed, 5, &w->wait);
	feed_push(&w->feed);
	assert_int_equal(w->settled, 0);
	turn(w);
	assert_int_equal(w->settled, 1);
	assert_true(w->durable);
	assert_owners(w, "0shd");
}

/* --- up to when all is durable --- */

static uint64_t until_ns(const struct world *w)
{
	return journal_counts(w->journal)->until_mono_ns;
}

static void the_time_up_to_which_all_is_durable_moves_on_by_itself(void **state)
{
	struct world *w = *state;
	turn(w);
	for (int i = 0; i < 3; i++) {
		pass(w, 10);
		assert_int_equal(until_ns(w), w->now_ns);
		assert_int_equal(journal_counts(w->journal)->until_wall_ns, w->now_ns + 5);
	}
}

static void it_does_not_pass_what_is_under_way(void **state)
{
	struct world *w = *state;
	turn(w);
	uint64_t put_ns = w->now_ns;
	struct frame f = { .type = FRAME_REQUEST_HEAD, .mono_ns = put_ns };
	feed_put(&w->feed, &f, NULL, 0, NULL);
	pass(w, 10);
	assert_int_equal(until_ns(w), put_ns);
	feed_push(&w->feed);
	pass(w, 10);
	assert_int_equal(until_ns(w), put_ns);
	pass(w, LOG_LAZY_MS);
	assert_int_equal(until_ns(w), w->now_ns);
	/* Nor while the log is away. */
	put(w, 2, true);
	w->disk.fail = DISK_SYNC;
	w->disk.error = -EIO;
	uint64_t before_ns = until_ns(w);
	turn(w);
	pass(w, 10);
	assert_int_equal(until_ns(w), before_ns);
	pass(w, LOG_PROBE_MS);
	assert_int_equal(until_ns(w), w->now_ns);
}

/* A turn that takes long: what it puts in the end is not of a time that the log has passed. */
static void what_is_put_late_is_not_of_an_earlier_time(void **state)
{
	struct world *w = *state;
	turn(w);
	uint64_t began_ns = w->now_ns;
	w->now_ns += 1000000;
	do
		journal_turn(w->journal, w->now_ns, w->now_ns);
	while (kit_run(&w->disk));
	assert_int_equal(until_ns(w), w->now_ns);
	struct frame f = { .type = FRAME_REQUEST_HEAD, .mono_ns = began_ns, .wall_ns = began_ns };
	feed_put(&w->feed, &f, NULL, 0, NULL);
	feed_push(&w->feed);
	turn(w);
	pass(w, LOG_LAZY_MS);
	struct found all = survivors(w);
	const struct frame *last = &all.frames[all.n - 1];
	assert_int_equal(last->type, FRAME_REQUEST_HEAD);
	assert_int_equal(last->mono_ns, began_ns + 1000000);
	assert_int_equal(last->wall_ns, began_ns + 1000000);
}

static void a_body_is_written_from_where_it_is(void **state)
{
	struct world *w = *state;
	struct chain body = { 0 };
	struct frame f = { .type = FRAME_REQUEST_BODY, .flags = FRAME_END };
	turn(w);
	for (int i = 0; i < 700; i++) {
		struct block *k = block_take(&w->bufs, BLOCK_SMALL, NULL);
		memset(k->data, 'a' + i % 26, 3);
		chain_add(&body, k, k->data, 3);
	}
	feed_put(&w->feed, &f, NULL, 0, &body);
	chain_drop(&body);
	assert_true(w->bufs.bytes_out > 0);
	feed_wait(&w->feed, &w->wait);
	feed_push(&w->feed);
	turn(w);
	assert_true(w->durable);
	assert_int_equal(w->bufs.bytes_out, 0);
	struct found all = survivors(w);
	size_t bytes = 0, ends = 0;
	for (unsigned i = 0; i < all.n; i++) {
		bytes += all.frames[i].type == FRAME_REQUEST_BODY ? all.frames[i].payload_n : 0;
		ends += (all.frames[i].flags & FRAME_END) != 0;
	}
	assert_int_equal(bytes, 2100);
	assert_int_equal(ends, 1);
}

static void what_comes_before_the_first_segment_waits_for_it(void **state)
{
	struct world *w = *state;
	put(w, 1, true);
	turn(w);
	assert_true(w->durable && has(w, 1));
}

/* --- as it should not be --- */

static void what_is_refused_is_not_in_the_log(void **state)
{
	static const enum disk_verb verbs[] = { DISK_WRITE, DISK_SYNC };
	struct world *w = *state;
	turn(w);
	for (uint64_t i = 0; i < 2; i++) {
		put(w, 2 * i, true);
		turn(w);
		assert_true(w->durable);
		w->disk.fail = verbs[i];
		w->disk.error = -EIO;
		w->disk.torn = 100000;
		put(w, 2 * i + 1, true);
		turn(w);
		assert_int_equal(w->settled, 2 * i + 2);
		assert_false(w->durable);
		assert_int_equal(journal_state(w->journal), JOURNAL_UNAVAILABLE);
		assert_int_equal(journal_error(w->journal), -EIO);
		pass(w, LOG_PROBE_MS);
		assert_int_equal(journal_state(w->journal), JOURNAL_AVAILABLE);
		assert_true(has(w, 2 * i));
		assert_false(has(w, 2 * i + 1));
	}
	struct found all = survivors(w);
	for (unsigned i = 0; i < all.n; i++)
		assert_int_equal(all.frames[i].sequence, i + 1);
}

/* A write is durable, the next one is not, and is not cut off. */
static void fail_to_cut(struct world *w)
{
	turn(w);
	put(w, 1, true);
	turn(w);
	w->disk.fail = DISK_SYNC;
	w->disk.error = -EIO;
	put(w, 2, true);
	journal_turn(w->journal, w->now_ns, 0);
	kit_run(&w->disk);
	kit_run(&w->disk); /* the sync fails */
	w->disk.fail = DISK_CUT;
	w->disk.error = -EIO;
	turn(w);
	assert_false(w->durable);
}

/* That the segment behind it can be cut makes the numbers before it no better. */
static void a_cut_gives_back_no_numbers_of_an_earlier_segment(void **state)
{
	struct world *w = *state;
	fail_to_cut(w);
	w->disk.fail = DISK_WRITE;
	w->disk.error = -ENOSPC;
	pass(w, LOG_PROBE_MS);
	assert_int_equal(journal_state(w->journal), JOURNAL_UNAVAILABLE);
	pass(w, LOG_PROBE_MS);
	put(w, 3, true);
	turn(w);
	struct found all = written(w);
	assert_int_equal(all.frames[all.n - 1].connection, 3);
	for (unsigned i = 1; i < all.n; i++)
		assert_true(all.frames[i].sequence > all.frames[i - 1].sequence);
}

static void a_log_that_cannot_be_cut_back_uses_no_number_twice(void **state)
{
	struct world *w = *state;
	fail_to_cut(w);
	pass(w, LOG_PROBE_MS);
	put(w, 3, true);
	turn(w);
	struct found all = survivors(w);
	uint64_t last = 0;
	for (unsigned i = 0; i < all.n; i++) {
		assert_true(all.frames[i].sequence > last);
		last = all.frames[i].sequence;
	}
	/* The owner, commit and head twice; what was durable before the new segment, the owner,
	 * commit and head. */
	assert_int_equal(last, 9);
	for (unsigned i = 0; i < all.n; i++)
		if (all.frames[i].sequence == 6)
			assert_int_equal(all.durable[i], 3);
}

static void a_full_disk_is_tried_again_and_a_gap_tells_what_passed(void **state)
{
	struct world *w = *state;
	turn(w);
	w->disk.fail = DISK_WRITE;
	w->disk.error = -ENOSPC;
	put(w, 1, true);
	turn(w);
	w->disk.fail = DISK_CREATE;
	w->disk.error = -ENOSPC;
	w->disk.always = true;
	for (int i = 0; i < 5; i++) {
		pass(w, LOG_PROBE_MS);
		assert_int_equal(journal_state(w->journal), JOURNAL_UNAVAILABLE);
		feed_lose(&w->feed, GAP_UNAVAILABLE, LOSS_READ);
		feed_lose(&w->feed, GAP_UNAVAILABLE, LOSS_WRITE);
	}
	uint64_t last_ns = w->now_ns;
	w->disk.error = 0;
	pass(w, LOG_PROBE_MS);
	assert_int_equal(journal_state(w->journal), JOURNAL_AVAILABLE);
	struct found all = survivors(w);
	assert_int_equal(all.gap_n, 1);
	assert_int_equal(all.gaps[0].reads, 5);
	assert_int_equal(all.gaps[0].writes, 5);
	assert_int_equal(all.gaps[0].reason, GAP_UNAVAILABLE);
	assert_int_equal(all.gaps[0].last_mono_ns, last_ns);
	pass(w, 10 * LOG_PROBE_MS);
	assert_int_equal(survivors(w).gap_n, 1); /* it is told once */
}

static void reads_that_gave_way_are_told_of_without_a_failure(void **state)
{
	struct world *w = *state;
	turn(w);
	feed_look(&w->feed, w->now_ns, w->now_ns);
	feed_lose(&w->feed, GAP_SHED, LOSS_READ);
	pass(w, LOSS_PAUSE_MS);
	struct found all = survivors(w);
	assert_int_equal(all.gap_n, 1);
	assert_int_equal(all.gaps[0].reason, GAP_SHED);
	assert_int_equal(all.gaps[0].reads, 1);
}

static void an_outcome_that_is_lost_is_counted(void **state)
{
	struct world *w = *state;
	struct frame f = { .type = FRAME_OUTCOME, .flags = FRAME_WRITE | FRAME_END };
	turn(w);
	w->disk.fail = DISK_SYNC;
	w->disk.error = -EIO;
	feed_put(&w->feed, &f, NULL, 0, NULL);
	feed_wait(&w->feed, &w->wait);
	feed_push(&w->feed);
	turn(w);
	assert_false(w->durable);
	pass(w, LOG_PROBE_MS);
	assert_int_equal(survivors(w).gaps[0].outcomes, 1);
}

/* A gap record that a worker makes. */
static void put_tunnel(struct world *w)
{
	struct frame f = { .type = FRAME_GAP, .connection = 7, .ordinal = 1 };
	struct record_gap gap = {
		.reads = 1, .request_bytes = 11, .response_bytes = 22, .reason = GAP_TUNNEL
	};
	feed_put(&w->feed, &f, &(struct span){ (const char *)&gap, sizeof gap }, 1, NULL);
	feed_push(&w->feed);
}

static void a_tunnels_gap_is_counted_when_it_is_durable(void **state)
{
	struct world *w = *state;
	turn(w);
	put_tunnel(w);
	turn(w);
	assert_int_equal(journal_counts(w->journal)->gaps, 0);
	pass(w, LOG_LAZY_MS);
	assert_int_equal(journal_counts(w->journal)->gaps, 1);
	assert_int_equal(survivors(w).gaps[0].request_bytes, 11);
}

static void a_tunnels_gap_that_fails_is_told_of_later(void **state)
{
	struct world *w = *state;
	turn(w);
	w->disk.fail = DISK_SYNC;
	w->disk.error = -EIO;
	put_tunnel(w);
	put_tunnel(w);
	turn(w);
	pass(w, LOG_LAZY_MS);
	assert_int_equal(survivors(w).gap_n, 0);
	pass(w, LOG_PROBE_MS);
	struct found all = survivors(w);
	assert_int_equal(all.gap_n, 1);
	assert_int_equal(all.gaps[0].reason, GAP_TUNNEL);
	assert_int_equal(all.gaps[0].reads, 2);
	assert_int_equal(all.gaps[0].request_bytes, 22);
	assert_int_equal(all.gaps[0].response_bytes, 44);
}

/* In the first segment that is durable, and in no other. */
static void what_a_start_found_is_told_once(void **state)
{
	struct world *w = *state;
	struct record_damage damages[DAMAGES_MAX];
	for (unsigned i = 0; i < DAMAGES_MAX; i++)
		damages[i] = (struct record_damage){ .gap.reason = GAP_DAMAGE, .bytes = i };
	journal_stop(w->journal);
	turn(w);
	journal_close(w->journal);
	begin(w, NULL, damages, DAMAGES_MAX);
	w->disk.fail = DISK_SYNC;
	w->disk.error = -EIO;
	turn(w);
	assert_int_equal(gaps_of(w), 0);
	pass(w, LOG_PROBE_MS);
	assert_int_equal(gaps_of(w), DAMAGES_MAX);
	assert_int_equal(journal_counts(w->journal)->gaps, DAMAGES_MAX);
	w->disk.fail = DISK_SYNC;
	w->disk.error = -EIO;
	put(w, 1, true);
	turn(w);
	pass(w, LOG_PROBE_MS);
	assert_int_equal(journal_state(w->journal), JOURNAL_AVAILABLE);
	assert_int_equal(gaps_of(w), DAMAGES_MAX);
}

static void a_stop_tells_of_what_was_lost_just_before(void **state)
{
	struct world *w = *state;
	turn(w);
	feed_lose(&w->feed, GAP_SHED, LOSS_READ);
	pass(w, LOSS_PAUSE_MS);
	feed_lose(&w->feed, GAP_SHED, LOSS_READ);
	turn(w);
	assert_int_equal(survivors(w).gap_n, 1);
	journal_stop(w->journal);
	turn(w);
	turn(w);
	assert_int_equal(journal_state(w->journal), JOURNAL_OVER);
	assert_int_equal(survivors(w).gap_n, 2);
}

static void what_is_pushed_while_it_is_unavailable_fails_at_once(void **state)
{
	struct world *w = *state;
	w->disk.fail = DISK_CREATE;
	w->disk.error = -EACCES;
	turn(w);
	put(w, 1, true);
	turn(w);
	assert_int_equal(w->settled, 1);
	assert_false(w->durable);
}

static void a_stop_writes_what_is_there_and_seals(void **state)
{
	struct world *w = *state;
	turn(w);
	put(w, 1, false);
	journal_stop(w->journal);
	turn(w);
	assert_int_equal(journal_state(w->journal), JOURNAL_OVER);
	struct found all = survivors(w);
	assert_int_equal(all.frames[all.n - 1].type, FRAME_SEAL);
	assert_int_equal(all.frames[all.n - 1].flags, FRAME_LAST);
	assert_true(has(w, 1));
}

/* --- capture.durable_at: kafka --- */

static void who_waits_hears_when_the_follower_has_it(void **state)
{
	struct world *w = *state;
	turn(w);
	put(w, 1, true);
	turn(w);
	assert_true(has(w, 1) && w->settled == 0);
	assert_true(journal_deadline_ns(w->journal) <= w->now_ns + KAFKA_LOOK_MS * 1000000ull);
	w->acknowledged = 1; /* the commit's frame, before that one */
	turn(w);
	assert_int_equal(w->settled, 0);
	w->acknowledged = 100;
	turn(w);
	assert_true(w->settled == 1 && w->durable);
	assert_int_equal(journal_queued(w->journal), 0);
}

static void a_late_follower_ends_the_wait_and_what_is_written_stays(void **state)
{
	struct world *w = *state;
	turn(w);
	put(w, 1, true);
	turn(w);
	pass(w, KAFKA_LATE_MS - 1);
	assert_int_equal(w->settled, 0);
	assert_false(journal_is_late(w->journal));
	pass(w, 1);
	assert_true(w->settled == 1 && w->late && !w->durable && has(w, 1));
	assert_true(journal_is_late(w->journal));
	assert_int_equal(journal_state(w->journal), JOURNAL_AVAILABLE);
	w->acknowledged = 100;
	pass(w, 1);
	assert_false(journal_is_late(w->journal));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)
#define FOLLOWED(name) cmocka_unit_test_setup_teardown(name, open_followed, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_tunnels_gap_is_counted_when_it_is_durable),
		TEST(a_tunnels_gap_that_fails_is_told_of_later),
		TEST(what_a_start_found_is_told_once),
		TEST(a_stop_tells_of_what_was_lost_just_before),
		TEST(who_waits_hears_when_it_is_durable),
		TEST(nobody_waits_for_a_read_and_it_is_written_in_a_while),
		TEST(a_read_whose_memory_is_needed_is_written_at_once),
		TEST(many_are_one_sync),
		TEST(a_commit_counts_its_time_and_whom_it_serves),
		TEST(a_sync_that_fails_is_no_commit),
		TEST(sequences_have_no_gap_and_commits_say_what_was_durable),
		TEST(a_full_segment_is_sealed_and_the_next_goes_on),
		TEST(the_owner_stands_at_both_ends_of_a_segment_and_where_it_changes),
		TEST(a_worker_says_that_it_is_drained_and_waits_until_that_lasts),
		TEST(the_time_up_to_which_all_is_durable_moves_on_by_itself),
		TEST(it_does_not_pass_what_is_under_way),
		TEST(what_is_put_late_is_not_of_an_earlier_time),
		TEST(a_body_is_written_from_where_it_is),
		TEST(what_comes_before_the_first_segment_waits_for_it),
		TEST(what_is_refused_is_not_in_the_log),
		TEST(a_log_that_cannot_be_cut_back_uses_no_number_twice),
		TEST(a_cut_gives_back_no_numbers_of_an_earlier_segment),
		TEST(a_full_disk_is_tried_again_and_a_gap_tells_what_passed),
		TEST(reads_that_gave_way_are_told_of_without_a_failure),
		TEST(an_outcome_that_is_lost_is_counted),
		TEST(what_is_pushed_while_it_is_unavailable_fails_at_once),
		TEST(a_stop_writes_what_is_there_and_seals),
		FOLLOWED(who_waits_hears_when_the_follower_has_it),
		FOLLOWED(a_late_follower_ends_the_wait_and_what_is_written_stays),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
