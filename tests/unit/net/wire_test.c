#include "unit/cmocka_all.h"

#include <errno.h>

#include "io/sim.h"
#include "base/limits.h"
#include "net/wire.h"
#include "unit/net/kit.h"

/* Wires on one io, with their peers on another: plain sockets that the test drives. */
#define PAIRS 10

struct end {
	struct wire wire;
	char heard[200000];
	size_t heard_n;
	struct chain kept; /* what it does not let go of */
	bool keeps;
	unsigned bytes, finished, finishing, drained, starved, broken, gone;
	size_t unread;
	enum err why;
};

struct peer {
	struct io_op receive, send;
	struct sock *sock;
	char got[400000];
	size_t got_n;
	int32_t last;
};

struct world {
	struct sim *sim;
	struct bufs ours, theirs;
	struct io *io, *peer_io;
	struct wires wires;
	struct handshake_counts handshakes; /* of those that are accepted */
	struct sock *listening;
	struct io_op accept;
	struct end ends[PAIRS];
	struct peer peers[PAIRS];
	struct budget budget;
	struct tls_context *tls;
	unsigned open_n;
};

/* --- our side --- */

static void on_bytes(struct wire *w)
{
	struct end *e = list_entry(w, struct end, wire);
	size_t n = w->in.bytes;
	e->bytes++;
	assert_true(e->heard_n + n <= sizeof e->heard);
	chain_peek(&w->in, e->heard + e->heard_n, n);
	e->heard_n += n;
	if (e->keeps)
		chain_move_some(&e->kept, &w->in, n);
	chain_skip(&w->in, w->in.bytes);
}

static void on_finished(struct wire *w)
{
	list_entry(w, struct end, wire)->finished++;
}

static void on_finishing(struct wire *w, size_t unread)
{
	struct end *e = list_entry(w, struct end, wire);
	e->finishing++;
	e->unread = unread;
}

static void on_drained(struct wire *w)
{
	list_entry(w, struct end, wire)->drained++;
}

static void on_starved(struct wire *w)
{
	list_entry(w, struct end, wire)->starved++;
}

static void on_broken(struct wire *w, enum err why)
{
	struct end *e = list_entry(w, struct end, wire);
	e->broken++;
	e->why = why;
}

static void on_gone(struct wire *w)
{
	list_entry(w, struct end, wire)->gone++;
}

static const struct wire_user user = {
	.bytes = on_bytes,
	.finished = on_finished,
	.finishing = on_finishing,
	.drained = on_drained,
	.starved = on_starved,
	.broken = on_broken,
	.gone = on_gone,
};

static void accepted(struct io_op *op)
{
	struct world *w = list_entry(op, struct world, accept);
	if (op->result < 0)
		return;
	struct wire *new = &w->ends[w->open_n++].wire;
	wire_accept(new, &w->wires, &user, op->sock, w->tls, &w->budget);
	wire_count_handshake(new, &w->handshakes);
	io_accept(w->io, op, w->listening);
}

/* --- their side --- */

static void peer_received(struct io_op *op)
{
	struct peer *p = list_entry(op, struct peer, receive);
	p->last = op->result;
	if (op->result <= 0)
		return;
	memcpy(p->got + p->got_n, op->block->data, (size_t)op->result);
	p->got_n += (size_t)op->result;
	block_drop(op->block);
}

static void peer_sent(struct io_op *op)
{
	struct peer *p = list_entry(op, struct peer, send);
	if (op->sock)
		p->sock = op->sock;
}

static void turn(struct world *w)
{
	io_wait(w->io, 0);
	io_dispatch(w->io);
	wires_squeeze(&w->wires);
	wires_flush(&w->wires);
	io_wait(w->peer_io, 0);
	io_dispatch(w->peer_io);
}

/* Turns both sides until nothing more is on its way. */
static void settle(struct world *w)
{
	for (int i = 0; i < 20; i++)
		turn(w);
}

static void say(struct world *w, unsigned i, const char *text)
{
	struct iovec v = { (void *)(uintptr_t)text, strlen(text) };
	io_send(w->peer_io, &w->peers[i].send, w->peers[i].sock, &v, 1);
	settle(w);
}

static void listen_to(struct world *w, unsigned i)
{
	io_recv(w->peer_io, &w->peers[i].receive, w->peers[i].sock, BLOCK_LARGE);
}

static void connect_all(struct world *w, unsigned n)
{
	struct addr at;
	addr_parse(SPAN("10.0.0.1"), 80, &at);
	w->listening = sim_listen(w->io, &at);
	io_op_init(&w->accept, accepted);
	io_accept(w->io, &w->accept, w->listening);
	for (unsigned i = 0; i < n; i++) {
		io_op_init(&w->peers[i].receive, peer_received);
		io_op_init(&w->peers[i].send, peer_sent);
		io_connect(w->peer_io, &w->peers[i].send, &at);
	}
	settle(w);
	assert_int_equal(w->open_n, n);
}

static int open_world(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	struct sim_faults none = { 0 };
	bufs_open(&w->ours);
	bufs_open(&w->theirs);
	w->sim = sim_open(1, &none);
	w->io = sim_io_open(w->sim, &w->ours);
	w->peer_io = sim_io_open(w->sim, &w->theirs);
	wires_open(&w->wires, w->io, &w->ours);
	budget_open(&w->budget, SIZE_MAX);
	*state = w;
	return 0;
}

static int close_world(void **state)
{
	struct world *w = *state;
	for (unsigned i = 0; i < w->open_n; i++)
		if (!w->ends[i].gone)
			wire_abort(&w->ends[i].wire);
	io_cancel(w->io, &w->accept);
	for (unsigned i = 0; i < w->open_n; i++)
		io_cancel(w->peer_io, &w->peers[i].receive);
	settle(w);
	for (unsigned i = 0; i < w->open_n; i++) {
		assert_int_equal(w->ends[i].gone, 1);
		chain_drop(&w->ends[i].kept);
		if (w->peers[i].sock)
			io_close(w->peer_io, w->peers[i].sock, false);
	}
	io_close(w->io, w->listening, false);
	settle(w);
	wires_close(&w->wires);
	io_free(w->io);
	io_free(w->peer_io);
	sim_close(w->sim);
	bufs_close(&w->ours);
	bufs_close(&w->theirs);
	budget_close(&w->budget);
	free(w);
	return 0;
}

/* --- claims --- */

static void what_one_turn_produces_is_sent_at_once(void **state)
{
	struct world *w = *state;
	connect_all(w, 1);
	struct wire *wire = &w->ends[0].wire;
	listen_to(w, 0);
	uint64_t before = w->io->counts.sends;
	for (int i = 0; i < 10; i++) {
		chain_copy_in(&wire->out, &w->ours, "0123456789", 10);
		wire_touch(wire);
	}
	settle(w);
	assert_int_equal(w->io->counts.sends - before, 1);
	assert_int_equal(w->peers[0].got_n, 100);
	assert_int_equal(wire_unsent(wire), 0);
	assert_int_equal(wire->sent_bytes, 100);
}

static void who_does_not_ask_hears_nothing(void **state)
{
	struct world *w = *state;
	connect_all(w, 1);
	say(w, 0, "hello");
	assert_int_equal(w->ends[0].bytes, 0);
	wire_receive(&w->ends[0].wire);
	assert_int_equal(w->ends[0].bytes, 0);
	settle(w);
	assert_int_equal(w->ends[0].bytes, 1);
	assert_memory_equal(w->ends[0].heard, "hello", 5);
	say(w, 0, "again");
	assert_int_equal(w->ends[0].bytes, 1);
}

/* Asks, and is sent something, until it has to wait. */
static void fill(struct world *w, unsigned i)
{
	w->ends[i].keeps = true;
	for (unsigned said = 0; !w->ends[i].wire.account->waits; said++) {
		assert_true(said < 2000);
		wire_receive(&w->ends[i].wire);
		if (!w->ends[i].wire.account->waits)
			say(w, i, "more");
	}
}

static void who_holds_more_than_its_floor_of_a_spent_budget_waits_alone(void **state)
{
	struct world *w = *state;
	connect_all(w, 3);
	w->budget.max = 1;
	fill(w, 0);
	fill(w, 1);
	struct account *first = w->ends[0].wire.account;
	assert_true(first->used >= ACCOUNT_FLOOR_BYTES);
	assert_true(first->used < ACCOUNT_FLOOR_BYTES + BLOCK_SMALL_BYTES);
	assert_int_equal(w->budget.waiting_n, 2);
	/* Whoever holds nothing is served. */
	unsigned before = w->ends[0].bytes;
	for (int i = 0; i < 100; i++) {
		wire_receive(&w->ends[2].wire);
		say(w, 2, "hello");
	}
	say(w, 0, "hello");
	assert_int_equal(w->ends[2].bytes, 100);
	assert_int_equal(w->ends[0].bytes, before);
	assert_int_equal(w->ends[0].starved, 1);
	assert_false(wires_have_pending(&w->wires));
	/* Less of its own is held: it goes on, and the other does not. */
	chain_drop(&w->ends[0].kept);
	assert_true(wires_have_pending(&w->wires));
	settle(w);
	assert_int_equal(w->ends[0].bytes, before + 1);
	assert_int_equal(w->budget.waiting_n, 1);
}

static void a_budget_that_has_room_again_feeds_those_that_waited(void **state)
{
	struct world *w = *state;
	connect_all(w, 3);
	w->budget.max = 1;
	fill(w, 0);
	fill(w, 1);
	unsigned before[] = { w->ends[0].bytes, w->ends[1].bytes };
	say(w, 0, "hello");
	say(w, 1, "hello");
	w->budget.max = SIZE_MAX;
	assert_true(wires_have_pending(&w->wires));
	settle(w);
	assert_int_equal(w->ends[0].bytes, before[0] + 1);
	assert_int_equal(w->ends[1].bytes, before[1] + 1);
	assert_int_equal(w->budget.waiting_n, 0);
	assert_true(list_empty(&w->wires.pressed));
}

static void nobody_holds_more_than_a_connection_may_of_a_budget_with_room(void **state)
{
	struct world *w = *state;
	connect_all(w, 2);
	fill(w, 0);
	settle(w);
	assert_true(w->ends[0].wire.account->used < ACCOUNT_MAX_BYTES + BLOCK_LARGE_BYTES);
	assert_false(wires_have_pending(&w->wires));
	wire_receive(&w->ends[1].wire);
	say(w, 1, "hello");
	assert_int_equal(w->ends[1].bytes, 1);
	chain_drop(&w->ends[0].kept);
	settle(w);
	assert_true(io_op_busy(&w->ends[0].wire.receive));
}

/* A connection to a node, whose last response somebody else sleeps over. */
static void a_wire_that_begins_anew_does_not_wait_for_what_came_before(void **state)
{
	struct world *w = *state;
	connect_all(w, 1);
	w->budget.max = 1;
	fill(w, 0);
	size_t used = w->budget.used;
	unsigned before = w->ends[0].bytes;
	wire_detach_received(&w->ends[0].wire);
	assert_int_equal(w->budget.waiting_n, 0);
	assert_int_equal(w->ends[0].wire.account->used, 0);
	assert_int_equal(w->budget.used, used);
	say(w, 0, "hello");
	assert_int_equal(w->ends[0].bytes, before + 1);
}

/* Its line is in one block, and longer than that. */
static void who_holds_a_lines_beginning_gets_the_rest(void **state)
{
	struct world *w = *state;
	connect_all(w, 1);
	w->budget.max = 1;
	struct wire *wire = &w->ends[0].wire;
	struct block *k = block_take(&w->ours, BLOCK_LARGE, wire->account);
	memset(k->data, 'x', k->size);
	chain_add(&wire->in, k, k->data, 10000);
	wire_receive(wire);
	assert_true(io_op_busy(&wire->receive));
}

/* Its peer reads nothing, so that the send is under way until it is canceled. */
static void a_wire_closed_while_it_waits_for_memory_receives_no_more_and_goes(void **state)
{
	struct world *w = *state;
	connect_all(w, 2);
	static char many[3 * WIRE_FLUSH_BYTES];
	w->budget.max = 1;
	for (unsigned i = 0; i < 2; i++) {
		struct wire *wire = &w->ends[i].wire;
		chain_copy_in(&wire->out, &w->ours, many, sizeof many);
		wire_touch(wire);
		fill(w, i);
		w->ends[i].bytes = 0;
	}
	assert_int_equal(w->budget.waiting_n, 2);
	w->budget.max = SIZE_MAX;
	wire_abort(&w->ends[0].wire);
	wire_close(&w->ends[1].wire);
	assert_int_equal(w->budget.waiting_n, 0);
	wires_flush(&w->wires);
	for (unsigned i = 0; i < 2; i++)
		assert_false(io_op_busy(&w->ends[i].wire.receive));
	settle(w);
	assert_int_equal(w->ends[0].gone, 1);
	assert_int_equal(w->ends[0].bytes, 0);
}

static void connect_ended(struct io_op *op)
{
	(void)op;
}

/* Each of them is ours, whatever this machine lacks. */
static void a_connect_without_the_means_says_whose_fault_it_is(void **state)
{
	struct world *w = *state;
	const struct sim_faults shortage = { .shortage = 1000 };
	bool told[ERRS] = { false };
	struct addr at;
	addr_parse(SPAN("10.0.0.1"), 80, &at);
	connect_all(w, 0);
	sim_lacks(w->io);
	sim_set_faults(w->sim, &shortage);
	for (int i = 0; i < 200; i++) {
		struct io_op op;
		io_op_init(&op, connect_ended);
		io_connect(w->io, &op, &at);
		settle(w);
		assert_true(op.result < 0);
		enum err why = wire_err_of_connect(op.result);
		assert_int_equal(err_side(why), SIDE_OURS);
		assert_int_equal(err_status(why), 503);
		told[why] = true;
	}
	assert_true(told[ERR_OUT_OF_HANDLES] && told[ERR_OUT_OF_PORTS] && told[ERR_OUT_OF_MEMORY] &&
		    told[ERR_NETWORK_DOWN] && told[ERR_NOT_PERMITTED]);
}

static void an_end_is_told_and_sending_goes_on(void **state)
{
	struct world *w = *state;
	connect_all(w, 1);
	wire_receive(&w->ends[0].wire);
	io_shutdown(w->peer_io, w->peers[0].sock);
	listen_to(w, 0);
	settle(w);
	assert_int_equal(w->ends[0].finished, 1);
	assert_int_equal(w->ends[0].broken, 0);
	chain_copy_in(&w->ends[0].wire.out, &w->ours, "still here", 10);
	wire_touch(&w->ends[0].wire);
	settle(w);
	assert_memory_equal(w->peers[0].got, "still here", 10);
}

static void a_close_sends_what_is_left_and_then_its_end(void **state)
{
	struct world *w = *state;
	connect_all(w, 1);
	listen_to(w, 0);
	chain_copy_in(&w->ends[0].wire.out, &w->ours, "the last", 8);
	wire_close(&w->ends[0].wire);
	settle(w);
	assert_memory_equal(w->peers[0].got, "the last", 8);
	assert_int_equal(w->ends[0].gone, 1);
	listen_to(w, 0);
	settle(w);
	assert_int_equal(w->peers[0].last, 0);
}

static void an_abort_is_a_reset(void **state)
{
	struct world *w = *state;
	connect_all(w, 1);
	listen_to(w, 0);
	wire_receive(&w->ends[0].wire);
	wire_abort(&w->ends[0].wire);
	assert_int_equal(w->ends[0].gone, 0);
	settle(w);
	assert_int_equal(w->ends[0].gone, 1);
	assert_int_equal(w->peers[0].last, -ECONNRESET);
}

static void a_reset_breaks_the_wire_and_it_goes_by_itself(void **state)
{
	struct world *w = *state;
	connect_all(w, 2);
	wire_receive(&w->ends[0].wire);
	wire_receive(&w->ends[1].wire);
	io_close(w->peer_io, w->peers[0].sock, true);
	w->peers[0].sock = NULL;
	settle(w);
	assert_int_equal(w->ends[0].broken, 1);
	assert_int_equal(w->ends[0].why, ERR_PEER_RESET);
	assert_int_equal(w->ends[0].gone, 1);
	assert_int_equal(w->ends[1].broken, 0);
}

/* A large amount goes in loads of WIRE_FLUSH_BYTES, one at a time. */
/* The first is not asked to receive, the others have no memory to. */
static void watch_some(struct world *w)
{
	connect_all(w, 4);
	w->budget.max = 1;
	for (unsigned i = 1; i < 4; i++)
		fill(w, i);
	for (unsigned i = 0; i < 4; i++) {
		w->ends[i].bytes = 0;
		wire_watch(&w->ends[i].wire);
		wire_watch(&w->ends[i].wire);
	}
	settle(w);
}

static void a_peers_going_is_seen_where_nothing_is_received(void **state)
{
	struct world *w = *state;
	watch_some(w);
	say(w, 3, "unread");
	for (unsigned i = 0; i < 4; i++) {
		io_close(w->peer_io, w->peers[i].sock, i == 1);
		w->peers[i].sock = NULL;
	}
	settle(w);
	assert_int_equal(w->ends[0].finished, 1);
	assert_int_equal(w->ends[1].broken, 1);
	assert_int_equal(w->ends[1].why, ERR_PEER_RESET);
	assert_int_equal(w->ends[1].gone, 1);
	assert_int_equal(w->ends[2].finished, 1);
	assert_int_equal(w->ends[3].finished, 0);
	assert_int_equal(w->ends[3].finishing, 1);
	assert_int_equal(w->ends[3].unread, 6);
	/* What stood before the end is still there for who asks. */
	w->budget.max = SIZE_MAX;
	settle(w);
	assert_int_equal(w->ends[3].bytes, 1);
	wire_receive(&w->ends[3].wire);
	settle(w);
	assert_int_equal(w->ends[3].finished, 1);
}

static void a_watch_gives_way_to_a_receive(void **state)
{
	struct world *w = *state;
	watch_some(w);
	for (unsigned i = 0; i < 4; i++)
		say(w, i, "hello");
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(w->ends[i].bytes, 0);
	wire_receive(&w->ends[0].wire);
	wire_receive(&w->ends[0].wire);
	chain_drop(&w->ends[1].kept);
	settle(w);
	assert_int_equal(w->ends[0].bytes, 1);
	assert_int_equal(w->ends[1].bytes, 1);
	assert_int_equal(w->ends[2].bytes, 0);
	/* One that is closed takes its watch with it: the world's end sees to that. */
	wire_close(&w->ends[2].wire);
	settle(w);
	assert_int_equal(w->ends[2].gone, 1);
	assert_int_equal(w->ends[2].bytes, 0);
}

static void a_turn_sends_a_bounded_load(void **state)
{
	struct world *w = *state;
	connect_all(w, 1);
	struct wire *wire = &w->ends[0].wire;
	static char many[3 * WIRE_FLUSH_BYTES];
	chain_copy_in(&wire->out, &w->ours, many, sizeof many);
	wire_touch(wire);
	wires_flush(&w->wires);
	assert_true(wire->send->bytes.bytes >= WIRE_FLUSH_BYTES);
	assert_true(wire->send->bytes.bytes < WIRE_FLUSH_BYTES + BLOCK_LARGE_BYTES);
	assert_int_equal(wire_unsent(wire), sizeof many);
}

static void a_turn_starts_at_most_four_handshakes(void **state)
{
	struct world *w = *state;
	struct tls_library *library = tls_library_open();
	struct identity identity;
	make_identity(&identity, "DNS:test");
	w->tls = server_of(library, &identity, NULL);
	connect_all(w, PAIRS);
	static char hello[] = "no TLS at all";
	struct iovec v = { hello, sizeof hello };
	for (unsigned i = 0; i < PAIRS; i++) {
		wire_receive(&w->ends[i].wire);
		io_send(w->peer_io, &w->peers[i].send, w->peers[i].sock, &v, 1);
	}
	unsigned begun = 0;
	for (int turns = 0; begun < PAIRS; turns++) {
		assert_true(turns < 20);
		turn(w);
		unsigned now = 0;
		for (unsigned i = 0; i < PAIRS; i++)
			now += w->ends[i].broken;
		assert_true(now - begun <= 2 * HANDSHAKES_PER_TURN);
		assert_int_equal(wires_have_pending(&w->wires), now < PAIRS && now > 0);
		begun = now;
	}
	assert_int_equal(w->handshakes.failed, PAIRS);
	assert_int_equal(w->handshakes.done, 0);
	settle(w);
	tls_context_drop(w->tls);
	tls_library_close(library);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(what_one_turn_produces_is_sent_at_once),
		TEST(who_does_not_ask_hears_nothing),
		TEST(who_holds_more_than_its_floor_of_a_spent_budget_waits_alone),
		TEST(a_budget_that_has_room_again_feeds_those_that_waited),
		TEST(nobody_holds_more_than_a_connection_may_of_a_budget_with_room),
		TEST(who_holds_a_lines_beginning_gets_the_rest),
		TEST(a_wire_that_begins_anew_does_not_wait_for_what_came_before),
		TEST(a_wire_closed_while_it_waits_for_memory_receives_no_more_and_goes),
		TEST(a_connect_without_the_means_says_whose_fault_it_is),
		TEST(an_end_is_told_and_sending_goes_on),
		TEST(a_close_sends_what_is_left_and_then_its_end),
		TEST(an_abort_is_a_reset),
		TEST(a_reset_breaks_the_wire_and_it_goes_by_itself),
		TEST(a_peers_going_is_seen_where_nothing_is_received),
		TEST(a_watch_gives_way_to_a_receive),
		TEST(a_turn_sends_a_bounded_load),
		TEST(a_turn_starts_at_most_four_handshakes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
