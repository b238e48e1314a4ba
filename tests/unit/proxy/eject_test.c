#include "unit/proxy/lone.h"

#include "base/limits.h"

#define PAUSE_MS 1000

struct fixture {
	struct lone lone;
	struct wheel wheel;
	struct counters counters;
};

static int open_fixture(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	wheel_open(&f->wheel, 1000000);
	lone_open(&f->lone);
	f->lone.all.wheel = &f->wheel;
	f->lone.all.counters = f->counters.nodes;
	f->lone.cluster.eject = (struct eject_policy){ .failures = 3, .pause_ms = PAUSE_MS };
	lone_adopt(&f->lone, NODES);
	*state = f;
	return 0;
}

static int close_fixture(void **state)
{
	struct fixture *f = *state;
	lone_close(&f->lone);
	free(f);
	return 0;
}

static void pass(struct fixture *f, uint64_t ms)
{
	wheel_turn(&f->wheel, f->wheel.now_ms + ms);
}

static void refuse(struct fixture *f, unsigned node, unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		live_node_failed(&f->lone.live, f->lone.all.by_number[node], ERR_BACK_REFUSED,
				 true);
}

static bool is_out(struct fixture *f, unsigned node)
{
	struct live_node *n;
	bool fail_open, chosen = false;
	for (unsigned i = 0; i < 2 * NODES; i++) {
		assert_int_equal(live_cluster_choose(&f->lone.live, NULL, 0, &n, &fail_open),
				 CHOICE_NODE);
		chosen |= n->number == node;
	}
	assert_int_equal(f->lone.all.by_number[node]->ejection.out, !chosen);
	assert_int_equal(counter_read(&f->counters.nodes[node].ejected), !chosen);
	return !chosen;
}

static void so_many_failures_in_a_row_eject(void **state)
{
	struct fixture *f = *state;
	refuse(f, 1, 2);
	assert_false(is_out(f, 1));
	refuse(f, 1, 1);
	assert_true(is_out(f, 1));
	assert_int_equal(counter_read(&f->counters.nodes[1].ejections), 1);
	assert_int_equal(counter_read(&f->counters.nodes[1].ejected_for), ERR_BACK_REFUSED);
	assert_false(is_out(f, 0));
}

static void a_response_between_them_is_a_new_beginning(void **state)
{
	struct fixture *f = *state;
	refuse(f, 1, 2);
	live_node_responded(f->lone.all.by_number[1]);
	refuse(f, 1, 2);
	assert_false(is_out(f, 1));
	refuse(f, 1, 1);
	assert_true(is_out(f, 1));
}

static void failures_that_are_far_apart_are_no_row(void **state)
{
	struct fixture *f = *state;
	refuse(f, 1, 2);
	pass(f, EJECT_WINDOW_MS + 1);
	refuse(f, 1, 2);
	assert_false(is_out(f, 1));
	pass(f, EJECT_WINDOW_MS);
	refuse(f, 1, 1);
	assert_true(is_out(f, 1));
}

static void only_what_says_that_nobody_serves_there_counts(void **state)
{
	struct fixture *f = *state;
	static const struct {
		enum err why;
		bool fresh, reused;
	} rows[] = {
		{ ERR_BACK_REFUSED, true, true },
		{ ERR_BACK_UNREACHABLE, true, true },
		{ ERR_CONNECT_TIMEOUT, true, true },
		{ ERR_HANDSHAKE_TIMEOUT, true, true },
		{ ERR_BACK_TLS, true, true },
		{ ERR_BACK_VERIFY, true, true },
		/* A connection that was idle may be closed at any time. */
		{ ERR_BACK_RESET, true, false },
		{ ERR_RESPONSE_TIMEOUT, false, false },
		{ ERR_BACK_MALFORMED, false, false },
		{ ERR_NODE_DRAINED, false, false },
		{ ERR_CUT_REQUEST, false, false },
		{ ERR_OUT_OF_HANDLES, false, false },
		{ ERR_OUT_OF_PORTS, false, false },
		{ ERR_NOT_PERMITTED, false, false },
	};
	(void)f;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(ejection_counts(rows[i].why, true), rows[i].fresh);
		assert_int_equal(ejection_counts(rows[i].why, false), rows[i].reused);
	}
}

static void it_comes_back_by_itself_and_one_failure_is_enough_then(void **state)
{
	struct fixture *f = *state;
	refuse(f, 1, 3);
	pass(f, PAUSE_MS - 1);
	assert_true(is_out(f, 1));
	pass(f, 1);
	assert_false(is_out(f, 1));
	refuse(f, 1, 1);
	assert_true(is_out(f, 1));
	/* Twice as long. */
	pass(f, 2 * PAUSE_MS - 1);
	assert_true(is_out(f, 1));
	pass(f, 1);
	assert_false(is_out(f, 1));
	live_node_responded(f->lone.all.by_number[1]);
	refuse(f, 1, 2);
	assert_false(is_out(f, 1));
	refuse(f, 1, 1);
	pass(f, PAUSE_MS);
	assert_false(is_out(f, 1));
}

static void the_pause_has_a_limit(void **state)
{
	struct fixture *f = *state;
	refuse(f, 1, 3);
	for (int i = 0; i < 40; i++) {
		pass(f, EJECT_PAUSE_MAX_MS);
		assert_false(is_out(f, 1));
		refuse(f, 1, 1);
	}
	pass(f, EJECT_PAUSE_MAX_MS - 1);
	assert_true(is_out(f, 1));
	pass(f, 1);
	assert_false(is_out(f, 1));
}

static void at_most_half_are_ejected_and_never_the_last(void **state)
{
	struct fixture *f = *state;
	static const unsigned most[NODES + 1] = { 0, 0, 1, 1, 2 };
	for (unsigned n = 1; n <= NODES; n++) {
		unsigned out = 0;
		lone_adopt(&f->lone, n);
		for (unsigned i = 0; i < n; i++)
			refuse(f, i, 3);
		for (unsigned i = 0; i < n; i++)
			out += is_out(f, i);
		assert_int_equal(out, most[n]);
		pass(f, EJECT_PAUSE_MAX_MS);
		for (unsigned i = 0; i < n; i++)
			live_node_responded(f->lone.all.by_number[i]);
	}
}

/* Those that an operator or a check has taken out do not count as left. */
static void only_nodes_that_serve_count_as_left(void **state)
{
	struct fixture *f = *state;
	atomic_store(&f->lone.states[2].healthy, false);
	atomic_store(&f->lone.states[3].duty, DUTY_DRAINED);
	live_nodes_follow_admin(&f->lone.all);
	refuse(f, 0, 3);
	assert_true(is_out(f, 0));
	refuse(f, 1, 3);
	assert_false(is_out(f, 1));
	/* When the last goes for another reason, all that are not drained are tried. */
	atomic_store(&f->lone.states[1].healthy, false);
	unsigned taken[NODES] = { 0 };
	for (int i = 0; i < 30; i++) {
		struct live_node *n;
		bool fail_open;
		assert_int_equal(live_cluster_choose(&f->lone.live, NULL, 0, &n, &fail_open),
				 CHOICE_NODE);
		assert_true(fail_open);
		taken[n->number]++;
	}
	assert_true(taken[0] && taken[1] && taken[2] && !taken[3]);
}

static void a_check_that_takes_it_back_ends_it(void **state)
{
	struct fixture *f = *state;
	refuse(f, 1, 3);
	assert_true(is_out(f, 1));
	atomic_fetch_add(&f->lone.states[1].recoveries, 1);
	assert_false(is_out(f, 1));
	refuse(f, 1, 2);
	assert_false(is_out(f, 1));
	refuse(f, 1, 1);
	assert_true(is_out(f, 1));
}

static void without_a_number_of_failures_nobody_is_ejected(void **state)
{
	struct fixture *f = *state;
	f->lone.cluster.eject.failures = 0;
	refuse(f, 1, 1000);
	assert_false(is_out(f, 1));
}

static void a_node_that_leaves_the_plan_is_not_ejected_any_more(void **state)
{
	struct fixture *f = *state;
	struct plan none = { .number = 2 };
	refuse(f, 1, 3);
	f->lone.all.by_number[1]->outstanding = 1;
	live_nodes_sweep(&f->lone.all, &none);
	assert_int_equal(counter_read(&f->counters.nodes[1].ejected), 0);
	refuse(f, 1, 10);
	f->lone.all.by_number[1]->outstanding = 0;
	lone_adopt(&f->lone, NODES);
	assert_false(is_out(f, 1));
}

/* Its number may be another node's then, of another cluster maybe. */
static void a_node_that_is_let_go_takes_its_past_with_it(void **state)
{
	struct fixture *f = *state;
	struct plan without = { .number = 2 };
	struct node_counters *c = &f->counters.nodes[1];
	struct live_node *n = f->lone.all.by_number[1];
	refuse(f, 1, 3);
	live_node_take(n);
	counter_add(&c->in_flight, 1);
	counter_add(&c->attempts[5], 7);
	assert_int_equal(counter_read(&c->ejected), 1);
	live_nodes_sweep(&f->lone.all, &without);
	live_nodes_let_go(&f->lone.all);
	assert_ptr_equal(f->lone.all.by_number[1], n);
	assert_int_equal(counter_read(&c->held), 1);
	live_node_give(&f->lone.live, n);
	live_nodes_let_go(&f->lone.all);
	assert_null(f->lone.all.by_number[1]);
	assert_memory_equal(c, &(struct node_counters){ 0 }, sizeof *c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(so_many_failures_in_a_row_eject),
		TEST(a_response_between_them_is_a_new_beginning),
		TEST(failures_that_are_far_apart_are_no_row),
		TEST(only_what_says_that_nobody_serves_there_counts),
		TEST(it_comes_back_by_itself_and_one_failure_is_enough_then),
		TEST(the_pause_has_a_limit),
		TEST(at_most_half_are_ejected_and_never_the_last),
		TEST(only_nodes_that_serve_count_as_left),
		TEST(a_check_that_takes_it_back_ends_it),
		TEST(without_a_number_of_failures_nobody_is_ejected),
		TEST(a_node_that_leaves_the_plan_is_not_ejected_any_more),
		TEST(a_node_that_is_let_go_takes_its_past_with_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
