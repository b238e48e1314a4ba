#include "unit/ends/far.h"

#include "ends/call_out.h"

#define TIMEOUT_MS 1000
#define WANTED 8

/* Somebody who asks a node, on a loop at one side of the simulator. */
struct fixture {
	struct far_side far;
	struct far_host host;
	struct bufs bufs;
	struct io *io;
	struct loop loop;
	struct call_outs outs;
	struct pool pool;
	struct pool_counts counts;
	struct call_out call;
	size_t wants; /* bytes of a body */
	unsigned heads, filled, over, gone;
	enum err why;
	char body[WANTED + 1];
};

static void on_head(struct call_out *c, const struct msg *m)
{
	struct fixture *f = list_entry(c, struct fixture, call);
	assert_int_equal(m->status, c->status);
	f->heads++;
	if (f->wants)
		call_out_keep(c, f->wants);
}

static void on_filled(struct call_out *c)
{
	list_entry(c, struct fixture, call)->filled++;
}

static void on_over(struct call_out *c, enum err why, const char *said)
{
	struct fixture *f = list_entry(c, struct fixture, call);
	assert_non_null(said);
	f->over++;
	f->why = why;
	if (c->body)
		memcpy(f->body, c->body, c->body_n);
}

static void on_gone(struct call_out *c)
{
	struct fixture *f = list_entry(c, struct fixture, call);
	assert_int_equal(c->state, CALL_OUT_IDLE);
	f->gone++;
}

static const struct call_out_user user = { on_head, on_filled, on_over, on_gone };

static void fixture_turn(void *us)
{
	struct fixture *f = us;
	loop_turn(&f->loop);
}

static int open_fixture(void **state)
{
	static const struct pool_terms terms = {
		.policy = { TIMEOUT_MS, TIMEOUT_MS, TIMEOUT_MS, TIMEOUT_MS, { 0 } }
	};
	struct fixture *f = calloc(1, sizeof *f);
	struct addr at;
	assert_true(addr_parse(SPAN("10.9.0.1"), 9200, &at));
	far_side_open(&f->far, fixture_turn, f);
	far_host_open(&f->host, &f->far, &at);
	bufs_open(&f->bufs);
	f->io = sim_io_open(f->far.sim, &f->bufs);
	f->far.ours = f->io;
	loop_open(&f->loop, f->io, &f->bufs, MEMORY_BYTES);
	call_outs_open(&f->outs, &f->loop);
	pool_open(&f->pool, &f->loop.backs, &f->loop.budget, &f->counts);
	pool_renew(&f->pool, &terms);
	pool_know(&f->pool, &at, 1, 0);
	pool_drain(&f->pool, true);
	call_out_init(&f->call, &f->outs, &user);
	*state = f;
	return 0;
}

/* Whatever became of it: nothing of it is left. */
static int close_fixture(void **state)
{
	struct fixture *f = *state;
	call_out_stop(&f->call, ERR_STOPPING);
	far_settle(&f->far);
	assert_int_equal(f->counts.open, 0);
	pool_close(&f->pool);
	call_outs_close(&f->outs);
	far_host_close(&f->host);
	far_settle(&f->far);
	loop_close(&f->loop);
	io_free(f->io);
	bufs_close(&f->bufs);
	far_side_close(&f->far);
	free(f);
	return 0;
}

static struct far *ask(struct fixture *f)
{
	struct msg *m = call_out_request(&f->call);
	msg_set_request(m, SPAN("GET"), SPAN("/_tasks"));
	msg_add(m, NAME_HOST, SPAN("node"));
	call_out_send(&f->call, &f->pool, TIMEOUT_MS);
	far_settle(&f->far);
	return f->host.conn_n ? f->host.conns[f->host.conn_n - 1] : NULL;
}

static void a_whole_response_is_told_of_and_may_be_followed_by_another_request(void **state)
{
	struct fixture *f = *state;
	f->wants = WANTED;
	for (unsigned i = 1; i <= 2; i++) {
		struct far *node = ask(f);
		assert_int_equal(far_heard(node, "GET /_tasks HTTP/1.1\r\n"), 1);
		far_say(node, "HTTP/1.1 103 Early Hints\r\n\r\n"
			      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
		far_settle(&f->far);
		assert_int_equal(f->heads, i);
		assert_int_equal(f->over, i);
		assert_int_equal(f->why, ERR_NONE);
		assert_int_equal(f->call.status, 200);
		assert_string_equal(f->body, "abc");
		assert_int_equal(f->filled, 0);
		assert_int_equal(f->gone, i);
	}
	/* Each on a connection of its own. */
	assert_int_equal(f->host.conn_n, 2);
}

static void no_more_of_a_body_is_kept_than_was_wanted(void **state)
{
	struct fixture *f = *state;
	f->wants = WANTED;
	struct far *node = ask(f);
	far_say(node, "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nabcdef");
	far_settle(&f->far);
	assert_int_equal(f->filled, 0);
	far_say(node, "ghijkl");
	far_settle(&f->far);
	assert_int_equal(f->filled, 1);
	assert_int_equal(f->over, 1);
	assert_string_equal(f->body, "abcdefgh");
}

static void what_breaks_says_why(void **state)
{
	struct fixture *f = *state;
	struct far *node = ask(f);
	far_say(node, "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nabc");
	far_hang_up(node, false);
	far_settle(&f->far);
	assert_int_equal(f->heads, 1);
	assert_int_equal(f->over, 1);
	assert_int_not_equal(f->why, ERR_NONE);
	assert_int_equal(f->gone, 1);
}

static void a_node_that_refuses_is_told_of_once(void **state)
{
	struct fixture *f = *state;
	far_host_refuse(&f->host);
	assert_null(ask(f));
	assert_int_equal(f->heads, 0);
	assert_int_equal(f->over, 1);
	assert_int_equal(f->why, ERR_BACK_REFUSED);
	assert_int_equal(f->gone, 1);
}

static void all_of_it_has_one_time(void **state)
{
	struct fixture *f = *state;
	struct far *node = ask(f);
	far_pass_ms(&f->far, TIMEOUT_MS - 50);
	far_say(node, "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nabc");
	far_settle(&f->far);
	assert_int_equal(f->over, 0);
	far_pass_ms(&f->far, 60);
	assert_int_equal(f->over, 1);
	assert_int_equal(f->why, ERR_RESPONSE_TIMEOUT);
	assert_int_equal(f->gone, 1);
}

static void one_that_is_stopped_is_only_gone(void **state)
{
	struct fixture *f = *state;
	ask(f);
	call_out_stop(&f->call, ERR_STOPPING);
	assert_int_equal(f->gone, 0);
	far_settle(&f->far);
	assert_int_equal(f->over, 0);
	assert_int_equal(f->gone, 1);
}

int main(void)
{
#define row(test) cmocka_unit_test_setup_teardown(test, open_fixture, close_fixture)
	const struct CMUnitTest tests[] = {
		row(a_whole_response_is_told_of_and_may_be_followed_by_another_request),
		row(no_more_of_a_body_is_kept_than_was_wanted),
		row(what_breaks_says_why),
		row(a_node_that_refuses_is_told_of_once),
		row(all_of_it_has_one_time),
		row(one_that_is_stopped_is_only_gone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
