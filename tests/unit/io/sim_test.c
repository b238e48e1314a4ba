/* What sim.h promises: one seed one run, faults that show, and a backend that notices misuse. */

#include "unit/io/world.h"

#include <signal.h>
#include <sys/wait.h>

/* --- a town: clients send a message each, an echo server returns it --- */

enum { CLIENTS = 40, ACCEPTS = 40, MESSAGE_MAX = 100000 };

struct serving {
	struct town *town;
	struct io_op recv, send;
	struct sock *sock;
	struct block *block;
	struct iovec v;
};

struct client {
	struct town *town;
	struct io_op connect, send, recv;
	struct sock *sock;
	uint8_t *message;
	struct iovec vectors[3];
	size_t n, got;
	bool over;
};

struct door {
	struct io_op accept;
	struct town *town;
};

struct seen { /* of the faults */
	unsigned echoed, tiny_recvs, resets, refused, unanswered, accept_errors, starved;
	unsigned recvs, turns;
	unsigned befell[SIM_BROKEN + 1]; /* as the simulator tells of them */
	uint64_t lasted_ns, trace;
};

struct town {
	struct sim *sim;
	struct bufs bufs[2];
	struct io *server, *visitor;
	struct addr at;
	struct sock *listener;
	struct door doors[ACCEPTS];
	struct client clients[CLIENTS];
	struct serving *latest;
	unsigned servings, closing;
	struct seen seen;
};

static void serving_end(struct serving *s, int32_t why)
{
	s->town->seen.resets += why < 0;
	s->town->servings--;
	io_close(s->town->server, s->sock, why < 0);
	free(s);
}

static void serving_received(struct io_op *op)
{
	struct serving *s = list_entry(op, struct serving, recv);
	if (op->result <= 0) {
		serving_end(s, op->result);
		return;
	}
	s->town->seen.tiny_recvs += op->result == 1;
	s->block = op->block;
	s->v = vector(s->block->data, (size_t)op->result);
	io_send(s->town->server, &s->send, s->sock, &s->v, 1);
}

static void serving_sent(struct io_op *op)
{
	struct serving *s = list_entry(op, struct serving, send);
	block_drop(s->block);
	if (op->result < 0)
		serving_end(s, op->result);
	else
		io_recv(s->town->server, &s->recv, s->sock, BLOCK_LARGE);
}

static void somebody_came(struct io_op *op)
{
	struct door *d = list_entry(op, struct door, accept);
	struct town *t = d->town;
	if (op->result == 0) {
		struct serving *s = calloc(1, sizeof *s);
		*s = (struct serving){ .town = t, .sock = op->sock };
		io_op_init(&s->recv, serving_received);
		io_op_init(&s->send, serving_sent);
		io_recv(t->server, &s->recv, s->sock, BLOCK_LARGE);
		t->servings++;
		t->latest = s;
	}
	t->seen.accept_errors += op->result == -EMFILE || op->result == -ECONNABORTED;
	if (!t->closing)
		io_accept(t->server, op, t->listener);
}

/* When neither direction is under way any more. */
static void client_end(struct client *c)
{
	if (io_op_busy(&c->send) || io_op_busy(&c->recv))
		return;
	io_close(c->town->visitor, c->sock, c->got < c->n);
	c->town->seen.echoed += c->got == c->n;
	c->over = true;
}

static void client_sent(struct io_op *op)
{
	struct client *c = list_entry(op, struct client, send);
	assert_true(op->result == (int32_t)c->n || op->result < 0);
	client_end(c);
}

static void client_received(struct io_op *op)
{
	struct client *c = list_entry(op, struct client, recv);
	if (op->result > 0) {
		size_t n = (size_t)op->result;
		assert_true(c->got + n <= c->n);
		assert_memory_equal(op->block->data, c->message + c->got, n);
		block_drop(op->block);
		c->got += n;
		if (c->got < c->n) {
			io_recv(c->town->visitor, op, c->sock, BLOCK_SMALL);
			return;
		}
	}
	c->town->seen.resets += op->result < 0;
	if (c->got < c->n)
		io_cancel(c->town->visitor, &c->send);
	client_end(c);
}

static void client_connected(struct io_op *op)
{
	struct client *c = list_entry(op, struct client, connect);
	c->town->seen.refused += op->result == -ECONNREFUSED;
	c->town->seen.unanswered += op->result == -ECANCELED;
	c->sock = op->sock;
	c->over = op->result < 0;
	if (c->over)
		return;
	io_send(c->town->visitor, &c->send, c->sock, c->vectors, 3);
	io_recv(c->town->visitor, &c->recv, c->sock, BLOCK_SMALL);
}

static void open_client(struct town *t, struct client *c)
{
	*c = (struct client){ .town = t, .n = 3 + sim_random(t->sim, MESSAGE_MAX) };
	c->message = malloc(c->n);
	for (size_t i = 0; i < c->n; i++)
		c->message[i] = (uint8_t)sim_random(t->sim, 256);
	c->vectors[0] = vector(c->message, 1);
	c->vectors[1] = vector(c->message + 1, c->n / 2);
	c->vectors[2] = vector(c->message + 1 + c->n / 2, c->n - 1 - c->n / 2);
	io_op_init(&c->connect, client_connected);
	io_op_init(&c->send, client_sent);
	io_op_init(&c->recv, client_received);
	io_connect(t->visitor, &c->connect, &t->at);
}

static void befell(void *about, const struct io *io, const struct addr *to, enum sim_mishap what)
{
	struct town *t = about;
	assert_ptr_equal(io, t->visitor);
	assert_true(addr_is(to, &t->at));
	t->seen.befell[what]++;
}

static struct town *open_town(uint64_t seed, const struct sim_faults *faults)
{
	struct town *t = calloc(1, sizeof *t);
	t->sim = sim_open(seed, faults);
	for (int i = 0; i < 2; i++)
		bufs_open(&t->bufs[i]);
	t->server = sim_io_open(t->sim, &t->bufs[0]);
	t->visitor = sim_io_open(t->sim, &t->bufs[1]);
	assert_true(addr_parse(span_of("192.0.2.7"), 443, &t->at));
	sim_watch_mishaps(t->sim, befell, t);
	sim_lacks(t->visitor);
	t->listener = sim_listen(t->server, &t->at);
	for (int i = 0; i < ACCEPTS; i++) {
		t->doors[i].town = t;
		io_op_init(&t->doors[i].accept, somebody_came);
		io_accept(t->server, &t->doors[i].accept, t->listener);
	}
	return t;
}

static void turn_town(struct town *t)
{
	assert_true(t->seen.turns++ < 1000000);
	io_wait(t->server, UINT64_MAX);
	io_dispatch(t->server);
	io_wait(t->visitor, UINT64_MAX);
	io_dispatch(t->visitor);
}

static void rest(struct town *t)
{
	do
		turn_town(t);
	while (sim_advance(t->sim, UINT64_MAX));
}

static struct seen close_town(struct town *t)
{
	t->closing = true;
	for (int i = 0; i < ACCEPTS; i++)
		io_cancel(t->server, &t->doors[i].accept);
	rest(t);
	io_close(t->server, t->listener, false);
	assert_int_equal(t->servings, 0);
	struct seen seen = t->seen;
	seen.starved = (unsigned)(t->server->counts.starved + t->visitor->counts.starved);
	seen.recvs = (unsigned)t->server->counts.recvs;
	seen.lasted_ns = sim_now_ns(t->sim);
	seen.trace = sim_trace(t->sim);
	io_free(t->server);
	io_free(t->visitor);
	sim_close(t->sim);
	for (int i = 0; i < 2; i++)
		bufs_close(&t->bufs[i]);
	free(t);
	return seen;
}

/* Runs until all clients are done; those that nobody answers give up when all else is at rest. */
static struct seen run_town(uint64_t seed, const struct sim_faults *faults)
{
	struct town *t = open_town(seed, faults);
	uint64_t began_ns = sim_now_ns(t->sim);
	for (int i = 0; i < CLIENTS; i++)
		open_client(t, &t->clients[i]);
	rest(t);
	for (int i = 0; i < CLIENTS; i++)
		io_cancel(t->visitor, &t->clients[i].connect);
	rest(t);
	for (int i = 0; i < CLIENTS; i++) {
		assert_true(t->clients[i].over);
		free(t->clients[i].message);
	}
	struct seen seen = close_town(t);
	seen.lasted_ns -= began_ns;
	return seen;
}

/* --- claims --- */

static const struct sim_faults no_faults = { 0 };
static const struct sim_faults all_faults = {
	.short_recv = 100,
	.short_send = 100,
	.delay = 300,
	.delay_ms_max = 50,
	.reset = 5,
	.refuse = 50,
	.unreachable = 50,
	.starve = 50,
	.accept_error = 50,
	.window_bytes_max = 4000,
};

static void a_perfect_network_takes_no_time_and_loses_nothing(void **state)
{
	(void)state;
	struct seen s = run_town(1, &no_faults);
	assert_int_equal(s.echoed, CLIENTS);
	assert_int_equal(s.lasted_ns, 0);
	assert_int_equal(s.resets + s.refused + s.unanswered + s.accept_errors + s.starved, 0);
}

static void equal_seeds_give_equal_runs_and_others_do_not(void **state)
{
	(void)state;
	const struct sim_faults *faults[] = { &no_faults, &all_faults };
	for (int i = 0; i < 2; i++) {
		struct seen a = run_town(7, faults[i]);
		void *shift = malloc(12345); /* addresses are others now */
		struct seen b = run_town(7, faults[i]);
		struct seen c = run_town(8, faults[i]);
		free(shift);
		assert_int_equal(a.trace, b.trace);
		assert_int_equal(a.turns, b.turns);
		assert_int_equal(a.lasted_ns, b.lasted_ns);
		assert_int_not_equal(a.trace, c.trace);
	}
}

static void what_is_not_reset_arrives_under_all_other_faults(void **state)
{
	(void)state;
	struct sim_faults f = all_faults;
	f.reset = f.refuse = f.unreachable = f.accept_error = 0;
	for (uint64_t seed = 0; seed < 20; seed++)
		assert_int_equal(run_town(seed, &f).echoed, CLIENTS);
}

static unsigned tiny_recvs(const struct seen *s)
{
	return s->tiny_recvs;
}

static unsigned resets(const struct seen *s)
{
	return s->resets;
}

static unsigned refused(const struct seen *s)
{
	return s->refused;
}

static unsigned unanswered(const struct seen *s)
{
	return s->unanswered;
}

static unsigned starved(const struct seen *s)
{
	return s->starved;
}

static unsigned accept_errors(const struct seen *s)
{
	return s->accept_errors;
}

static unsigned lasted(const struct seen *s)
{
	return s->lasted_ns > 0;
}

static unsigned recvs(const struct seen *s)
{
	return s->recvs;
}

/* More than in the same run without it. */
static void every_fault_shows_and_only_when_asked_for(void **state)
{
	static const struct {
		const char *name;
		struct sim_faults faults;
		unsigned (*seen)(const struct seen *s);
	} cases[] = {
		{ "short_recv", { .short_recv = 500 }, tiny_recvs },
		{ "short_send", { .short_send = 1000 }, recvs },
		{ "window_bytes_max", { .window_bytes_max = 500 }, recvs },
		{ "delay", { .delay = 200, .delay_ms_max = 10 }, lasted },
		{ "reset", { .reset = 50 }, resets },
		{ "refuse", { .refuse = 300 }, refused },
		{ "unreachable", { .unreachable = 300 }, unanswered },
		{ "starve", { .starve = 300 }, starved },
		{ "accept_error", { .accept_error = 300 }, accept_errors },
	};
	(void)state;
	struct seen perfect = run_town(3, &no_faults);
	assert_int_equal(perfect.tiny_recvs, 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct seen s = run_town(3, &cases[i].faults);
		if (cases[i].seen(&s) <= cases[i].seen(&perfect))
			fail_msg("%s: %u seen, %u without it", cases[i].name, cases[i].seen(&s),
				 cases[i].seen(&perfect));
	}
}

static void what_befalls_a_connection_is_told_of(void **state)
{
	(void)state;
	struct seen s = run_town(3, &(struct sim_faults){ .refuse = 300, .unreachable = 300 });
	assert_int_equal(s.befell[SIM_REFUSED], s.refused);
	assert_int_equal(s.befell[SIM_UNANSWERED], s.unanswered);
	assert_true(s.refused && s.unanswered);
	assert_int_equal(s.befell[SIM_LACKED] + s.befell[SIM_BROKEN], 0);
	s = run_town(3, &(struct sim_faults){ .shortage = 300, .reset = 50 });
	assert_true(s.befell[SIM_LACKED] && s.befell[SIM_BROKEN]);
	assert_int_equal(s.befell[SIM_REFUSED] + s.befell[SIM_UNANSWERED], 0);
}

static void even_certain_faults_let_bytes_through(void **state)
{
	(void)state;
	struct sim_faults f = { .short_recv = 1000,
				.short_send = 1000,
				.starve = 1000,
				.delay = 1000,
				.delay_ms_max = 1,
				.window_bytes_max = 20000 };
	assert_int_equal(run_town(5, &f).echoed, CLIENTS);
}

static void a_stalled_io_does_nothing_until_it_runs_again(void **state)
{
	struct world *w = *state;
	struct pair p = open_pair(w);
	struct call c;
	send_text(w, p.client, "x");
	call_init(&c);
	io_recv(w->io, &c.op, p.server, BLOCK_SMALL);
	sim_stall(w->io, true);
	uint64_t now_ns = w->io->now_ns, turns = w->io->counts.turns;
	assert_true(sim_advance(w->sim, sim_now_ns(w->sim) + 5000000));
	for (int i = 0; i < 10; i++) {
		io_wait(w->io, UINT64_MAX);
		io_dispatch(w->io);
	}
	while (sim_advance(w->sim, UINT64_MAX))
		;
	assert_int_equal(c.ended, 0);
	assert_int_equal(w->io->counts.turns, turns);
	assert_int_equal(w->io->now_ns, now_ns);
	sim_stall(w->io, false);
	until(w, c.ended);
	assert_int_equal(c.result, 1);
	block_drop(c.op.block);
	close_pair(w, &p);
}

static void time_goes_to_what_comes_next_and_stands_while_there_is_work(void **state)
{
	struct world *w = *state;
	struct sim_faults f = { .delay = 1000, .delay_ms_max = 100 };
	struct pair p = open_pair(w);
	settle(w);
	uint64_t start_ns = sim_now_ns(w->sim), now_ns = w->io->now_ns, wall_ns = w->io->wall_ns;
	assert_false(sim_advance(w->sim, UINT64_MAX));
	assert_true(sim_advance(w->sim, start_ns + 1000));
	assert_int_equal(sim_now_ns(w->sim), start_ns + 1000);
	io_wake(w->io);
	assert_true(sim_advance(w->sim, start_ns + 2000));
	assert_int_equal(sim_now_ns(w->sim), start_ns + 1000);
	io_wait(w->io, UINT64_MAX);
	assert_int_equal(w->io->now_ns, start_ns + 1000);
	assert_int_equal(w->io->wall_ns - wall_ns, w->io->now_ns - now_ns);
	sim_set_faults(w->sim, &f);
	send_text(w, p.client, "x");
	assert_int_equal(sim_now_ns(w->sim), start_ns + 1000);
	expect_text(w, p.server, "x");
	uint64_t took_ns = sim_now_ns(w->sim) - start_ns - 1000;
	assert_true(took_ns > 0 && took_ns <= 100000000);
	close_pair(w, &p);
}

static void several_that_listen_at_one_address_all_get_some(void **state)
{
	(void)state;
	struct sim *sim = sim_open(11, &no_faults);
	struct bufs bufs;
	struct sock *listeners[3], *clients[60];
	unsigned got[3] = { 0 };
	struct addr at;
	bufs_open(&bufs);
	struct world w = { .io = sim_io_open(sim, &bufs), .sim = sim };
	assert_true(addr_parse(span_of("::1"), 443, &at));
	for (int i = 0; i < 3; i++)
		listeners[i] = sim_listen(w.io, &at);
	for (int i = 0; i < 60; i++) {
		struct call c;
		call_init(&c);
		io_connect(w.io, &c.op, &at);
		until(&w, c.ended);
		clients[i] = c.op.sock;
	}
	for (int i = 0; i < 60; i++)
		io_close(w.io, clients[i], false);
	for (int i = 0; i < 3; i++) {
		for (;;) {
			struct call c;
			call_init(&c);
			io_accept(w.io, &c.op, listeners[i]);
			settle(&w);
			if (!c.ended)
				io_cancel(w.io, &c.op);
			until(&w, c.ended);
			if (c.result < 0)
				break;
			got[i]++;
			io_close(w.io, c.op.sock, false);
		}
		assert_true(got[i] > 5);
		io_close(w.io, listeners[i], false);
	}
	assert_int_equal(got[0] + got[1] + got[2], 60);
	io_free(w.io);
	sim_close(sim);
	bufs_close(&bufs);
}

static void a_crash_resets_its_connections_and_ends_no_operation(void **state)
{
	(void)state;
	struct town *t = open_town(9, &no_faults);
	struct client *c = &t->clients[0];
	open_client(t, c);
	turn_town(t);
	turn_town(t);
	assert_int_equal(t->servings, 1);
	sim_crash(t->server);
	rest(t);
	assert_true(c->over);
	assert_int_equal(t->seen.resets, 1);
	assert_true(io_op_busy(&t->doors[0].accept));
	struct call late;
	call_init(&late);
	io_connect(t->visitor, &late.op, &t->at);
	rest(t);
	assert_int_equal(late.result, -ECONNREFUSED);
	io_free(t->server);
	io_free(t->visitor);
	sim_close(t->sim);
	bufs_close(&t->bufs[1]);
	free(t->latest);
	free(c->message);
	free(t);
}

static void who_knocks_at_a_black_hole_is_let_in_when_it_is_none_any_more(void **state)
{
	(void)state;
	struct town *t = open_town(13, &no_faults);
	struct call c;
	uint64_t began_ns = sim_now_ns(t->sim);
	sim_set_spot(t->sim, &t->at, SIM_SWALLOWS);
	call_init(&c);
	io_connect(t->visitor, &c.op, &t->at);
	while (sim_now_ns(t->sim) < began_ns + 1500000000) {
		sim_advance(t->sim, began_ns + 1500000000);
		turn_town(t);
	}
	assert_int_equal(c.ended, 0);
	sim_set_spot(t->sim, &t->at, SIM_AS_IT_IS);
	rest(t);
	assert_int_equal(c.ended, 1);
	assert_int_equal(c.result, 0);
	/* The third SYN. */
	assert_int_equal(sim_now_ns(t->sim) - began_ns, 3000000000);
	io_close(t->visitor, c.op.sock, false);
	close_town(t);
}

/* --- broken promises end the process --- */

static void receive_twice(struct world *w, struct pair *p)
{
	struct call a, b;
	call_init(&a);
	call_init(&b);
	io_recv(w->io, &a.op, p->server, BLOCK_SMALL);
	io_recv(w->io, &b.op, p->server, BLOCK_SMALL);
}

static void send_twice(struct world *w, struct pair *p)
{
	struct call a, b;
	struct iovec v = vector("x", 1);
	call_init(&a);
	call_init(&b);
	io_send(w->io, &a.op, p->server, &v, 1);
	io_send(w->io, &b.op, p->server, &v, 1);
}

static void change_what_is_being_sent(struct world *w, struct pair *p)
{
	char text[] = "abc";
	struct iovec v = vector(text, 3);
	struct call c;
	call_init(&c);
	io_send(w->io, &c.op, p->client, &v, 1);
	io_wait(w->io, UINT64_MAX);
	text[1] = 'x';
	io_dispatch(w->io);
}

static void close_under_way(struct world *w, struct pair *p)
{
	struct call c;
	call_init(&c);
	io_recv(w->io, &c.op, p->server, BLOCK_SMALL);
	io_close(w->io, p->server, false);
}

static void close_a_listener_under_way(struct world *w, struct pair *p)
{
	struct call c;
	call_init(&c);
	io_accept(w->io, &c.op, p->listener);
	io_close(w->io, p->listener, false);
}

static void shut_down_while_sending(struct world *w, struct pair *p)
{
	struct iovec v = vector("x", 1);
	struct call c;
	call_init(&c);
	io_send(w->io, &c.op, p->client, &v, 1);
	io_shutdown(w->io, p->client);
}

static void start_a_busy_operation(struct world *w, struct pair *p)
{
	struct call c;
	call_init(&c);
	io_recv(w->io, &c.op, p->server, BLOCK_SMALL);
	io_recv(w->io, &c.op, p->client, BLOCK_SMALL);
}

static void leave_sockets_open(struct world *w, struct pair *p)
{
	io_close(w->io, p->client, false);
	io_free(w->io);
}

static void leave_an_io_open(struct world *w, struct pair *p)
{
	close_pair(w, p);
	sim_close(w->sim);
}

static void a_broken_promise_ends_the_process(void **state)
{
	static void (*const ways[])(struct world *, struct pair *) = {
		receive_twice,
		send_twice,
		change_what_is_being_sent,
		close_under_way,
		close_a_listener_under_way,
		shut_down_while_sending,
		start_a_busy_operation,
		leave_sockets_open,
		leave_an_io_open,
	};
	struct world *w = *state;
	struct pair p = open_pair(w);
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		int status;
		pid_t child = fork();
		if (child == 0) {
			fclose(stderr);
			signal(SIGABRT, SIG_DFL);
			ways[i](w, &p);
			_exit(0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
			fail_msg("way %zu was not noticed", i);
	}
	close_pair(w, &p);
}

int main(void)
{
	static const struct backend simulator = { "simulator", open_sim };
	const struct CMUnitTest alone[] = {
		cmocka_unit_test(a_perfect_network_takes_no_time_and_loses_nothing),
		cmocka_unit_test(equal_seeds_give_equal_runs_and_others_do_not),
		cmocka_unit_test(what_is_not_reset_arrives_under_all_other_faults),
		cmocka_unit_test(every_fault_shows_and_only_when_asked_for),
		cmocka_unit_test(what_befalls_a_connection_is_told_of),
		cmocka_unit_test(even_certain_faults_let_bytes_through),
		cmocka_unit_test(several_that_listen_at_one_address_all_get_some),
		cmocka_unit_test(a_crash_resets_its_connections_and_ends_no_operation),
		cmocka_unit_test(who_knocks_at_a_black_hole_is_let_in_when_it_is_none_any_more),
	};
	const struct CMUnitTest in_world[] = {
		claim(a_stalled_io_does_nothing_until_it_runs_again),
		claim(time_goes_to_what_comes_next_and_stands_while_there_is_work),
		claim(a_broken_promise_ends_the_process),
	};
	int failed = cmocka_run_group_tests_name("the world", alone, NULL, NULL);
	return failed + run_on(&simulator, in_world, sizeof in_world / sizeof *in_world);
}
