#include "sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bug.h"
#include "sim/schedule.h"
#include "sim/disk_dump.h"

/* How long the scripts may take; after that there are no more faults. */
#define SCRIPTS_MS 60000
/* The longest timeout is 10,000 s; a few may follow one another. */
#define REST_MS 100000000
/* Time in which the log, whose disk works again, reports all losses. */
#define LOG_SETTLES_MS 10000
/* Rounds at one point of time: far more than there are bytes to move. */
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
	if (!id || client >= w->scenario.clients || i >= w->clients[client].ask_n)
		return NULL;
	return &w->clients[client].asks[i];
}

/* Limits how slow a connection is, so that a seed does not take long. */
struct pace world_pace(struct world *w)
{
	struct dice *d = &w->dice;
	uint64_t most = w->scenario.body_max;
	struct pace p = { 0 };
	if (dice_chance(d, 400))
		p.piece_max = (size_t)(most / 64 + 1 + dice_size(d, most));
	if (p.piece_max > most / 16 && dice_chance(d, 500))
		p.rest_ms_max = (unsigned)dice_between(d, 1, 50);
	if (dice_chance(d, 300))
		p = (struct pace){ p.piece_max, p.rest_ms_max, dice_size(d, most),
				   (unsigned)dice_between(d, 1, 5000),
				   (unsigned)dice_between(d, 1, 3) };
	return p;
}

void world_wake(struct world *w)
{
	for (unsigned i = 0; i < w->worker_n; i++)
		if (w->workers[i].io)
			io_wake(w->workers[i].io);
}

void world_stop(struct world *w)
{
	world_tell(w, "stop");
	w->stopping = true;
	w->stopping_ms = world_now_ms(w);
	for (unsigned i = 0; i < w->worker_n; i++)
		atomic_store(&w->workers[i].mailbox.stopping, true);
	world_wake(w);
}

void world_abort(struct world *w)
{
	world_tell(w, "abort");
	w->aborting = true;
	w->aborting_ms = world_now_ms(w);
	for (unsigned i = 0; i < w->worker_n; i++)
		atomic_store(&w->workers[i].mailbox.aborting, true);
	world_wake(w);
}

/* --- time --- */

static void close_worker(struct world *w, unsigned i)
{
	struct sim_worker *h = &w->workers[i];
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
	struct sim_worker *h = &w->workers[i];
	if (!h->worker || h->stalled)
		return;
	worker_turn(h->worker, UINT64_MAX);
	watch_turn(&h->watch);
	if (w->store && w->log_processes[h->process - 1].taps[h->number].feed.open)
		judge_fail(w, "handed over", "worker %u keeps records after the end of its turn",
			   i);
	if (worker_is_over(h->worker))
		close_worker(w, i);
}

static bool has_workers(const struct world *w, unsigned process)
{
	for (unsigned i = 0; i < w->worker_n; i++)
		if (w->workers[i].worker && w->workers[i].process == process)
			return true;
	return false;
}

/* The newest living process takes over the counts that earlier ones have left. */
static void hand_over_losses(struct world *w)
{
	struct log_process *newest = &w->log_processes[w->process_n - 1];
	for (unsigned i = 0; i + 1 < w->process_n && newest->journal; i++)
		if (w->log_processes[i].left)
			log_process_inherit(newest, &w->log_processes[i]);
}

/* Returns whether any had something to do. */
static bool turn_log_processes(struct world *w)
{
	bool any = false;
	if (w->store)
		hand_over_losses(w);
	for (unsigned i = 0; w->store && i < w->process_n; i++) {
		if (!has_workers(w, i + 1))
			log_process_stop(&w->log_processes[i]);
		any |= log_process_turn(&w->log_processes[i]);
	}
	return any;
}

/* Gives every part one turn. True: a log had something to do. */
static bool run_round(struct world *w)
{
	bool first_log_processes = w->store && dice_chance(&w->log_dice, 500);
	bool any = first_log_processes && turn_log_processes(w);
	unsigned first = (unsigned)dice_roll(&w->dice, w->worker_n);
	for (unsigned i = 0; i < w->worker_n; i++)
		turn_worker(w, (first + i) % w->worker_n);
	for (int arm = 0; arm < ARMS; arm++)
		for (unsigned i = 0; i < w->scenario.nodes[arm]; i++)
			server_turn(&w->servers[arm][i]);
	io_wait(w->clients_io, UINT64_MAX);
	io_dispatch(w->clients_io);
	judge_round(w);
	operator_round(&w->operator);
	wheel_turn(&w->wheel, world_now_ms(w));
	plans_sweep(w);
	return (!first_log_processes && turn_log_processes(w)) || any;
}

static uint64_t next_deadline_ns(const struct world *w)
{
	uint64_t ms = wheel_next_ms(&w->wheel);
	uint64_t next_ns = ms > UINT64_MAX / 1000000 ? UINT64_MAX : ms * 1000000;
	for (unsigned i = 0; i < w->worker_n; i++) {
		const struct sim_worker *h = &w->workers[i];
		if (!h->worker || h->stalled)
			continue;
		uint64_t until_ns = sim_waits_until_ns(h->io);
		next_ns = until_ns < next_ns ? until_ns : next_ns;
	}
	for (unsigned i = 0; w->store && i < w->process_n; i++) {
		uint64_t until_ns = log_process_deadline_ns(&w->log_processes[i]);
		next_ns = until_ns < next_ns ? until_ns : next_ns;
	}
	return next_ns;
}

/* Runs rounds until nothing happens: then all parts wait for a deadline. */
static void run_instant(struct world *w)
{
	uint64_t before;
	unsigned rounds = 0;
	bool any;
	do {
		before = sim_trace(w->sim);
		any = run_round(w);
		if (++rounds > ROUNDS_MAX)
			judge_fail(w, "it comes to rest", "time stands still");
	} while (any || sim_trace(w->sim) != before || next_deadline_ns(w) <= sim_now_ns(w->sim));
	schedule_check(w);
}

/* True if `over` became true in time. */
static bool run_until(struct world *w, bool (*over)(const struct world *w), uint64_t for_ms)
{
	uint64_t until_ns = sim_now_ns(w->sim) + for_ms * 1000000;
	run_instant(w);
	while (!over(w) && sim_now_ns(w->sim) < until_ns) {
		uint64_t next_ns = next_deadline_ns(w);
		sim_advance(w->sim, next_ns < until_ns ? next_ns : until_ns);
		run_instant(w);
	}
	return over(w);
}

static bool clients_are_over(const struct world *w)
{
	return w->clients_over == w->scenario.clients;
}

static bool workers_are_over(const struct world *w)
{
	for (unsigned i = 0; i < w->worker_n; i++)
		if (w->workers[i].worker)
			return false;
	return true;
}

static bool log_processes_are_over(const struct world *w)
{
	for (unsigned i = 0; w->store && i < w->process_n; i++)
		if (w->log_processes[i].journal)
			return false;
	return true;
}

static bool never_over(const struct world *w)
{
	(void)w;
	return false;
}

static bool servers_have_left(const struct world *w)
{
	for (int arm = 0; arm < ARMS; arm++)
		for (unsigned i = 0; i < w->scenario.nodes[arm]; i++)
			if (!server_has_left(&w->servers[arm][i]))
				return false;
	return true;
}

static void must_come(struct world *w, bool (*over)(const struct world *w), const char *what)
{
	if (!run_until(w, over, REST_MS))
		judge_fail(w, "it comes to rest", "%s", what);
}

/* --- open, run and close --- */

static void open_listeners(struct world *w)
{
	static const uint16_t ports[SIM_LISTENERS] = { 443, 9201, 9202 };
	for (unsigned i = 0; i < SIM_LISTENERS; i++)
		must(addr_parse(span_of("10.2.0.1"), ports[i], &w->listeners[i]));
}

static void open_worker(struct world *w, unsigned i)
{
	struct sim_worker *h = &w->workers[i];
	h->process = w->process_n;
	h->number = i % w->scenario.workers;
	plans_introduce(w, h);
	bufs_open(&h->bufs);
	h->io = sim_io_open(w->sim, &h->bufs);
	sim_lacks(h->io);
	h->slot = board_take_slot(&w->board, h->process, h->number);
	watch_open(&h->watch, w, i);
	h->worker = worker_open(&(struct worker_config){
		.number = h->number,
		.io = h->io,
		.bufs = &h->bufs,
		.board = &w->board,
		.slot = h->slot,
		.mailbox = &h->mailbox,
		.counters = &h->counters,
		.taps = w->store ? &w->log_processes[h->process - 1].taps[h->number] : NULL,
		.seed = w->seed + i,
		.tracer = &h->watch.tracer,
	});
	for (unsigned j = 0; j < SIM_LISTENERS; j++)
		worker_listen(h->worker, sim_listen(h->io, &w->listeners[j]), j);
}

/*
 * A living process without a segment has its lease in the directory; leases are not simulated here.
 */
static void open_log_process(struct world *w)
{
	uint64_t generation = disk_dump_recover(w->store);
	for (unsigned i = 0; i + 1 < w->process_n; i++)
		if (w->log_processes[i].journal && w->log_processes[i].generation >= generation)
			generation = w->log_processes[i].generation + 1;
	log_process_open(&w->log_processes[w->process_n - 1], w, w->process_n, generation);
}

static void open_process(struct world *w)
{
	w->process_n++;
	must(w->process_n <= SIM_PROCESSES_MAX);
	if (w->store)
		open_log_process(w);
	for (unsigned i = 0; i < w->scenario.workers; i++)
		open_worker(w, w->worker_n++);
}

void world_hand_over(struct world *w)
{
	world_tell(w, "another process serves");
	tally_note(w, SEEN_HANDED_OVER);
	open_process(w);
}

static void crash_worker(struct world *w, struct sim_worker *h)
{
	if (!h->worker)
		return;
	sim_crash(h->io);
	io_free(h->io);
	board_give_slot(h->slot);
	h->worker = NULL;
	h->io = NULL;
	h->stalled = false;
	(void)w;
}

void world_crash(struct world *w, bool power)
{
	tally_note(w, power ? SEEN_POWER_CUT : SEEN_KILLED);
	world_tell(w, "the machine %s", power ? "loses power" : "is killed");
	sim_store_crash(w->store, power);
	for (unsigned i = 0; i < w->process_n; i++)
		log_process_crash(&w->log_processes[i], power);
	for (unsigned i = 0; i < w->worker_n; i++)
		crash_worker(w, &w->workers[i]);
	plans_forget_pins(w);
	/* The crash ends the connections to nodes, which need a moment to notice it. */
	w->planned_ms = world_now_ms(w);
	disk_dump_recover(w->store);
	ledger_read(w);
}

void world_reboot(struct world *w)
{
	world_tell(w, "the machine starts");
	open_process(w);
}

void world_retire(struct world *w, bool stop)
{
	world_tell(w, "the process before %s", stop ? "stops" : "retires");
	for (unsigned i = 0; i < w->worker_n; i++) {
		struct sim_worker *h = &w->workers[i];
		if (h->process < w->process_n)
			atomic_store(stop ? &h->mailbox.stopping : &h->mailbox.retiring, true);
	}
	w->retired_is_stopped |= stop;
	world_wake(w);
}

bool sim_worker_is_retired(const struct sim_worker *h)
{
	return atomic_load(&h->mailbox.retiring);
}

static void make_scenario(struct world *w, const struct deceit *deceit)
{
	w->dice.state = dice_mix(w->seed);
	w->log_dice.state = dice_mix(w->seed ^ 0x5c21be5c21be);
	scenario_make(&w->scenario, &w->dice);
	scenario_make_log(&w->scenario, &w->log_dice);
	w->scenario.deceit = *deceit;
	/* Without them the defect would not show. */
	if (deceit_is(deceit))
		w->scenario.records = w->scenario.disk_fails = w->scenario.disk_loses_bytes = true;
}

bool world_leaks(uint64_t seed)
{
	struct world *w = aligned_alloc(64, (sizeof *w + 63) / 64 * 64);
	must(w);
	w->seed = seed;
	make_scenario(w, &(struct deceit){ 0 });
	bool leaks = w->scenario.reboots > 0;
	free(w);
	return leaks;
}

static struct world *open_world(uint64_t seed, bool verbose, const struct deceit *deceit)
{
	struct world *w = aligned_alloc(64, (sizeof *w + 63) / 64 * 64);
	must(w);
	memset(w, 0, sizeof *w);
	w->seed = seed;
	w->verbose = verbose;
	make_scenario(w, deceit);
	w->sim = sim_open(seed, &w->scenario.faults);
	network_faults_open(&w->network_faults, w);
	wheel_open(&w->wheel, world_now_ms(w));
	board_format(&w->board, 7);
	bufs_open(&w->clients_bufs);
	w->clients_io = sim_io_open(w->sim, &w->clients_bufs);
	open_listeners(w);
	for (int arm = 0; arm < ARMS; arm++)
		for (unsigned i = 0; i < w->scenario.nodes[arm]; i++)
			server_open(&w->servers[arm][i], w, (enum arm)arm, i,
				    !w->scenario.first_node_down || i > 0 ||
					    w->scenario.nodes[arm] == 1);
	w->store = w->scenario.records ? sim_store_open(w->sim) : NULL;
	if (w->store)
		disk_faults_open(&w->disk_faults, w);
	operator_open(&w->operator, w);
	plans_open(w);
	open_process(w);
	for (unsigned i = 0; i < w->scenario.clients; i++)
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
	if (w->store && !w->stopping)
		run_until(w, never_over, LOG_SETTLES_MS);
	if (!w->stopping)
		world_stop(w);
	must_come(w, workers_are_over, "workers do not stop");
	must_come(w, log_processes_are_over, "the log does not end");
	if (w->store)
		ledger_close(w);
	for (int arm = 0; arm < ARMS; arm++)
		for (unsigned i = 0; i < w->scenario.nodes[arm]; i++)
			server_leave(&w->servers[arm][i]);
	must_come(w, servers_have_left, "connections to nodes stay");
}

static uint64_t close_world(struct world *w)
{
	for (unsigned i = 0; i < w->scenario.clients; i++)
		client_close(&w->clients[i]);
	for (int arm = 0; arm < ARMS; arm++)
		for (unsigned i = 0; i < w->scenario.nodes[arm]; i++)
			server_close(&w->servers[arm][i]);
	plans_close(w);
	io_free(w->clients_io);
	bufs_close(&w->clients_bufs);
	uint64_t trace = sim_trace(w->sim);
	sim_close(w->sim);
	network_faults_close(&w->network_faults);
	if (w->store)
		sim_store_close(w->store);
	free(w);
	return trace;
}

uint64_t world_run(uint64_t seed, bool verbose, const struct deceit *deceit, uint64_t *seen)
{
	struct world *w = open_world(seed, verbose, deceit);
	run_to_its_end(w);
	*seen = tally_of(w);
	return close_world(w);
}
