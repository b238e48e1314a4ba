#include "unit/proxy/lone.h"

static int open_lone(void **state)
{
	struct lone *l = calloc(1, sizeof *l);
	lone_open(l);
	lone_adopt(l, NODES);
	*state = l;
	return 0;
}

static int close_lone(void **state)
{
	struct lone *l = *state;
	for (unsigned i = 0; i < NODES; i++)
		if (l->all.by_number[i])
			l->all.by_number[i]->outstanding = 0;
	lone_close(l);
	free(l);
	return 0;
}

static uint32_t choose(struct lone *l)
{
	struct live_node *n;
	bool fail_open;
	assert_int_equal(live_cluster_choose(&l->live, NULL, 0, &n, &fail_open), CHOICE_NODE);
	return n->node->state->number;
}

static void ties_rotate(void **state)
{
	struct lone *l = *state;
	unsigned taken[NODES] = { 0 };
	for (int i = 0; i < 40; i++)
		taken[choose(l)]++;
	for (int i = 0; i < NODES; i++)
		assert_int_equal(taken[i], 10);
}

static void the_least_busy_is_taken(void **state)
{
	struct lone *l = *state;
	for (unsigned i = 0; i < NODES; i++)
		l->all.by_number[i]->outstanding = i == 2 ? 1 : 5;
	for (int i = 0; i < 10; i++)
		assert_int_equal(choose(l), 2);
}

static void give(struct lone *l, unsigned i)
{
	live_node_give(&l->live, l->all.by_number[i]);
}

/* Whatever was found before: requests end, and others are the least busy then. */
static void who_is_least_busy_changes(void **state)
{
	struct lone *l = *state;
	unsigned taken[NODES] = { 0 };
	for (unsigned i = 0; i < 5 * NODES; i++) {
		uint32_t n = choose(l);
		live_node_take(l->all.by_number[n]);
		taken[n]++;
	}
	for (unsigned i = 0; i < NODES; i++)
		assert_int_equal(taken[i], 5);
	give(l, 1);
	assert_int_equal(choose(l), 1);
	give(l, 3);
	give(l, 3);
	assert_int_equal(choose(l), 3);
	live_node_take(l->all.by_number[3]);
	/* Two with four: a tie. */
	for (int i = 0; i < 4; i++)
		assert_int_equal(choose(l), i % 2 ? 3 : 1);
}

static void round_robin_looks_at_nothing_else(void **state)
{
	struct lone *l = *state;
	l->cluster.balance = BALANCE_ROUND_ROBIN;
	l->all.by_number[1]->outstanding = 100;
	unsigned taken[NODES] = { 0 };
	for (int i = 0; i < 40; i++)
		taken[choose(l)]++;
	assert_int_equal(taken[1], 10);
}

static void an_unhealthy_node_is_left_out_and_comes_back(void **state)
{
	struct lone *l = *state;
	atomic_store(&l->states[3].healthy, false);
	for (int i = 0; i < 20; i++)
		assert_int_not_equal(choose(l), 3);
	atomic_store(&l->states[3].healthy, true);
	unsigned back = 0;
	for (int i = 0; i < 20; i++)
		back += choose(l) == 3;
	assert_true(back > 0);
}

static void when_none_is_healthy_all_are_tried(void **state)
{
	struct lone *l = *state;
	struct live_node *n;
	bool fail_open;
	for (int i = 0; i < NODES; i++)
		atomic_store(&l->states[i].healthy, false);
	unsigned taken[NODES] = { 0 };
	for (int i = 0; i < 40; i++) {
		assert_int_equal(live_cluster_choose(&l->live, NULL, 0, &n, &fail_open),
				 CHOICE_NODE);
		assert_true(fail_open);
		taken[n->node->state->number]++;
	}
	for (int i = 0; i < NODES; i++)
		assert_int_equal(taken[i], 10);
}

static void drain(struct lone *l, unsigned i, enum node_duty duty)
{
	atomic_store(&l->states[i].duty, duty);
	live_nodes_follow_admin(&l->all);
}

static void a_drained_node_gets_nothing_whatever_the_others_are(void **state)
{
	struct lone *l = *state;
	struct live_node *n;
	bool fail_open;
	drain(l, 0, DUTY_DRAINED);
	drain(l, 1, DUTY_CUT);
	for (int i = 0; i < 20; i++)
		assert_true(choose(l) >= 2);
	/* Failing open is for those that are not well; a drained one is not wanted. */
	atomic_store(&l->states[2].healthy, false);
	atomic_store(&l->states[3].healthy, false);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(live_cluster_choose(&l->live, NULL, 0, &n, &fail_open),
				 CHOICE_NODE);
		assert_true(fail_open && n->node->state->number >= 2);
	}
	drain(l, 0, DUTY_READY);
	assert_int_equal(choose(l), 0);
}

static void a_cluster_of_drained_nodes_is_no_choice_and_says_so(void **state)
{
	struct lone *l = *state;
	struct live_node *n;
	bool fail_open;
	for (unsigned i = 0; i < NODES; i++)
		drain(l, i, DUTY_DRAINED);
	/* It would be awaited, if it were not drained. */
	atomic_store(&l->states[0].awaited, true);
	assert_int_equal(live_cluster_choose(&l->live, NULL, 0, &n, &fail_open), CHOICE_DRAINED);
	assert_false(fail_open);
	drain(l, 0, DUTY_READY);
	lone_know(l, 0, NULL, 0);
	live_cluster_adopt(&l->live, &l->all, &l->cluster, 0);
	assert_int_equal(live_cluster_choose(&l->live, NULL, 0, &n, &fail_open), CHOICE_LATER);
}

static void a_new_node_is_drained_from_the_beginning(void **state)
{
	struct lone *l = *state;
	struct plan none = { .number = 2 };
	live_nodes_sweep(&l->all, &none);
	for (unsigned i = 1; i < NODES; i++)
		atomic_store(&l->states[i].duty, DUTY_DRAINED);
	live_cluster_adopt(&l->live, &l->all, &l->cluster, 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(choose(l), 0);
}

static void a_full_node_waits_and_does_not_fail_open(void **state)
{
	struct lone *l = *state;
	struct live_node *n;
	bool fail_open;
	l->cluster.connections = 5;
	l->cluster.workers = 2;
	live_cluster_adopt(&l->live, &l->all, &l->cluster, 0);
	assert_int_equal(l->live.share, 3);
	live_cluster_adopt(&l->live, &l->all, &l->cluster, 1);
	assert_int_equal(l->live.share, 2);
	for (unsigned i = 1; i < NODES; i++)
		l->all.by_number[i]->outstanding = 2;
	l->all.by_number[0]->outstanding = 1;
	for (int i = 0; i < 10; i++)
		assert_int_equal(choose(l), 0);
	/* That the healthy ones are busy is no reason to ask one that is not. */
	atomic_store(&l->states[0].healthy, false);
	assert_int_equal(live_cluster_choose(&l->live, NULL, 0, &n, &fail_open), CHOICE_FULL);
	for (unsigned i = 1; i < NODES; i++)
		atomic_store(&l->states[i].healthy, false);
	assert_int_equal(live_cluster_choose(&l->live, NULL, 0, &n, &fail_open), CHOICE_NODE);
	assert_true(fail_open && n->number == 0);
}

static void a_node_that_was_tried_is_not_tried_again(void **state)
{
	struct lone *l = *state;
	struct live_node *tried[NODES], *n;
	bool fail_open;
	for (unsigned i = 0; i < NODES; i++) {
		assert_int_equal(live_cluster_choose(&l->live, tried, i, &n, &fail_open),
				 CHOICE_NODE);
		for (unsigned k = 0; k < i; k++)
			assert_ptr_not_equal(tried[k], n);
		tried[i] = n;
	}
	assert_int_equal(live_cluster_choose(&l->live, tried, NODES, &n, &fail_open), CHOICE_NONE);
}

static void a_name_of_two_addresses_is_tried_twice(void **state)
{
	struct lone *l = *state;
	struct addr two[2] = { l->address, l->address };
	two[1].v4.sin_port = 1;
	struct live_node *tried[2], *n;
	bool fail_open;
	l->cluster.node_n = 1;
	lone_know(l, 0, two, 2);
	live_cluster_adopt(&l->live, &l->all, &l->cluster, 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(live_cluster_choose(&l->live, tried, i, &tried[i], &fail_open),
				 CHOICE_NODE);
	assert_int_equal(live_cluster_choose(&l->live, tried, 2, &n, &fail_open), CHOICE_NONE);
}

static void a_node_that_was_not_tried_comes_before_another_address_of_one_that_was(void **state)
{
	struct lone *l = *state;
	struct addr two[2] = { l->address, l->address };
	two[1].v4.sin_port = 1;
	struct live_node *n;
	bool fail_open;
	l->cluster.node_n = 2;
	lone_know(l, 0, two, 2);
	live_cluster_adopt(&l->live, &l->all, &l->cluster, 0);
	struct live_node *first = l->live.nodes[0];
	live_node_take(l->live.nodes[1]);
	assert_int_equal(live_cluster_choose(&l->live, &first, 1, &n, &fail_open), CHOICE_NODE);
	assert_ptr_equal(n, l->live.nodes[1]);
	live_node_give(&l->live, l->live.nodes[1]);
}

static void without_an_address_there_is_no_choice_or_a_later_one(void **state)
{
	struct lone *l = *state;
	struct live_node *n;
	bool fail_open;
	for (unsigned i = 0; i < NODES; i++)
		lone_know(l, i, NULL, 0);
	live_cluster_adopt(&l->live, &l->all, &l->cluster, 0);
	assert_int_equal(live_cluster_choose(&l->live, NULL, 0, &n, &fail_open), CHOICE_NONE);
	atomic_store(&l->states[2].awaited, true);
	assert_int_equal(live_cluster_choose(&l->live, NULL, 0, &n, &fail_open), CHOICE_LATER);
}

static void a_node_outlives_plans_while_it_is_used(void **state)
{
	struct lone *l = *state;
	struct plan without = { .number = 2 };
	l->all.by_number[1]->outstanding = 1;
	live_nodes_sweep(&l->all, &without);
	assert_null(l->all.by_number[0]);
	assert_non_null(l->all.by_number[1]);
	l->all.by_number[1]->outstanding = 0;
	live_nodes_sweep(&l->all, &without);
	assert_null(l->all.by_number[1]);
	live_cluster_adopt(&l->live, &l->all, &l->cluster, 0);
	assert_non_null(l->all.by_number[1]);
}

static void no_node_at_all_is_no_choice(void **state)
{
	struct lone *l = *state;
	struct live_node *n;
	bool fail_open;
	l->cluster.node_n = 0;
	live_cluster_adopt(&l->live, &l->all, &l->cluster, 0);
	assert_int_equal(live_cluster_choose(&l->live, NULL, 0, &n, &fail_open), CHOICE_NONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_lone, close_lone)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(ties_rotate),
		TEST(the_least_busy_is_taken),
		TEST(who_is_least_busy_changes),
		TEST(round_robin_looks_at_nothing_else),
		TEST(an_unhealthy_node_is_left_out_and_comes_back),
		TEST(when_none_is_healthy_all_are_tried),
		TEST(a_drained_node_gets_nothing_whatever_the_others_are),
		TEST(a_cluster_of_drained_nodes_is_no_choice_and_says_so),
		TEST(a_new_node_is_drained_from_the_beginning),
		TEST(a_full_node_waits_and_does_not_fail_open),
		TEST(a_node_that_was_tried_is_not_tried_again),
		TEST(a_name_of_two_addresses_is_tried_twice),
		TEST(a_node_that_was_not_tried_comes_before_another_address_of_one_that_was),
		TEST(without_an_address_there_is_no_choice_or_a_later_one),
		TEST(a_node_outlives_plans_while_it_is_used),
		TEST(no_node_at_all_is_no_choice),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
