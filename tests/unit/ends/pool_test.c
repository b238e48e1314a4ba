#include "unit/ends/stage.h"

#include "ends/pool.h"

#define ASKERS_MAX (IDLE_WIRES_PER_NODE + 4)

/* A pool of connections to one node, which has two addresses. */
struct fixture {
	struct stage s;
	struct far_host hosts[2];
	struct addr addresses[2];
	struct pool pool;
	struct pool_counts counts;
	struct party askers[ASKERS_MAX];
	unsigned asker_n;
};

static void renew(struct fixture *f, const struct addr *addresses, unsigned n)
{
	struct pool_terms terms = { .policy = back_policy };
	pool_renew(&f->pool, &terms);
	pool_know(&f->pool, addresses, n, 0);
}

static int open_fixture(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	stage_open(&f->s);
	for (int i = 0; i < 2; i++) {
		f->addresses[i] = address_of(i ? "10.9.0.2" : "10.9.0.1", 9200);
		far_host_open(&f->hosts[i], &f->s.far, &f->addresses[i]);
	}
	pool_open(&f->pool, &f->s.backs, &f->s.budget, &f->counts);
	renew(f, f->addresses, 1);
	*state = f;
	return 0;
}

/* What is in use is given up, what is idle is closed: nothing is left then. */
static int close_fixture(void **state)
{
	struct fixture *f = *state;
	for (unsigned i = 0; i < f->asker_n; i++) {
		party_leave(&f->askers[i], ERR_CANCELED);
		party_free(&f->askers[i]);
	}
	pool_close_idle(&f->pool);
	assert_int_equal(f->counts.open, 0);
	assert_int_equal(f->pool.idle_n, 0);
	pool_close(&f->pool);
	for (int i = 0; i < 2; i++)
		far_host_close(&f->hosts[i]);
	stage_close(&f->s);
	free(f);
	return 0;
}

/* Asks for `path`; connects, when there is no idle connection. */
static struct party *begin(struct fixture *f, const char *path)
{
	struct party *p = &f->askers[f->asker_n++];
	char text[64];
	assert_true(f->asker_n <= ASKERS_MAX);
	party_init(p, &f->s.words, &f->s.bufs);
	struct stream *to = pool_take(&f->pool, &p->stream, &f->s.arena);
	assert_ptr_equal(to, p->stream.peer);
	snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\n", path);
	stream_head(to, request_of(&f->s.arena, text), true);
	return p;
}

static struct party *ask(struct fixture *f, const char *path)
{
	struct party *p = begin(f, path);
	far_settle(&f->s.far);
	return p;
}

static void response(struct far *to)
{
	far_say(to, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

/* As many connections to the first address as asked for, all in use. */
static void ask_many(struct fixture *f, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		begin(f, "/");
	far_settle(&f->s.far);
	assert_int_equal(f->hosts[0].conn_n, n);
}

/* --- claims --- */

static void what_was_used_last_is_taken_first(void **state)
{
	struct fixture *f = *state;
	ask_many(f, 3);
	struct far **node = f->hosts[0].conns;
	static const unsigned order[] = { 1, 0, 2 };
	for (int i = 0; i < 3; i++)
		response(node[order[i]]);
	assert_int_equal(f->pool.idle_n, 3);
	static const char *const paths[] = { "/first", "/second", "/third" };
	for (int i = 0; i < 3; i++) {
		ask(f, paths[i]);
		assert_int_equal(far_heard(node[order[2 - i]], paths[i]), 1);
	}
	assert_int_equal(f->hosts[0].conn_n, 3);
	assert_int_equal(f->pool.idle_n, 0);
	assert_int_equal(f->counts.connects, 3);
}

static void an_idle_connection_is_used_again(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 5; i++) {
		ask(f, "/again");
		response(f->hosts[0].conns[0]);
	}
	assert_int_equal(f->hosts[0].conn_n, 1);
	assert_int_equal(far_heard(f->hosts[0].conns[0], "GET /again"), 5);
	assert_words(&f->s.words, "head(200). head(200). head(200). head(200). head(200).");
}

static void only_so_many_are_kept_idle(void **state)
{
	struct fixture *f = *state;
	ask_many(f, IDLE_WIRES_PER_NODE + 1);
	for (unsigned i = 0; i < IDLE_WIRES_PER_NODE; i++)
		response(f->hosts[0].conns[i]);
	assert_int_equal(f->pool.idle_n, IDLE_WIRES_PER_NODE);
	assert_int_equal(f->counts.open, IDLE_WIRES_PER_NODE + 1);
	struct far *surplus = f->hosts[0].conns[IDLE_WIRES_PER_NODE];
	response(surplus);
	assert_int_equal(surplus->last, 0);
	assert_int_equal(f->pool.idle_n, IDLE_WIRES_PER_NODE);
	assert_int_equal(f->counts.open, IDLE_WIRES_PER_NODE);
}

static void the_idle_grow_old_and_are_closed(void **state)
{
	struct fixture *f = *state;
	ask_many(f, 2);
	struct far **node = f->hosts[0].conns;
	response(node[0]);
	response(node[1]);
	far_pass_ms(&f->s.far, KEEP_MS - 1000);
	ask(f, "/warm");
	response(node[1]);
	assert_int_equal(f->pool.idle_n, 2);
	far_pass_ms(&f->s.far, 1000);
	assert_int_equal(node[0]->last, 0);
	assert_true(node[1]->last > 0);
	assert_int_equal(f->pool.idle_n, 1);
	far_pass_ms(&f->s.far, KEEP_MS);
	assert_int_equal(node[1]->last, 0);
	assert_int_equal(f->counts.open, 0);
}

enum leaving { FINISHES, RESETS, SPEAKS };

static void a_node_that_goes_while_idle_is_out_of_the_pool(void **state)
{
	(void)state;
	for (enum leaving how = FINISHES; how <= SPEAKS; how++) {
		void *own;
		open_fixture(&own);
		struct fixture *f = own;
		ask(f, "/before");
		response(f->hosts[0].conns[0]);
		if (how == SPEAKS)
			far_say(f->hosts[0].conns[0], "HTTP/1.1 408 Request Timeout\r\n\r\n");
		else if (how == FINISHES)
			far_finish(f->hosts[0].conns[0]);
		else
			far_hang_up(f->hosts[0].conns[0], true);
		assert_int_equal(f->pool.idle_n, 0);
		assert_int_equal(f->counts.open, 0);
		assert_int_equal(f->counts.connects_failed, 0);
		ask(f, "/after");
		assert_int_equal(f->hosts[0].conn_n, 2);
		assert_int_equal(far_heard(f->hosts[0].conns[1], "GET /after"), 1);
		assert_words(&f->s.words, "head(200).");
		close_fixture(&own);
	}
}

static void a_connection_that_closes_is_not_kept(void **state)
{
	struct fixture *f = *state;
	ask(f, "/");
	far_say(f->hosts[0].conns[0], "HTTP/1.1 200 OK\r\nConnection: close\r\n"
				      "Content-Length: 0\r\n\r\n");
	assert_int_equal(f->pool.idle_n, 0);
	assert_int_equal(f->counts.open, 0);
	ask(f, "/");
	assert_int_equal(f->hosts[0].conn_n, 2);
}

static void connects_go_to_the_addresses_in_turn(void **state)
{
	struct fixture *f = *state;
	renew(f, f->addresses, 2);
	for (int i = 0; i < 5; i++)
		begin(f, "/");
	far_settle(&f->s.far);
	assert_int_equal(f->hosts[0].conn_n, 3);
	assert_int_equal(f->hosts[1].conn_n, 2);
}

static void idle_ones_to_addresses_that_are_no_longer_the_nodes_are_closed(void **state)
{
	struct fixture *f = *state;
	renew(f, f->addresses, 2);
	for (int i = 0; i < 2; i++)
		begin(f, "/");
	far_settle(&f->s.far);
	for (int i = 0; i < 2; i++)
		response(f->hosts[i].conns[0]);
	assert_int_equal(f->pool.idle_n, 2);
	renew(f, &f->addresses[1], 1);
	far_settle(&f->s.far);
	assert_int_equal(f->hosts[0].conns[0]->last, 0);
	assert_true(f->hosts[1].conns[0]->last > 0);
	assert_int_equal(f->pool.idle_n, 1);
	ask(f, "/new");
	assert_int_equal(far_heard(f->hosts[1].conns[0], "GET /new"), 1);
}

static void one_in_use_is_closed_behind_its_response_when_its_address_has_gone(void **state)
{
	struct fixture *f = *state;
	ask(f, "/");
	renew(f, &f->addresses[1], 1);
	far_settle(&f->s.far);
	assert_true(f->hosts[0].conns[0]->last > 0);
	response(f->hosts[0].conns[0]);
	assert_words(&f->s.words, "head(200).");
	assert_int_equal(f->hosts[0].conns[0]->last, 0);
	assert_int_equal(f->pool.idle_n, 0);
	assert_int_equal(f->counts.open, 0);
}

/* --- addresses that are in trouble --- */

/* The same attempt goes on, and for a while nobody else meets it. */
static void an_address_that_refuses_is_left_alone(void **state)
{
	struct fixture *f = *state;
	far_host_refuse(&f->hosts[0]);
	renew(f, f->addresses, 2);
	for (int i = 0; i < 6; i++)
		begin(f, "/");
	far_settle(&f->s.far);
	assert_words(&f->s.words, "");
	assert_int_equal(f->hosts[1].conn_n, 6);
	uint64_t failed = f->counts.connects_failed;
	assert_true(failed > 0);
	for (int i = 0; i < 6; i++)
		begin(f, "/");
	far_settle(&f->s.far);
	assert_int_equal(f->hosts[1].conn_n, 12);
	assert_int_equal(f->counts.connects_failed, failed);
}

/* One request finds out that it is well again, and its response brings it back. */
static void an_address_that_was_left_alone_is_tried_by_one(void **state)
{
	struct fixture *f = *state;
	far_host_refuse(&f->hosts[0]);
	renew(f, f->addresses, 2);
	begin(f, "/");
	far_settle(&f->s.far);
	far_host_open(&f->hosts[0], &f->s.far, &f->addresses[0]);
	far_pass_ms(&f->s.far, ADDRESS_PAUSE_MS);
	for (int i = 0; i < 4; i++)
		begin(f, "/");
	far_settle(&f->s.far);
	assert_int_equal(f->hosts[0].conn_n, 1);
	response(f->hosts[0].conns[0]);
	begin(f, "/");
	for (int i = 0; i < 4; i++)
		begin(f, "/");
	far_settle(&f->s.far);
	assert_int_equal(f->hosts[0].conn_n, 3);
}

static void an_address_that_says_nothing_costs_a_moment(void **state)
{
	struct fixture *f = *state;
	sim_set_spot(f->s.far.sim, &f->addresses[0], SIM_SWALLOWS);
	renew(f, f->addresses, 2);
	begin(f, "/");
	begin(f, "/");
	far_settle(&f->s.far);
	assert_int_equal(f->hosts[1].conn_n, 1);
	far_pass_ms(&f->s.far, DIAL_MOMENT_MS);
	assert_int_equal(f->hosts[1].conn_n, 2);
	assert_words(&f->s.words, "");
	for (int i = 0; i < 6; i++)
		begin(f, "/");
	far_settle(&f->s.far);
	assert_int_equal(f->hosts[1].conn_n, 8);
}

/* When all are in trouble all are tried, and the last reason is told. */
static void a_node_whose_addresses_all_refuse_is_refused(void **state)
{
	struct fixture *f = *state;
	far_host_refuse(&f->hosts[0]);
	far_host_refuse(&f->hosts[1]);
	renew(f, f->addresses, 2);
	for (uint64_t i = 1; i <= 3; i++) {
		begin(f, "/");
		far_settle(&f->s.far);
		assert_words(&f->s.words, "reset(connect_refused)");
		assert_int_equal(f->counts.connects_failed, 2 * i);
	}
	assert_int_equal(f->counts.open, 0);
}

static void an_address_that_fails_its_checks_is_not_used_while_another_passes(void **state)
{
	struct fixture *f = *state;
	_Atomic uint64_t ill = 0;
	struct pool_terms terms = { .policy = back_policy, .ill = &ill };
	renew(f, f->addresses, 2);
	pool_renew(&f->pool, &terms);
	begin(f, "/");
	begin(f, "/");
	far_settle(&f->s.far);
	for (int i = 0; i < 2; i++)
		response(f->hosts[i].conns[0]);
	/* Its idle connection neither. */
	atomic_store(&ill, 2);
	for (int i = 0; i < 4; i++)
		begin(f, "/");
	far_settle(&f->s.far);
	assert_int_equal(f->hosts[0].conn_n, 4);
	assert_int_equal(f->hosts[1].conn_n, 1);
	atomic_store(&ill, 3);
	for (int i = 0; i < 4; i++)
		begin(f, "/");
	far_settle(&f->s.far);
	assert_int_equal(f->hosts[1].conn_n, 3);
	pool_renew(&f->pool, &(struct pool_terms){ .policy = back_policy });
}

static void one_of_second_choice_keeps_its_idle_connections_only(void **state)
{
	struct fixture *f = *state;
	renew(f, f->addresses, 1);
	ask(f, "/");
	pool_know(&f->pool, f->addresses, 2, 1);
	response(f->hosts[0].conns[0]);
	assert_int_equal(f->pool.idle_n, 1);
	begin(f, "/kept");
	for (int i = 0; i < 4; i++)
		begin(f, "/");
	far_settle(&f->s.far);
	assert_int_equal(far_heard(f->hosts[0].conns[0], "GET /kept"), 1);
	assert_int_equal(f->hosts[0].conn_n, 1);
	assert_int_equal(f->hosts[1].conn_n, 4);
}

static void closing_the_idle_leaves_those_in_use_to_their_end(void **state)
{
	struct fixture *f = *state;
	ask_many(f, 2);
	struct far **node = f->hosts[0].conns;
	response(node[0]);
	pool_close_idle(&f->pool);
	far_settle(&f->s.far);
	assert_int_equal(node[0]->last, 0);
	assert_int_equal(f->counts.open, 1);
	response(node[1]);
	assert_words(&f->s.words, "head(200). head(200).");
	assert_int_equal(node[1]->last, 0);
	assert_int_equal(f->counts.open, 0);
}

static void new_terms_hold_for_connections_that_are_there(void **state)
{
	struct fixture *f = *state;
	ask(f, "/");
	struct pool_terms terms = { .policy = back_policy };
	terms.policy.keep_alive_ms = 5000;
	pool_renew(&f->pool, &terms);
	response(f->hosts[0].conns[0]);
	far_pass_ms(&f->s.far, 4999);
	assert_int_equal(f->pool.idle_n, 1);
	far_pass_ms(&f->s.far, 1);
	assert_int_equal(f->pool.idle_n, 0);
}

static void a_connect_that_fails_is_counted_and_said(void **state)
{
	struct fixture *f = *state;
	far_host_refuse(&f->hosts[0]);
	begin(f, "/");
	assert_int_equal(f->counts.open, 1);
	far_settle(&f->s.far);
	assert_words(&f->s.words, "reset(connect_refused)");
	assert_int_equal(f->counts.connects, 1);
	assert_int_equal(f->counts.connects_failed, 1);
	assert_int_equal(f->counts.open, 0);
}

static void a_connection_that_breaks_later_is_no_failed_connect(void **state)
{
	struct fixture *f = *state;
	ask(f, "/");
	far_hang_up(f->hosts[0].conns[0], true);
	assert_words(&f->s.words, "reset(connection_reset)");
	assert_int_equal(f->counts.connects_failed, 0);
	assert_int_equal(f->counts.open, 0);
}

/* Of this exchange: what an earlier one sent on the same connection does not count. */
static void nothing_is_sent_before_the_turn_ends(void **state)
{
	struct fixture *f = *state;
	struct party *p = begin(f, "/one");
	assert_false(pool_look(p->stream.peer).sent);
	far_settle(&f->s.far);
	assert_true(pool_look(p->stream.peer).sent);
	response(f->hosts[0].conns[0]);
	p = begin(f, "/two");
	assert_false(pool_look(p->stream.peer).sent);
	far_turn(&f->s.far);
	assert_true(pool_look(p->stream.peer).sent);
}

/* A context is counted: the pool holds the one of its terms, and lets go of the one before. */
static void the_context_for_tls_is_held_while_the_pool_uses_it(void **state)
{
	struct fixture *f = *state;
	struct tls_library *library = tls_library_open();
	struct tls_client_config config = { .verify = false };
	char error[TLS_ERROR_BYTES];
	struct pool_terms terms = { .policy = back_policy };
	for (int i = 0; i < 2; i++) {
		terms.tls = tls_client_open(library, &config, error);
		assert_non_null(terms.tls);
		pool_renew(&f->pool, &terms);
		tls_context_drop(terms.tls);
	}
	terms.server_name = "node.test";
	pool_renew(&f->pool, &terms);
	begin(f, "/");
	far_settle(&f->s.far);
	assert_memory_equal(f->hosts[0].conns[0]->got, "\x16\x03", 2);
	party_leave(&f->askers[0], ERR_CANCELED);
	terms.tls = NULL;
	pool_renew(&f->pool, &terms);
	far_settle(&f->s.far);
	tls_library_close(library);
}

/* Bytes behind a response without a body, some time after it, would be the next one's response. */
static void a_connection_rests_behind_a_response_without_a_body(void **state)
{
	struct fixture *f = *state;
	ask(f, "/one");
	far_say(f->hosts[0].conns[0], "HTTP/1.1 204 No Content\r\n\r\n");
	ask(f, "/two");
	assert_int_equal(f->hosts[0].conn_n, 2);
	response(f->hosts[0].conns[1]);
	far_pass_ms(&f->s.far, TAIL_WAIT_MS);
	ask(f, "/three");
	assert_int_equal(far_heard(f->hosts[0].conns[0], "GET /three"), 1);
	assert_int_equal(f->pool.idle_n, 1);
	assert_int_equal(f->hosts[0].conn_n, 2);
}

static void where_many_rest_further_ones_are_closed(void **state)
{
	struct fixture *f = *state;
	ask_many(f, RESTING_WIRES_MAX + 1);
	struct far **node = f->hosts[0].conns;
	for (unsigned i = 0; i <= RESTING_WIRES_MAX; i++)
		far_say(node[i], "HTTP/1.1 304 Not Modified\r\n\r\n");
	assert_int_equal(f->pool.idle_n, RESTING_WIRES_MAX);
	assert_int_equal(node[RESTING_WIRES_MAX]->last, 0);
	ask(f, "/next");
	assert_int_equal(f->hosts[0].conn_n, RESTING_WIRES_MAX + 2);
}

static void one_that_rests_goes_where_there_may_be_no_more(void **state)
{
	struct fixture *f = *state;
	pool_renew(&f->pool, &(struct pool_terms){ .policy = back_policy, .share = 1 });
	pool_know(&f->pool, f->addresses, 1, 0);
	for (int i = 0; i < 3; i++) {
		ask(f, "/again");
		assert_int_equal(f->hosts[0].conn_n, i + 1);
		far_say(f->hosts[0].conns[i], "HTTP/1.1 204 No Content\r\n\r\n");
		assert_int_equal(f->counts.open, 1);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(what_was_used_last_is_taken_first),
		TEST(an_idle_connection_is_used_again),
		TEST(only_so_many_are_kept_idle),
		TEST(the_idle_grow_old_and_are_closed),
		TEST(a_node_that_goes_while_idle_is_out_of_the_pool),
		TEST(a_connection_that_closes_is_not_kept),
		TEST(a_connection_rests_behind_a_response_without_a_body),
		TEST(where_many_rest_further_ones_are_closed),
		TEST(one_that_rests_goes_where_there_may_be_no_more),
		TEST(connects_go_to_the_addresses_in_turn),
		TEST(idle_ones_to_addresses_that_are_no_longer_the_nodes_are_closed),
		TEST(one_in_use_is_closed_behind_its_response_when_its_address_has_gone),
		TEST(an_address_that_refuses_is_left_alone),
		TEST(an_address_that_was_left_alone_is_tried_by_one),
		TEST(an_address_that_says_nothing_costs_a_moment),
		TEST(a_node_whose_addresses_all_refuse_is_refused),
		TEST(an_address_that_fails_its_checks_is_not_used_while_another_passes),
		TEST(one_of_second_choice_keeps_its_idle_connections_only),
		TEST(closing_the_idle_leaves_those_in_use_to_their_end),
		TEST(new_terms_hold_for_connections_that_are_there),
		TEST(a_connect_that_fails_is_counted_and_said),
		TEST(a_connection_that_breaks_later_is_no_failed_connect),
		TEST(nothing_is_sent_before_the_turn_ends),
		TEST(the_context_for_tls_is_held_while_the_pool_uses_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
