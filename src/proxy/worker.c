#include "proxy/worker.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/checks.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/least.h"
#include "ends/loop.h"
#include "proxy/acceptor.h"
#include "proxy/admission.h"
#include "proxy/deliveries.h"
#include "proxy/exchange.h"
#include "proxy/stage_check.h"

/* One worker's state of a listener. Connections outlive the plan that they began with. */
struct live_listener {
	struct worker *worker;
	const struct listener *listener; /* NULL: not in use */
	const struct plan *plan; /* the adopted plan, or with `gone` an earlier one, pinned */
	bool gone;		 /* the adopted plan has no such listener */
	bool sockets_left;	 /* some of its new sockets could not be taken yet */
	struct front_policy policy;
	struct tls_context *tls; /* one reference; NULL: no TLS */
	uint32_t number;
	struct list acceptors;
};

struct worker {
	struct worker_config config;
	struct exchanges exchanges;
	struct loop loop;
	struct live_nodes nodes;
	struct live_listener listeners[LISTENERS_MAX];
	bool pressed;	     /* connections waited for memory in the last turn */
	uint64_t publish_ns; /* when the memory counters are published next without pressure */
	struct admission admission;
	const struct front_user *user; /* another one while requests are traced */
	struct timer take_again;       /* set while a listening socket could not be adopted */
	struct timer trim;   /* set when a connection has closed, until the memory is returned */
	uint32_t node_admin; /* the mailbox's counter, as last read */
	bool stopping;	     /* accepts no more connections */
	bool idle_closed;    /* idle clients have been closed */
};

/* --- connections --- */

static void listener_release_if_unused(struct live_listener *l);

/*
 * Not inlined into its callers, so that the compiler inlines exchange_open() here: one call less.
 */
static __attribute__((noinline)) struct arena *open_exchange(const struct front_facts *facts,
							     struct stream *front)
{
	struct live_listener *l = facts->listener;
	return exchange_open(&l->worker->exchanges, l->plan, l->listener, facts, front);
}

/*
 * Returns the memory after many connections have closed, in small pieces, so that no turn takes
 * long.
 */
static void trim_is_due(struct timer *t)
{
	struct worker *w = list_entry(t, struct worker, trim);
	bool more = loop_trim(&w->loop);
	more |= exchanges_trim(&w->exchanges);
	if (more)
		timer_set(&w->loop.wheel, t, loop_now_ms(&w->loop) + TRIM_AGAIN_MS);
}

static void worker_connection_gone(const struct front_facts *facts)
{
	struct live_listener *l = facts->listener;
	struct worker *w = l->worker;
	if (facts->requests && w->config.taps && l->plan->capture)
		taps_closed(w->config.taps, facts->number);
	counter_sub(&w->config.counters->connections_open[l->number], 1);
	if (!timer_is_set(&w->trim))
		timer_set(&w->loop.wheel, &w->trim, loop_now_ms(&w->loop) + TRIM_MS);
	listener_release_if_unused(l);
}

static enum err worker_admit(const struct front_facts *facts, const struct proxy_header *p)
{
	struct live_listener *l = facts->listener;
	struct worker *w = l->worker;
	return admission_admit(&w->admission, l->listener, p, facts->peer, loop_now_ms(&w->loop));
}

/* After a PROXY header, facts->peer is the client that the header names. */
static void worker_handshake_failed(const struct front_facts *facts, enum err why, const char *said)
{
	struct live_listener *l = facts->listener;
	struct worker *w = l->worker;
	char text[ADDR_TEXT_BYTES], more[PEER_LOG_MORE_BYTES];
	if (!peer_log_begin(&w->exchanges.peer_log, why, loop_now_ms(&w->loop), more))
		return;
	addr_host_text(facts->peer, text);
	log_line(why == ERR_TLS_LEFT ? LOG_INFO : LOG_WARN,
		 "worker %u: listener %s: TLS with client %s failed: %s%s%s%s (%s%s)",
		 w->config.number, l->listener->name, text, err_sentence(why), *said ? " (" : "",
		 said, *said ? ")" : "", err_word(why), more);
}

static const struct front_user front_user = { .open = open_exchange,
					      .handshake_failed = worker_handshake_failed,
					      .admit = worker_admit,
					      .finished = exchange_ends_with_client,
					      .gone = worker_connection_gone };

static struct arena *open_traced(const struct front_facts *facts, struct stream *front)
{
	struct live_listener *l = facts->listener;
	struct worker *w = l->worker;
	const struct stream_tracer *t = tracing_begin(w->config.tracing, w->loop.io, facts);
	w->exchanges.tracer = t ? t : w->config.tracer;
	struct arena *arena = open_exchange(facts, front);
	w->exchanges.tracer = w->config.tracer;
	return arena;
}

static const struct front_user traced_user = { .open = open_traced,
					       .handshake_failed = worker_handshake_failed,
					       .admit = worker_admit,
					       .finished = exchange_ends_with_client,
					       .gone = worker_connection_gone };

/* Switches all connections, present and future, when tracing is turned on or off. */
static void look_at_tracing(struct worker *w)
{
	bool on = w->config.tracing && atomic_load(&w->config.tracing->on);
	const struct front_user *user = on ? &traced_user : &front_user;
	if (w->user == user)
		return;
	w->user = user;
	h1_fronts_use(&w->loop.fronts, user);
}

static bool is_of_section(const struct front_facts *facts, const void *how)
{
	const struct live_listener *l = facts->listener;
	const struct listener *of = how;
	return !of || l->listener->section == of->section;
}

/*
 * Closes the oldest connection that has sent no request, so that a new one can be served. If only
 * this listener is full, the connection must be one of its section.
 */
static bool worker_make_room(struct worker *w, const struct live_listener *l)
{
	uint32_t max = w->exchanges.plan->clients_max;
	bool all = max && w->loop.fronts.open_n >= max;
	if (!h1_fronts_spare_stranger(&w->loop.fronts, STRANGER_AGE_MS, is_of_section,
				      all ? NULL : l->listener))
		return false;
	admission_makes_room(&w->admission, l->listener, loop_now_ms(&w->loop));
	return true;
}

/*
 * A connection that is turned away is reset: then nothing of it remains here, not even a waiting
 * state in the kernel.
 */
static void worker_serve(struct worker *w, struct sock *sock, uint32_t number)
{
	struct live_listener *l = &w->listeners[number];
	struct io *io = w->loop.io;
	enum err why = admission_ask(&w->admission, w->exchanges.plan, l->listener, &sock->peer,
				     w->loop.fronts.open_n);
	if (why == ERR_OUT_OF_HANDLES && worker_make_room(w, l))
		why = ERR_NONE;
	if (why != ERR_NONE) {
		admission_turn_away(&w->admission, l->listener, &sock->peer, why, io_now_ms(io));
		io_close(io, sock, true);
		return;
	}
	counter_add(&w->config.counters->connections_total[number], 1);
	counter_add(&w->config.counters->connections_open[number], 1);
	struct h1_front *f = h1_front_open(&w->loop.fronts, w->user, &l->policy, l, sock, l->tls,
					   &w->loop.budget);
	h1_front_count_handshake(f, &w->config.counters->handshakes[number]);
	if (l->listener->proxy_protocol)
		h1_front_expect_proxy_header(f);
}

/* --- listeners --- */

/*
 * A reference of its own: a plan's contexts are freed when all workers have left the plan, though
 * it may still be pinned.
 */
static void use_tls(struct live_listener *l, struct tls_context *tls)
{
	if (tls)
		tls_context_hold(tls);
	if (l->tls)
		tls_context_drop(l->tls);
	l->tls = tls;
}

static void listener_release_if_unused(struct live_listener *l)
{
	struct worker *w = l->worker;
	const struct plan *plan = l->plan;
	if (!l->gone || !list_empty(&l->acceptors) ||
	    counter_read(&w->config.counters->connections_open[l->number]))
		return;
	l->gone = false;
	l->listener = NULL;
	l->plan = NULL;
	use_tls(l, NULL);
	plan_unpin(plan, w->config.number);
}

static void acceptor_accepted(struct acceptor *a, struct sock *sock)
{
	struct live_listener *l = a->owner;
	worker_serve(l->worker, sock, l->number);
}

static void acceptor_stuck(struct acceptor *a, int error)
{
	struct live_listener *l = a->owner;
	struct worker *w = l->worker;
	admission_is_stuck(&w->admission, l->listener, error, loop_now_ms(&w->loop));
}

static void acceptor_closed(struct acceptor *a)
{
	list_remove(&a->link);
	listener_release_if_unused(a->owner);
}

static const struct acceptor_user acceptor_user = { acceptor_accepted, acceptor_stuck,
						    acceptor_closed };

void worker_listen(struct worker *w, struct sock *listening, uint32_t listener)
{
	must(listener < LISTENERS_MAX && !w->stopping);
	struct live_listener *l = &w->listeners[listener];
	must(l->listener && !l->gone);
	struct acceptor *a =
		acceptor_open(w->loop.io, &w->loop.wheel, &acceptor_user, l, listening);
	list_add_tail(&l->acceptors, &a->link);
}

static void close_acceptors(struct live_listener *l)
{
	list_each_safe(at, &l->acceptors)
		acceptor_close(list_entry(at, struct acceptor, link));
}

/*
 * Out of memory. Clients that the kernel queues on that socket must wait until it is adopted: it is
 * put back, and tried again later.
 */
static void take_later(struct live_listener *l, atomic_int *place, int fd, int error)
{
	struct worker *w = l->worker;
	atomic_store(place, fd);
	admission_is_stuck(&w->admission, l->listener, error, loop_now_ms(&w->loop));
	timer_set(&w->loop.wheel, &w->take_again, loop_now_ms(&w->loop) + ACCEPT_PAUSE_MS);
}

/* New sockets replace the old ones, which the keeper no longer has. */
static void take_sockets(struct live_listener *l)
{
	struct worker *w = l->worker;
	struct listener_sockets *s = l->listener->sockets;
	bool first = !l->sockets_left, left = false;
	if (w->config.number >= l->plan->accepting_n)
		return;
	for (unsigned i = w->config.number; s && i < s->n && !w->stopping;
	     i += l->plan->accepting_n) {
		int fd = atomic_exchange(&s->list[i], -1);
		if (fd < 0)
			continue;
		io_keep_alive(fd, &l->plan->front_keepalive);
		struct sock *sock = io_adopt(w->loop.io, fd);
		if (!sock) {
			take_later(l, &s->list[i], fd, errno);
			left = true;
			continue;
		}
		if (first)
			close_acceptors(l);
		first = false;
		worker_listen(w, sock, l->number);
	}
	l->sockets_left = left && !first;
}

static void time_to_take(struct timer *t)
{
	struct worker *w = list_entry(t, struct worker, take_again);
	for (uint32_t i = 0; i < LISTENERS_MAX; i++)
		if (w->listeners[i].listener && !w->listeners[i].gone)
			take_sockets(&w->listeners[i]);
}

static void listener_take_up(struct live_listener *l, const struct plan *plan,
			     const struct listener *now)
{
	if (l->gone)
		plan_unpin(l->plan, l->worker->config.number);
	l->gone = false;
	l->listener = now;
	l->plan = plan;
	l->policy = now->policy;
	use_tls(l, now->tls ? now->tls[l->worker->config.number] : NULL);
	take_sockets(l);
}

/*
 * Connections that are open, or wait to be accepted, are served as the listener's last plan says.
 */
static void listener_give_up(struct live_listener *l)
{
	if (!l->listener || l->gone)
		return;
	l->gone = true;
	plan_pin(l->plan, l->worker->config.number);
	close_acceptors(l);
	listener_release_if_unused(l);
}

static void adopt_listeners(struct worker *w, const struct plan *plan)
{
	const struct listener *now[LISTENERS_MAX] = { NULL };
	for (size_t i = 0; i < plan->listener_n; i++) {
		must(plan->listeners[i].number < LISTENERS_MAX);
		now[plan->listeners[i].number] = &plan->listeners[i];
	}
	for (uint32_t i = 0; i < LISTENERS_MAX; i++)
		if (now[i])
			listener_take_up(&w->listeners[i], plan, now[i]);
		else
			listener_give_up(&w->listeners[i]);
}

/* --- what control demands --- */

/*
 * A cluster that hangs may use three quarters of the connections: a quarter is left for the other
 * cluster.
 */
static void share_sockets(struct worker *w, uint32_t max)
{
	w->loop.backs.open_max = max;
	for (int arm = 0; arm < ARMS; arm++)
		w->exchanges.clusters[arm].counts.open_max = max - max / 4;
}

static void worker_adopt_plan(struct worker *w, const struct plan *plan)
{
	adopt_listeners(w, plan);
	w->loop.io->keepalive = plan->back_keepalive;
	for (int arm = 0; arm < ARMS; arm++)
		live_cluster_adopt(&w->exchanges.clusters[arm], &w->nodes, &plan->clusters[arm],
				   w->config.number);
	live_nodes_sweep(&w->nodes, plan);
	share_sockets(w, plan->node_sockets_max);
	w->loop.budget.max = plan->memory_max;
	for (int arm = 0; arm < ARMS; arm++)
		w->exchanges.clusters[arm].budget.max = plan->memory_max;
	w->exchanges.plan = plan;
	/* A node may come back that was cut while no plan contained it. */
	exchanges_cut(&w->exchanges);
	atomic_store_explicit(&w->config.mailbox->adopted, plan, memory_order_release);
	deliveries_choose(&w->exchanges);
}

static void look_at_plan(struct worker *w)
{
	const struct plan *plan =
		atomic_load_explicit(&w->config.mailbox->plan, memory_order_acquire);
	if (plan != w->exchanges.plan)
		worker_adopt_plan(w, plan);
}

static struct board_counts worker_board_counts(const struct exchanges *d)
{
	return (struct board_counts){ .in_flight_now = d->in_flight_now,
				      .in_flight_before = d->in_flight_before,
				      .writes = { d->writes[ARM_SOURCE], d->writes[ARM_TARGET] } };
}

static void look_at_board(struct worker *w)
{
	struct exchanges *d = &w->exchanges;
	if (!board_look(w->config.board, &d->values))
		return;
	exchanges_new_epoch(d);
	const struct board_counts counts = worker_board_counts(d);
	board_acknowledge(w->config.slot, d->values.epoch, &counts);
}

/*
 * Nodes have been drained or made ready, or have other addresses: deliveries that wait may have got
 * a node, or lost the last one.
 */
static void look_at_node_admin(struct worker *w)
{
	struct worker_mailbox *mailbox = w->config.mailbox;
	uint32_t node_admin = atomic_load_explicit(&mailbox->node_admin, memory_order_acquire);
	if (node_admin == w->node_admin)
		return;
	w->node_admin = node_admin;
	live_nodes_follow_admin(&w->nodes);
	exchanges_cut(&w->exchanges);
	deliveries_choose(&w->exchanges);
	look_at_tracing(w);
	atomic_store_explicit(&mailbox->node_admin_acknowledged, node_admin, memory_order_release);
}

static void stop_accepting(struct worker *w)
{
	w->stopping = true;
	timer_clear(&w->take_again);
	if (w->config.taps)
		feed_hurry(&w->config.taps->feed);
	atomic_store_explicit(&w->config.slot->retired, 1, memory_order_relaxed);
	for (uint32_t i = 0; i < LISTENERS_MAX; i++)
		close_acceptors(&w->listeners[i]);
	h1_fronts_retire(&w->loop.fronts);
}

static bool worker_accepts(const struct worker *w)
{
	for (uint32_t i = 0; i < LISTENERS_MAX; i++)
		if (!list_empty(&w->listeners[i].acceptors))
			return true;
	return false;
}

/* Some records are not in the log yet. */
static bool is_recording(const struct worker *w)
{
	return w->config.taps && feed_is_out(&w->config.taps->feed);
}

/* No client is connected, none can come, and no orphaned write is left. */
static bool is_drained(const struct worker *w)
{
	return w->stopping && !w->loop.fronts.open_n && !worker_accepts(w) &&
	       list_empty(&w->exchanges.open) && list_empty(&w->exchanges.parked) &&
	       list_empty(&w->exchanges.closing);
}

static void look_at_stop(struct worker *w)
{
	struct worker_mailbox *mailbox = w->config.mailbox;
	bool stopping = atomic_load_explicit(&mailbox->stopping, memory_order_acquire);
	bool retiring = atomic_load_explicit(&mailbox->retiring, memory_order_acquire);
	w->exchanges.draining |= atomic_load_explicit(&mailbox->leaving, memory_order_relaxed);
	if (!w->stopping && (stopping || retiring))
		stop_accepting(w);
	if (stopping && !w->idle_closed) {
		w->idle_closed = w->exchanges.draining = true;
		h1_fronts_stop(&w->loop.fronts);
	}
	/* In each turn: the accept queue may still bring a connection. */
	bool aborting = atomic_load_explicit(&mailbox->aborting, memory_order_acquire);
	if (aborting) {
		h1_fronts_abort(&w->loop.fronts);
		exchanges_abandon_orphans(&w->exchanges);
	}
	if (!is_drained(w))
		return;
	atomic_store_explicit(&mailbox->drained, true, memory_order_release);
	live_nodes_close_idle(&w->nodes);
	if (aborting)
		h1_backs_abort(&w->loop.backs);
}

/* --- a turn --- */

/*
 * The last client left at the end of a turn. look_at_stop() must see that, and nothing else wakes
 * the worker.
 */
static bool is_newly_drained(const struct worker *w)
{
	return is_drained(w) &&
	       !atomic_load_explicit(&w->config.mailbox->drained, memory_order_relaxed);
}

/* All workers share the log's room, and nothing wakes this worker when room becomes free. */
static bool is_pressed(const struct worker *w)
{
	return !list_empty(&w->exchanges.stalled) ||
	       (w->config.taps && feed_is_pressed(&w->config.taps->feed));
}

static uint64_t next_deadline(const struct worker *w, uint64_t deadline_ns)
{
	if (is_newly_drained(w) || deliveries_can_be_served(&w->exchanges))
		return 0;
	uint64_t now_ms = loop_now_ms(&w->loop);
	deadline_ns = least(deadline_ns, loop_deadline_ns(&w->loop));
	if (deliveries_wait(&w->exchanges))
		deadline_ns = least(deadline_ns, (now_ms + NAME_WAIT_MS) * 1000000);
	if (is_pressed(w))
		deadline_ns = least(deadline_ns, (now_ms + LOG_FULL_LOOK_MS) * 1000000);
	return deadline_ns;
}

/*
 * In each turn while a connection waits for memory, and in the first one afterwards; otherwise
 * every TRIM_MS / 2.
 */
static void publish_memory(struct worker *w)
{
	uint64_t now_ns = w->loop.io->now_ns;
	struct counters *c = w->config.counters;
	bool pressed = !list_empty(&w->loop.wires.pressed);
	if (!pressed && !w->pressed && now_ns < w->publish_ns)
		return;
	w->pressed = pressed;
	w->publish_ns = now_ns + TRIM_MS / 2 * 1000000ull;
	for (int arm = 0; arm < ARMS; arm++) {
		const struct live_cluster *l = &w->exchanges.clusters[arm];
		pressure_look(&c->cluster_memory[arm], &l->budget, w->config.number,
			      l->cluster->name, now_ns);
	}
	pressure_look(&c->clients_memory, &w->loop.budget, w->config.number, "clients", now_ns);
}

static void publish_counts(struct worker *w)
{
	struct counters *c = w->config.counters;
	for (int arm = 0; arm < ARMS; arm++) {
		const struct pool_counts *p = &w->exchanges.clusters[arm].counts;
		counter_set(&c->back_connects[arm], p->connects);
		counter_set(&c->back_connects_failed[arm], p->connects_failed);
		counter_set(&c->back_open[arm], p->open);
		counter_set(&c->back_handshakes[arm].done, counter_read(&p->handshakes.done));
		counter_set(&c->back_handshakes[arm].resumed, counter_read(&p->handshakes.resumed));
		counter_set(&c->back_handshakes[arm].failed, counter_read(&p->handshakes.failed));
		counter_set(&c->queued[arm], w->exchanges.queues[arm].n);
	}
	publish_memory(w);
	const struct board_counts counts = worker_board_counts(&w->exchanges);
	board_show(w->config.slot, &counts);
}

/* Waits. Counts the length of the previous turn, and how late the worker wakes for a due timer. */
static void wait_for_work(struct worker *w, uint64_t deadline_ns)
{
	struct io *io = w->loop.io;
	struct counters *c = w->config.counters;
	uint64_t began_ns = io->now_ns;
	io_wait(io, deadline_ns);
	latency_add(&c->turns, (io->rested_ns - began_ns) / 1000);
	if (io->rested_ns < deadline_ns && deadline_ns <= io->now_ns)
		latency_add(&c->lag, (io->now_ns - deadline_ns) / 1000);
}

static void hand_over_records(struct worker *w)
{
	if (w->config.taps)
		feed_push(&w->config.taps->feed);
}

/*
 * The log may hold the memory that a connection waits for; feed_press() makes the log write sooner.
 */
static void let_go_of_memory(struct worker *w)
{
	if (loop_squeeze(&w->loop) && w->config.taps)
		feed_press(&w->config.taps->feed);
}

void worker_turn(struct worker *w, uint64_t deadline_ns)
{
	const struct io *io = w->loop.io;
	wait_for_work(w, next_deadline(w, deadline_ns));
	look_at_board(w);
	look_at_plan(w);
	look_at_node_admin(w);
	if (w->config.taps)
		feed_look(&w->config.taps->feed, io->now_ns, io->wall_ns);
	loop_dispatch(&w->loop);
	look_at_stop(w);
	/* After the dispatch: the client of a parked write may have left in this turn. */
	if (!list_empty(&w->exchanges.parked))
		exchanges_let_go(&w->exchanges);
	if (deliveries_wait(&w->exchanges)) {
		deliveries_serve(&w->exchanges);
		deliveries_expire(&w->exchanges);
	}
	if (!list_empty(&w->exchanges.stalled))
		capture_gates_resume(&w->exchanges);
	let_go_of_memory(w);
	hand_over_records(w);
	/* Requests of the balancer itself that begin in here are sent with the others. */
	loop_sweep(&w->loop);
	loop_flush(&w->loop);
	deliveries_sweep(&w->exchanges);
	exchanges_sweep(&w->exchanges);
	if (!list_empty(&w->nodes.leaving))
		live_nodes_let_go(&w->nodes);
	/*
	 * exchanges_sweep() may have made the last records of clients that have gone, and there may
	 * be no further turn.
	 */
	hand_over_records(w);
	publish_counts(w);
	checks(exchanges_check(&w->exchanges));
	checks(board_check(w->config.board));
}

/* --- open and close --- */

static void wake_for_feed(struct feed *f)
{
	const struct worker *w = f->owner;
	io_wake(w->loop.io);
}

struct worker *worker_open(const struct worker_config *c)
{
	struct worker *w = calloc(1, sizeof *w);
	must(w);
	w->config = *c;
	loop_open(&w->loop, c->io, c->bufs, MEMORY_BYTES);
	w->admission = (struct admission){ .worker = c->number, .counters = c->counters };
	for (uint32_t i = 0; i < LISTENERS_MAX; i++) {
		w->listeners[i] = (struct live_listener){ .worker = w, .number = i };
		list_init(&w->listeners[i].acceptors);
	}
	timer_init(&w->trim, trim_is_due);
	timer_init(&w->take_again, time_to_take);
	live_nodes_open(&w->nodes, &w->loop.backs, c->counters->nodes, &w->loop.wheel);
	w->exchanges.io = c->io;
	w->exchanges.bufs = c->bufs;
	w->exchanges.wires = &w->loop.wires;
	w->exchanges.worker = c->number;
	w->exchanges.counters = c->counters;
	w->exchanges.rng.state = c->seed;
	w->exchanges.hop = hop_of(c->board->id);
	w->exchanges.tracer = c->tracer;
	w->exchanges.access = c->access;
	w->exchanges.taps = c->taps;
	if (c->taps)
		feed_own(&c->taps->feed, c->bufs, wake_for_feed, w);
	exchanges_open(&w->exchanges);
	const struct plan *plan = atomic_load_explicit(&c->mailbox->plan, memory_order_acquire);
	split_open(&w->exchanges.split, rng_next(&w->exchanges.rng));
	look_at_tracing(w);
	look_at_board(w);
	worker_adopt_plan(w, plan);
	look_at_node_admin(w);
	return w;
}

struct arena *worker_request(struct worker *w, enum arm arm, const struct front_facts *facts,
			     struct stream *front)
{
	const struct plan *plan = w->exchanges.plan;
	return plan->internal
		       ? exchange_open(&w->exchanges, plan, &plan->internal[arm], facts, front)
		       : NULL;
}

const struct plan *worker_plan(const struct worker *w)
{
	return w->exchanges.plan;
}

struct loop *worker_loop(struct worker *w)
{
	return &w->loop;
}

bool worker_is_over(const struct worker *w)
{
	return is_drained(w) && !w->loop.backs.open_n && !is_recording(w);
}

void worker_close(struct worker *w)
{
	must(worker_is_over(w));
	if (w->config.taps)
		feed_disown(&w->config.taps->feed);
	for (uint32_t i = 0; i < LISTENERS_MAX; i++)
		use_tls(&w->listeners[i], NULL);
	live_nodes_close(&w->nodes);
	for (int arm = 0; arm < ARMS; arm++)
		live_cluster_close(&w->exchanges.clusters[arm]);
	exchanges_close(&w->exchanges);
	loop_close(&w->loop);
	free(w);
}
