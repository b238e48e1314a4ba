#include "unit/control/kit.h"

#include <pthread.h>
#include <sched.h>

#include "control/disk_jobs.h"
#include "ends/loop.h"

/* A job that waits for a gate: a disk that does not answer until then. */
struct gated {
	struct disk_job job;
	atomic_bool *gate;
	pthread_t worked_by;
	unsigned *order;
	unsigned worked_at, done_n;
};

static void work(struct disk_job *j)
{
	struct gated *g = list_entry(j, struct gated, job);
	while (!atomic_load(g->gate))
		sched_yield();
	g->worked_by = pthread_self();
	g->worked_at = ++*g->order;
}

static void done(struct disk_job *j)
{
	list_entry(j, struct gated, job)->done_n++;
}

static struct gated gated(atomic_bool *gate, unsigned *order)
{
	return (struct gated){ .job = { .work = work, .done = done },
			       .gate = gate,
			       .order = order };
}

static void the_loop_goes_on_while_the_disk_stands_still(void **state)
{
	(void)state;
	struct loop loop;
	struct disk_jobs d;
	atomic_bool gate = false;
	unsigned order = 0;
	struct gated a = gated(&gate, &order), b = gated(&gate, &order);
	assert_true(loop_open_own(&loop));
	assert_true(disk_jobs_open(&d, loop.io));
	disk_jobs_put(&d, &a.job);
	disk_jobs_put(&d, &b.job);
	disk_jobs_look(&d);
	assert_int_equal(a.done_n, 0);
	assert_false(disk_jobs_are_over(&d));
	atomic_store(&gate, true);
	/* Each one that is finished wakes the loop. */
	while (!disk_jobs_are_over(&d)) {
		loop_turn(&loop);
		disk_jobs_look(&d);
	}
	assert_int_equal(a.done_n, 1);
	assert_int_equal(b.done_n, 1);
	assert_int_equal(a.worked_at, 1);
	assert_int_equal(b.worked_at, 2);
	assert_false(pthread_equal(a.worked_by, pthread_self()));
	assert_true(disk_jobs_close(&d, 1000));
	loop_close(&loop);
}

static void what_was_put_is_worked_off_at_the_end(void **state)
{
	(void)state;
	struct loop loop;
	struct disk_jobs d;
	atomic_bool gate = true;
	unsigned order = 0;
	struct gated a = gated(&gate, &order), b = gated(&gate, &order);
	assert_true(loop_open_own(&loop));
	assert_true(disk_jobs_open(&d, loop.io));
	disk_jobs_put(&d, &a.job);
	disk_jobs_put(&d, &b.job);
	assert_true(disk_jobs_close(&d, 10000));
	assert_int_equal(a.done_n, 1);
	assert_int_equal(b.done_n, 1);
	loop_close(&loop);
}

static void a_disk_that_does_not_answer_keeps_nobody_from_ending(void **state)
{
	(void)state;
	static struct loop loop;
	static struct disk_jobs d;
	static atomic_bool gate;
	static unsigned order;
	static struct gated a;
	a = gated(&gate, &order);
	assert_true(loop_open_own(&loop));
	assert_true(disk_jobs_open(&d, loop.io));
	disk_jobs_put(&d, &a.job);
	assert_false(disk_jobs_close(&d, 0));
	assert_int_equal(a.done_n, 0);
	/* The process would end here; the test has more to do. */
	atomic_store(&gate, true);
	assert_true(disk_jobs_close(&d, 10000));
	loop_close(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_loop_goes_on_while_the_disk_stands_still),
		cmocka_unit_test(what_was_put_is_worked_off_at_the_end),
		cmocka_unit_test(a_disk_that_does_not_answer_keeps_nobody_from_ending),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
