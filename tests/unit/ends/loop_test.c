#include "unit/ends/far.h"

#include "base/limits.h"
#include "ends/loop.h"

/* A loop on an io that is another's, at one side of the simulator. */
struct fixture {
	struct far_side far;
	struct bufs bufs;
	struct io *io;
	struct loop loop;
	struct loop_sweep swept;
	struct timer timer;
	unsigned fired_n, swept_n;
	bool fired_first; /* when it was swept last, the timer had fired */
};

static void fixture_turn(void *us)
{
	struct fixture *f = us;
	loop_turn(&f->loop);
}

static void count_sweep(struct loop_sweep *s)
{
	struct fixture *f = list_entry(s, struct fixture, swept);
	f->swept_n++;
	f->fired_first = f->fired_n > 0;
}

static void count_firing(struct timer *t)
{
	list_entry(t, struct fixture, timer)->fired_n++;
}

static int open_fixture(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	far_side_open(&f->far, fixture_turn, f);
	bufs_open(&f->bufs);
	f->io = sim_io_open(f->far.sim, &f->bufs);
	f->far.ours = f->io;
	loop_open(&f->loop, f->io, &f->bufs, MEMORY_BYTES);
	loop_add_sweep(&f->loop, &f->swept, count_sweep);
	timer_init(&f->timer, count_firing);
	*state = f;
	return 0;
}

/* Its io is not the loop's to free. */
static int close_fixture(void **state)
{
	struct fixture *f = *state;
	assert_true(loop_is_quiet(&f->loop));
	loop_close(&f->loop);
	io_free(f->io);
	bufs_close(&f->bufs);
	far_side_close(&f->far);
	free(f);
	return 0;
}

static void each_turn_sweeps_behind_all_else(void **state)
{
	struct fixture *f = *state;
	loop_turn(&f->loop);
	assert_int_equal(f->swept_n, 1);
	assert_false(f->fired_first);
	timer_set(&f->loop.wheel, &f->timer, loop_now_ms(&f->loop) + 1);
	sim_advance(f->far.sim, sim_now_ns(f->far.sim) + 2000000);
	loop_turn(&f->loop);
	assert_int_equal(f->fired_n, 1);
	assert_int_equal(f->swept_n, 2);
	assert_true(f->fired_first);
}

static void it_waits_for_the_next_timer_and_no_longer(void **state)
{
	struct fixture *f = *state;
	assert_true(loop_deadline_ns(&f->loop) == UINT64_MAX);
	uint64_t due_ms = loop_now_ms(&f->loop) + 40;
	timer_set(&f->loop.wheel, &f->timer, due_ms);
	assert_true(loop_deadline_ns(&f->loop) <= due_ms * 1000000);
	assert_true(loop_deadline_ns(&f->loop) > 0);
	far_pass_ms(&f->far, 39);
	assert_int_equal(f->fired_n, 0);
	far_pass_ms(&f->far, 2);
	assert_int_equal(f->fired_n, 1);
}

static void a_loop_of_its_own_sleeps_until_it_is_woken(void **state)
{
	(void)state;
	struct loop l;
	assert_true(loop_open_own(&l));
	assert_int_equal(l.budget.max, LOOP_BUDGET_BYTES);
	io_wake(l.io);
	loop_turn(&l);
	assert_true(loop_is_quiet(&l));
	loop_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_turn_sweeps_behind_all_else, open_fixture,
						close_fixture),
		cmocka_unit_test_setup_teardown(it_waits_for_the_next_timer_and_no_longer,
						open_fixture, close_fixture),
		cmocka_unit_test(a_loop_of_its_own_sleeps_until_it_is_woken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
