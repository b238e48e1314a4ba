#include "instructions/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/callgrind.h>

#include "base/bug.h"

#define MOMENT_NS 1000000u
#define VECTORS 1

/* --- messages --- */

/* Each has a body of the same size, or none. */
static bool is_whole(const struct message *m, size_t body)
{
	const char *end = memmem(m->text, m->n, "\r\n\r\n", 4);
	return end && (size_t)(end + 4 - m->text) + body == m->n;
}

static void add(struct message *m, struct io_op *recv)
{
	must(recv->result > 0 && m->n + (size_t)recv->result <= sizeof m->text);
	memcpy(m->text + m->n, recv->block->data, (size_t)recv->result);
	m->n += (size_t)recv->result;
	block_drop(recv->block);
}

static void write_messages(struct world *w)
{
	char body[BODY_BYTES + 1];
	memset(body, 'x', BODY_BYTES);
	body[BODY_BYTES] = 0;
	const char *fields = "Host: search.example.com\r\n"
			     "User-Agent: opensearch-py/2.4.2 (Python 3.11.2)\r\n"
			     "Accept: application/json\r\n"
			     "Accept-Encoding: gzip, deflate\r\n"
			     "Authorization: Basic YWRtaW46YWRtaW4=\r\n"
			     "Connection: keep-alive\r\n";
	int n = w->row->post
			? snprintf(w->request, sizeof w->request,
				   "POST /books/_doc?refresh=false HTTP/1.1\r\n%s"
				   "Content-Type: application/json\r\n"
				   "Content-Length: %d\r\n\r\n%s",
				   fields, BODY_BYTES, body)
			: snprintf(w->request, sizeof w->request,
				   "GET /books/_doc/1?pretty=false HTTP/1.1\r\n%s\r\n", fields);
	must(n > 0 && (size_t)n < sizeof w->request);
	w->request_n = (size_t)n;
	n = snprintf(w->response, sizeof w->response,
		     "HTTP/1.1 200 OK\r\n"
		     "X-Opaque-Id: 1\r\n"
		     "Content-Type: application/json; charset=UTF-8\r\n"
		     "Content-Length: %d\r\n\r\n%s",
		     BODY_BYTES, body);
	must(n > 0 && (size_t)n < sizeof w->response);
	w->response_n = (size_t)n;
}

/* --- nodes --- */

static void hear(struct visit *v)
{
	io_recv(v->world->town, &v->recv, v->sock, BLOCK_SMALL);
}

static void node_sent(struct io_op *op)
{
	must(op->result > 0);
}

static void node_received(struct io_op *op)
{
	struct visit *v = list_entry(op, struct visit, recv);
	struct world *w = v->world;
	add(&v->request, op);
	if (is_whole(&v->request, w->row->post ? BODY_BYTES : 0)) {
		v->request.n = 0;
		v->bytes = (struct iovec){ w->response, w->response_n };
		io_send(w->town, &v->send, v->sock, &v->bytes, VECTORS);
	}
	hear(v);
}

static void node_accepted(struct io_op *op)
{
	struct door *d = list_entry(op, struct door, accept);
	must(op->result == 0);
	struct visit *v = calloc(1, sizeof *v);
	must(v);
	v->world = d->world;
	v->sock = op->sock;
	io_op_init(&v->send, node_sent);
	io_op_init(&v->recv, node_received);
	hear(v);
	io_accept(d->world->town, &d->accept, d->sock);
}

static void open_nodes(struct world *w)
{
	w->nodes = calloc(w->row->nodes, sizeof *w->nodes);
	must(w->nodes);
	for (unsigned i = 0; i < w->row->nodes; i++) {
		struct door *d = &w->nodes[i];
		char host[32];
		snprintf(host, sizeof host, "10.1.%u.%u", i / 250, 1 + i % 250);
		must(addr_parse(span_of(host), 9200, &d->at));
		d->world = w;
		d->state.number = i;
		atomic_store(&d->state.healthy, true);
		node_state_set_addresses(&d->state, &(struct node_addresses){ 1, 0, { d->at } });
		d->sock = sim_listen(w->town, &d->at);
		io_op_init(&d->accept, node_accepted);
		io_accept(w->town, &d->accept, d->sock);
	}
}

/* --- clients --- */

static void client_sent(struct io_op *op)
{
	must(op->result > 0);
}

static void ask(struct client *c)
{
	struct world *w = c->world;
	must(!c->waits);
	c->waits = true;
	w->waiting++;
	c->response.n = 0;
	c->bytes = (struct iovec){ w->request, w->request_n };
	io_send(w->town, &c->send, c->sock, &c->bytes, VECTORS);
	if (!io_op_busy(&c->recv))
		io_recv(w->town, &c->recv, c->sock, BLOCK_SMALL);
}

static void client_received(struct io_op *op)
{
	struct client *c = list_entry(op, struct client, recv);
	add(&c->response, op);
	must(c->waits && !memcmp(c->response.text, "HTTP/1.1 200", 12));
	if (!is_whole(&c->response, BODY_BYTES)) {
		io_recv(c->world->town, &c->recv, c->sock, BLOCK_SMALL);
		return;
	}
	c->waits = false;
	c->world->waiting--;
}

static void client_connected(struct io_op *op)
{
	struct client *c = list_entry(op, struct client, send);
	must(op->result == 0);
	c->sock = op->sock;
	io_op_init(&c->send, client_sent);
	ask(c);
}

static void connect_client(struct world *w, struct client *c)
{
	c->world = w;
	io_op_init(&c->send, client_connected);
	io_op_init(&c->recv, client_received);
	io_connect(w->town, &c->send, &w->listener_at);
}

/* --- the plan --- */

/* What stands before their '*' is of several lengths, most no longer than a request's path. */
static void write_rules(struct world *w)
{
	static const char *const shapes[] = { "/%u*", "/logs%u/*", "/l-%u/_doc*", "/%u/_bulk" };
	struct skip_rule *rules = calloc(w->row->rules, sizeof *rules);
	char *paths = calloc(w->row->rules, 32);
	must(rules && paths);
	for (unsigned i = 0; i < w->row->rules; i++) {
		char *path = paths + (size_t)i * 32;
		snprintf(path, 32, shapes[i % 4], i);
		rules[i] = (struct skip_rule){ .path = span_of(path) };
	}
	slab_open(&w->rule_memory, ARENA_CHUNK_BYTES, 1);
	arena_open(&w->rules, &w->rule_memory);
	w->policy.skips = skips_make(&w->rules, rules, w->row->rules);
	free(rules);
}

static void write_plan_nodes(struct world *w)
{
	w->plan_nodes = calloc(w->row->nodes, sizeof *w->plan_nodes);
	must(w->plan_nodes);
	for (unsigned i = 0; i < w->row->nodes; i++)
		w->plan_nodes[i] = (struct node){
			.state = &w->nodes[i].state,
			.name = "node.example:9200",
			.server_name = "node.example",
		};
}

/* As a configuration makes it that says no more than it must. */
static void write_plan(struct world *w)
{
	write_plan_nodes(w);
	w->listener = (struct listener){
		.name = "weighted",
		.route = { .weighted = true },
		.policy = { .head_ms = HEAD_TIMEOUT_MS,
			    .idle_ms = IDLE_TIMEOUT_MS,
			    .keep_alive_ms = CLIENT_KEEP_ALIVE_MS,
			    .tunnel_idle_ms = TUNNEL_IDLE_TIMEOUT_MS },
		.forwarded = FORWARDED_APPEND,
		.trace = TRACE_MAKE,
		.port = addr_port(&w->listener_at),
	};
	front_policy_tell(&w->listener.policy);
	w->plan = (struct plan){
		.number = 1,
		.listeners = &w->listener,
		.listener_n = 1,
		.profile = PROFILE_OPENSEARCH,
		.access = w->row->log ? ACCESS_ALB : ACCESS_OFF,
		.capture = w->row->capture ? &w->policy : NULL,
		.worker_n = 1,
		.accepting_n = 1,
		.memory_max = MEMORY_BYTES,
		.pins = &w->pins,
	};
	for (int arm = 0; arm < ARMS; arm++)
		w->plan.clusters[arm] = (struct cluster){
			.name = arm == ARM_SOURCE ? "source" : "target",
			.arm = (enum arm)arm,
			.nodes = w->plan_nodes,
			.node_n = arm == ARM_SOURCE ? w->row->nodes : 0,
			.policy = { CONNECT_TIMEOUT_MS, IDLE_TIMEOUT_MS, TUNNEL_IDLE_TIMEOUT_MS,
				    NODE_KEEP_ALIVE_MS },
			.response_timeouts = { .response_ms = IDLE_TIMEOUT_MS,
					       .asked_max_ms = ASKED_TIMEOUT_MS },
			.workers = 1,
			.queue_ms = QUEUE_WAIT_MS,
			.eject = { EJECT_FAILURES, EJECT_PAUSE_MS },
		};
	if (w->row->rules)
		write_rules(w);
}

/* --- the logs --- */

static uint64_t journal_now_ns(void *about)
{
	const struct world *w = about;
	return sim_now_ns(w->sim);
}

static uint64_t journal_rng(void *about)
{
	const struct world *w = about;
	return sim_random(w->sim, UINT64_MAX);
}

static void journal_wake(void *about)
{
	struct world *w = about;
	w->woken = true;
}

static void open_journal(struct world *w)
{
	taps_open(&w->taps, 0);
	w->feed = &w->taps.feed;
	w->store = sim_store_open(w->sim);
	w->disk = sim_disk_open(w->store);
	w->journal = journal_open(&(struct journal_config){
		.disk = w->disk,
		.boot = { 1 },
		.generation = 1,
		.node = "simulated",
		.now_ns = journal_now_ns,
		.rng = journal_rng,
		.wake = journal_wake,
		.world = w,
		.segment_bytes = SEGMENT_BYTES,
		.queue_bytes = LOG_QUEUE_BYTES,
		.unrecorded = &w->unrecorded,
	});
	counter_set(&w->unrecorded.worker_n, 1);
	feed_count_in(w->feed, w->unrecorded.lost[0]);
	feed_attach(w->feed, w->journal);
	w->woken = true;
}

/* What control's thread does for the access log is not of a request: it takes them by the hundred.
 */
static void drain_access(struct world *w)
{
	if (w->row->log)
		ring_take(&w->access.ring, ring_used(&w->access.ring));
}

/* --- time --- */

static void begin_count(const struct world *w)
{
	if (w->counted)
		CALLGRIND_TOGGLE_COLLECT;
}

static void end_count(const struct world *w)
{
	if (w->counted)
		CALLGRIND_TOGGLE_COLLECT;
}

static void turn_worker(struct world *w)
{
	begin_count(w);
	worker_turn(w->worker, UINT64_MAX);
	end_count(w);
}

/* UINT64_MAX: it waits for its disk, or to be woken. */
static uint64_t journal_due_ns(const struct world *w)
{
	if (!w->journal || w->disk->op)
		return UINT64_MAX;
	return journal_deadline_ns(w->journal);
}

/* False: there was nothing to do. */
static bool turn_journal(struct world *w)
{
	if (!w->journal)
		return false;
	if (!w->disk->op && !w->woken && journal_due_ns(w) > sim_now_ns(w->sim))
		return false;
	begin_count(w);
	bool any = !w->disk->op || sim_disk_run(w->disk);
	if (any && !w->disk->op) {
		w->woken = false;
		journal_turn(w->journal, sim_now_ns(w->sim), w->town->wall_ns);
	}
	end_count(w);
	return any;
}

/* Everybody has a turn, until one in which nothing happens. */
static void settle(struct world *w)
{
	uint64_t before;
	bool any;
	do {
		before = sim_trace(w->sim);
		turn_worker(w);
		io_wait(w->town, UINT64_MAX);
		io_dispatch(w->town);
		any = turn_journal(w);
		drain_access(w);
	} while (any || sim_trace(w->sim) != before);
}

/* Until nobody waits for a response any more; then the next millisecond begins. */
static void run(struct world *w)
{
	uint64_t end_ns = sim_now_ns(w->sim) / MOMENT_NS * MOMENT_NS + MOMENT_NS;
	settle(w);
	while (w->waiting || sim_now_ns(w->sim) < end_ns) {
		uint64_t until_ns = w->waiting ? sim_now_ns(w->sim) + MOMENT_NS : end_ns;
		uint64_t due_ns = journal_due_ns(w);
		until_ns = due_ns < until_ns ? due_ns : until_ns;
		sim_advance(w->sim, until_ns);
		settle(w);
	}
}

void world_ask(struct world *w, unsigned n)
{
	must(n % WAVE == 0);
	for (; n; n -= WAVE) {
		for (unsigned i = 0; i < WAVE; i++)
			ask(&w->clients[i]);
		run(w);
	}
}

/* --- a life --- */

static void open_worker(struct world *w)
{
	w->io = sim_io_open(w->sim, &w->bufs);
	board_format(&w->board, 7);
	board_publish(&w->board, &(struct board_values){ .epoch = 1, .weights = { 1, 0 } });
	atomic_store(&w->mailbox.plan, &w->plan);
	if (w->row->log) {
		must(waker_open(&w->waker));
		access_open(&w->access, &w->waker, 1);
	}
	w->worker = worker_open(&(struct worker_config){
		.io = w->io,
		.bufs = &w->bufs,
		.board = &w->board,
		.slot = board_take_slot(&w->board, 1, 0),
		.mailbox = &w->mailbox,
		.counters = &w->counters,
		.access = w->row->log ? &w->access : NULL,
		.taps = w->row->capture ? &w->taps : NULL,
		.seed = 1,
	});
	worker_listen(w->worker, sim_listen(w->io, &w->listener_at), 0);
}

static void open_clients(struct world *w)
{
	w->client_n = WAVE + w->row->idle;
	w->clients = calloc(w->client_n, sizeof *w->clients);
	must(w->clients);
	for (unsigned i = 0; i < w->client_n; i++) {
		connect_client(w, &w->clients[i]);
		if (i % WAVE == WAVE - 1)
			run(w);
	}
	run(w);
	must(!w->waiting);
}

struct world *world_open(const struct row *row)
{
	static const struct sim_faults none = { 0 };
	struct world *w = aligned_alloc(64, (sizeof *w + 63) / 64 * 64);
	must(w);
	memset(w, 0, sizeof *w);
	w->row = row;
	w->sim = sim_open(1, &none);
	bufs_open(&w->bufs);
	bufs_open(&w->town_bufs);
	w->town = sim_io_open(w->sim, &w->town_bufs);
	must(addr_parse(SPAN("10.2.0.1"), 80, &w->listener_at));
	write_messages(w);
	open_nodes(w);
	write_plan(w);
	if (row->capture)
		open_journal(w);
	open_worker(w);
	run(w);
	open_clients(w);
	return w;
}
