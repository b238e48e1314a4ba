#include "proxy/worker.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/log.h"
#include "base/least.h"
#include "proxy/acceptor.h"
#include "proxy/exchange.h"
#include "proxy/gate.h"

/* How often requests that wait for a name are looked at. */
#define WAIT_PAUSE_MS 100
/* Until a listening socket that could not be taken is tried again. */
#define TAKE_PAUSE_MS 100

/* A listener as this worker lives with it: connections outlive the plan that they came under. */
struct live_listener {
	struct worker *worker;
	const struct listener *listener; /* NULL: nobody uses it */
	const struct plan *plan;	 /* whose listener that is: the adopted one, or, */
	bool gone;			 /* an earlier one, pinned: the adopted one has no such */
	bool half_taken;		 /* some of its new sockets are to be taken yet */
	struct front_policy policy;
	struct tls_context *tls; /* one reference; NULL: in the clear */
	uint32_t number;
	struct list acceptors;
};

struct worker {
	struct worker_config config;
	struct desk desk;
	struct wheel wheel;
	struct wires wires;
	struct h1_fronts fronts;
	struct h1_backs backs;
	struct live_nodes nodes;
	struct live_listener listeners[LISTENERS_MAX];
	struct budget front_budget;
	bool pressed;	     /* somebody waited for memory, as of the last turn */
	uint64_t publish_ns; /* when what is held is told next, though nobody does */
	struct gate gate;
	struct timer take_again; /* set while a listening socket could not be taken */
	struct timer trim;	 /* set when connections have gone, until their memory has */
	uint32_t duties;	 /* of the door, as last looked at */
	bool stopping;		 /* accepts no more */
	bool hurried;		 /* idle clients have been closed */
};

/* --- connections --- */

static void let_go_if_unused(struct live_listener *l);

static struct arena *open_exchange(const struct front_facts *facts, struct stream *front)
{
	struct live_listener *l = facts->listener;
	return exchange_open(&l->worker->desk, l->plan, l->listener, facts, front);
}

/* A flood leaves with its memory, in pieces that no turn notices. */
static void trim_is_due(struct timer *t)
{
	struct worker *w = list_entry(t, struct worker, trim);
	bool more = bufs_trim(w->config.bufs);
	more |= wires_trim(&w->wires);
	more |= h1_fronts_trim(&w->fronts);
	more |= desk_trim(&w->desk);
	if (more)
		timer_set(&w->wheel, t, io_now_ms(w->config.io) + TRIM_AGAIN_MS);
}

static void connection_gone(const struct front_facts *facts)
{
	struct live_listener *l = facts->listener;
	struct worker *w = l->worker;
	if (facts->requests && w->config.taps && l->plan->capture)
		taps_closed(w->config.taps, facts->number);
	counter_sub(&w->config.counters->connections_open[l->number], 1);
	if (!timer_is_set(&w->trim))
		timer_set(&w->wheel, &w->trim, io_now_ms(w->config.io) + TRIM_MS);
	let_go_if_unused(l);
}

static enum err admit(const struct front_facts *facts, const struct preface *p)
{
	struct live_listener *l = facts->listener;
	struct worker *w = l->worker;
	return gate_admit(&w->gate, l->listener, p, facts->peer, io_now_ms(w->config.io));
}

/* Where a PROXY header names the client, that is who is told of. */
static void unshaken(const struct front_facts *facts, enum err why, const char *said)
{
	struct live_listener *l = facts->listener;
	struct worker *w = l->worker;
	char text[ADDR_TEXT_BYTES], more[TELLING_MORE_BYTES];
	if (!telling_begins(&w->desk.telling, why, io_now_ms(w->config.io), more))
		return;
	addr_host_text(facts->peer, text);
	log_line(why == ERR_TLS_LEFT ? LOG_INFO : LOG_WARN,
		 "worker %u: listener %s: TLS with client %s failed: %s%s%s%s (%s%s)",
		 w->config.number, l->listener->name, text, err_sentence(why), *said ? " (" : "",
		 said, *said ? ")" : "", err_word(why), more);
}

static const struct front_user front_user = { .open = open_exchange,
					      .unshaken = unshaken,
					      .admit = admit,
					      .finished = exchange_ends_with_client,
					      .gone = connection_gone };

static bool is_of_section(const struct front_facts *facts, const void *how)
{
	const struct live_listener *l = facts->listener;
	const struct listener *of = how;
	return !of || l->listener->section == of->section;
}

/*
 * Connections that ask nothing are no reason to turn away who might: the oldest of them goes. Where
 * it is the listener that has its share, one of its own.
 */
static bool make_room(struct worker *w, const struct live_listener *l)
{
	uint32_t max = w->desk.plan->clients_max;
	bool all = max && w->fronts.open_n >= max;
	if (!h1_fronts_spare_stranger(&w->fronts, STRANGER_AGE_MS, is_of_section,
				      all ? NULL : l->listener))
		return false;
	gate_makes_room(&w->gate, l->listener, io_now_ms(w->config.io));
	return true;
}

/* Who is turned away is reset: that leaves nothing here, not even a waiting state in the kernel. */
static void serve(struct worker *w, struct sock *sock, uint32_t number)
{
	struct live_listener *l = &w->listeners[number];
	struct io *io = w->config.io;
	enum err why = gate_ask(&w->gate, w->desk.plan, l->listener, &sock->peer, w->fronts.open_n);
	if (why == ERR_OUT_OF_HANDLES && make_room(w, l))
		why = ERR_NONE;
	if (why != ERR_NONE) {
		gate_turn_away(&w->gate, l->listener, &sock->peer, why, io_now_ms(io));
		io_close(io, sock, true);
		return;
	}
	counter_add(&w->config.counters->connections_total[number], 1);
	counter_add(&w->config.counters->connections_open[number], 1);
	struct h1_front *f = h1_front_open(&w->fronts, &front_user, &l->policy, l, sock, l->tls,
					   &w->front_budget);
	h1_front_count_handshake(f, &w->config.counters->handshakes[number]);
	if (l->listener->proxy_protocol)
		h1_front_expect_preface(f);
}

/* --- listeners --- */

/* Its own: the contexts of a plan go when all workers have left it, though it may be pinned. */
static void use_tls(struct live_listener *l, struct tls_context *tls)
{
	if (tls)
		tls_context_hold(tls);
	if (l->tls)
		tls_context_drop(l->tls);
	l->tls = tls;
}

static void let_go_if_unused(struct live_listener *l)
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

static void accepted(struct acceptor *a, struct sock *sock)
{
	struct live_listener *l = a->owner;
	serve(l->worker, sock, l->number);
}

static void acceptor_stuck(struct acceptor *a, int error)
{
	struct live_listener *l = a->owner;
	struct worker *w = l->worker;
	gate_is_stuck(&w->gate, l->listener, error, io_now_ms(w->config.io));
}

static void acceptor_closed(struct acceptor *a)
{
	list_remove(&a->link);
	let_go_if_unused(a->owner);
}

static const struct acceptor_user acceptor_user = { accepted, acceptor_stuck, acceptor_closed };

void worker_listen(struct worker *w, struct sock *listening, uint32_t listener)
{
	must(listener < LISTENERS_MAX && !w->stopping);
	struct live_listener *l = &w->listeners[listener];
	must(l->listener && !l->gone);
	struct acceptor *a = acceptor_open(w->config.io, &w->wheel, &acceptor_user, l, listening);
	list_add_tail(&l->acceptors, &a->link);
}

static void close_acceptors(struct live_listener *l)
{
	list_each_safe(at, &l->acceptors)
		acceptor_close(list_entry(at, struct acceptor, link));
}

/*
 * For want of memory. Clients that the kernel gives to that socket wait until it is taken: it is
 * put back, and tried again.
 */
static void take_later(struct live_listener *l, atomic_int *place, int fd, int error)
{
	struct worker *w = l->worker;
	atomic_store(place, fd);
	gate_is_stuck(&w->gate, l->listener, error, io_now_ms(w->config.io));
	timer_set(&w->wheel, &w->take_again, io_now_ms(w->config.io) + TAKE_PAUSE_MS);
}

/* New sockets take the place of those that there were: those are the keeper's no longer. */
static void take_sockets(struct live_listener *l)
{
	struct worker *w = l->worker;
	struct listener_sockets *s = l->listener->sockets;
	bool first = !l->half_taken, left = false;
	for (unsigned i = w->config.number; s && i < s->n && !w->stopping; i += l->plan->worker_n) {
		int fd = atomic_exchange(&s->list[i], -1);
		if (fd < 0)
			continue;
		io_keep_alive(fd, &l->plan->front_keepalive);
		struct sock *sock = io_adopt(w->config.io, fd);
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
	l->half_taken = left && !first;
}

static void time_to_take(struct timer *t)
{
	struct worker *w = list_entry(t, struct worker, take_again);
	for (uint32_t i = 0; i < LISTENERS_MAX; i++)
		if (w->listeners[i].listener && !w->listeners[i].gone)
			take_sockets(&w->listeners[i]);
}

static void take_up(struct live_listener *l, const struct plan *plan, const struct listener *now)
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

/* Whoever is connected, or waits to be accepted, is served as its last plan says. */
static void give_up(struct live_listener *l)
{
	if (!l->listener || l->gone)
		return;
	l->gone = true;
	plan_pin(l->plan, l->worker->config.number);
	close_acceptors(l);
	let_go_if_unused(l);
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
			take_up(&w->listeners[i], plan, now[i]);
		else
			give_up(&w->listeners[i]);
}

/* --- what control wants --- */

/* One cluster that hangs leaves a quarter of them to the other. */
static void share_sockets(struct worker *w, uint32_t max)
{
	w->backs.open_max = max;
	for (int arm = 0; arm < ARMS; arm++)
		w->desk.clusters[arm].counts.open_max = max - max / 4;
}

static void adopt(struct worker *w, const struct plan *plan)
{
	adopt_listeners(w, plan);
	w->config.io->keepalive = plan->back_keepalive;
	for (int arm = 0; arm < ARMS; arm++)
		live_cluster_adopt(&w->desk.clusters[arm], &w->nodes, &plan->clusters[arm],
				   w->config.number);
	live_nodes_sweep(&w->nodes, plan);
	share_sockets(w, plan->node_sockets_max);
	w->front_budget.max = plan->memory_max;
	for (int arm = 0; arm < ARMS; arm++)
		w->desk.clusters[arm].budget.max = plan->memory_max;
	w->desk.plan = plan;
	/* A node may come back that was cut while no plan had it. */
	desk_cut(&w->desk);
	atomic_store_explicit(&w->config.door->adopted, plan, memory_order_release);
	desk_decide_waiting(&w->desk);
}

static void look_at_plan(struct worker *w)
{
	const struct plan *plan = atomic_load_explicit(&w->config.door->plan, memory_order_acquire);
	if (plan != w->desk.plan)
		adopt(w, plan);
}

static void look_at_board(struct worker *w)
{
	uint64_t before = w->desk.values.epoch;
	w->desk.values = board_acknowledge(w->config.board, w->config.slot);
	if (w->desk.values.epoch != before)
		desk_new_epoch(&w->desk);
}

/* Nodes are drained, or are not any more, or have other addresses: waiting requests may have got
 * one, or lost the last. */
static void look_at_duties(struct worker *w)
{
	struct worker_door *door = w->config.door;
	uint32_t duties = atomic_load_explicit(&door->duties, memory_order_acquire);
	if (duties == w->duties)
		return;
	w->duties = duties;
	live_nodes_heed(&w->nodes);
	desk_cut(&w->desk);
	desk_decide_waiting(&w->desk);
	atomic_store_explicit(&door->duties_heeded, duties, memory_order_release);
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
	h1_fronts_retire(&w->fronts);
}

static bool accepts(const struct worker *w)
{
	for (uint32_t i = 0; i < LISTENERS_MAX; i++)
		if (!list_empty(&w->listeners[i].acceptors))
			return true;
	return false;
}

/* What was recorded is not all in the log. */
static bool is_recording(const struct worker *w)
{
	return w->config.taps && feed_is_out(&w->config.taps->feed);
}

/* No client is there, none can come, and none has left a write behind. */
static bool is_drained(const struct worker *w)
{
	return w->stopping && !w->fronts.open_n && !accepts(w) && list_empty(&w->desk.open);
}

static void look_at_stop(struct worker *w)
{
	struct worker_door *door = w->config.door;
	bool stopping = atomic_load_explicit(&door->stopping, memory_order_acquire);
	bool retiring = atomic_load_explicit(&door->retiring, memory_order_acquire);
	w->desk.draining |= atomic_load_explicit(&door->leaving, memory_order_relaxed);
	if (!w->stopping && (stopping || retiring))
		stop_accepting(w);
	if (stopping && !w->hurried) {
		w->hurried = w->desk.draining = true;
		h1_fronts_stop(&w->fronts);
	}
	/* Each turn: the accept queue may still bring somebody. */
	bool aborting = atomic_load_explicit(&door->aborting, memory_order_acquire);
	if (aborting) {
		h1_fronts_abort(&w->fronts);
		desk_abandon_orphans(&w->desk);
	}
	if (!is_drained(w))
		return;
	atomic_store_explicit(&door->drained, true, memory_order_release);
	live_nodes_close_idle(&w->nodes);
	if (aborting)
		h1_backs_abort(&w->backs);
}

/* --- a turn --- */

/* The last client went at the end of a turn: look_at_stop() is to see it, and nothing else wakes
 * us. */
static bool is_newly_drained(const struct worker *w)
{
	return is_drained(w) &&
	       !atomic_load_explicit(&w->config.door->drained, memory_order_relaxed);
}

/* The log's room is another worker's too, and nobody wakes us for that. */
static bool is_pressed(const struct worker *w)
{
	return !list_empty(&w->desk.stalled) ||
	       (w->config.taps && feed_is_pressed(&w->config.taps->feed));
}

static uint64_t next_deadline(const struct worker *w, uint64_t deadline_ns)
{
	if (wires_restless(&w->wires) || is_newly_drained(w) || desk_is_freed(&w->desk))
		return 0;
	uint64_t ms = wheel_next_ms(&w->wheel);
	if (desk_has_waiting(&w->desk))
		ms = least(ms, io_now_ms(w->config.io) + WAIT_PAUSE_MS);
	if (is_pressed(w))
		ms = least(ms, io_now_ms(w->config.io) + LOG_FULL_LOOK_MS);
	uint64_t ns = ms > UINT64_MAX / 1000000 ? UINT64_MAX : ms * 1000000;
	return least(ns, deadline_ns);
}

/* Each turn while somebody waits for memory, and the first without; else now and then. */
static void publish_memory(struct worker *w)
{
	uint64_t now_ns = w->config.io->now_ns;
	struct counters *c = w->config.counters;
	bool pressed = !list_empty(&w->wires.pressed);
	if (!pressed && !w->pressed && now_ns < w->publish_ns)
		return;
	w->pressed = pressed;
	w->publish_ns = now_ns + TRIM_MS / 2 * 1000000ull;
	for (int arm = 0; arm < ARMS; arm++) {
		const struct live_cluster *l = &w->desk.clusters[arm];
		pressure_look(&c->cluster_memory[arm], &l->budget, w->config.number,
			      l->cluster->name, now_ns);
	}
	pressure_look(&c->clients_memory, &w->front_budget, w->config.number, "clients", now_ns);
}

static void publish_counts(struct worker *w)
{
	struct counters *c = w->config.counters;
	for (int arm = 0; arm < ARMS; arm++) {
		const struct pool_counts *p = &w->desk.clusters[arm].counts;
		counter_set(&c->back_connects[arm], p->connects);
		counter_set(&c->back_connects_failed[arm], p->connects_failed);
		counter_set(&c->back_open[arm], p->open);
		counter_set(&c->back_handshakes[arm].done, counter_read(&p->handshakes.done));
		counter_set(&c->back_handshakes[arm].resumed, counter_read(&p->handshakes.resumed));
		counter_set(&c->back_handshakes[arm].failed, counter_read(&p->handshakes.failed));
		counter_set(&c->queued[arm], w->desk.queues[arm].n);
	}
	publish_memory(w);
	struct board_slot *slot = w->config.slot;
	counter_set(&slot->in_flight_now, w->desk.in_flight_now);
	counter_set(&slot->in_flight_before, w->desk.in_flight_before);
}

/* Waits, and counts how long the turn before took and how late it wakes for what was due. */
static void wait_for_work(struct worker *w, uint64_t deadline_ns)
{
	struct io *io = w->config.io;
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

/* What a connection waits for may be held by the log, which else takes its time. */
static void let_go_of_memory(struct worker *w)
{
	if (wires_squeeze(&w->wires) && w->config.taps)
		feed_press(&w->config.taps->feed);
}

void worker_turn(struct worker *w, uint64_t deadline_ns)
{
	struct io *io = w->config.io;
	wait_for_work(w, next_deadline(w, deadline_ns));
	look_at_board(w);
	look_at_plan(w);
	look_at_duties(w);
	if (w->config.taps)
		feed_look(&w->config.taps->feed, io->now_ns, io->wall_ns);
	io_dispatch(io);
	wheel_turn(&w->wheel, io_now_ms(io));
	look_at_stop(w);
	if (desk_has_waiting(&w->desk)) {
		desk_serve_queues(&w->desk);
		desk_time_waiting(&w->desk);
	}
	if (!list_empty(&w->desk.stalled))
		recording_resume(&w->desk);
	let_go_of_memory(w);
	hand_over_records(w);
	wires_flush(&w->wires);
	desk_sweep(&w->desk);
	if (!list_empty(&w->nodes.leaving))
		live_nodes_let_go(&w->nodes);
	/* Of clients that have gone: no other turn may come. */
	hand_over_records(w);
	publish_counts(w);
}

/* --- a life --- */

static void wake_for_feed(struct feed *f)
{
	const struct worker *w = f->owner;
	io_wake(w->config.io);
}

struct worker *worker_open(const struct worker_config *c)
{
	struct worker *w = calloc(1, sizeof *w);
	must(w);
	w->config = *c;
	budget_open(&w->front_budget, MEMORY_BYTES);
	w->gate = (struct gate){ .worker = c->number, .counters = c->counters };
	for (uint32_t i = 0; i < LISTENERS_MAX; i++) {
		w->listeners[i] = (struct live_listener){ .worker = w, .number = i };
		list_init(&w->listeners[i].acceptors);
	}
	wheel_open(&w->wheel, io_now_ms(c->io));
	timer_init(&w->trim, trim_is_due);
	timer_init(&w->take_again, time_to_take);
	wires_open(&w->wires, c->io, c->bufs);
	h1_fronts_open(&w->fronts, &w->wires, &w->wheel);
	h1_backs_open(&w->backs, &w->wires, &w->wheel);
	live_nodes_open(&w->nodes, &w->backs, c->counters->nodes, &w->wheel);
	w->desk.io = c->io;
	w->desk.bufs = c->bufs;
	w->desk.wires = &w->wires;
	w->desk.worker = c->number;
	w->desk.counters = c->counters;
	w->desk.chance.state = c->seed;
	w->desk.hop = hop_of(c->board->id);
	w->desk.tracer = c->tracer;
	w->desk.access = c->access;
	w->desk.taps = c->taps;
	if (c->taps)
		feed_own(&c->taps->feed, c->bufs, wake_for_feed, w);
	desk_open(&w->desk);
	const struct plan *plan = atomic_load_explicit(&c->door->plan, memory_order_acquire);
	split_open(&w->desk.split, chance_next(&w->desk.chance));
	look_at_board(w);
	adopt(w, plan);
	look_at_duties(w);
	return w;
}

bool worker_is_over(const struct worker *w)
{
	return is_drained(w) && !w->backs.open_n && list_empty(&w->desk.ended) && !is_recording(w);
}

void worker_close(struct worker *w)
{
	must(worker_is_over(w));
	if (w->config.taps)
		feed_disown(&w->config.taps->feed);
	for (uint32_t i = 0; i < LISTENERS_MAX; i++)
		use_tls(&w->listeners[i], NULL);
	live_nodes_close(&w->nodes);
	budget_close(&w->front_budget);
	for (int arm = 0; arm < ARMS; arm++)
		live_cluster_close(&w->desk.clusters[arm]);
	desk_close(&w->desk);
	h1_backs_close(&w->backs);
	h1_fronts_close(&w->fronts);
	wires_close(&w->wires);
	free(w);
}
