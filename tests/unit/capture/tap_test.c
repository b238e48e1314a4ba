/* What a tap knows of a log that fails: a request is counted once, whatever part of it is lost. */

#include "unit/cmocka_all.h"

#include <stdio.h>

#include "base/bug.h"
#include "capture/tap.h"
#include "unit/capture/kit.h"

struct world {
	struct kit_disk disk;
	struct journal *journal;
	struct bufs bufs;
	struct taps taps;
	struct unrecorded_process unrecorded;
	struct slab chunks;
	struct arena arena;
	struct msg request;
	struct capture_policy policy;
	struct tap *tap;
	uint64_t now_ns;
};

static uint64_t rng(void *world)
{
	const struct world *w = world;
	return w->disk.file_n + 1;
}

static uint64_t clock_ns(void *world)
{
	const struct world *w = world;
	return w->now_ns;
}

static void woken(void *world)
{
	(void)world;
}

static void feed_woken(struct feed *f)
{
	(void)f;
}

static void nothing(struct tap *t, enum batch_state became)
{
	(void)t;
	(void)became;
}

/* Until nothing is to be done now. */
static void turn(struct world *w)
{
	feed_push(&w->taps.feed);
	do
		journal_turn(w->journal, w->now_ns, w->now_ns);
	while (kit_run(&w->disk));
	feed_look(&w->taps.feed, w->now_ns, w->now_ns);
}

static void pass(struct world *w, unsigned ms)
{
	turn(w);
	w->now_ns += ms * 1000000ull;
	turn(w);
}

static int open_world(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	kit_disk_open(&w->disk);
	bufs_open(&w->bufs);
	taps_open(&w->taps, 0);
	counter_set(&w->unrecorded.worker_n, 1);
	feed_count_in(&w->taps.feed, w->unrecorded.lost[0]);
	w->now_ns = 1000000000;
	w->journal = journal_open(&(struct journal_config){ .disk = &w->disk.disk,
							    .generation = 1,
							    .node = "a",
							    .rng = rng,
							    .now_ns = clock_ns,
							    .world = w,
							    .segment_bytes = SEGMENT_BYTES_MIN,
							    .queue_bytes = LOG_QUEUE_BYTES,
							    .unrecorded = &w->unrecorded,
							    .wake = woken });
	feed_attach(&w->taps.feed, w->journal);
	feed_own(&w->taps.feed, &w->bufs, feed_woken, w);
	slab_open(&w->chunks, ARENA_CHUNK_BYTES, 4);
	arena_open(&w->arena, &w->chunks);
	msg_open(&w->request, &w->arena, MSG_REQUEST);
	msg_set_request(&w->request, SPAN("POST"), SPAN("/"));
	turn(w);
	*state = w;
	return 0;
}

static int close_world(void **state)
{
	struct world *w = *state;
	journal_stop(w->journal);
	turn(w);
	turn(w);
	journal_close(w->journal);
	taps_close(&w->taps);
	bufs_close(&w->bufs);
	arena_close(&w->arena);
	slab_close(&w->chunks);
	disk_free(&w->disk.disk);
	free(w);
	return 0;
}

static void open_tap(struct world *w, bool write, bool awaited)
{
	struct addr nobody = { 0 };
	struct tap_facts facts = { .connection = 1,
				   .ordinal = 1,
				   .write = write,
				   .client = &nobody,
				   .listener = "source" };
	w->tap = tap_open(&w->taps, &w->arena, &w->policy, &facts, &w->request, false, w, nothing);
	w->tap->awaited = awaited;
}

static void put_piece(struct world *w, bool end)
{
	struct chain none = { 0 };
	tap_request_data(w->tap, &none, end);
}

/* What was put fails to be written, and the log returns. */
static void lose(struct world *w)
{
	turn(w);
	w->disk.fail = DISK_WRITE;
	w->disk.error = -ENOSPC;
	pass(w, LOG_LAZY_MS);
	pass(w, LOG_PROBE_MS);
	assert_int_equal(journal_state(w->journal), JOURNAL_AVAILABLE);
}

static uint64_t lost_writes(const struct world *w)
{
	return atomic_load(&w->taps.feed.lost[GAP_UNAVAILABLE].writes);
}

static uint64_t lost_reads(const struct world *w)
{
	return atomic_load(&w->taps.feed.lost[GAP_UNAVAILABLE].reads);
}

static void a_piece_that_was_lost_while_the_log_was_away_is_known(void **state)
{
	struct world *w = *state;
	open_tap(w, true, true);
	pass(w, LOG_LAZY_MS);
	assert_false(w->tap->lost);
	put_piece(w, false);
	lose(w);
	assert_true(w->tap->lost);
	put_piece(w, true);
	pass(w, LOG_LAZY_MS);
	/* Who waits for it knows whether it passes. */
	assert_int_equal(lost_writes(w), 0);
	tap_close(w->tap);
}

static void a_write_that_nobody_waits_for_is_counted_once(void **state)
{
	struct world *w = *state;
	open_tap(w, true, false);
	lose(w);
	put_piece(w, true);
	lose(w);
	assert_int_equal(lost_writes(w), 1);
	assert_int_equal(lost_reads(w), 0);
	tap_close(w->tap);
}

static void a_read_that_has_lost_another_part_than_its_head_is_counted(void **state)
{
	struct world *w = *state;
	open_tap(w, false, false);
	pass(w, LOG_LAZY_MS);
	put_piece(w, true);
	lose(w);
	assert_int_equal(lost_reads(w), 1);
	tap_close(w->tap);
}

/* As many runs of text as a head can have: every second field is left out, others are replaced. */
static void a_head_of_all_kinds_of_fields_is_recorded(void **state)
{
	struct world *w = *state;
	struct msg m;
	open_tap(w, false, false);
	w->policy.redact[NAME_SET_COOKIE] = true;
	msg_open(&m, &w->arena, MSG_RESPONSE);
	msg_set_status(&m, 200, SPAN("OK"));
	while (msg_add(&m, m.field_n % 4 == 3 ? NAME_SET_COOKIE : NAME_DATE, SPAN("value")))
		m.fields[m.field_n - 1].dropped = m.field_n % 2;
	assert_int_equal(m.field_n, RESPONSE_FIELDS_MAX + FIELDS_ADDED_MAX);
	uint64_t before = w->taps.feed.open->log_bytes;
	tap_response(w->tap, &m, true, 0, "es-1:9200");
	uint64_t kept = m.field_n / 4, replaced = w->taps.feed.open->log_bytes - before;
	assert_in_range(replaced, kept * strlen("date: value\r\n"),
			kept * strlen("date: value\r\n") + 32 * 100 + 200);
	tap_close(w->tap);
	redactor_close(&w->taps.redactor);
}

static void what_is_lost_when_its_exchange_is_over_is_counted_once(void **state)
{
	struct world *w = *state;
	open_tap(w, false, false);
	put_piece(w, true);
	tap_close(w->tap);
	lose(w);
	assert_int_equal(lost_reads(w), 1);
}

/* As a client's farewell is, in the turn in which the last connection goes. */
static void what_was_put_and_not_handed_over_is_still_out(void **state)
{
	struct world *w = *state;
	assert_false(feed_is_out(&w->taps.feed));
	taps_closed(&w->taps, 1);
	assert_true(feed_is_out(&w->taps.feed));
	pass(w, LOG_LAZY_MS);
	assert_false(feed_is_out(&w->taps.feed));
}

/* --- outcomes that the log has lost --- */

struct outcomes {
	unsigned n, late, heads;
	struct record_outcome last;
};

/* What outlasts a crash now. */
static struct outcomes outcomes(const struct world *w)
{
	struct outcomes all = { 0 };
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
			all.heads += f.type == FRAME_REQUEST_HEAD;
			if (f.type != FRAME_OUTCOME)
				continue;
			all.n++;
			all.late += (f.flags & FRAME_LATE) != 0;
			memcpy(&all.last, payload.at, sizeof all.last);
		}
	}
	return all;
}

static void tell(struct world *w)
{
	struct record_outcome o = { .outcome = OUTCOME_ACCEPTED,
				    .status = 201,
				    .responded_mono_ns = 77 };
	tap_outcome(w->tap, o, "es-1:9200", NULL);
	tap_close(w->tap);
}

static void fail_next(struct world *w, enum disk_verb verb)
{
	w->disk.fail = verb;
	w->disk.error = -EIO;
}

static void an_outcome_that_was_lost_is_put_when_the_log_is_back(void **state)
{
	struct world *w = *state;
	open_tap(w, true, true);
	put_piece(w, true);
	pass(w, LOG_LAZY_MS);
	tell(w);
	turn(w);
	fail_next(w, DISK_SYNC);
	pass(w, LOG_LAZY_MS);
	assert_int_equal(journal_state(w->journal), JOURNAL_UNAVAILABLE);
	assert_int_equal(outcomes(w).n, 0);
	/* Who might begin something new sees that it waits. */
	assert_true(journal_queued(w->journal) > 0);
	fail_next(w, DISK_WRITE);
	pass(w, LOG_PROBE_MS);
	assert_int_equal(outcomes(w).n, 0);
	pass(w, LOG_PROBE_MS);
	struct outcomes all = outcomes(w);
	assert_int_equal(all.n, 1);
	assert_int_equal(all.late, 1);
	assert_int_equal(all.last.outcome, OUTCOME_ACCEPTED);
	assert_int_equal(all.last.status, 201);
	assert_int_equal(all.last.responded_mono_ns, 77);
	assert_int_equal(journal_queued(w->journal), 0);
	pass(w, 3 * LOG_PROBE_MS);
	assert_int_equal(outcomes(w).n, 1);
	/* It was counted when it was lost, and once. */
	assert_int_equal(atomic_load(&w->taps.feed.lost[GAP_UNAVAILABLE].outcomes), 1);
}

static void no_outcome_is_owed_to_what_the_log_has_not(void **state)
{
	struct world *w = *state;
	open_tap(w, true, true);
	put_piece(w, true);
	tell(w);
	lose(w);
	assert_int_equal(outcomes(w).n, 0);
	assert_int_equal(outcomes(w).heads, 0);
}

/* Its head is in the segment, for that could not be cut. */
static void what_could_not_be_cut_off_is_told_of(void **state)
{
	struct world *w = *state;
	open_tap(w, true, true);
	put_piece(w, true);
	turn(w);
	w->now_ns += LOG_LAZY_MS * 1000000ull;
	fail_next(w, DISK_SYNC);
	journal_turn(w->journal, w->now_ns, w->now_ns);
	while (w->disk.error)
		kit_run(&w->disk);
	fail_next(w, DISK_CUT);
	turn(w);
	feed_look(&w->taps.feed, w->now_ns, w->now_ns);
	assert_true(w->tap->lost && !w->tap->unwritten);
	tap_forsake(w->tap, OUTCOME_NOT_SENT);
	tap_close(w->tap);
	pass(w, LOG_PROBE_MS);
	pass(w, LOG_LAZY_MS);
	assert_int_equal(outcomes(w).n, 1);
	assert_int_equal(outcomes(w).last.outcome, OUTCOME_NOT_SENT);
}

static void what_is_given_up_without_an_outcome_is_unknown(void **state)
{
	struct world *w = *state;
	open_tap(w, true, true);
	pass(w, LOG_LAZY_MS);
	put_piece(w, true);
	lose(w);
	tap_close(w->tap);
	pass(w, LOG_LAZY_MS);
	assert_int_equal(outcomes(w).n, 1);
	assert_int_equal(outcomes(w).last.outcome, OUTCOME_UNKNOWN);
}

/* --- at the limit --- */

static void at_the_limit_what_is_under_way_is_written(void **state)
{
	struct world *w = *state;
	open_tap(w, true, true);
	put_piece(w, true);
	pass(w, LOG_LAZY_MS);
	journal_limit(w->journal, 0);
	turn(w);
	assert_int_equal(journal_state(w->journal), JOURNAL_UNAVAILABLE);
	assert_int_equal(journal_error(w->journal), -EDQUOT);
	tell(w);
	pass(w, LOG_LAZY_MS);
	assert_int_equal(outcomes(w).n, 1);
	assert_int_equal(outcomes(w).late, 0);
	assert_int_equal(journal_state(w->journal), JOURNAL_UNAVAILABLE);
	journal_limit(w->journal, UINT64_MAX);
	turn(w);
	assert_int_equal(journal_state(w->journal), JOURNAL_AVAILABLE);
}

static void put_bytes(struct world *w, size_t n)
{
	static char bytes[FRAME_PAYLOAD_BYTES];
	struct frame like = { .type = FRAME_REQUEST_BODY, .connection = 1, .ordinal = 1 };
	must(n <= sizeof bytes);
	feed_put(&w->taps.feed, &like, &(struct span){ bytes, n }, 1, NULL);
}

/* Beyond that it fails as a full disk does, and nothing stays open. */
static void a_segment_behind_the_limit_nothing_is_written(void **state)
{
	struct world *w = *state;
	open_tap(w, true, true);
	put_piece(w, true);
	pass(w, LOG_LAZY_MS);
	journal_limit(w->journal, 0);
	put_bytes(w, SEGMENT_BYTES_MIN / 2);
	pass(w, LOG_LAZY_MS);
	assert_false(w->tap->lost);
	put_bytes(w, SEGMENT_BYTES_MIN / 2);
	pass(w, LOG_LAZY_MS);
	tell(w);
	pass(w, LOG_PROBE_MS);
	assert_int_equal(outcomes(w).n, 0);
	assert_int_equal(journal_error(w->journal), -EDQUOT);
	journal_limit(w->journal, UINT64_MAX);
	pass(w, LOG_PROBE_MS);
	assert_int_equal(journal_state(w->journal), JOURNAL_AVAILABLE);
	assert_int_equal(outcomes(w).n, 1);
	assert_int_equal(outcomes(w).last.status, 201);
}

/* A gap would take what is left of the room, second by second. */
static void at_the_limit_gaps_wait(void **state)
{
	struct world *w = *state;
	journal_limit(w->journal, 0);
	turn(w);
	uint64_t bytes = journal_counts(w->journal)->bytes;
	for (int i = 0; i < 5; i++) {
		feed_lose(&w->taps.feed, GAP_UNAVAILABLE, LOSS_READ);
		pass(w, LOSS_PAUSE_MS);
		assert_true(journal_deadline_ns(w->journal) > w->now_ns);
	}
	assert_int_equal(journal_counts(w->journal)->bytes, bytes);
	journal_limit(w->journal, UINT64_MAX);
	turn(w);
	assert_int_equal(journal_counts(w->journal)->gaps, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)
	const struct CMUnitTest tests[] = {
		TEST(a_piece_that_was_lost_while_the_log_was_away_is_known),
		TEST(a_write_that_nobody_waits_for_is_counted_once),
		TEST(a_read_that_has_lost_another_part_than_its_head_is_counted),
		TEST(a_head_of_all_kinds_of_fields_is_recorded),
		TEST(what_is_lost_when_its_exchange_is_over_is_counted_once),
		TEST(what_was_put_and_not_handed_over_is_still_out),
		TEST(an_outcome_that_was_lost_is_put_when_the_log_is_back),
		TEST(no_outcome_is_owed_to_what_the_log_has_not),
		TEST(what_could_not_be_cut_off_is_told_of),
		TEST(what_is_given_up_without_an_outcome_is_unknown),
		TEST(at_the_limit_what_is_under_way_is_written),
		TEST(a_segment_behind_the_limit_nothing_is_written),
		TEST(at_the_limit_gaps_wait),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
