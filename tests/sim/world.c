#include "sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bug.h"
#include "sim/moment.h"

/* How long the scripts may take, and then the rest without any disturbance. */
#define SCRIPTS_MS 60000
/* The longest timeout is 10,000 s; a few may come one after the other. */
#define REST_MS 100000000
/* Rounds in which time stands still: far more than there are bytes to move. */
#define ROUNDS_MAX 3000000

uint64_t world_now_ms(const struct world *w)
{
	return sim_now_ns(w->sim) / 1000000;
}

void world_tell(const struct world *w, const char *format, ...)
{
	if (!w->verbose)
		return;
	va_list arguments;
	va_start(arguments, format);
	printf("%10.3f ms  ", (double)sim_now_ns(w->sim) / 1e6);
	vprintf(format, arguments);
	printf("\n");
	va_end(arguments);
}

struct ask *world_ask(struct world *w, uint64_t id)
{
	uint64_t client = (id - 1) / SIM_ASKS_MAX, i = (id - 1) % SIM_ASKS_MAX;
	if (!id || client >= w->temper.clients || i >= w->clients[client].ask_n)
		return NULL;
	return &w->clients[client].asks[i];
}

/* Slow ones are not so slow that a seed takes long. */
struct pace world_pace(struct world *w)
{
	struct dice *d = &w->dice;
	uint64_t most = w->temper.body_max;
	struct pace p = { 0 };
	if (dice_says(d, 400))
		p.piece_max = (size_t)(most / 64 + 1 + dice_size(d, most));
	if (p.piece_max > most / 16 && dice_says(d, 500))
		p.rest_ms_max = (unsigned)dice_between(d, 1, 50);
	if (dice_says(d, 300))
		p = (struct pace){ p.piece_max, p.rest_ms_max, dice_size(d, most),
				   (unsigned)dice_between(d, 1, 5000),
				   (unsigned)dice_between(d, 1, 3) };
	return p;
}

void world_wake(struct world *w)
{
	for (unsigned i = 0; i < w->hand_n; i++)
		if (w->hands[i].io)
			io_wake(w->hands[i].io);
}

void world_stop(struct world *w)
{
	world_tell(w, "stop");
	w->stopping = true;
	w->stopping_ms = world_now_ms(w);
	for (unsigned i = 0; i < w->hand_n; i++)
		atomic_store(&w->hands[i].door.stopping, true);
	world_wake(w);
}

void world_abort(struct world *w)
{
	world_tell(w, "abort");
	w->aborting = true;
	w->aborting_ms = world_now_ms(w);
	for (unsigned i = 0; i < w->hand_n; i++)
		atomic_store(&w->hands[i].door.aborting, true);
	world_wake(w);
}

/* --- time --- */

static void close_worker(struct world *w, unsigned i)
{
	struct hand *h = &w->hands[i];
	worker_close(h->worker);
	h->worker = NULL;
	judge_worker_over(w, i);
	board_give_slot(h->slot);
	io_free(h->io);
	h->io = NULL;
	bufs_close(&h->bufs);
}

static void turn_worker(struct world *w, unsigned i)
{
	struct hand *h = &w->hands[i];
	if (!h->worker || h->stalled)
		return;
	worker_turn(h->worker, UINT64_MAX);
	watch_turn(&h->watch);
	if (worker_is_over(h->worker))
		close_worker(w, i);
}

/* Everybody has a turn. */
static void run_round(struct world *w)
{
	unsigned first = (unsigned)dice_roll(&w->dice, w->hand_n);
	for (unsigned i = 0; i < w->hand_n; i++)
		turn_worker(w, (first + i) % w->hand_n);
	for (int arm = 0; arm < ARMS; arm++)
		for (unsigned i = 0; i < w->temper.nodes[arm]; i++)
			server_turn(&w->servers[arm][i]);
	io_wait(w->town, UINT64_MAX);
	io_dispatch(w->town);
	judge_round(w);
	operator_round(&w->operator);
	wheel_turn(&w->wheel, world_now_ms(w));
	plans_sweep(w);
}

static uint64_t next_deadline_ns(const struct world *w)
{
	uint64_t ms = wheel_next_ms(&w->wheel);
	uint64_t next_ns = ms > UINT64_MAX / 1000000 ? UINT64_MAX : ms * 1000000;
	for (unsigned i = 0; i < w->hand_n; i++) {
		const struct hand *h = &w->hands[i];
		if (!h->worker || h->stalled)
			continue;
		uint64_t until_ns = sim_waits_until_ns(h->io);
		next_ns = until_ns < next_ns ? until_ns : next_ns;
	}
	return next_ns;
}

/* Rounds until one in which nothing happens: then the deadlines are what everybody waits for. */
static void run_moment(struct world *w)
{
	uint64_t before;
	unsigned rounds = 0;
	do {
		before = sim_trace(w->sim);
		run_round(w);
		if (++rounds > ROUNDS_MAX)
			judge_fail(w, "it comes to rest", "time stands still");
	} while (sim_trace(w->sim) != before || next_deadline_ns(w) <= sim_now_ns(w->sim));
	moment_is_over(w);
}

/* True when it ended because `over` said so. */
static bool run_until(struct world *w, bool (*over)(const struct world *w), uint64_t for_ms)
{
	uint64_t until_ns = sim_now_ns(w->sim) + for_ms * 1000000;
	run_moment(w);
	while (!over(w) && sim_now_ns(w->sim) < until_ns) {
		uint64_t next_ns = next_deadline_ns(w);
		sim_advance(w->sim, next_ns < until_ns ? next_ns : until_ns);
		run_moment(w);
	}
	return over(w);
}

static bool clients_are_over(const struct world *w)
{
	return w->clients_over == w->temper.clients;
}

static bool workers_are_over(const struct world *w)
{
	for (unsigned i = 0; i < w->hand_n; i++)
		if (w->hands[i].worker)
			return false;
	return true;
}

static bool servers_have_left(const struct world *w)
{
	for (int arm = 0; arm < ARMS; arm++)
		for (unsigned i = 0; i < w->temper.nodes[arm]; i++)
			if (!server_has_left(&w->servers[arm][i]))
				return false;
	return true;
}

static void must_come(struct world *w, bool (*over)(const struct world *w), const char *what)
{
	if (!run_until(w, over, REST_MS))
		judge_fail(w, "it comes to rest", "%s", what);
}

/* --- a life --- */

static void open_listeners(struct world *w)
{
	static const uint16_t ports[SIM_LISTENERS] = { 443, 9201, 9202 };
	for (unsigned i = 0; i < SIM_LISTENERS; i++)
		must(addr_parse(span_of("10.2.0.1"), ports[i], &w->listeners[i]));
}

static void open_hand(struct world *w, unsigned i)
{
	struct hand *h = &w->hands[i];
	h->process = w->process_n;
	h->number = i % w->temper.workers;
	plans_introduce(w, h);
	bufs_open(&h->bufs);
	h->io = sim_io_open(w->sim, &h->bufs);
	h->slot = board_take_slot(&w->board, h->process, h->number);
	watch_open(&h->watch, w, i);
	h->worker = worker_open(&(struct worker_config){
		.number = h->number,
		.io = h->io,
		.bufs = &h->bufs,
		.board = &w->board,
		.slot = h->slot,
		.door = &h->door,
		.counters = &h->counters,
		.seed = w->seed + i,
		.tracer = &h->watch.tracer,
	});
	for (unsigned j = 0; j < SIM_LISTENERS; j++)
		worker_listen(h->worker, sim_listen(h->io, &w->listeners[j]), j);
}

static void open_process(struct world *w)
{
	w->process_n++;
	must(w->process_n <= SIM_PROCESSES_MAX);
	for (unsigned i = 0; i < w->temper.workers; i++)
		open_hand(w, w->hand_n++);
}

void world_hand_over(struct world *w)
{
	world_tell(w, "another process serves");
	open_process(w);
}

void world_retire(struct world *w, bool stop)
{
	world_tell(w, "the process before %s", stop ? "stops" : "retires");
	for (unsigned i = 0; i < w->hand_n; i++) {
		struct hand *h = &w->hands[i];
		if (h->process < w->process_n)
			atomic_store(stop ? &h->door.stopping : &h->door.retiring, true);
	}
	w->dismissed |= stop;
	world_wake(w);
}

bool world_is_retired(const struct hand *h)
{
	return atomic_load(&h->door.retiring);
}

static struct world *open_world(uint64_t seed, bool verbose)
{
	struct world *w = aligned_alloc(64, (sizeof *w + 63) / 64 * 64);
	must(w);
	memset(w, 0, sizeof *w);
	w->seed = seed;
	w->verbose = verbose;
	w->dice.state = dice_mix(seed);
	temper_make(&w->temper, &w->dice);
	w->sim = sim_open(seed, &w->temper.faults);
	wheel_open(&w->wheel, world_now_ms(w));
	board_format(&w->board);
	bufs_open(&w->town_bufs);
	w->town = sim_io_open(w->sim, &w->town_bufs);
	open_listeners(w);
	for (int arm = 0; arm < ARMS; arm++)
		for (unsigned i = 0; i < w->temper.nodes[arm]; i++)
			server_open(&w->servers[arm][i], w, (enum arm)arm, i,
				    !w->temper.absent || i > 0 || w->temper.nodes[arm] == 1);
	operator_open(&w->operator, w);
	plans_open(w);
	open_process(w);
	for (unsigned i = 0; i < w->temper.clients; i++)
		client_open(&w->clients[i], w, i);
	return w;
}

static void run_to_its_end(struct world *w)
{
	static const struct sim_faults none = { 0 };
	run_until(w, clients_are_over, SCRIPTS_MS);
	sim_set_faults(w->sim, &none);
	operator_rest(&w->operator);
	must_come(w, clients_are_over, "clients wait");
	if (!w->stopping)
		world_stop(w);
	must_come(w, workers_are_over, "workers do not stop");
	for (int arm = 0; arm < ARMS; arm++)
		for (unsigned i = 0; i < w->temper.nodes[arm]; i++)
			server_leave(&w->servers[arm][i]);
	must_come(w, servers_have_left, "connections to nodes stay");
}

static uint64_t close_world(struct world *w)
{
	for (unsigned i = 0; i < w->temper.clients; i++)
		client_close(&w->clients[i]);
	for (int arm = 0; arm < ARMS; arm++)
		for (unsigned i = 0; i < w->temper.nodes[arm]; i++)
			server_close(&w->servers[arm][i]);
	plans_close(w);
	io_free(w->town);
	bufs_close(&w->town_bufs);
	uint64_t trace = sim_trace(w->sim);
	sim_close(w->sim);
	free(w);
	return trace;
}

uint64_t world_run(uint64_t seed, bool verbose)
{
	struct world *w = open_world(seed, verbose);
	run_to_its_end(w);
	return close_world(w);
}
