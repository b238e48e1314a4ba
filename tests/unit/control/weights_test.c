#include "unit/control/kit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "control/weights.h"
#include "control/weights_json.h"
#include "base/limits.h"

/* A board with two workers that acknowledge when the test says so, and time that it turns. */
struct world {
	char directory[64];
	struct board *board;
	struct board_slot *slots[2];
	struct wheel wheel;
	struct disk_jobs disk; /* without a thread: it does what it has when a test looks */
	struct change_lock lock;
	struct weights weights;
	struct evidence evidence;
	unsigned wakes, done;
	uint64_t now_ms;
};

static void changed(void *observer, const struct state_values *from, const struct state_values *to)
{
	struct world *w = observer;
	assert_true(to->epoch > from->epoch);
	w->wakes++;
}

/* The clock of the weights: the wheel's time, and what it is behind. */
static uint64_t test_now_ms;

static uint64_t test_clock(void)
{
	return test_now_ms * 1000000;
}

static void start(struct world *w, uint32_t source, uint32_t target)
{
	char error[WEIGHTS_TEXT_BYTES];
	assert_true(weights_open(&w->weights, w->board, w->directory,
				 (uint32_t[]){ source, target }, &w->evidence, error));
	wheel_open(&w->wheel, w->now_ms);
	assert_true(disk_jobs_open(&w->disk, NULL));
	change_lock_open(&w->lock, &w->wheel);
	weights_attach(&w->weights, &w->wheel, &w->disk, &w->lock, changed, w);
	w->weights.now_ns = test_clock;
	test_now_ms = w->now_ms;
}

/* As a worker does at the beginning of its turn. */
static void acknowledge(struct world *w, unsigned worker)
{
	uint64_t epoch = board_read(w->board).epoch;
	board_acknowledge(w->slots[worker], epoch, &(struct board_counts){ 0 });
}

static void acknowledge_all(struct world *w)
{
	for (unsigned i = 0; i < 2; i++)
		acknowledge(w, i);
}

static void end(struct world *w)
{
	assert_true(disk_jobs_close(&w->disk, 0));
	weights_close(&w->weights);
}

static void world_open(struct world *w)
{
	*w = (struct world){ .now_ms = 1000 };
	kit_directory(w->directory);
	w->board = aligned_alloc(64, sizeof *w->board);
	assert_non_null(w->board);
	board_format(w->board, 7);
	start(w, 1, 0);
	for (uint32_t i = 0; i < 2; i++) {
		w->slots[i] = board_take_slot(w->board, 4711, i);
		acknowledge(w, i);
	}
}

static void world_close(struct world *w)
{
	end(w);
	free(w->board);
	kit_remove(w->directory);
}

/* While the disk stands still. */
static void pass_without_disk(struct world *w, uint64_t ms)
{
	for (uint64_t i = 0; i < ms; i++) {
		test_now_ms++;
		wheel_turn(&w->wheel, ++w->now_ms);
	}
}

static void pass(struct world *w, uint64_t ms)
{
	for (uint64_t i = 0; i < ms; i++) {
		pass_without_disk(w, 1);
		disk_jobs_look(&w->disk);
	}
}

/* With a disk that has done it at once. */
static enum weights_verdict set(struct world *w, struct weights_change *c)
{
	weights_set(&w->weights, c);
	disk_jobs_look(&w->disk);
	return c->verdict;
}

static void done(struct weights_change *c)
{
	struct world *w = c->caller;
	w->done += weights_stand(c->verdict);
}

static struct weights_change change(struct world *w, uint32_t source, uint32_t target)
{
	return (struct weights_change){
		.weights = { source, target }, .done = done, .caller = w, .who = "test"
	};
}

static void assert_in_force(const struct world *w, uint64_t epoch, uint32_t source, uint32_t target)
{
	struct board_values v = board_read(w->board);
	assert_int_equal(v.epoch, epoch);
	assert_int_equal(v.weights[ARM_SOURCE], source);
	assert_int_equal(v.weights[ARM_TARGET], target);
}

static struct state_values on_disk(const struct world *w)
{
	struct state s;
	struct state_values v;
	enum state_trouble trouble;
	assert_true(state_open(&s, w->directory, &v, &trouble));
	state_close(&s);
	return v;
}

static void a_change_is_over_when_each_worker_uses_it(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	assert_in_force(&w, 1, 1, 0);
	struct weights_change c = change(&w, 9, 1);
	assert_int_equal(set(&w, &c), WEIGHTS_WAITING);
	assert_in_force(&w, 2, 9, 1);
	assert_int_equal(on_disk(&w).epoch, 2);
	assert_true(w.wakes > 0);
	acknowledge(&w, 0);
	pass(&w, 100);
	assert_int_equal(w.done, 0);
	acknowledge(&w, 1);
	atomic_store(&w.slots[1]->in_flight_before, 7);
	pass(&w, 100);
	assert_int_equal(w.done, 1);
	assert_int_equal(c.verdict, WEIGHTS_ACKNOWLEDGED);
	assert_int_equal(c.in_flight_before, 7);
	assert_int_equal(c.from.epoch, 1);
	assert_non_null(strstr(kit_read(w.directory, "audit.jsonl"), "\"who\":\"test\""));
	world_close(&w);
}

static void a_late_worker_is_named_and_the_change_stands(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	struct weights_change c = change(&w, 5, 5);
	set(&w, &c);
	acknowledge(&w, 0);
	pass(&w, ACKNOWLEDGE_TIMEOUT_MS - 100);
	assert_int_equal(w.done, 0);
	pass(&w, 200);
	assert_int_equal(w.done, 1);
	assert_int_equal(c.verdict, WEIGHTS_LATE);
	assert_int_equal(c.late_n, 1);
	assert_int_equal(c.late[0].worker, 1);
	assert_int_equal(c.late[0].pid, 4711);
	assert_in_force(&w, 2, 5, 5);
	world_close(&w);
}

static void who_hangs_up_is_told_of_nothing_and_the_change_stands(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	struct weights_change c = change(&w, 5, 5);
	set(&w, &c);
	weights_forget(&c);
	weights_forget(&c);	    /* nothing waits any more */
	memset(&c, 0xee, sizeof c); /* its memory is somebody else's */
	acknowledge_all(&w);
	pass(&w, 2 * ACKNOWLEDGE_TIMEOUT_MS);
	assert_int_equal(w.done, 0);
	assert_in_force(&w, 2, 5, 5);
	assert_int_equal(on_disk(&w).epoch, 2);
	world_close(&w);
}

/* The disk takes its time, and the workers get all of theirs behind it. */
static void a_slow_save_leaves_the_workers_their_time(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	struct weights_change c = change(&w, 5, 5);
	assert_int_equal(weights_set(&w.weights, &c), WEIGHTS_WAITING);
	pass_without_disk(&w, 3 * ACKNOWLEDGE_TIMEOUT_MS);
	assert_in_force(&w, 1, 1, 0);
	assert_int_equal(w.done, 0);
	disk_jobs_look(&w.disk);
	assert_in_force(&w, 2, 5, 5);
	pass(&w, ACKNOWLEDGE_TIMEOUT_MS / 2);
	assert_int_equal(w.done, 0);
	acknowledge_all(&w);
	pass(&w, 100);
	assert_int_equal(w.done, 1);
	assert_int_equal(c.verdict, WEIGHTS_ACKNOWLEDGED);
	world_close(&w);
}

/* The lines of the audit's file. */
static unsigned audit_lines(const struct world *w)
{
	unsigned n = 0;
	for (const char *at = kit_read(w->directory, "audit.jsonl"); *at; at++)
		n += *at == '\n';
	return n;
}

/* --- one at a time --- */

static void a_change_takes_its_epoch_when_the_one_before_it_is_in_force(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	struct weights_change a = change(&w, 5, 5), b = change(&w, 4, 6), stale = change(&w, 3, 7);
	stale.if_epoch = 2;
	assert_int_equal(weights_set(&w.weights, &a), WEIGHTS_WAITING);
	assert_int_equal(weights_set(&w.weights, &b), WEIGHTS_WAITING);
	assert_int_equal(weights_set(&w.weights, &stale), WEIGHTS_WAITING);
	assert_int_equal(w.disk.n, 1);
	pass(&w, 10);
	acknowledge_all(&w);
	pass(&w, 50);
	assert_int_equal(w.done, 2);
	assert_int_equal(a.to.epoch, 2);
	assert_int_equal(b.from.epoch, 2);
	assert_int_equal(b.to.epoch, 3);
	assert_int_equal(stale.verdict, WEIGHTS_STALE);
	assert_in_force(&w, 3, 4, 6);
	world_close(&w);
}

static void who_waits_for_a_change_that_does_not_end_is_told(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	struct weights_change a = change(&w, 5, 5), b = change(&w, 4, 6), c = change(&w, 3, 7);
	weights_set(&w.weights, &a);
	weights_set(&w.weights, &b);
	pass_without_disk(&w, CHANGE_WAIT_MS - 10);
	assert_int_equal(b.verdict, WEIGHTS_WAITING);
	weights_set(&w.weights, &c);
	pass_without_disk(&w, 20);
	assert_int_equal(b.verdict, WEIGHTS_BUSY);
	assert_non_null(strstr(w.lock.what, "source 5, target 5, by test"));
	weights_forget(&c);
	disk_jobs_look(&w.disk);
	weights_forget(&a);
	pass(&w, 50);
	assert_in_force(&w, 2, 5, 5);
	world_close(&w);
}

static void going_back_waits_for_no_change_that_is_being_saved(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	struct weights_change away = change(&w, 0, 1), back = change(&w, 1, 0);
	back.at_once = true;
	weights_set(&w.weights, &away);
	assert_int_equal(weights_set(&w.weights, &back), WEIGHTS_WAITING);
	assert_in_force(&w, 3, 1, 0);
	disk_jobs_look(&w.disk);
	assert_int_equal(away.verdict, WEIGHTS_OVERTAKEN);
	assert_in_force(&w, 3, 1, 0);
	assert_int_equal(on_disk(&w).epoch, 3);
	assert_true(on_disk(&w).rolled_back);
	assert_null(strstr(kit_read(w.directory, "audit.jsonl"), "\"epoch\":2,"));
	acknowledge_all(&w);
	pass(&w, 50);
	assert_int_equal(back.verdict, WEIGHTS_ACKNOWLEDGED);
	assert_int_equal(back.error, 0);
	world_close(&w);
}

static void who_goes_back_hears_of_it_though_the_disk_says_nothing(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	struct weights_change back = change(&w, 1, 0);
	back.at_once = true;
	weights_set(&w.weights, &back);
	acknowledge_all(&w);
	pass_without_disk(&w, SAVE_WAIT_MS - 100);
	assert_int_equal(w.done, 0);
	pass_without_disk(&w, 200);
	assert_int_equal(w.done, 1);
	assert_int_equal(back.verdict, WEIGHTS_ACKNOWLEDGED);
	assert_int_equal(back.error, ETIMEDOUT);
	assert_true(back.untold);
	disk_jobs_look(&w.disk);
	assert_int_equal(on_disk(&w).epoch, 2);
	assert_non_null(strstr(kit_read(w.directory, "audit.jsonl"), "\"saved\":true"));
	world_close(&w);
}

static void an_epoch_may_be_given_and_must_be_new(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	struct weights_change c = change(&w, 5, 5), again = change(&w, 6, 4);
	c.epoch = 9;
	assert_int_equal(set(&w, &c), WEIGHTS_WAITING);
	assert_in_force(&w, 9, 5, 5);
	again.epoch = 9;
	assert_int_equal(set(&w, &again), WEIGHTS_STALE);
	again.epoch = 0;
	assert_int_equal(set(&w, &again), WEIGHTS_WAITING);
	assert_in_force(&w, 10, 6, 4);
	world_close(&w);
}

static void what_is_under_way_ends_before_another_process_leads(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	struct weights_change a = change(&w, 5, 5), b = change(&w, 4, 6);
	weights_set(&w.weights, &a);
	weights_set(&w.weights, &b);
	change_lock_hand_over(&w.lock);
	assert_int_equal(b.verdict, WEIGHTS_HANDED_OVER);
	assert_false(disk_jobs_are_over(&w.disk));
	disk_jobs_look(&w.disk);
	weights_yield(&w.weights);
	assert_false(disk_jobs_are_over(&w.disk));
	disk_jobs_look(&w.disk);
	assert_int_equal(audit_lines(&w), 1);
	assert_in_force(&w, 2, 5, 5);
	assert_int_equal(on_disk(&w).epoch, 2);
	assert_int_equal(w.weights.ledger.state.fd, -1);
	world_close(&w);
}

static void two_changes_may_wait_at_once(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	struct weights_change a = change(&w, 5, 5), b = change(&w, 4, 6);
	set(&w, &a);
	set(&w, &b);
	for (int i = 0; i < 2; i++)
		acknowledge(&w, i);
	pass(&w, 50);
	assert_int_equal(w.done, 2);
	assert_int_equal(a.to.epoch, 2);
	assert_int_equal(b.to.epoch, 3);
	assert_int_equal(b.from.weights[ARM_SOURCE], 5);
	world_close(&w);
}

static void what_makes_no_sense_changes_nothing(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	struct weights_change zero = change(&w, 0, 0), stale = change(&w, 1, 1);
	stale.if_epoch = 7;
	assert_int_equal(set(&w, &zero), WEIGHTS_ZERO);
	assert_int_equal(set(&w, &stale), WEIGHTS_STALE);
	assert_in_force(&w, 1, 1, 0);
	assert_int_equal(on_disk(&w).epoch, 1);
	pass(&w, 100);
	assert_int_equal(w.done, 0);
	stale.if_epoch = 1;
	assert_int_equal(set(&w, &stale), WEIGHTS_WAITING);
	weights_forget(&stale);
	assert_in_force(&w, 2, 1, 1);
	world_close(&w);
}

/* The state's descriptor is one for reading only: as good as a disk that fails. */
static int break_disk(struct world *w)
{
	char path[128];
	int good = w->weights.ledger.state.fd;
	snprintf(path, sizeof path, "%s/weights", w->directory);
	w->weights.ledger.state.fd = open(path, O_RDONLY | O_CLOEXEC);
	return good;
}

static void mend_disk(struct world *w, int good)
{
	close(w->weights.ledger.state.fd);
	w->weights.ledger.state.fd = good;
}

static void without_a_disk_a_change_is_refused(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	int good = break_disk(&w);
	struct weights_change c = change(&w, 5, 5);
	assert_int_equal(set(&w, &c), WEIGHTS_UNSAVED);
	assert_int_not_equal(c.error, 0);
	assert_in_force(&w, 1, 1, 0);
	mend_disk(&w, good);
	world_close(&w);
}

static void going_back_works_without_a_disk_and_is_saved_when_there_is_one(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	struct weights_change away = change(&w, 0, 1), back = change(&w, 1, 0);
	set(&w, &away);
	weights_forget(&away);
	int good = break_disk(&w);
	back.at_once = true;
	assert_int_equal(set(&w, &back), WEIGHTS_WAITING);
	assert_in_force(&w, 3, 1, 0);
	assert_int_not_equal(back.error, 0);
	for (int i = 0; i < 2; i++)
		acknowledge(&w, i);
	pass(&w, 20000);
	assert_int_equal(back.verdict, WEIGHTS_ACKNOWLEDGED);
	assert_int_not_equal(w.weights.unsaved, 0);
	assert_int_equal(on_disk(&w).epoch, 2);
	assert_non_null(strstr(kit_read(w.directory, "audit.jsonl"), "\"saved\":false"));
	mend_disk(&w, good);
	pass(&w, 6000);
	assert_int_equal(w.weights.unsaved, 0);
	assert_int_equal(on_disk(&w).epoch, 3);
	world_close(&w);
}

/* A directory of that name: as good as a disk that is full. */
static void break_audit(const struct world *w, bool broken)
{
	char path[128], aside[128];
	snprintf(path, sizeof path, "%s/audit.jsonl", w->directory);
	snprintf(aside, sizeof aside, "%s/aside", w->directory);
	if (broken) {
		assert_int_equal(rename(path, aside), 0);
		assert_int_equal(mkdir(path, 0700), 0);
	} else {
		assert_int_equal(rmdir(path), 0);
		assert_int_equal(rename(aside, path), 0);
	}
}

static void roll_back(struct world *w, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		struct weights_change back = change(w, 1, 0);
		back.at_once = true;
		assert_int_equal(set(w, &back), WEIGHTS_WAITING);
		assert_true(back.untold);
		weights_forget(&back);
	}
}

static void each_rollback_gets_its_line_in_order_when_there_is_room(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	break_audit(&w, true);
	roll_back(&w, 60);
	assert_int_equal(w.weights.untold, 60);
	struct weights_change c = change(&w, 5, 5);
	assert_int_equal(set(&w, &c), WEIGHTS_UNTOLD);
	break_audit(&w, false);
	pass(&w, 6000);
	assert_int_equal(w.weights.untold, 0);
	assert_int_equal(audit_lines(&w), 60);
	const char *at = kit_read(w.directory, "audit.jsonl");
	for (unsigned epoch = 2; epoch < 62; epoch++) {
		char text[32];
		snprintf(text, sizeof text, "\"epoch\":%u,", epoch);
		at = strstr(at, text);
		assert_non_null(at);
	}
	assert_null(strstr(kit_read(w.directory, "audit.jsonl"), "without_a_line"));
	world_close(&w);
}

static void rollbacks_beyond_what_is_kept_are_told_of_by_the_last_one(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	break_audit(&w, true);
	roll_back(&w, AUDIT_OWED_MAX + 10);
	assert_int_equal(w.weights.untold, AUDIT_OWED_MAX + 10);
	break_audit(&w, false);
	pass(&w, 6000);
	assert_int_equal(audit_lines(&w), AUDIT_OWED_MAX);
	assert_non_null(strstr(kit_read(w.directory, "audit.jsonl"),
			       "\"without_a_line\":{\"changes\":10,\"first_epoch\":257,"
			       "\"last_epoch\":266}}\n"));
	world_close(&w);
}

/* Whoever ends or hands over does not know of what is owed. */
static void what_is_owed_is_told_at_the_end(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	break_audit(&w, true);
	roll_back(&w, 3);
	break_audit(&w, false);
	weights_yield(&w.weights);
	disk_jobs_look(&w.disk);
	assert_int_equal(audit_lines(&w), 3);
	world_close(&w);
}

/* Clients may not override it, through restarts, until somebody says what is to hold next. */
/* Killed between the change and its line: who comes next writes it, from what was saved with it. */
static void a_change_without_its_line_gets_it_from_the_next_process(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	for (uint32_t target = 1; target < 3; target++) {
		struct weights_change c = change(&w, 5, target);
		c.forced = true;
		snprintf(c.why, sizeof c.why, "step %u \"\xc3\xa9\"", target);
		assert_int_equal(set(&w, &c), WEIGHTS_WAITING);
		weights_forget(&c);
	}
	end(&w);
	char path[128], whole[4096];
	snprintf(path, sizeof path, "%s/audit.jsonl", w.directory);
	snprintf(whole, sizeof whole, "%s", kit_read(w.directory, "audit.jsonl"));
	assert_int_equal(truncate(path, strchr(whole, '\n') + 1 - whole), 0);
	w.evidence.untold = true;
	start(&w, 1, 0);
	assert_string_equal(kit_read(w.directory, "audit.jsonl"), whole);
	world_close(&w);
}

static void a_rollback_is_one_until_the_next_change(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	struct weights_change back = change(&w, 1, 0), on = change(&w, 1, 0);
	back.at_once = true;
	assert_false(board_read(w.board).rolled_back);
	set(&w, &back);
	weights_forget(&back);
	assert_true(board_read(w.board).rolled_back);
	assert_true(on_disk(&w).rolled_back);
	set(&w, &on);
	weights_forget(&on);
	assert_false(board_read(w.board).rolled_back);
	assert_false(on_disk(&w).rolled_back);
	world_close(&w);
}

static void a_restart_takes_the_greater_epoch_of_board_and_file(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	struct weights_change c = change(&w, 20, 30);
	set(&w, &c);
	weights_forget(&c);
	/* The machine restarts: the board is new, the file holds. */
	end(&w);
	board_format(w.board, 7);
	start(&w, 1, 0);
	assert_in_force(&w, 2, 20, 30);
	/* The process restarts, and the file has missed a change: the board holds, and is saved. */
	end(&w);
	board_publish(w.board, &(struct board_values){ .epoch = 9, .weights = { 7, 8 } });
	start(&w, 1, 0);
	assert_in_force(&w, 9, 7, 8);
	assert_int_equal(on_disk(&w).epoch, 9);
	assert_int_equal(on_disk(&w).weights[ARM_TARGET], 8);
	world_close(&w);
}

/* Weights move, and the owner of the writes does not, on the board and on the disk. */
static void a_change_of_weights_leaves_the_owner(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	end(&w);
	board_publish(w.board, &(struct board_values){ .epoch = 5,
						       .weights = { 1, 1 },
						       .owner = ARM_TARGET,
						       .since = 4,
						       .room = { 99 } });
	start(&w, 1, 0);
	for (unsigned i = 0; i < 2; i++) {
		struct weights_change c = change(&w, 20, 30);
		c.at_once = i;
		set(&w, &c);
		weights_forget(&c);
		struct board_values v = board_read(w.board);
		assert_int_equal(v.epoch, 6 + i);
		assert_int_equal(v.owner, ARM_TARGET);
		assert_int_equal(v.since, 4);
		assert_int_equal(v.room[0], 99);
		assert_int_equal(on_disk(&w).epoch, 6 + i);
		assert_int_equal(on_disk(&w).owner, ARM_TARGET);
		assert_int_equal(on_disk(&w).since, 4);
	}
	/* The machine restarts. */
	end(&w);
	board_format(w.board, 7);
	start(&w, 1, 0);
	assert_int_equal(board_read(w.board).owner, ARM_TARGET);
	assert_int_equal(board_read(w.board).since, 4);
	world_close(&w);
}

/* Its process was killed: nobody waits for ever. */
static void a_hold_does_not_outlive_its_process(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	end(&w);
	board_publish(w.board, &(struct board_values){ .epoch = 5,
						       .weights = { 1, 1 },
						       .phase = BOARD_PHASE_HOLD,
						       .deadline_ns = 1 });
	start(&w, 1, 0);
	struct board_values v = board_read(w.board);
	assert_int_equal(v.epoch, 5 + HELD_EPOCHS);
	assert_false(board_holds(&v));
	assert_int_equal(v.deadline_ns, 0);
	assert_int_equal(on_disk(&w).epoch, 5 + HELD_EPOCHS);
	assert_int_equal(on_disk(&w).phase, BOARD_PHASE_OPEN);
	world_close(&w);
}

static void a_state_that_cannot_be_opened_is_said(void **state)
{
	(void)state;
	struct board *board = aligned_alloc(64, sizeof *board);
	struct weights w;
	char error[WEIGHTS_TEXT_BYTES];
	board_format(board, 7);
	assert_false(weights_open(&w, board, "/nowhere", (uint32_t[]){ 1, 0 },
				  &(struct evidence){ 0 }, error));
	assert_string_equal(error, "cannot use /nowhere: No such file or directory");
	free(board);
}

/* On a board that has nothing: the first process of a keeper. */
static bool begins(struct world *w, char error[WEIGHTS_TEXT_BYTES])
{
	board_format(w->board, 7);
	bool good = weights_open(&w->weights, w->board, w->directory, (uint32_t[]){ 1, 0 },
				 &w->evidence, error);
	if (good)
		weights_close(&w->weights);
	return good;
}

static void a_state_that_was_there_must_be_there(void **state)
{
	(void)state;
	static const struct {
		struct state_values kept; /* epoch 0: none */
		struct evidence evidence;
		const char *error; /* NULL: it begins, */
		uint64_t epoch;	   /* with this one */
	} rows[] = {
		{ .epoch = 1 },
		{ .evidence = { .witness = AUDIT_FILE }, .error = AUDIT_FILE },
		{ .evidence = { .witness = "drained.json" }, .error = "drained.json" },
		{ .evidence = { .logged = { .epoch = 3 } }, .error = "requests of epoch 3" },
		{ .evidence = { .logged = { .requests = true } },
		  .error = "the capture log has requests" },
		{ .kept = { .epoch = 3, .weights = { 1, 1 } },
		  .evidence = { .witness = AUDIT_FILE, .logged = { 3 } },
		  .epoch = 3 },
		{ .kept = { .epoch = 3, .weights = { 1, 1 } },
		  .evidence = { .logged = { 4 } },
		  .error = "are of epoch 3, but the capture log has requests of epoch 4" },
		{ .kept = { .epoch = 3, .weights = { 1, 1 } },
		  .evidence = { .audited = { .epoch = 4, .weights = { 0, 1 } } },
		  .error = "has epoch 4" },
		/* A rollback on a full disk, then a power cut. */
		{ .kept = { .epoch = 3, .weights = { 1, 1 } },
		  .evidence = { .audited = { .epoch = 4, .weights = { 1, 0 }, .rolled_back = true },
				.logged = { 4 } },
		  .epoch = 4 },
		{ .kept = { .epoch = 3, .weights = { 1, 1 } },
		  .evidence = { .audited = { .epoch = 4, .weights = { 1, 0 }, .rolled_back = true },
				.logged = { 5 } },
		  .error = "are of epoch 4" },
		/* Writes were held, and ended to be without a flip; then a power cut. */
		{ .kept = { .epoch = 3, .weights = { 1, 1 }, .phase = BOARD_PHASE_HOLD },
		  .evidence = { .logged = { 3 + HELD_EPOCHS - 1 } },
		  .epoch = 3 + HELD_EPOCHS },
		{ .kept = { .epoch = 3, .weights = { 1, 1 }, .phase = BOARD_PHASE_HOLD },
		  .evidence = { .logged = { 3 + HELD_EPOCHS } },
		  .error = "the capture log has requests of epoch 6" },
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		struct world w = { .evidence = rows[i].evidence };
		struct state s;
		struct state_values kept;
		enum state_trouble trouble;
		char error[WEIGHTS_TEXT_BYTES];
		kit_directory(w.directory);
		w.board = aligned_alloc(64, sizeof *w.board);
		assert_true(state_open(&s, w.directory, &kept, &trouble));
		if (rows[i].kept.epoch)
			assert_true(state_save(&s, &rows[i].kept));
		state_close(&s);
		assert_int_equal(begins(&w, error), !rows[i].error);
		if (rows[i].error) {
			assert_non_null(strstr(error, rows[i].error));
			assert_non_null(strstr(error, "crossfade recover"));
		} else {
			assert_int_equal(on_disk(&w).epoch, rows[i].epoch);
		}
		free(w.board);
		kit_remove(w.directory);
	}
}

/* --- JSON --- */

static void requests_are_read_strictly(void **state)
{
	(void)state;
	static const struct {
		const char *body, *error; /* NULL: it is good */
	} rows[] = {
		{ "{\"weights\":{\"source\":9,\"target\":1}}", NULL },
		{ "{\"weights\":{\"source\":0,\"target\":999},\"reason\":\"r\",\"who\":\"w\"}",
		  NULL },
		{ "", "this is not JSON: '[' or '{' expected near end of file (line 1, column 0)" },
		{ "[]", "Expected object, got array" },
		{ "{}", "Object item not found: weights" },
		{ "{\"weights\":{\"source\":9}}", "Object item not found: target" },
		{ "{\"weights\":{\"source\":9,\"target\":1.0}}", "Expected integer, got real" },
		{ "{\"weights\":{\"source\":9,\"target\":\"1\"}}", "Expected integer, got string" },
		{ "{\"weights\":{\"source\":9,\"target\":1,\"third\":1}}",
		  "there is no such member: third" },
		{ "{\"weights\":{\"source\":9,\"target\":1},\"more\":1}",
		  "there is no such member: more" },
		{ "{\"weights\":{\"source\":1000,\"target\":1}}",
		  "weights must be whole numbers from 0 to 999" },
		{ "{\"weights\":{\"source\":-1,\"target\":1}}",
		  "weights must be whole numbers from 0 to 999" },
		{ "{\"weights\":{\"source\":4294967297,\"target\":1}}",
		  "weights must be whole numbers from 0 to 999" },
		{ "{\"weights\":{\"source\":9,\"source\":9,\"target\":1}}",
		  "this is not JSON: duplicate object key near '\"source\"' (line 1, column 31)" },
		{ "{\"weights\":{\"source\":9,\"target\":1},\"reason\":\"a\\nb\"}",
		  "reason contains a control character" },
		{ "{\"weights\":{\"source\":9,\"target\":1}} x",
		  "this is not JSON: end of file expected near 'x' (line 1, column 37)" },
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		struct weights_change c = { 0 };
		char error[WEIGHTS_TEXT_BYTES] = "";
		assert_int_equal(weights_json_read(span_of(rows[i].body), &c, error),
				 !rows[i].error);
		assert_string_equal(error, rows[i].error ? rows[i].error : "");
	}
	struct weights_change c;
	char error[WEIGHTS_TEXT_BYTES];
	assert_true(weights_json_read_rollback(SPAN(""), &c, error));
	assert_true(weights_json_read_rollback(SPAN("{\"reason\":\"r\"}"), &c, error));
	assert_string_equal(c.why, "r");
	assert_false(weights_json_read_rollback(SPAN("{\"weights\":1}"), &c, error));
}

static void responses_begin_with_weights_and_epoch(void **state)
{
	(void)state;
	json_t *j = weights_json((uint32_t[]){ 9, 1 }, 7, true);
	char *text = json_dumps(j, JSON_COMPACT);
	assert_string_equal(text,
			    "{\"weights\":{\"source\":9,\"target\":1},\"epoch\":7,\"saved\":true}");
	free(text);
	json_decref(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_change_is_over_when_each_worker_uses_it),
		cmocka_unit_test(a_late_worker_is_named_and_the_change_stands),
		cmocka_unit_test(who_hangs_up_is_told_of_nothing_and_the_change_stands),
		cmocka_unit_test(a_slow_save_leaves_the_workers_their_time),
		cmocka_unit_test(a_change_takes_its_epoch_when_the_one_before_it_is_in_force),
		cmocka_unit_test(who_waits_for_a_change_that_does_not_end_is_told),
		cmocka_unit_test(going_back_waits_for_no_change_that_is_being_saved),
		cmocka_unit_test(who_goes_back_hears_of_it_though_the_disk_says_nothing),
		cmocka_unit_test(an_epoch_may_be_given_and_must_be_new),
		cmocka_unit_test(what_is_under_way_ends_before_another_process_leads),
		cmocka_unit_test(two_changes_may_wait_at_once),
		cmocka_unit_test(what_makes_no_sense_changes_nothing),
		cmocka_unit_test(without_a_disk_a_change_is_refused),
		cmocka_unit_test(going_back_works_without_a_disk_and_is_saved_when_there_is_one),
		cmocka_unit_test(each_rollback_gets_its_line_in_order_when_there_is_room),
		cmocka_unit_test(rollbacks_beyond_what_is_kept_are_told_of_by_the_last_one),
		cmocka_unit_test(what_is_owed_is_told_at_the_end),
		cmocka_unit_test(a_change_without_its_line_gets_it_from_the_next_process),
		cmocka_unit_test(a_rollback_is_one_until_the_next_change),
		cmocka_unit_test(a_restart_takes_the_greater_epoch_of_board_and_file),
		cmocka_unit_test(a_change_of_weights_leaves_the_owner),
		cmocka_unit_test(a_hold_does_not_outlive_its_process),
		cmocka_unit_test(a_state_that_cannot_be_opened_is_said),
		cmocka_unit_test(a_state_that_was_there_must_be_there),
		cmocka_unit_test(requests_are_read_strictly),
		cmocka_unit_test(responses_begin_with_weights_and_epoch),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
