/* What io.h promises, on every backend alike. */

#include "base/limits.h"
#include "unit/io/world.h"

#include <sys/resource.h>

static void an_echo_comes_back(void **state)
{
	struct world *w = *state;
	struct pair p = open_pair(w);
	send_text(w, p.client, "hello");
	expect_text(w, p.server, "hello");
	send_text(w, p.server, "and hello to you");
	expect_text(w, p.client, "and hello to you");
	assert_true(addr_is(&p.client->peer, &p.at));
	assert_int_equal(p.server->peer.any.sa_family, AF_INET);
	assert_int_not_equal(addr_port(&p.server->peer), 0);
	assert_int_equal(w->io->counts.accepts, 1);
	assert_int_equal(w->io->counts.connects, 1);
	assert_int_equal(w->io->counts.recv_bytes, 21);
	assert_int_equal(w->io->counts.send_bytes, 21);
	close_pair(w, &p);
}

static void done_runs_only_in_dispatch(void **state)
{
	struct world *w = *state;
	struct pair p = open_pair(w);
	struct call c;
	struct iovec v = vector("x", 1);
	call_init(&c);
	io_send(w->io, &c.op, p.client, &v, 1);
	assert_int_equal(c.ended, 0);
	assert_true(io_op_busy(&c.op));
	io_wait(w->io, UINT64_MAX);
	assert_int_equal(c.ended, 0);
	until(w, c.ended);
	assert_false(io_op_busy(&c.op));
	settle(w);
	assert_int_equal(c.ended, 1);
	close_pair(w, &p);
}

static void the_end_of_a_peer_is_zero_bytes_again_and_again(void **state)
{
	struct world *w = *state;
	struct pair p = open_pair(w);
	send_text(w, p.client, "last words");
	io_shutdown(w->io, p.client);
	expect_text(w, p.server, "last words");
	expect_end(w, p.server, 0);
	expect_end(w, p.server, 0);
	send_text(w, p.server, "a response for the half-closed");
	expect_text(w, p.client, "a response for the half-closed");
	close_pair(w, &p);
}

static void a_close_right_after_shutdown_keeps_what_was_sent(void **state)
{
	struct world *w = *state;
	struct pair p = open_pair(w);
	send_text(w, p.client, "bye");
	io_shutdown(w->io, p.client);
	io_close(w->io, p.client, false);
	expect_text(w, p.server, "bye");
	expect_end(w, p.server, 0);
	io_close(w->io, p.server, false);
	io_close(w->io, p.listener, false);
}

static void a_close_is_an_end_and_a_reset_an_error(void **state)
{
	static const struct {
		bool reset, armed;
		int32_t expected;
	} cases[] = {
		{ false, false, 0 },
		{ false, true, 0 },
		{ true, false, -ECONNRESET },
		{ true, true, -ECONNRESET },
	};
	struct world *w = *state;
	struct pair p = { 0 };
	p.listener = open_listener(w, &p.at);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct call c;
		connect_pair(w, &p);
		call_init(&c);
		if (cases[i].armed)
			io_recv(w->io, &c.op, p.server, BLOCK_SMALL);
		settle(w);
		io_close(w->io, p.client, cases[i].reset);
		settle(w);
		if (!cases[i].armed)
			io_recv(w->io, &c.op, p.server, BLOCK_SMALL);
		until(w, c.ended);
		assert_int_equal(c.result, cases[i].expected);
		assert_null(c.op.block);
		io_close(w->io, p.server, false);
	}
	io_close(w->io, p.listener, false);
}

static void a_close_over_unread_bytes_is_a_reset(void **state)
{
	struct world *w = *state;
	struct pair p = open_pair(w);
	send_text(w, p.client, "never read");
	settle(w);
	io_close(w->io, p.server, false);
	settle(w);
	expect_end(w, p.client, -ECONNRESET);
	io_close(w->io, p.client, false);
	io_close(w->io, p.listener, false);
}

static void a_send_after_a_reset_fails(void **state)
{
	struct world *w = *state;
	struct pair p = open_pair(w);
	struct call c;
	struct iovec v = vector("x", 1);
	io_close(w->io, p.server, true);
	settle(w);
	call_init(&c);
	io_send(w->io, &c.op, p.client, &v, 1);
	until(w, c.ended);
	assert_true(c.result == -ECONNRESET || c.result == -EPIPE);
	io_close(w->io, p.client, false);
	io_close(w->io, p.listener, false);
}

static void a_connect_to_nobody_is_refused(void **state)
{
	struct world *w = *state;
	struct addr at;
	struct call c;
	io_close(w->io, open_listener(w, &at), false);
	settle(w);
	call_init(&c);
	io_connect(w->io, &c.op, &at);
	until(w, c.ended);
	assert_int_equal(c.result, -ECONNREFUSED);
	assert_null(c.op.sock);
}

static void several_accepts_take_one_connection_each(void **state)
{
	enum { N = 4 };
	struct world *w = *state;
	struct addr at;
	struct sock *listener = open_listener(w, &at);
	struct call accepts[N], connects[N];
	for (int i = 0; i < N; i++) {
		call_init(&accepts[i]);
		io_accept(w->io, &accepts[i].op, listener);
	}
	settle(w);
	for (int i = 0; i < N; i++) {
		unsigned ended = 0;
		call_init(&connects[i]);
		io_connect(w->io, &connects[i].op, &at);
		until(w, connects[i].ended);
		settle(w);
		for (int j = 0; j < N; j++)
			ended += accepts[j].ended;
		assert_int_equal(ended, i + 1);
	}
	for (int i = 0; i < N; i++) {
		assert_int_equal(accepts[i].result, 0);
		io_close(w->io, accepts[i].op.sock, false);
		io_close(w->io, connects[i].op.sock, false);
	}
	io_close(w->io, listener, false);
}

static void many_vectors_arrive_in_order(void **state)
{
	struct world *w = *state;
	struct pair p = open_pair(w);
	static const char *const words[] = { "one ", "", "two ", "three ", "", "four " };
	struct iovec vectors[IO_VECTORS_MAX];
	char expected[4096] = { 0 };
	struct call c;
	for (size_t i = 0; i < IO_VECTORS_MAX; i++) {
		const char *word = words[i % (sizeof words / sizeof *words)];
		vectors[i] = vector(word, strlen(word));
		strcat(expected, word);
	}
	call_init(&c);
	io_send(w->io, &c.op, p.client, vectors, IO_VECTORS_MAX);
	until(w, c.ended);
	assert_int_equal(c.result, strlen(expected));
	assert_int_equal(w->io->counts.sends, 1);
	expect_text(w, p.server, expected);
	close_pair(w, &p);
}

/* --- more than fits --- */

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 7 + i / 251);
}

/* Receives until `n` bytes of the pattern have come. */
static void expect_pattern(struct world *w, struct sock *s, size_t n, enum block_class class)
{
	for (size_t at = 0; at < n;) {
		struct call c;
		call_init(&c);
		io_recv(w->io, &c.op, s, class);
		until(w, c.ended);
		assert_true(c.result > 0);
		for (int32_t i = 0; i < c.result; i++)
			if (c.op.block->data[i] != pattern(at++))
				fail_msg("byte %zu is wrong", at - 1);
		block_drop(c.op.block);
	}
}

static void a_large_send_waits_for_a_slow_reader_and_arrives_whole(void **state)
{
	enum { N = 12 * 1024 * 1024 };
	static const size_t cuts[] = { 0, 1, 100, N / 3, N / 3, N - 5, N };
	enum { VECTORS = sizeof cuts / sizeof *cuts - 1 };
	struct world *w = *state;
	struct pair p = open_pair(w);
	uint8_t *bytes = malloc(N);
	assert_non_null(bytes);
	for (size_t i = 0; i < N; i++)
		bytes[i] = pattern(i);
	for (int k = 0; k < BLOCK_CLASSES; k++) {
		struct iovec vectors[VECTORS];
		struct call c;
		for (size_t i = 0; i < VECTORS; i++)
			vectors[i] = vector(bytes + cuts[i], cuts[i + 1] - cuts[i]);
		call_init(&c);
		io_send(w->io, &c.op, p.client, vectors, VECTORS);
		settle(w);
		assert_int_equal(c.ended, 0);
		expect_pattern(w, p.server, N, k);
		until(w, c.ended);
		assert_int_equal(c.result, N);
	}
	free(bytes);
	close_pair(w, &p);
}

static void a_canceled_receive_leaves_the_bytes_for_the_next(void **state)
{
	struct world *w = *state;
	struct pair p = open_pair(w);
	struct call c;
	call_init(&c);
	io_cancel(w->io, &c.op); /* idle: nothing happens */
	assert_false(c.op.cancel);
	io_recv(w->io, &c.op, p.server, BLOCK_SMALL);
	settle(w);
	assert_int_equal(c.ended, 0);
	io_cancel(w->io, &c.op);
	io_cancel(w->io, &c.op);
	assert_int_equal(c.ended, 0);
	until(w, c.ended);
	assert_int_equal(c.result, -ECANCELED);
	assert_null(c.op.block);
	settle(w);
	assert_int_equal(c.ended, 1);
	send_text(w, p.client, "later");
	expect_text(w, p.server, "later");
	close_pair(w, &p);
}

/* Whatever the peer has sent before: nothing of it is taken. */
static void a_watch_ends_with_its_peer_and_takes_nothing(void **state)
{
	static const struct {
		const char *said;
		bool early, reset;
	} cases[] = {
		{ "", false, false },	  { "", true, false },	     { "", false, true },
		{ "", true, true },	  { "words", false, false }, { "words", true, false },
		{ "words", false, true }, { "words", true, true },
	};
	struct world *w = *state;
	struct pair p = { 0 };
	p.listener = open_listener(w, &p.at);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct call c;
		int32_t n = (int32_t)strlen(cases[i].said);
		connect_pair(w, &p);
		call_init(&c);
		if (cases[i].early)
			io_watch(w->io, &c.op, p.server);
		if (n)
			send_text(w, p.client, cases[i].said);
		settle(w);
		assert_int_equal(c.ended, 0);
		io_close(w->io, p.client, cases[i].reset);
		settle(w);
		if (!cases[i].early)
			io_watch(w->io, &c.op, p.server);
		until(w, c.ended);
		assert_int_equal(c.result, cases[i].reset ? -ECONNRESET : n);
		assert_null(c.op.block);
		if (n && !cases[i].reset)
			expect_text(w, p.server, cases[i].said);
		if (!n || !cases[i].reset)
			expect_end(w, p.server, cases[i].reset ? -ECONNRESET : 0);
		io_close(w->io, p.server, false);
	}
	io_close(w->io, p.listener, false);
}

static void a_canceled_watch_makes_room_for_a_receive(void **state)
{
	struct world *w = *state;
	struct pair p = open_pair(w);
	struct call c;
	call_init(&c);
	io_watch(w->io, &c.op, p.server);
	send_text(w, p.client, "there ");
	settle(w);
	io_cancel(w->io, &c.op);
	assert_int_equal(c.ended, 0);
	until(w, c.ended);
	assert_int_equal(c.result, -ECANCELED);
	expect_text(w, p.server, "there ");
	send_text(w, p.client, "and more");
	expect_text(w, p.server, "and more");
	io_close(w->io, p.client, false);
	settle(w);
	call_init(&c);
	io_watch(w->io, &c.op, p.server);
	io_cancel(w->io, &c.op);
	until(w, c.ended);
	assert_true(c.result == -ECANCELED || c.result == 0);
	expect_end(w, p.server, 0);
	io_close(w->io, p.server, false);
	io_close(w->io, p.listener, false);
}

static void a_canceled_accept_takes_no_connection(void **state)
{
	struct world *w = *state;
	struct pair p = open_pair(w);
	struct call c[2];
	for (int i = 0; i < 2; i++) {
		call_init(&c[i]);
		io_accept(w->io, &c[i].op, p.listener);
	}
	settle(w);
	io_cancel(w->io, &c[0].op);
	until(w, c[0].ended);
	assert_int_equal(c[0].result, -ECANCELED);
	assert_null(c[0].op.sock);
	struct call connected;
	call_init(&connected);
	io_connect(w->io, &connected.op, &p.at);
	until(w, connected.ended && c[1].ended);
	assert_int_equal(c[1].result, 0);
	io_close(w->io, connected.op.sock, false);
	io_close(w->io, c[1].op.sock, false);
	close_pair(w, &p);
}

/* How a listening socket is emptied before it is closed. */
static void an_accept_canceled_at_once_takes_who_waits(void **state)
{
	enum { N = 3 };
	struct world *w = *state;
	struct addr at;
	struct sock *listener = open_listener(w, &at);
	struct call connects[N], accept;
	for (int i = 0; i < N; i++) {
		call_init(&connects[i]);
		io_connect(w->io, &connects[i].op, &at);
		until(w, connects[i].ended);
	}
	settle(w);
	for (int i = 0; i <= N; i++) {
		call_init(&accept);
		io_accept(w->io, &accept.op, listener);
		io_cancel(w->io, &accept.op);
		until(w, accept.ended);
		assert_int_equal(accept.result, i < N ? 0 : -ECANCELED);
		if (i < N)
			io_close(w->io, accept.op.sock, false);
	}
	for (int i = 0; i < N; i++)
		io_close(w->io, connects[i].op.sock, false);
	io_close(w->io, listener, false);
}

static void a_send_that_waits_can_be_canceled(void **state)
{
	enum { N = 16 * 1024 * 1024 };
	struct world *w = *state;
	struct pair p = open_pair(w);
	char *bytes = calloc(1, N);
	struct iovec vectors[] = { vector(bytes, N / 2), vector(bytes + N / 2, N / 2) };
	for (unsigned n = 1; n <= 2; n++) {
		struct call c;
		call_init(&c);
		io_send(w->io, &c.op, p.client, vectors, n);
		settle(w);
		assert_int_equal(c.ended, 0);
		io_cancel(w->io, &c.op);
		until(w, c.ended);
		assert_int_equal(c.result, -ECANCELED);
	}
	free(bytes);
	close_pair(w, &p);
}

static void a_cancel_that_races_the_end_ends_once_and_loses_nothing(void **state)
{
	struct world *w = *state;
	struct pair p = open_pair(w);
	unsigned canceled = 0;
	for (int i = 0; i < 200; i++) {
		struct call sent, c;
		struct iovec v = vector("x", 1);
		call_init(&sent);
		call_init(&c);
		io_recv(w->io, &c.op, p.server, BLOCK_SMALL);
		if (i & 1)
			settle(w);
		io_send(w->io, &sent.op, p.client, &v, 1);
		if (i & 2)
			until(w, sent.ended);
		if (i & 4)
			io_wait(w->io, w->io->now_ns);
		io_cancel(w->io, &c.op);
		until(w, sent.ended && c.ended);
		if (c.result == 1) {
			block_drop(c.op.block);
		} else {
			assert_int_equal(c.result, -ECANCELED);
			canceled++;
			expect_text(w, p.server, "x");
		}
		assert_int_equal(c.ended, 1);
	}
	assert_true(canceled > 0);
	close_pair(w, &p);
}

static void an_early_cancel_of_a_connect_ends_it_once(void **state)
{
	struct world *w = *state;
	struct pair p = open_pair(w);
	for (int i = 0; i < 20; i++) {
		struct call c;
		call_init(&c);
		io_connect(w->io, &c.op, &p.at);
		if (i & 1)
			io_wait(w->io, w->io->now_ns);
		io_cancel(w->io, &c.op);
		until(w, c.ended);
		assert_true(c.result == 0 || c.result == -ECANCELED);
		assert_true((c.result == 0) == (c.op.sock != NULL));
		if (c.op.sock)
			io_close(w->io, c.op.sock, false);
	}
	settle(w);
	close_pair(w, &p);
}

/* --- inside done() --- */

struct player { /* of ping-pong */
	struct io_op recv, send;
	struct io *io;
	struct sock *at;
	unsigned hits, hits_max;
};

static void hit(struct player *p)
{
	static const char ball[] = "o";
	static const struct iovec v = { (void *)(uintptr_t)ball, 1 };
	io_send(p->io, &p->send, p->at, &v, 1);
}

static void ball_came(struct io_op *op)
{
	struct player *p = list_entry(op, struct player, recv);
	assert_int_equal(op->result, 1);
	block_drop(op->block);
	p->hits++;
	hit(p);
	if (p->hits < p->hits_max)
		io_recv(p->io, op, p->at, BLOCK_SMALL);
}

static void ball_left(struct io_op *op)
{
	assert_int_equal(op->result, 1);
}

static void operations_start_again_inside_done(void **state)
{
	enum { PAIRS = 50, HITS = 100 };
	struct world *w = *state;
	struct pair p = { 0 };
	struct player *players = calloc(2 * PAIRS, sizeof *players);
	p.listener = open_listener(w, &p.at);
	for (int i = 0; i < 2 * PAIRS; i++) {
		if (i % 2 == 0)
			connect_pair(w, &p);
		players[i] = (struct player){ .io = w->io, .hits_max = HITS };
		players[i].at = i % 2 ? p.server : p.client;
		io_op_init(&players[i].recv, ball_came);
		io_op_init(&players[i].send, ball_left);
		io_recv(w->io, &players[i].recv, players[i].at, BLOCK_SMALL);
	}
	for (int i = 0; i < PAIRS; i++)
		hit(&players[2 * i]);
	for (int i = 0; i < 2 * PAIRS; i++)
		until(w, players[i].hits == HITS && !io_op_busy(&players[i].send));
	for (int i = 0; i < 2 * PAIRS; i++)
		io_close(w->io, players[i].at, false);
	io_close(w->io, p.listener, false);
	free(players);
}

struct guest { /* lives for one connection, and ends itself */
	struct io_op op;
	struct io *io;
	unsigned *gone;
};

static void guest_leaves(struct io_op *op)
{
	struct guest *g = (struct guest *)op;
	unsigned *gone = g->gone;
	assert_int_equal(op->result, 0);
	io_close(g->io, op->sock, false);
	free(g);
	++*gone;
}

static void done_may_close_the_socket_and_free_the_operation(void **state)
{
	enum { N = 300 };
	struct world *w = *state;
	struct pair p = { 0 };
	unsigned gone = 0;
	p.listener = open_listener(w, &p.at);
	for (int i = 0; i < N; i++) {
		connect_pair(w, &p);
		struct guest *g = malloc(sizeof *g);
		*g = (struct guest){ .io = w->io, .gone = &gone };
		io_op_init(&g->op, guest_leaves);
		io_recv(w->io, &g->op, p.server, BLOCK_SMALL);
		io_close(w->io, p.client, false);
	}
	until(w, gone == N);
	io_close(w->io, p.listener, false);
}

/* --- many at once --- */

enum { CROWD = 300 };

struct crowd {
	struct pair p;
	struct sock *clients[CROWD], *servers[CROWD];
	struct call recvs[CROWD], sends[CROWD];
};

static struct crowd *open_crowd(struct world *w)
{
	struct crowd *c = calloc(1, sizeof *c);
	c->p.listener = open_listener(w, &c->p.at);
	for (int i = 0; i < CROWD; i++) {
		connect_pair(w, &c->p);
		c->clients[i] = c->p.client;
		c->servers[i] = c->p.server;
		call_init(&c->recvs[i]);
		call_init(&c->sends[i]);
	}
	return c;
}

static void close_crowd(struct world *w, struct crowd *c)
{
	for (int i = 0; i < CROWD; i++) {
		io_close(w->io, c->clients[i], false);
		io_close(w->io, c->servers[i], false);
	}
	io_close(w->io, c->p.listener, false);
	free(c);
}

static void idle_receives_hold_no_blocks_and_all_get_theirs_in_the_rush(void **state)
{
	struct world *w = *state;
	struct crowd *c = open_crowd(w);
	struct iovec v = vector("rush", 4);
	for (int k = 0; k < BLOCK_CLASSES; k++) {
		size_t bytes_before = w->bufs.bytes_out;
		for (int i = 0; i < CROWD; i++)
			io_recv(w->io, &c->recvs[i].op, c->servers[i], k);
		settle(w);
		assert_int_equal(w->bufs.bytes_out, bytes_before);
		for (int i = 0; i < CROWD; i++)
			io_send(w->io, &c->sends[i].op, c->clients[i], &v, 1);
		for (int i = 0; i < CROWD; i++) {
			until(w, c->recvs[i].ended && c->sends[i].ended);
			assert_int_equal(c->recvs[i].result, 4);
			assert_memory_equal(c->recvs[i].op.block->data, "rush", 4);
			block_drop(c->recvs[i].op.block);
			call_init(&c->recvs[i]);
			call_init(&c->sends[i]);
		}
		assert_int_equal(w->bufs.bytes_out, bytes_before);
	}
	if (strstr(w->backend->name, "io_uring"))
		assert_true(w->io->counts.starved > 0);
	close_crowd(w, c);
}

static void thousands_of_operations_end_in_one_turn_once_each(void **state)
{
	enum { N = 6000 }; /* more than any queue of a backend */
	struct world *w = *state;
	struct addr at;
	struct sock *listener = open_listener(w, &at);
	struct call *calls = calloc(N, sizeof *calls);
	for (int i = 0; i < N; i++) {
		call_init(&calls[i]);
		io_accept(w->io, &calls[i].op, listener);
	}
	settle(w);
	for (int i = 0; i < N; i++)
		io_cancel(w->io, &calls[i].op);
	for (int i = 0; i < N; i++)
		until(w, calls[i].ended);
	settle(w);
	for (int i = 0; i < N; i++) {
		assert_int_equal(calls[i].ended, 1);
		assert_true(calls[i].result == -ECANCELED || calls[i].result == -EMFILE);
	}
	free(calls);
	io_close(w->io, listener, false);
}

static void many_connections_one_after_the_other_leave_nothing(void **state)
{
	struct world *w = *state;
	struct pair p = open_pair(w);
	struct pair next = p;
	int descriptors = count_descriptors();
	for (int i = 0; i < 300; i++) {
		connect_pair(w, &next);
		send_text(w, next.client, "x");
		expect_text(w, next.server, "x");
		io_close(w->io, next.client, i % 2);
		io_close(w->io, next.server, false);
	}
	settle(w);
	assert_int_equal(count_descriptors(), descriptors);
	close_pair(w, &p);
}

int main(void)
{
	static const struct backend backends[] = {
		{ "io_uring with slots", open_uring_slots },
		{ "io_uring with descriptors", open_uring_descriptors },
		{ "epoll", open_epoll },
		{ "simulator", open_sim },
	};
	const struct CMUnitTest claims[] = {
		claim(an_echo_comes_back),
		claim(done_runs_only_in_dispatch),
		claim(the_end_of_a_peer_is_zero_bytes_again_and_again),
		claim(a_close_right_after_shutdown_keeps_what_was_sent),
		claim(a_close_is_an_end_and_a_reset_an_error),
		claim(a_close_over_unread_bytes_is_a_reset),
		claim(a_send_after_a_reset_fails),
		claim(a_connect_to_nobody_is_refused),
		claim(several_accepts_take_one_connection_each),
		claim(many_vectors_arrive_in_order),
		claim(a_large_send_waits_for_a_slow_reader_and_arrives_whole),
		claim(a_canceled_receive_leaves_the_bytes_for_the_next),
		claim(a_watch_ends_with_its_peer_and_takes_nothing),
		claim(a_canceled_watch_makes_room_for_a_receive),
		claim(a_canceled_accept_takes_no_connection),
		claim(an_accept_canceled_at_once_takes_who_waits),
		claim(a_send_that_waits_can_be_canceled),
		claim(a_cancel_that_races_the_end_ends_once_and_loses_nothing),
		claim(an_early_cancel_of_a_connect_ends_it_once),
		claim(operations_start_again_inside_done),
		claim(done_may_close_the_socket_and_free_the_operation),
		claim(idle_receives_hold_no_blocks_and_all_get_theirs_in_the_rush),
		claim(thousands_of_operations_end_in_one_turn_once_each),
		claim(many_connections_one_after_the_other_leave_nothing),
	};
	struct rlimit files;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	int failed = 0;
	for (size_t i = 0; i < sizeof backends / sizeof *backends; i++)
		failed += run_on(&backends[i], claims, sizeof claims / sizeof *claims);
	return failed;
}
