#include "unit/proxy/kit.h"

#include <errno.h>

#include "unit/capture/kit.h"

#include "capture/tap.h"
#include "proxy/worker.h"

/* One worker, with clients and nodes at the far side. */
struct fixture {
	struct far_side far;
	struct bufs bufs;
	struct io *io;
	struct worker *worker; /* NULL: it is over, and closed */
	struct worker_mailbox mailbox;
	struct counters counters;
	struct board board;
	struct board_slot *slot;
	struct sample_states states;
	struct sample samples[2]; /* the plan that it begins with, and another */
	struct addr addresses[SAMPLE_LISTENERS];
	struct far_host hosts[ARMS][2];
	struct far *clients[16];
	unsigned client_n;
	struct range rooms[2][NETWORK_RANGES];
	struct networks trust, allow;
	/* Of one that records: its end of a log, and that of a worker that there is not. */
	struct taps taps;
	struct feed other;
	struct feed_wait wait;	 /* its */
	struct journal *journal; /* NULL: it does not record */
	struct kit_disk disk;
	struct capture_policy capture;
	const struct stream_tracer *tracer; /* or NULL */
};

static void turn(void *us)
{
	struct fixture *f = us;
	if (!f->worker)
		return;
	worker_turn(f->worker, UINT64_MAX);
	if (!worker_is_over(f->worker))
		return;
	worker_close(f->worker);
	f->worker = NULL;
}

static void open_worker(struct fixture *f)
{
	struct worker_config config = {
		.io = f->io,
		.bufs = &f->bufs,
		.board = &f->board,
		.slot = f->slot,
		.mailbox = &f->mailbox,
		.counters = &f->counters,
		.taps = f->journal ? &f->taps : NULL,
		.seed = 7,
		.tracer = f->tracer,
	};
	f->worker = worker_open(&config);
	for (uint32_t i = 0; i < SAMPLE_LISTENERS; i++) {
		f->addresses[i] = address_of("10.0.1.1", (uint16_t)(8000 + i));
		worker_listen(f->worker, sim_listen(f->io, &f->addresses[i]), i);
	}
}

static int open_with(void **state, void (*prepare)(struct fixture *f))
{
	struct fixture *f = calloc(1, sizeof *f);
	far_side_open(&f->far, turn, f);
	bufs_open(&f->bufs);
	f->io = sim_io_open(f->far.sim, &f->bufs);
	f->far.ours = f->io;
	board_format(&f->board, 7);
	board_publish(&f->board, &(struct board_values){ .epoch = 1, .weights = { 1, 0 } });
	f->slot = board_take_slot(&f->board, 1, 0);
	sample_states_init(&f->states);
	for (int i = 0; i < 2; i++)
		sample_init(&f->samples[i], &f->states, (uint64_t)i + 1);
	for (int i = 0; i < 4; i++) {
		struct addr at = sample_address((enum arm)(i / 2), (unsigned)i % 2);
		far_host_open(&f->hosts[i / 2][i % 2], &f->far, &at);
	}
	atomic_store(&f->mailbox.plan, &f->samples[0].plan);
	if (prepare)
		prepare(f);
	open_worker(f);
	far_settle(&f->far);
	*state = f;
	return 0;
}

static int open_fixture(void **state)
{
	return open_with(state, NULL);
}

/* A worker that is told to abort comes to its end, whatever it was doing, and leaves nothing. */
static int close_fixture(void **state)
{
	struct fixture *f = *state;
	atomic_store(&f->mailbox.stopping, true);
	atomic_store(&f->mailbox.aborting, true);
	io_wake(f->io);
	far_settle(&f->far);
	assert_null(f->worker);
	for (unsigned i = 0; i < f->client_n; i++)
		far_free(f->clients[i]);
	for (int i = 0; i < 4; i++)
		far_host_close(&f->hosts[i / 2][i % 2]);
	for (int i = 0; i < 2; i++)
		assert_int_equal(sample_pins(&f->samples[i]), 0);
	for (int i = 0; i < SAMPLE_LISTENERS; i++)
		assert_int_equal(counter_read(&f->counters.connections_open[i]), 0);
	io_free(f->io);
	far_side_close(&f->far);
	bufs_close(&f->bufs);
	free(f);
	return 0;
}

/* --- what clients, nodes and control do --- */

static struct far *connect_to(struct fixture *f, unsigned listener)
{
	assert_true(f->client_n < sizeof f->clients / sizeof *f->clients);
	struct far *c = far_connect(&f->far, &f->addresses[listener]);
	f->clients[f->client_n++] = c;
	return c;
}

static struct far *node(struct fixture *f, enum arm arm, unsigned i)
{
	const struct far_host *h = &f->hosts[arm][i];
	assert_true(h->conn_n > 0);
	return h->conns[h->conn_n - 1];
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* A control that wants something wakes the worker. */
static void wake(struct fixture *f)
{
	io_wake(f->io);
	far_settle(&f->far);
}

static void stop(struct fixture *f)
{
	atomic_store(&f->mailbox.stopping, true);
	wake(f);
}

static void publish(struct fixture *f, uint64_t epoch, uint32_t source, uint32_t target)
{
	board_publish(&f->board,
		      &(struct board_values){ .epoch = epoch, .weights = { source, target } });
	wake(f);
}

static void change_plan(struct fixture *f)
{
	atomic_store(&f->mailbox.plan, &f->samples[1].plan);
	wake(f);
}

static uint64_t requests(const struct fixture *f, unsigned listener, unsigned arm)
{
	return counter_read(&f->counters.requests[listener][arm][2]);
}

/* --- claims --- */

static void each_listener_leads_to_its_cluster(void **state)
{
	(void)state;
	static const struct {
		unsigned listener;
		enum arm arm;
	} rows[] = { { WEIGHTED, ARM_SOURCE }, { SOURCE, ARM_SOURCE }, { TARGET, ARM_TARGET } };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		void *own;
		open_fixture(&own);
		struct fixture *f = own;
		struct far *c = connect_to(f, rows[i].listener);
		far_say(c, GET("/here"));
		struct far *n = node(f, rows[i].arm, 0);
		assert_int_equal(far_heard(n, "GET /here"), 1);
		far_say(n, OK);
		assert_string_equal(c->got, OK);
		assert_int_equal(requests(f, rows[i].listener, rows[i].arm), 1);
		assert_int_equal(counter_read(&f->counters.connections_open[rows[i].listener]), 1);
		far_hang_up(c, false);
		assert_int_equal(counter_read(&f->counters.connections_open[rows[i].listener]), 0);
		assert_int_equal(counter_read(&f->counters.connections_total[rows[i].listener]), 1);
		close_fixture(&own);
	}
}

static void many_clients_share_the_nodes_connections(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 10; i++) {
		struct far *c = connect_to(f, SOURCE);
		far_say(c, GET("/"));
		far_say(node(f, ARM_SOURCE, 0), OK);
		assert_string_equal(c->got, OK);
	}
	assert_int_equal(f->hosts[ARM_SOURCE][0].conn_n, 1);
	assert_int_equal(counter_read(&f->counters.connections_total[SOURCE]), 10);
	assert_int_equal(counter_read(&f->counters.back_connects[ARM_SOURCE]), 1);
	assert_int_equal(counter_read(&f->counters.back_open[ARM_SOURCE]), 1);
}

static void a_failed_connect_shows_in_the_counters(void **state)
{
	struct fixture *f = *state;
	far_host_refuse(&f->hosts[ARM_TARGET][0]);
	struct far *c = connect_to(f, TARGET);
	far_say(c, GET("/"));
	assert_int_equal(far_heard(c, "HTTP/1.1 502"), 1);
	assert_int_equal(counter_read(&f->counters.back_connects_failed[ARM_TARGET]), 1);
	assert_int_equal(counter_read(&f->counters.back_open[ARM_TARGET]), 0);
}

/* --- weights --- */

static void a_turn_acknowledges_the_weights_and_decides_by_them(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(atomic_load(&f->slot->acknowledged), 1);
	struct far *c = connect_to(f, WEIGHTED);
	far_say(c, GET("/"));
	far_say(node(f, ARM_SOURCE, 0), OK);
	/* The request is there already when the turn begins that reads the new weights. */
	far_begin_say(c, GET("/"), strlen(GET("/")));
	board_publish(&f->board, &(struct board_values){ .epoch = 2, .weights = { 0, 1 } });
	far_turn(&f->far);
	assert_int_equal(atomic_load(&f->slot->acknowledged), 2);
	far_settle(&f->far);
	assert_int_equal(f->hosts[ARM_TARGET][0].conn_n, 1);
	far_say(node(f, ARM_TARGET, 0), OK);
	assert_int_equal(far_heard(c, "200 OK"), 2);
	assert_int_equal(requests(f, WEIGHTED, ARM_SOURCE), 1);
	assert_int_equal(requests(f, WEIGHTED, ARM_TARGET), 1);
}

static void requests_decided_before_are_told_until_they_are_over(void **state)
{
	struct fixture *f = *state;
	struct far *c = connect_to(f, WEIGHTED);
	far_say(c, GET("/"));
	assert_int_equal(atomic_load(&f->slot->in_flight_now), 1);
	assert_int_equal(atomic_load(&f->slot->in_flight_before), 0);
	publish(f, 2, 0, 1);
	assert_int_equal(atomic_load(&f->slot->acknowledged), 2);
	assert_int_equal(atomic_load(&f->slot->in_flight_now), 0);
	assert_int_equal(atomic_load(&f->slot->in_flight_before), 1);
	far_say(node(f, ARM_SOURCE, 0), OK);
	assert_int_equal(far_heard(c, "200 OK"), 1);
	assert_int_equal(atomic_load(&f->slot->in_flight_before), 0);
	assert_int_equal(f->hosts[ARM_TARGET][0].conn_n, 0);
}

/* Looks at the slot when streams speak, which is in the midst of turns. */
static struct {
	const struct board_slot *slot;
	uint64_t epoch; /* looks at the first moment at which this one is acknowledged */
	bool has_looked;
	uint64_t in_flight_now, in_flight_before; /* at that moment */
} spy;

static void look_at_slot(const struct stream_tracer *t, const struct stream *to, const char *verb,
			 unsigned long long number, bool end)
{
	(void)t, (void)to, (void)verb, (void)number, (void)end;
	if (spy.has_looked || atomic_load(&spy.slot->acknowledged) != spy.epoch)
		return;
	spy.in_flight_now = atomic_load(&spy.slot->in_flight_now);
	spy.in_flight_before = atomic_load(&spy.slot->in_flight_before);
	spy.has_looked = true;
}

static void set_spy(struct fixture *f)
{
	static const struct stream_tracer tracer = { look_at_slot };
	spy.slot = f->slot;
	f->tracer = &tracer;
}

/* The turn that acknowledges has a request of the new epoch before it ends. */
static void a_slot_that_acknowledges_shows_at_once_what_was_before(void **state)
{
	struct fixture *f = *state;
	struct far *old = connect_to(f, WEIGHTED), *new = connect_to(f, WEIGHTED);
	far_say(old, GET("/"));
	spy.epoch = 2;
	far_begin_say(new, GET("/"), strlen(GET("/")));
	board_publish(&f->board, &(struct board_values){ .epoch = 2, .weights = { 0, 1 } });
	far_settle(&f->far);
	assert_true(spy.has_looked);
	assert_int_equal(spy.in_flight_now, 0);
	assert_int_equal(spy.in_flight_before, 1);
	assert_int_equal(atomic_load(&f->slot->in_flight_now), 1);
	assert_int_equal(atomic_load(&f->slot->in_flight_before), 1);
}

static int open_watched(void **state)
{
	return open_with(state, set_spy);
}

/* --- plans --- */

/* The new plan has the first listeners only. */
static void keep_listeners(struct fixture *f, size_t n)
{
	f->samples[1].plan.listener_n = n;
	change_plan(f);
}

static void who_is_connected_to_a_listener_that_is_gone_is_served(void **state)
{
	struct fixture *f = *state;
	struct far *c = connect_to(f, TARGET);
	keep_listeners(f, TARGET);
	assert_int_equal(connect_to(f, TARGET)->last, -ECONNREFUSED);
	/* Its plan is held, and it alone says what holds for it. */
	assert_int_equal(sample_pins(&f->samples[0]), 1);
	f->samples[1].listeners[TARGET].route.arm = ARM_SOURCE;
	for (int i = 0; i < 2; i++) {
		far_say(c, GET("/late"));
		assert_int_equal(sample_pins(&f->samples[0]), 2);
		far_say(node(f, ARM_TARGET, 0), OK);
	}
	assert_string_equal(c->got, OK OK);
	assert_int_equal(requests(f, TARGET, ARM_TARGET), 2);
	assert_int_equal(sample_pins(&f->samples[1]), 0);
	far_hang_up(c, false);
	assert_int_equal(sample_pins(&f->samples[0]), 0);
}

static void who_waits_at_a_listener_that_goes_is_accepted(void **state)
{
	struct fixture *f = *state;
	f->samples[1].plan.listener_n = TARGET;
	atomic_store(&f->mailbox.plan, &f->samples[1].plan);
	struct far *c = far_new(&f->far);
	f->clients[f->client_n++] = c;
	/* It has connected before the worker's next turn. */
	io_connect(f->far.io, &c->connect, &f->addresses[TARGET]);
	io_wait(f->far.io, UINT64_MAX);
	far_settle(&f->far);
	far_say(c, GET("/"));
	far_say(node(f, ARM_TARGET, 0), OK);
	assert_string_equal(c->got, OK);
	assert_int_equal(connect_to(f, TARGET)->last, -ECONNREFUSED);
}

static void a_listener_that_comes_back_is_the_same(void **state)
{
	struct fixture *f = *state;
	struct far *c = connect_to(f, TARGET);
	keep_listeners(f, TARGET);
	assert_int_equal(sample_pins(&f->samples[0]), 1);
	/* As a third plan would: with its listener back, at another policy. */
	f->samples[0].plan.number = 3;
	f->samples[0].listeners[TARGET].body_max = 1;
	atomic_store(&f->mailbox.plan, &f->samples[0].plan);
	wake(f);
	assert_int_equal(sample_pins(&f->samples[0]), 0);
	worker_listen(f->worker, sim_listen(f->io, &f->addresses[TARGET]), TARGET);
	far_say(c, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nxx");
	assert_int_equal(far_heard(c, "HTTP/1.1 413 "), 1);
	c = connect_to(f, TARGET);
	far_say(c, GET("/"));
	far_say(node(f, ARM_TARGET, 0), OK);
	assert_string_equal(c->got, OK);
}

static void an_unused_listener_that_is_gone_holds_nothing(void **state)
{
	struct fixture *f = *state;
	keep_listeners(f, 1);
	assert_int_equal(sample_pins(&f->samples[0]), 0);
	assert_int_equal(connect_to(f, SOURCE)->last, -ECONNREFUSED);
}

static void a_new_plan_is_adopted_in_one_turn(void **state)
{
	struct fixture *f = *state;
	assert_ptr_equal(atomic_load(&f->mailbox.adopted), &f->samples[0].plan);
	atomic_store(&f->mailbox.plan, &f->samples[1].plan);
	io_wake(f->io);
	far_turn(&f->far);
	assert_ptr_equal(atomic_load(&f->mailbox.adopted), &f->samples[1].plan);
}

static void a_new_plan_moves_requests_and_closes_no_connection(void **state)
{
	struct fixture *f = *state;
	struct addr at = sample_address(ARM_SOURCE, 1);
	state_know(&f->states.nodes[ARM_SOURCE][0], &at, 1);
	struct far *c = connect_to(f, SOURCE);
	far_say(c, GET("/old"));
	struct far *old = node(f, ARM_SOURCE, 0);
	far_say(old, OK);
	change_plan(f);
	/* It was idle there. */
	assert_int_equal(old->last, 0);
	far_say(c, GET("/new"));
	assert_int_equal(far_heard(node(f, ARM_SOURCE, 1), "GET /new"), 1);
	far_say(node(f, ARM_SOURCE, 1), OK);
	assert_int_equal(far_heard(c, "200 OK"), 2);
}

static void an_exchange_keeps_the_plan_that_it_began_with(void **state)
{
	struct fixture *f = *state;
	struct addr at = sample_address(ARM_SOURCE, 1);
	state_know(&f->states.nodes[ARM_SOURCE][0], &at, 1);
	struct far *c = connect_to(f, SOURCE);
	far_say(c, GET("/old"));
	change_plan(f);
	assert_int_equal(sample_pins(&f->samples[0]), 1);
	far_say(node(f, ARM_SOURCE, 0), OK);
	assert_string_equal(c->got, OK);
	assert_int_equal(sample_pins(&f->samples[0]), 0);
	far_say(c, GET("/new"));
	assert_int_equal(sample_pins(&f->samples[1]), 1);
}

/* A node that no plan names is let go of behind its last response. */
static void a_node_that_leaves_the_plan_serves_to_the_end(void **state)
{
	struct fixture *f = *state;
	struct node *nodes = f->samples[1].nodes[ARM_SOURCE];
	nodes[0] = nodes[1];
	struct far *c = connect_to(f, SOURCE);
	far_say(c, GET("/old"));
	struct far *old = node(f, ARM_SOURCE, 0);
	change_plan(f);
	assert_true(old->last > 0);
	far_say(old, OK);
	assert_string_equal(c->got, OK);
	assert_int_equal(old->last, 0);
	far_say(c, GET("/new"));
	assert_int_equal(far_heard(node(f, ARM_SOURCE, 1), "GET /new"), 1);
}

/* As control tells it: no plan comes. */
static void look_up(struct fixture *f, const struct addr *at, unsigned n)
{
	state_know(&f->states.nodes[ARM_SOURCE][0], at, n);
	atomic_store(&f->states.nodes[ARM_SOURCE][0].awaited, n == 0);
	atomic_fetch_add(&f->mailbox.node_admin, 1);
	wake(f);
}

/* A client that has waited half of its time. */
static struct far *wait_for_an_address(struct fixture *f)
{
	look_up(f, NULL, 0);
	struct far *c = connect_to(f, SOURCE);
	far_say(c, GET("/"));
	far_pass_ms(&f->far, CONNECT_TIMEOUT_MS / 2);
	return c;
}

static void a_look_up_that_brings_an_address_wakes_who_waits_for_it(void **state)
{
	struct fixture *f = *state;
	struct far *c = wait_for_an_address(f);
	struct addr at = sample_address(ARM_SOURCE, 0);
	assert_int_equal(f->hosts[ARM_SOURCE][0].conn_n, 0);
	look_up(f, &at, 1);
	far_say(node(f, ARM_SOURCE, 0), OK);
	assert_string_equal(c->got, OK);
}

/* No other event comes: the worker itself has to look at the time. */
static void who_waits_too_long_for_an_address_is_answered(void **state)
{
	struct fixture *f = *state;
	struct far *c = wait_for_an_address(f);
	assert_true(sim_waits_until_ns(f->io) <= sim_now_ns(f->far.sim) + 100000000);
	far_pass_ms(&f->far, CONNECT_TIMEOUT_MS / 2 - 1);
	assert_string_equal(c->got, "");
	far_pass_ms(&f->far, 200);
	assert_int_equal(far_heard(c, "HTTP/1.1 503"), 1);
	assert_int_equal(far_heard(c, "no_address"), 2);
}

/* --- nodes that are drained --- */

static void set_duty(struct fixture *f, enum arm arm, unsigned i, enum node_duty duty)
{
	atomic_store(&f->states.nodes[arm][i].duty, duty);
	atomic_fetch_add(&f->mailbox.node_admin, 1);
	wake(f);
	assert_int_equal(atomic_load(&f->mailbox.node_admin_acknowledged),
			 atomic_load(&f->mailbox.node_admin));
}

static void a_drained_node_sees_its_requests_through_and_gets_no_more(void **state)
{
	struct fixture *f = *state;
	struct far *busy = connect_to(f, SOURCE), *idle = connect_to(f, SOURCE);
	far_say(busy, GET("/"));
	struct far *first = node(f, ARM_SOURCE, 0);
	far_say(idle, GET("/"));
	struct far *second = node(f, ARM_SOURCE, 0);
	far_say(second, OK);
	set_duty(f, ARM_SOURCE, 0, DUTY_DRAINED);
	/* What is idle is closed at once, what is busy behind its response. */
	assert_true(second->last <= 0);
	far_say(first, OK);
	assert_int_equal(far_heard(busy, "ok"), 1);
	assert_true(first->last <= 0);
	far_say(idle, GET("/"));
	assert_int_equal(far_heard(idle, "HTTP/1.1 503"), 1);
	assert_int_equal(far_heard(idle, "nodes_drained"), 2);
	set_duty(f, ARM_SOURCE, 0, DUTY_READY);
	far_say(busy, GET("/"));
	far_say(node(f, ARM_SOURCE, 0), OK);
	assert_int_equal(far_heard(busy, "ok"), 2);
}

static void what_is_left_with_a_drained_node_is_cut(void **state)
{
	struct fixture *f = *state;
	struct far *waits = connect_to(f, SOURCE), *reads = connect_to(f, SOURCE);
	struct far *tunnel = connect_to(f, SOURCE), *other = connect_to(f, TARGET);
	far_say(waits, GET("/"));
	far_say(reads, GET("/"));
	far_say(node(f, ARM_SOURCE, 0), "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
	far_say(tunnel, "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
	far_say(node(f, ARM_SOURCE, 0),
		"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
	far_say(other, GET("/"));
	set_duty(f, ARM_SOURCE, 0, DUTY_DRAINED);
	assert_string_equal(waits->got, "");
	set_duty(f, ARM_SOURCE, 0, DUTY_CUT);
	assert_int_equal(far_heard(waits, "HTTP/1.1 502"), 1);
	assert_int_equal(far_heard(waits, "node_drained"), 2);
	/* They must not look whole. */
	assert_int_equal(reads->last, -ECONNRESET);
	assert_int_equal(tunnel->last, -ECONNRESET);
	far_say(node(f, ARM_TARGET, 0), OK);
	assert_int_equal(far_heard(other, "ok"), 1);
	assert_int_equal(counter_read(&f->counters.in_flight[ARM_SOURCE]), 0);
}

/* While no plan has it nobody looks at its duty. */
static void what_is_left_with_a_node_that_comes_back_cut_is_cut(void **state)
{
	struct fixture *f = *state;
	struct node *nodes = f->samples[1].nodes[ARM_SOURCE];
	nodes[0] = nodes[1];
	struct far *c = connect_to(f, SOURCE);
	far_say(c, GET("/"));
	change_plan(f);
	set_duty(f, ARM_SOURCE, 0, DUTY_CUT);
	assert_string_equal(c->got, "");
	atomic_store(&f->mailbox.plan, &f->samples[0].plan);
	wake(f);
	assert_int_equal(far_heard(c, "node_drained"), 2);
}

/* --- nodes with a number of connections --- */

static void bound_source(struct fixture *f, uint32_t connections)
{
	struct cluster *c = &f->samples[1].plan.clusters[ARM_SOURCE];
	c->connections = connections;
	c->workers = 1;
	c->queue_ms = 1000;
	change_plan(f);
}

/* Requests come in the turn in which a node's connection becomes free. */
static void who_waits_for_a_connection_is_not_overtaken(void **state)
{
	struct fixture *f = *state;
	bound_source(f, 1);
	struct far *a = connect_to(f, SOURCE), *b = connect_to(f, SOURCE);
	struct far *c = connect_to(f, SOURCE);
	far_say(a, GET("/first") GET("/third"));
	far_say(b, GET("/second"));
	assert_int_equal(counter_read(&f->counters.queued[ARM_SOURCE]), 1);
	struct far *n = node(f, ARM_SOURCE, 0);
	static const char *const order[] = { "/second", "/fourth", "/third" };
	assert_null(strstr(n->got, order[0]));
	far_begin_say(n, OK, strlen(OK));
	far_begin_say(c, GET("/fourth"), strlen(GET("/fourth")));
	far_settle(&f->far);
	for (int i = 0; i < 3; i++) {
		assert_non_null(strstr(n->got, order[i]));
		assert_true(i == 2 || !strstr(n->got, order[i + 1]));
		far_say(n, OK);
	}
	assert_int_equal(far_heard(a, "ok"), 2);
	assert_int_equal(far_heard(b, "ok"), 1);
	assert_int_equal(far_heard(c, "ok"), 1);
	assert_int_equal(f->hosts[ARM_SOURCE][0].conn_n, 1);
	assert_int_equal(counter_read(&f->counters.queued[ARM_SOURCE]), 0);
}

static void who_waits_too_long_for_a_connection_is_answered(void **state)
{
	struct fixture *f = *state;
	bound_source(f, 1);
	struct far *busy = connect_to(f, SOURCE), *waits = connect_to(f, SOURCE);
	struct far *leaves = connect_to(f, SOURCE);
	far_say(busy, GET("/"));
	far_say(leaves, GET("/"));
	far_say(waits, GET("/"));
	far_hang_up(leaves, true);
	assert_int_equal(counter_read(&f->counters.queued[ARM_SOURCE]), 1);
	far_pass_ms(&f->far, 999);
	assert_string_equal(waits->got, "");
	far_pass_ms(&f->far, 100);
	assert_int_equal(far_heard(waits, "HTTP/1.1 503"), 1);
	assert_int_equal(far_heard(waits, "queue_timeout"), 2);
	far_say(node(f, ARM_SOURCE, 0), OK);
	assert_int_equal(far_heard(busy, "ok"), 1);
}

static void bound_sockets(struct fixture *f, uint32_t max)
{
	f->samples[1].plan.node_sockets_max = max;
	f->samples[1].plan.clusters[ARM_SOURCE].queue_ms = 1000;
	f->samples[1].plan.clusters[ARM_TARGET].queue_ms = 1000;
	change_plan(f);
}

static void a_request_waits_where_open_files_allow_no_further_connection(void **state)
{
	struct fixture *f = *state;
	bound_sockets(f, 1);
	struct far *busy = connect_to(f, SOURCE), *waits = connect_to(f, TARGET);
	far_say(busy, GET("/"));
	far_say(waits, GET("/"));
	assert_int_equal(f->hosts[ARM_TARGET][0].conn_n, 0);
	assert_int_equal(counter_read(&f->counters.queued[ARM_TARGET]), 1);
	far_say(node(f, ARM_SOURCE, 0), OK);
	assert_int_equal(far_heard(busy, "ok"), 1);
	far_pass_ms(&f->far, 100);
	/* The source's is idle now, and has made room. */
	assert_int_equal(node(f, ARM_SOURCE, 0)->last, 0);
	far_say(node(f, ARM_TARGET, 0), OK);
	assert_int_equal(far_heard(waits, "ok"), 1);
}

static void a_cluster_that_hangs_leaves_connections_to_the_other(void **state)
{
	struct fixture *f = *state;
	bound_sockets(f, 4);
	for (int i = 0; i < 4; i++)
		far_say(connect_to(f, SOURCE), GET("/"));
	assert_int_equal(f->hosts[ARM_SOURCE][0].conn_n, 3);
	assert_int_equal(counter_read(&f->counters.queued[ARM_SOURCE]), 1);
	struct far *c = connect_to(f, TARGET);
	far_say(c, GET("/"));
	far_say(node(f, ARM_TARGET, 0), OK);
	assert_int_equal(far_heard(c, "ok"), 1);
}

static void who_asks_nothing_makes_room_for_who_comes(void **state)
{
	struct fixture *f = *state;
	f->samples[1].plan.clients_max = 3;
	change_plan(f);
	struct far *asks = connect_to(f, SOURCE);
	far_say(asks, GET("/"));
	struct far *mute = connect_to(f, SOURCE), *slow = connect_to(f, SOURCE);
	far_say(slow, "GET / HT");
	struct far *soon = connect_to(f, TARGET);
	assert_int_equal(soon->last, -ECONNRESET);
	assert_int_equal(counter_read(&f->counters.rejected[ERR_OUT_OF_HANDLES]), 1);
	far_pass_ms(&f->far, STRANGER_AGE_MS);
	struct far *next[3];
	for (int i = 0; i < 3; i++)
		next[i] = connect_to(f, TARGET);
	assert_int_equal(mute->last, -ECONNRESET);
	assert_int_equal(slow->last, -ECONNRESET);
	assert_int_equal(next[2]->last, -ECONNRESET);
	assert_int_equal(counter_read(&f->counters.strangers_closed), 2);
	far_say(next[0], GET("/"));
	far_say(node(f, ARM_TARGET, 0), OK);
	assert_int_equal(far_heard(next[0], "ok"), 1);
	far_say(node(f, ARM_SOURCE, 0), OK);
	assert_int_equal(far_heard(asks, "ok"), 1);
}

/* Whoever the kernel gives to that socket would wait for ever. */
static void a_listening_socket_that_cannot_be_taken_is_tried_again(void **state)
{
	struct fixture *f = *state;
	const struct sim_faults none = { 0 }, shortage = { .shortage = 1000 };
	static struct listener_sockets fresh = { .n = 1 };
	struct addr at = address_of("10.0.1.2", 9000);
	atomic_init(&fresh.list[0], sim_descriptor(f->far.sim, &at));
	f->samples[1].listeners[SOURCE].sockets = &fresh;
	sim_lacks(f->io);
	sim_set_faults(f->far.sim, &shortage);
	change_plan(f);
	assert_true(atomic_load(&fresh.list[0]) >= 0);
	assert_true(counter_read(&f->counters.accept_failures) > 0);
	/* Those that there were serve on. */
	connect_to(f, SOURCE);
	assert_int_equal(counter_read(&f->counters.connections_open[SOURCE]), 1);
	sim_set_faults(f->far.sim, &none);
	far_pass_ms(&f->far, 100);
	assert_int_equal(atomic_load(&fresh.list[0]), -1);
	f->addresses[SOURCE] = at;
	struct far *c = connect_to(f, SOURCE);
	far_say(c, GET("/here"));
	assert_int_equal(far_heard(node(f, ARM_SOURCE, 0), "GET /here"), 1);
}

static void who_waits_for_a_connection_hears_of_a_drain(void **state)
{
	struct fixture *f = *state;
	bound_source(f, 1);
	struct far *busy = connect_to(f, SOURCE), *waits = connect_to(f, SOURCE);
	far_say(busy, GET("/"));
	far_say(waits, GET("/"));
	set_duty(f, ARM_SOURCE, 0, DUTY_DRAINED);
	assert_int_equal(far_heard(waits, "nodes_drained"), 2);
	far_say(node(f, ARM_SOURCE, 0), OK);
	assert_int_equal(far_heard(busy, "ok"), 1);
}

/* --- accepting --- */

/* Running out of descriptors loses nobody: they wait in the backlog for a while. */
static void accepting_pauses_when_it_fails_and_goes_on(void **state)
{
	struct fixture *f = *state;
	struct sim_faults failing = { .accept_error = 1000 }, none = { 0 };
	sim_set_faults(f->far.sim, &failing);
	unsigned reset = 0;
	for (int i = 0; i < 12; i++)
		reset += connect_to(f, SOURCE)->last == -ECONNRESET;
	/* Some are aborted before they are accepted, which stops nothing; the others wait. */
	assert_in_range(reset, 1, 11);
	sim_set_faults(f->far.sim, &none);
	far_settle(&f->far);
	assert_int_equal(counter_read(&f->counters.connections_total[SOURCE]), 0);
	far_pass_ms(&f->far, 100);
	assert_int_equal(counter_read(&f->counters.connections_total[SOURCE]), 12 - reset);
	struct far *c = connect_to(f, SOURCE);
	far_say(c, GET("/"));
	far_say(node(f, ARM_SOURCE, 0), OK);
	assert_string_equal(c->got, OK);
}

/* More of them in a row than there are accepts under way. */
static void an_aborted_connection_stops_no_accept(void **state)
{
	struct fixture *f = *state;
	struct sim_faults failing = { .accept_error = 1000 }, none = { 0 };
	unsigned aborted = 0;
	for (unsigned i = 0; aborted <= ACCEPTS_ARMED; i++) {
		assert_true(i < 1000);
		sim_set_faults(f->far.sim, &failing);
		struct far *c = far_connect(&f->far, &f->addresses[SOURCE]);
		sim_set_faults(f->far.sim, &none);
		aborted = c->last == -ECONNRESET ? aborted + 1 : 0;
		if (!aborted)
			far_pass_ms(&f->far, 100);
		far_free(c);
	}
}

static void a_worker_that_pauses_can_be_stopped(void **state)
{
	struct fixture *f = *state;
	struct sim_faults failing = { .accept_error = 1000 };
	sim_set_faults(f->far.sim, &failing);
	for (int i = 0; i < 12; i++)
		connect_to(f, SOURCE);
	stop(f);
	assert_null(f->worker);
}

/* --- stopping --- */

static void a_worker_with_nothing_to_do_is_over_at_once(void **state)
{
	struct fixture *f = *state;
	assert_false(atomic_load(&f->mailbox.drained));
	stop(f);
	assert_true(atomic_load(&f->mailbox.drained));
	assert_null(f->worker);
	assert_int_equal(connect_to(f, SOURCE)->last, -ECONNREFUSED);
}

static void a_stop_closes_the_idle_and_serves_the_rest_to_its_end(void **state)
{
	struct fixture *f = *state;
	struct far *idle = connect_to(f, SOURCE), *fresh = connect_to(f, SOURCE);
	far_say(idle, GET("/"));
	far_say(node(f, ARM_SOURCE, 0), OK);
	struct far *busy = connect_to(f, SOURCE);
	far_say(busy, GET("/slow"));
	struct far *n = node(f, ARM_SOURCE, 0);
	stop(f);
	assert_int_equal(idle->last, 0);
	assert_int_equal(fresh->last, 0);
	assert_int_equal(connect_to(f, SOURCE)->last, -ECONNREFUSED);
	assert_false(atomic_load(&f->mailbox.drained));
	far_pass_ms(&f->far, IDLE_MS / 2);
	assert_non_null(f->worker);
	far_say(n, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no");
	assert_false(atomic_load(&f->mailbox.drained));
	far_say(n, "k");
	assert_int_equal(far_heard(busy, "Connection: close\r\n\r\nok"), 1);
	io_shutdown(f->far.io, busy->sock);
	while (counter_read(&f->counters.connections_open[SOURCE]))
		far_turn(&f->far);
	/* It went at the end of a turn, and nothing else wakes the worker to see that. */
	assert_false(atomic_load(&f->mailbox.drained));
	far_turn(&f->far);
	assert_true(sim_waits_until_ns(f->io) <= sim_now_ns(f->far.sim));
	assert_true(atomic_load(&f->mailbox.drained));
	far_settle(&f->far);
	assert_int_equal(busy->last, 0);
	assert_int_equal(n->last, 0);
	assert_null(f->worker);
}

static void who_is_accepted_while_it_stops_is_served(void **state)
{
	struct fixture *f = *state;
	struct far *c = far_new(&f->far);
	f->clients[f->client_n++] = c;
	atomic_store(&f->mailbox.stopping, true);
	worker_turn(f->worker, UINT64_MAX);
	/* The accepts are being canceled, and one of them is faster. */
	io_connect(f->far.io, &c->connect, &f->addresses[SOURCE]);
	io_wait(f->far.io, UINT64_MAX);
	far_settle(&f->far);
	assert_int_equal(counter_read(&f->counters.connections_open[SOURCE]), 1);
	far_say(c, GET("/"));
	far_say(node(f, ARM_SOURCE, 0), OK);
	assert_int_equal(far_heard(c, "Connection: close\r\n\r\nok"), 1);
}

/* Weights change for those that a draining worker still decides. */
static void a_worker_that_drains_still_acknowledges_weights(void **state)
{
	struct fixture *f = *state;
	struct far *c = connect_to(f, WEIGHTED);
	far_say(c, "POST / HTTP/1.1\r\nHost: a\r\n");
	stop(f);
	publish(f, 2, 0, 1);
	assert_int_equal(atomic_load(&f->slot->acknowledged), 2);
	far_say(c, "Content-Length: 0\r\n\r\n");
	far_say(node(f, ARM_TARGET, 0), OK);
	assert_int_equal(far_heard(c, "Connection: close\r\n\r\nok"), 1);
}

static void an_abort_cuts_what_is_left(void **state)
{
	struct fixture *f = *state;
	struct far *c = connect_to(f, SOURCE);
	far_say(c, GET("/slow"));
	far_say(node(f, ARM_SOURCE, 0), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no");
	stop(f);
	assert_non_null(f->worker);
	atomic_store(&f->mailbox.aborting, true);
	wake(f);
	assert_int_equal(c->last, -ECONNRESET);
	/* The request was there whole: FIN says enough. */
	assert_int_equal(node(f, ARM_SOURCE, 0)->last, 0);
	assert_null(f->worker);
}

/* Clients are 10.0.0.1 here. */
static void who_is_not_allowed_is_reset_and_nobody_else(void **state)
{
	struct fixture *f = *state;
	f->allow.ranges = f->rooms[0];
	networks_add(&f->allow, SPAN("192.0.2.0/24"));
	f->samples[1].listeners[WEIGHTED].allow = &f->allow;
	change_plan(f);
	struct far *stranger = connect_to(f, WEIGHTED);
	assert_int_equal(stranger->last, -ECONNRESET);
	assert_int_equal(counter_read(&f->counters.rejected[ERR_NOT_ALLOWED]), 1);
	assert_int_equal(counter_read(&f->counters.connections_total[WEIGHTED]), 0);
	struct far *c = connect_to(f, SOURCE);
	far_say(c, GET("/here"));
	assert_int_equal(far_heard(node(f, ARM_SOURCE, 0), "GET /here"), 1);
}

static void so_many_connections_are_open_and_no_more(void **state)
{
	struct fixture *f = *state;
	f->samples[1].listeners[WEIGHTED].connections_max = 2;
	change_plan(f);
	struct far *first = connect_to(f, WEIGHTED);
	connect_to(f, WEIGHTED);
	struct far *third = connect_to(f, WEIGHTED);
	assert_int_equal(third->last, -ECONNRESET);
	assert_int_equal(counter_read(&f->counters.connections_open[WEIGHTED]), 2);
	assert_int_equal(counter_read(&f->counters.rejected[ERR_TOO_MANY_CONNECTIONS]), 1);
	far_hang_up(first, false);
	struct far *fourth = connect_to(f, WEIGHTED);
	far_say(fourth, GET("/here"));
	assert_int_equal(far_heard(node(f, ARM_SOURCE, 0), "GET /here"), 1);
}

/* A listener that expects PROXY headers, where clients are 10.0.0.1; 192.0.2.0/24 may come. */
static void expect_proxy_headers(struct fixture *f, const char *trust)
{
	struct listener *l = &f->samples[1].listeners[SOURCE];
	f->trust = (struct networks){ .ranges = f->rooms[0] };
	f->allow = (struct networks){ .ranges = f->rooms[1] };
	networks_add(&f->trust, span_of(trust));
	networks_add(&f->allow, SPAN("192.0.2.0/24"));
	l->trust = &f->trust;
	l->allow = &f->allow;
	l->forwarded = FORWARDED_APPEND;
	l->proxy_protocol = true;
	change_plan(f);
}

#define PROXY_HEADER "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n"
#define LOCAL_PROXY_HEADER "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"

static void a_proxy_header_says_who_the_client_is(void **state)
{
	struct fixture *f = *state;
	expect_proxy_headers(f, "10.0.0.0/24");
	struct far *c = connect_to(f, SOURCE);
	far_say(c, PROXY_HEADER GET("/one"));
	struct far *n = node(f, ARM_SOURCE, 0);
	assert_int_equal(far_heard(n, "GET /one"), 1);
	assert_int_equal(far_heard(n, "x-forwarded-for: 192.0.2.1\r\n"), 1);
	far_say(n, OK);
	/* It stands before the first request only. */
	far_say(c, GET("/two"));
	assert_int_equal(far_heard(n, "x-forwarded-for: 192.0.2.1\r\n"), 2);
	far_say(n, OK);
	far_say(c, PROXY_HEADER);
	assert_int_equal(far_heard(c, "HTTP/1.1 400"), 1);
}

static void a_proxy_header_may_come_byte_by_byte(void **state)
{
	struct fixture *f = *state;
	expect_proxy_headers(f, "10.0.0.0/24");
	struct far *c = connect_to(f, SOURCE);
	static const char text[] = PROXY_HEADER GET("/one");
	for (const char *at = text; *at; at++)
		far_say(c, (char[]){ *at, 0 });
	assert_int_equal(far_heard(node(f, ARM_SOURCE, 0), "x-forwarded-for: 192.0.2.1\r\n"), 1);
}

static void who_sends_no_good_proxy_header_is_reset(void **state)
{
	(void)state;
	static const struct {
		const char *trust, *says;
		enum err why;
	} rows[] = {
		{ "10.0.0.0/24", GET("/"), ERR_PROXY_HEADER_MISSING },
		{ "10.0.0.0/24", "PROXY TCP4 192.0.2.1\r\n", ERR_PROXY_HEADER_SYNTAX },
		{ "10.0.0.0/24", "PROXY TCP4 203.0.113.1 198.51.100.1 1 443\r\n", ERR_NOT_ALLOWED },
		/* Somebody whom the proxy does not name is the proxy, which is not in `allow`. */
		{ "10.0.0.0/24", "PROXY UNKNOWN\r\n", ERR_NOT_ALLOWED },
		{ "10.9.0.0/24", NULL, ERR_NOT_TRUSTED },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		void *own;
		open_fixture(&own);
		struct fixture *f = own;
		expect_proxy_headers(f, rows[i].trust);
		struct far *c = connect_to(f, SOURCE);
		if (rows[i].says)
			far_say(c, rows[i].says);
		assert_int_equal(c->last, -ECONNRESET);
		assert_int_equal(counter_read(&f->counters.rejected[rows[i].why]), 1);
		assert_int_equal(counter_read(&f->counters.connections_open[SOURCE]), 0);
		assert_int_equal(f->hosts[ARM_SOURCE][0].conn_n, 0);
		close_fixture(&own);
	}
}

static void a_proxys_own_connection_needs_no_leave(void **state)
{
	struct fixture *f = *state;
	expect_proxy_headers(f, "10.0.0.0/24");
	struct far *c = connect_to(f, SOURCE);
	far_say_bytes(c, LOCAL_PROXY_HEADER, sizeof LOCAL_PROXY_HEADER - 1);
	far_say(c, GET("/up"));
	assert_int_equal(far_heard(node(f, ARM_SOURCE, 0), "x-forwarded-for: 10.0.0.1\r\n"), 1);
}

static void a_proxy_header_has_the_time_of_a_head(void **state)
{
	struct fixture *f = *state;
	expect_proxy_headers(f, "10.0.0.0/24");
	struct far *c = connect_to(f, SOURCE);
	far_say(c, "PROXY TCP4 ");
	far_pass_ms(&f->far, 9999);
	assert_true(io_op_busy(&c->receive));
	far_pass_ms(&f->far, 1);
	assert_int_equal(c->last, -ECONNRESET);
	assert_int_equal(counter_read(&f->counters.rejected[ERR_PROXY_HEADER_TIMEOUT]), 1);
	/* Who hangs up without a word, as a probe of TCP does, is no trouble. */
	struct far *probe = connect_to(f, SOURCE);
	far_hang_up(probe, false);
	assert_int_equal(counter_read(&f->counters.connections_open[SOURCE]), 0);
	for (int e = 0; e < ERRS; e++)
		assert_int_equal(counter_read(&f->counters.rejected[e]),
				 e == ERR_PROXY_HEADER_TIMEOUT);
}

static void a_worker_that_drains_says_so_to_who_asks_for_its_health(void **state)
{
	struct fixture *f = *state;
	f->samples[1].listeners[WEIGHTED].health = SPAN("/healthz");
	change_plan(f);
	struct far *c = connect_to(f, WEIGHTED);
	far_say(c, GET("/healthz"));
	assert_int_equal(far_heard(c, "HTTP/1.1 200 OK"), 1);
	/* It is in the midst of its next question. */
	far_say(c, "GET /healthz HTTP/1.1\r\n");
	stop(f);
	far_say(c, "Host: a\r\n\r\n");
	assert_int_equal(far_heard(c, "HTTP/1.1 503 Service Unavailable"), 1);
	assert_int_equal(far_heard(c, "Connection: close"), 1);
}

/* --- the log has no room --- */

#define QUEUE_BYTES 4096

static uint64_t log_now_ns(void *fixture)
{
	const struct fixture *f = fixture;
	return f->io->now_ns;
}

static uint64_t log_rng(void *fixture)
{
	const struct fixture *f = fixture;
	return 0x9e3779b97f4a7c15u * (f->disk.file_n + 1);
}

static void nobody_woken(void *fixture)
{
	(void)fixture;
}

static void no_worker_woken(struct feed *f)
{
	(void)f;
}

static void no_matter(struct feed_wait *w, enum batch_state became)
{
	(void)w;
	(void)became;
}

static void prepare_log(struct fixture *f)
{
	kit_disk_open(&f->disk);
	f->journal = journal_open(&(struct journal_config){ .disk = &f->disk.disk,
							    .generation = 1,
							    .node = "a",
							    .now_ns = log_now_ns,
							    .rng = log_rng,
							    .wake = nobody_woken,
							    .world = f,
							    .segment_bytes = SEGMENT_BYTES_MIN,
							    .queue_bytes = QUEUE_BYTES });
	taps_open(&f->taps, 0);
	feed_open(&f->other, 1);
	list_init(&f->wait.link);
	f->wait.settled = no_matter;
	feed_attach(&f->taps.feed, f->journal);
	feed_attach(&f->other, f->journal);
	feed_own(&f->other, &f->bufs, no_worker_woken, NULL);
	f->samples[0].plan.capture = &f->capture;
}

static int open_recording(void **state)
{
	return open_with(state, prepare_log);
}

/* What the disk has to do is done. */
static void turn_log(struct fixture *f)
{
	do
		journal_turn(f->journal, f->io->now_ns, 0);
	while (kit_run(&f->disk));
	feed_look(&f->other, f->io->now_ns, 0);
}

static int close_recording(void **state)
{
	struct fixture *f = *state;
	atomic_store(&f->mailbox.stopping, true);
	atomic_store(&f->mailbox.aborting, true);
	io_wake(f->io);
	far_settle(&f->far);
	journal_stop(f->journal);
	turn_log(f);
	turn_log(f);
	far_settle(&f->far);
	assert_int_equal(journal_queued(f->journal), 0);
	journal_close(f->journal);
	taps_close(&f->taps);
	feed_close(&f->other);
	disk_free(&f->disk.disk);
	return close_fixture(state);
}

/* By the other worker. */
static void fill_log(struct fixture *f)
{
	static const char much[QUEUE_BYTES];
	struct frame like = { .type = FRAME_CLOSE, .connection = 1 };
	feed_put(&f->other, &like, &(struct span){ much, sizeof much }, 1, NULL);
	feed_wait(&f->other, &f->wait);
	feed_push(&f->other);
}

/* Nobody wakes it: its next turn is due by itself. */
static bool looks_soon(const struct fixture *f)
{
	return sim_waits_until_ns(f->io) <= sim_now_ns(f->far.sim) + LOG_FULL_LOOK_MS * 1000000ull;
}

#define PUT "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"

static void a_worker_looks_by_itself_whether_the_log_has_room(void **state)
{
	struct fixture *f = *state;
	fill_log(f);
	far_say(connect_to(f, SOURCE), PUT);
	assert_false(feed_is_out(&f->taps.feed));
	assert_true(looks_soon(f));
	turn_log(f);
	far_pass_ms(&f->far, LOG_FULL_LOOK_MS);
	assert_true(feed_is_out(&f->taps.feed));
	turn_log(f);
	far_settle(&f->far);
	assert_int_equal(far_heard(node(f, ARM_SOURCE, 0), "hi"), 1);
	assert_false(looks_soon(f));
}

static void a_worker_gives_up_by_itself_when_it_has_none(void **state)
{
	struct fixture *f = *state;
	fill_log(f);
	struct far *client = connect_to(f, SOURCE);
	far_say(client, PUT);
	far_pass_ms(&f->far, LOG_FULL_MS - 1);
	assert_int_equal(client->got_n, 0);
	far_pass_ms(&f->far, 1 + LOG_FULL_LOOK_MS);
	assert_int_equal(far_heard(client, "HTTP/1.1 503 "), 1);
	assert_true(looks_soon(f));
	/* Nobody has asked for some time, and it had room in between. */
	turn_log(f);
	far_pass_ms(&f->far, 5000);
	fill_log(f);
	client = connect_to(f, SOURCE);
	far_say(client, PUT);
	assert_int_equal(client->got_n, 0);
}

#define RECORDING(name) cmocka_unit_test_setup_teardown(name, open_recording, close_recording)
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_listener_leads_to_its_cluster),
		TEST(many_clients_share_the_nodes_connections),
		TEST(a_failed_connect_shows_in_the_counters),
		TEST(a_turn_acknowledges_the_weights_and_decides_by_them),
		TEST(requests_decided_before_are_told_until_they_are_over),
		cmocka_unit_test_setup_teardown(
			a_slot_that_acknowledges_shows_at_once_what_was_before, open_watched,
			close_fixture),
		TEST(who_is_connected_to_a_listener_that_is_gone_is_served),
		TEST(who_waits_at_a_listener_that_goes_is_accepted),
		TEST(a_listener_that_comes_back_is_the_same),
		TEST(an_unused_listener_that_is_gone_holds_nothing),
		TEST(a_new_plan_is_adopted_in_one_turn),
		TEST(a_new_plan_moves_requests_and_closes_no_connection),
		TEST(an_exchange_keeps_the_plan_that_it_began_with),
		TEST(a_node_that_leaves_the_plan_serves_to_the_end),
		TEST(a_look_up_that_brings_an_address_wakes_who_waits_for_it),
		TEST(who_waits_too_long_for_an_address_is_answered),
		TEST(a_drained_node_sees_its_requests_through_and_gets_no_more),
		TEST(what_is_left_with_a_drained_node_is_cut),
		TEST(what_is_left_with_a_node_that_comes_back_cut_is_cut),
		TEST(who_waits_for_a_connection_is_not_overtaken),
		TEST(who_waits_too_long_for_a_connection_is_answered),
		TEST(a_request_waits_where_open_files_allow_no_further_connection),
		TEST(a_cluster_that_hangs_leaves_connections_to_the_other),
		TEST(who_asks_nothing_makes_room_for_who_comes),
		TEST(a_listening_socket_that_cannot_be_taken_is_tried_again),
		TEST(who_waits_for_a_connection_hears_of_a_drain),
		TEST(accepting_pauses_when_it_fails_and_goes_on),
		TEST(an_aborted_connection_stops_no_accept),
		TEST(a_worker_that_pauses_can_be_stopped),
		TEST(a_worker_with_nothing_to_do_is_over_at_once),
		TEST(a_stop_closes_the_idle_and_serves_the_rest_to_its_end),
		TEST(who_is_accepted_while_it_stops_is_served),
		TEST(a_worker_that_drains_still_acknowledges_weights),
		TEST(an_abort_cuts_what_is_left),
		TEST(who_is_not_allowed_is_reset_and_nobody_else),
		TEST(so_many_connections_are_open_and_no_more),
		TEST(a_proxy_header_says_who_the_client_is),
		TEST(a_proxy_header_may_come_byte_by_byte),
		cmocka_unit_test(who_sends_no_good_proxy_header_is_reset),
		TEST(a_proxys_own_connection_needs_no_leave),
		TEST(a_proxy_header_has_the_time_of_a_head),
		TEST(a_worker_that_drains_says_so_to_who_asks_for_its_health),
		RECORDING(a_worker_looks_by_itself_whether_the_log_has_room),
		RECORDING(a_worker_gives_up_by_itself_when_it_has_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
