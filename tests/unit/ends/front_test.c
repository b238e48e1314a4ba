#include "unit/cmocka_all.h"

#include <stdio.h>
#include <string.h>

#include "ends/h1_front.h"
#include "ends/reply.h"
#include "io/sim.h"
#include "base/limits.h"

/*
 * A client's connection on the simulator, with a party behind it that answers each request when it
 * is whole with its path, and /early before its body. /slow waits until it is told to go on.
 */
struct party {
	struct stream stream;
	struct arena arena;
	struct msg *request;
	struct reply reply;
	struct world *world;
	size_t body_bytes;
	enum err broke;
	struct list link;
};

struct world {
	struct sim *sim;
	struct bufs ours, theirs;
	struct io *io, *client_io;
	struct wires wires;
	struct budget budget;
	struct wheel wheel;
	struct h1_fronts fronts;
	struct slab parties, chunks;
	struct list ended;
	struct sock *listening, *client;
	struct io_op accept, send, receive;
	char *got;
	size_t got_n, got_room;
	int32_t last;
	unsigned requests, gone;
	struct party *slow; /* the last */
	enum err broke;	    /* it */
	bool ends;	    /* it ends with its client */
};

static const struct front_policy policy = {
	.head_ms = 10000,
	.idle_ms = 60000,
	.keep_alive_ms = 3600000,
	.tunnel_idle_ms = 60000,
};

/* --- the party behind the front --- */

static struct party *party_of(struct stream *s)
{
	return list_entry(s, struct party, stream);
}

static void end_if_over(struct party *p)
{
	if (!stream_over(&p->stream) || !list_empty(&p->link))
		return;
	reply_stop(&p->reply);
	list_add_tail(&p->world->ended, &p->link);
}

static void response(struct party *p)
{
	struct span target = msg_target(p->request);
	if (stream_receives(&p->stream))
		stream_abort(p->stream.peer, STREAM_STOP, ERR_NONE);
	reply_text(&p->reply, p->stream.peer, &p->arena, &p->world->ours, 200, SPAN("text/plain"),
		   target, p->request->method == METHOD_HEAD);
	end_if_over(p);
}

static void on_head(struct stream *to, struct msg *m, bool end)
{
	struct party *p = party_of(to);
	p->request = m;
	p->world->requests++;
	struct span target = msg_target(m);
	if (target.n >= 5 && !memcmp(target.at, "/slow", 5))
		p->world->slow = p;
	else if (target.n >= 6 && !memcmp(target.at, "/early", 6))
		response(p);
	else if (!end)
		stream_grant(p->stream.peer, STREAM_CREDIT_BYTES);
	else
		response(p);
}

static void on_data(struct stream *to, struct chain *c, bool end)
{
	struct party *p = party_of(to);
	size_t n = c->bytes;
	p->body_bytes += n;
	chain_drop(c);
	if (end)
		response(p);
	else
		stream_grant(p->stream.peer, n);
}

static void on_trailers(struct stream *to, struct msg *m)
{
	(void)m;
	response(party_of(to));
}

static void on_grant(struct stream *to, size_t bytes)
{
	(void)bytes;
	struct party *p = party_of(to);
	if (p->reply.to)
		reply_go_on(&p->reply);
	end_if_over(p);
}

static void on_abort(struct stream *to, enum stream_way way, enum err why)
{
	struct party *p = party_of(to);
	p->broke = why;
	if (p == p->world->slow)
		p->world->broke = why;
	if (way == STREAM_RESET && stream_sends(&p->stream))
		reply_error(&p->reply, p->stream.peer, &p->arena, &p->world->ours, why, "", false);
	end_if_over(p);
}

static const struct stream_verbs verbs = {
	.head = on_head,
	.data = on_data,
	.trailers = on_trailers,
	.grant = on_grant,
	.abort = on_abort,
};

static struct arena *open_party(const struct front_facts *facts, struct stream *front)
{
	struct world *w = facts->listener;
	struct party *p = slab_take(&w->parties);
	memset(p, 0, sizeof *p);
	stream_init(&p->stream, &verbs, "party");
	arena_open(&p->arena, &w->chunks);
	list_init(&p->link);
	p->world = w;
	stream_join(&p->stream, front);
	return &p->arena;
}

static void front_gone(const struct front_facts *facts)
{
	((struct world *)facts->listener)->gone++;
}

static bool front_finished(struct stream *end)
{
	return party_of(end)->world->ends;
}

static const struct front_user user = { .open = open_party,
					.finished = front_finished,
					.gone = front_gone };

/* --- the world --- */

static void accepted(struct io_op *op)
{
	struct world *w = list_entry(op, struct world, accept);
	if (op->result == 0)
		h1_front_open(&w->fronts, &user, &policy, w, op->sock, NULL, &w->budget);
}

static void client_sent(struct io_op *op)
{
	struct world *w = list_entry(op, struct world, send);
	if (op->sock)
		w->client = op->sock;
}

static void client_received(struct io_op *op)
{
	struct world *w = list_entry(op, struct world, receive);
	w->last = op->result;
	if (op->result <= 0)
		return;
	assert_true(w->got_n + (size_t)op->result < w->got_room);
	memcpy(w->got + w->got_n, op->block->data, (size_t)op->result);
	w->got_n += (size_t)op->result;
	w->got[w->got_n] = 0;
	block_drop(op->block);
	io_recv(w->client_io, op, w->client, BLOCK_LARGE);
}

static void turn(struct world *w)
{
	io_wait(w->io, 0);
	io_dispatch(w->io);
	wheel_turn(&w->wheel, io_now_ms(w->io));
	wires_squeeze(&w->wires);
	wires_flush(&w->wires);
	for (struct list *l; (l = list_take_first(&w->ended));) {
		struct party *p = list_entry(l, struct party, link);
		arena_close(&p->arena);
		slab_give(&w->parties, p);
	}
	io_wait(w->client_io, 0);
	io_dispatch(w->client_io);
}

/* Turns both sides until nothing more comes to the client. */
static void settle(struct world *w)
{
	size_t before;
	do {
		before = w->got_n + w->requests;
		for (int i = 0; i < 20; i++)
			turn(w);
	} while (before != w->got_n + w->requests);
}

static void pass_ms(struct world *w, uint64_t ms)
{
	uint64_t until = sim_now_ns(w->sim) + ms * 1000000;
	while (sim_now_ns(w->sim) < until) {
		sim_advance(w->sim, until);
		settle(w);
	}
}

static void say_bytes(struct world *w, const char *bytes, size_t n)
{
	struct iovec v = { (void *)(uintptr_t)bytes, n };
	io_send(w->client_io, &w->send, w->client, &v, 1);
	while (io_op_busy(&w->send))
		turn(w);
	settle(w);
}

static void say(struct world *w, const char *text)
{
	say_bytes(w, text, strlen(text));
}

static int open_world(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	struct sim_faults none = { 0 };
	struct addr at;
	w->got_room = 4 << 20;
	w->got = calloc(1, w->got_room);
	bufs_open(&w->ours);
	bufs_open(&w->theirs);
	slab_open(&w->parties, sizeof(struct party), 16);
	slab_open(&w->chunks, ARENA_CHUNK_BYTES, 4);
	list_init(&w->ended);
	w->sim = sim_open(1, &none);
	w->io = sim_io_open(w->sim, &w->ours);
	w->client_io = sim_io_open(w->sim, &w->theirs);
	wires_open(&w->wires, w->io, &w->ours);
	budget_open(&w->budget, MEMORY_BYTES);
	wheel_open(&w->wheel, io_now_ms(w->io));
	h1_fronts_open(&w->fronts, &w->wires, &w->wheel);
	addr_parse(SPAN("10.0.0.1"), 80, &at);
	w->listening = sim_listen(w->io, &at);
	io_op_init(&w->accept, accepted);
	io_op_init(&w->send, client_sent);
	io_op_init(&w->receive, client_received);
	io_accept(w->io, &w->accept, w->listening);
	io_connect(w->client_io, &w->send, &at);
	settle(w);
	io_recv(w->client_io, &w->receive, w->client, BLOCK_LARGE);
	*state = w;
	return 0;
}

static int close_world(void **state)
{
	struct world *w = *state;
	h1_fronts_abort(&w->fronts);
	io_cancel(w->client_io, &w->receive);
	settle(w);
	assert_int_equal(w->gone, 1);
	if (w->client)
		io_close(w->client_io, w->client, false);
	io_close(w->io, w->listening, false);
	settle(w);
	h1_fronts_close(&w->fronts);
	wires_close(&w->wires);
	budget_close(&w->budget);
	io_free(w->io);
	io_free(w->client_io);
	sim_close(w->sim);
	slab_close(&w->parties);
	slab_close(&w->chunks);
	bufs_close(&w->ours);
	bufs_close(&w->theirs);
	free(w->got);
	free(w);
	return 0;
}

static void client_resets(struct world *w)
{
	io_cancel(w->client_io, &w->receive);
	settle(w);
	io_close(w->client_io, w->client, true);
	w->client = NULL;
	settle(w);
}

static unsigned count(const struct world *w, const char *text)
{
	unsigned n = 0;
	for (const char *at = w->got; (at = strstr(at, text)); at++)
		n++;
	return n;
}

/* --- claims --- */

/* Each is answered inside the call that its head is: were that a recursion, the stack would end. */
static void many_pipelined_requests_are_answered_in_order(void **state)
{
	struct world *w = *state;
	enum { MANY = 20000 };
	char *text = calloc(MANY, 48), *at = text;
	for (int i = 0; i < MANY; i++)
		at += sprintf(at, "GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", i);
	say_bytes(w, text, (size_t)(at - text));
	assert_int_equal(w->requests, MANY);
	const char *responses = w->got;
	for (int i = 0; i < MANY; i++) {
		char path[16];
		snprintf(path, sizeof path, "\r\n\r\n/%d", i);
		responses = strstr(responses, path);
		assert_non_null(responses);
	}
	assert_int_equal(count(w, "Connection: close"), 0);
	free(text);
}

static void a_half_closed_client_is_served_and_then_closed(void **state)
{
	struct world *w = *state;
	say(w, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
	io_shutdown(w->client_io, w->client);
	settle(w);
	assert_int_equal(count(w, "HTTP/1.1 200"), 1);
	assert_int_equal(w->last, 0);
	assert_int_equal(w->gone, 1);
}

static void a_cut_body_is_answered_with_400(void **state)
{
	struct world *w = *state;
	say(w, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel");
	io_shutdown(w->client_io, w->client);
	settle(w);
	assert_int_equal(count(w, "HTTP/1.1 400"), 1);
	assert_int_equal(count(w, "request_cut"), 2);
}

static void say_slow(struct world *w, size_t length, size_t said)
{
	char *text = calloc(1, said + 100);
	int n = sprintf(text, "POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n",
			length);
	memset(text + n, 'x', said);
	say_bytes(w, text, (size_t)n + said);
	free(text);
	assert_non_null(w->slow);
}

static void a_client_that_breaks_off_is_seen_while_its_body_waits(void **state)
{
	struct world *w = *state;
	say_slow(w, 60000, 50000);
	client_resets(w);
	assert_int_equal(w->gone, 0);
	pass_ms(w, 2000);
	assert_int_equal(w->broke, ERR_PEER_RESET);
	assert_int_equal(w->gone, 1);
}

/* What waits to be read cannot make it whole. */
static void a_body_that_is_cut_is_seen_while_it_waits(void **state)
{
	struct world *w = *state;
	say_slow(w, 60000, 59999);
	io_shutdown(w->client_io, w->client);
	settle(w);
	assert_int_equal(w->broke, ERR_NONE);
	pass_ms(w, 2000);
	assert_int_equal(w->broke, ERR_CUT_REQUEST);
	assert_int_equal(count(w, "HTTP/1.1 400"), 1);
	pass_ms(w, LINGER_MS);
	assert_int_equal(w->gone, 1);
}

/* All that waits is in our hands already. */
static void a_short_body_that_is_cut_is_seen_while_it_waits(void **state)
{
	struct world *w = *state;
	say_slow(w, 60, 59);
	io_shutdown(w->client_io, w->client);
	pass_ms(w, 2000);
	assert_int_equal(w->broke, ERR_CUT_REQUEST);
	assert_int_equal(count(w, "HTTP/1.1 400"), 1);
}

static void serve_half_closed(struct world *w, size_t length)
{
	say_slow(w, length, length);
	io_shutdown(w->client_io, w->client);
	pass_ms(w, 5000);
	assert_int_equal(w->broke, ERR_NONE);
	stream_grant(w->slow->stream.peer, STREAM_CREDIT_BYTES);
	settle(w);
	assert_int_equal(count(w, "HTTP/1.1 200"), 1);
	assert_int_equal(w->last, 0);
}

static void a_half_closed_client_is_served_though_its_body_waited(void **state)
{
	serve_half_closed(*state, 60);
	assert_int_equal(count(*state, "Connection: close"), 1);
}

static void a_half_closed_client_is_served_though_its_long_body_waited(void **state)
{
	serve_half_closed(*state, 60000);
}

/* Whether what waits would make it whole does not matter then, nor where it waits. */
static void a_read_whose_body_waits_goes_with_its_client(void **state)
{
	static const size_t lengths[] = { 60, 60000 };
	(void)state;
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		void *own;
		open_world(&own);
		struct world *w = own;
		say_slow(w, lengths[i], lengths[i]);
		w->ends = true;
		io_shutdown(w->client_io, w->client);
		pass_ms(w, 2000);
		assert_int_equal(w->broke, ERR_PEER_CLOSED);
		assert_int_equal(w->gone, 1);
		close_world(&own);
	}
}

static void a_client_that_breaks_off_is_seen_behind_its_next_request(void **state)
{
	struct world *w = *state;
	say(w, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n");
	pass_ms(w, 5000);
	assert_int_equal(w->broke, ERR_NONE);
	client_resets(w);
	assert_int_equal(w->broke, ERR_PEER_RESET);
	assert_int_equal(w->requests, 1);
	assert_int_equal(w->gone, 1);
}

static void the_rest_of_an_early_answered_body_is_dropped(void **state)
{
	struct world *w = *state;
	say(w, "POST /early HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
	assert_int_equal(count(w, "HTTP/1.1 200"), 1);
	say(w, "3\r\nabc\r\n0\r\nX-Trailer: yes\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(w->requests, 2);
	assert_int_equal(count(w, "/next"), 1);
}

static void too_long_a_rest_closes_the_connection_behind_the_response(void **state)
{
	struct world *w = *state;
	say(w, "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n");
	static char part[DROPPED_BODY_BYTES];
	say_bytes(w, part, sizeof part);
	assert_int_equal(w->gone, 0);
	say_bytes(w, part, 1);
	pass_ms(w, LINGER_MS + 100);
	assert_int_equal(count(w, "HTTP/1.1 200"), 1);
	assert_int_equal(count(w, "Connection: close"), 1);
	assert_int_equal(w->gone, 1);
}

static void a_short_rest_ends_no_connection(void **state)
{
	struct world *w = *state;
	say(w, "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
	assert_int_equal(count(w, "HTTP/1.1 200"), 1);
	assert_int_equal(count(w, "Connection: close"), 0);
}

static void a_slow_head_is_answered_with_408(void **state)
{
	struct world *w = *state;
	say(w, "GET / HTTP/1.1\r\nHo");
	pass_ms(w, policy.head_ms - 1000);
	say(w, "st: a\r\n");
	assert_int_equal(count(w, "HTTP/1.1 408"), 0);
	pass_ms(w, 1100);
	assert_int_equal(count(w, "HTTP/1.1 408"), 1);
	assert_int_equal(count(w, "Connection: close"), 1);
}

static void an_idle_connection_is_closed_in_silence(void **state)
{
	struct world *w = *state;
	say(w, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
	pass_ms(w, policy.idle_ms - 1000);
	assert_int_equal(w->gone, 0);
	pass_ms(w, 1100);
	assert_int_equal(w->gone, 0);
	assert_int_equal(w->last, 0);
	pass_ms(w, LINGER_MS);
	assert_int_equal(w->gone, 1);
	assert_int_equal(count(w, "HTTP/1.1"), 1);
}

/* It is read, and nothing is done with it: its client gets FIN, and no reset. */
static void a_request_that_meets_our_close_is_not_reset(void **state)
{
	struct world *w = *state;
	say(w, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
	pass_ms(w, policy.idle_ms + 100);
	assert_int_equal(w->last, 0);
	say(w, "POST /late HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}");
	assert_int_equal(w->last, 0);
	assert_int_equal(w->gone, 0);
	assert_int_equal(w->requests, 1);
	io_shutdown(w->client_io, w->client);
	settle(w);
	assert_int_equal(w->gone, 1);
	assert_int_equal(w->last, 0);
	assert_int_equal(w->requests, 1);
}

/* Some clients send one behind each body: it is no request that takes its time. */
static void an_empty_line_begins_no_request(void **state)
{
	struct world *w = *state;
	say(w, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n\r");
	say(w, "\n");
	pass_ms(w, policy.head_ms + 1000);
	assert_int_equal(w->requests, 1);
	say(w, "GET /b HTTP/1.1\r\nHost: a\r\n\r\n\r\n");
	assert_int_equal(w->requests, 2);
	assert_int_equal(count(w, "HTTP/1.1 200"), 2);
	io_shutdown(w->client_io, w->client);
	settle(w);
	assert_int_equal(w->gone, 1);
	assert_int_equal(count(w, "HTTP/1.1"), 2);
}

/* Two of them, cut anywhere, also as all that ever comes: no 408, and the end of who is idle. */
static void empty_lines_alone_are_an_idle_connection(void **state)
{
	struct world *w = *state;
	say(w, "\r");
	say(w, "\n\r");
	pass_ms(w, policy.head_ms + 1000);
	say(w, "\n");
	pass_ms(w, policy.idle_ms);
	pass_ms(w, LINGER_MS);
	assert_int_equal(w->gone, 1);
	assert_int_equal(w->requests, 0);
	assert_int_equal(w->got_n, 0);
}

static void two_empty_lines_may_stand_behind_a_body(void **state)
{
	struct world *w = *state;
	for (int i = 0; i < 3; i++) {
		say(w, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}\r\n\r\n");
		pass_ms(w, policy.head_ms + 1000);
	}
	assert_int_equal(count(w, "HTTP/1.1 200"), 3);
	say(w, "\r\n");
	assert_int_equal(count(w, "HTTP/1.1 400"), 1);
}

static void a_client_is_told_how_long_its_connection_is_kept(void **state)
{
	(void)state;
	static const struct {
		uint32_t idle_ms;
		const char *told;
	} rows[] = {
		{ 60000, "Connection: keep-alive\r\nKeep-Alive: timeout=55\r\n\r\n" },
		{ 86400000, "Connection: keep-alive\r\nKeep-Alive: timeout=86395\r\n\r\n" },
		{ 10000, "Connection: keep-alive\r\nKeep-Alive: timeout=9\r\n\r\n" },
		{ 1000, "Connection: keep-alive\r\nKeep-Alive: timeout=1\r\n\r\n" },
		{ 999, "" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct front_policy p = { .idle_ms = rows[i].idle_ms };
		front_policy_tell(&p);
		assert_int_equal(p.kept_n, strlen(rows[i].told));
		assert_memory_equal(p.kept, rows[i].told, p.kept_n);
	}
}

static void a_refused_request_is_the_last_one(void **state)
{
	struct world *w = *state;
	say(w, "GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nGET /b HTTP/1.1\r\nHost: "
	       "a\r\n\r\n");
	assert_int_equal(w->requests, 0);
	assert_int_equal(count(w, "HTTP/1.1 400"), 1);
	assert_int_equal(count(w, "HTTP/1.1"), 1);
}

static void a_draining_listener_closes_behind_the_response(void **state)
{
	struct world *w = *state;
	say(w, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel");
	h1_fronts_stop(&w->fronts);
	say(w, "lo");
	assert_int_equal(count(w, "Connection: close"), 1);
	/* It may have sent a next request already: it is read until it has finished, for a while.
	 */
	assert_int_equal(w->gone, 0);
	pass_ms(w, LINGER_MS + 100);
	assert_int_equal(w->gone, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(many_pipelined_requests_are_answered_in_order),
		TEST(a_half_closed_client_is_served_and_then_closed),
		TEST(a_cut_body_is_answered_with_400),
		TEST(a_client_that_breaks_off_is_seen_while_its_body_waits),
		TEST(a_body_that_is_cut_is_seen_while_it_waits),
		TEST(a_short_body_that_is_cut_is_seen_while_it_waits),
		TEST(a_half_closed_client_is_served_though_its_body_waited),
		TEST(a_half_closed_client_is_served_though_its_long_body_waited),
		cmocka_unit_test(a_read_whose_body_waits_goes_with_its_client),
		TEST(a_client_that_breaks_off_is_seen_behind_its_next_request),
		TEST(the_rest_of_an_early_answered_body_is_dropped),
		TEST(too_long_a_rest_closes_the_connection_behind_the_response),
		TEST(a_short_rest_ends_no_connection),
		TEST(a_slow_head_is_answered_with_408),
		TEST(an_idle_connection_is_closed_in_silence),
		TEST(a_request_that_meets_our_close_is_not_reset),
		TEST(an_empty_line_begins_no_request),
		TEST(empty_lines_alone_are_an_idle_connection),
		TEST(two_empty_lines_may_stand_behind_a_body),
		cmocka_unit_test(a_client_is_told_how_long_its_connection_is_kept),
		TEST(a_refused_request_is_the_last_one),
		TEST(a_draining_listener_closes_behind_the_response),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
