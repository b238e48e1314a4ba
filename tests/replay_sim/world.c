#include "replay_sim/world.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/least.h"
#include "replay_sim/clocks.h"

/* Until clients have had their responses; until all is at rest; until all has ended. */
#define CLIENTS_MS 7200000
#define REST_MS 3600000
#define END_MS 3600000
/* So long all must be as it is before it counts as at rest. */
#define STAYS_MS 3000
/* Rounds at one point of time: far more than there is to do. */
#define ROUNDS_MAX 1000000
/* Longer than a cluster takes to put out a node that says nothing. */
#define STOP_MS_MAX 90000

uint64_t world_now_ms(const struct world *w)
{
	return sim_now_ns(w->sim) / 1000000;
}

uint64_t world_wall_ns(const struct world *w)
{
	return sim_now_ns(w->sim) + w->clients_io->wall_ns - w->clients_io->now_ns;
}

const char *world_arm_name(enum arm arm)
{
	return arm == ARM_SOURCE ? "owner" : "replica";
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

void world_tell_text(const struct world *w, const char *what, struct span text)
{
	if (w->verbose && text.n)
		world_tell(w, "%s %.*s", what, (int)least(text.n, 1500), text.at);
}

/* --- time --- */

static void world_start_balancer(struct world *w)
{
	world_tell(w, "the balancer starts");
	w->restarts++;
	balancer_start(&w->balancer, w, log_mirror_recover(&w->mirror));
}

static bool world_round(struct world *w)
{
	bool any = false, first = dice_chance(&w->trouble_dice, 500);
	if (w->hands_over && balancer_is_over(&w->balancer)) {
		w->hands_over = false;
		world_start_balancer(w);
	}
	if (first)
		any = balancer_turn(&w->balancer);
	for (int arm = 0; arm < ARMS; arm++)
		document_cluster_turn(&w->clusters[arm]);
	io_wait(w->clients_io, UINT64_MAX);
	io_dispatch(w->clients_io);
	wheel_turn(&w->wheel, world_now_ms(w));
	if (!first)
		any = balancer_turn(&w->balancer);
	return any;
}

static uint64_t world_next_ns(const struct world *w)
{
	uint64_t ms = wheel_next_ms(&w->wheel);
	uint64_t next_ns = ms > UINT64_MAX / 1000000 ? UINT64_MAX : ms * 1000000;
	return least(next_ns, balancer_deadline_ns(&w->balancer));
}

static void world_instant(struct world *w)
{
	uint64_t before;
	unsigned rounds = 0;
	bool any;
	do {
		before = sim_trace(w->sim);
		any = world_round(w);
		if (++rounds > ROUNDS_MAX)
			judge_fail(w, "it comes to rest", "time stands still");
	} while (any || sim_trace(w->sim) != before || world_next_ns(w) <= sim_now_ns(w->sim));
}

/* True if `over` became true in time. */
static bool world_until(struct world *w, bool (*over)(struct world *w), uint64_t for_ms)
{
	uint64_t until_ns = sim_now_ns(w->sim) + for_ms * 1000000;
	world_instant(w);
	while (!over(w) && sim_now_ns(w->sim) < until_ns) {
		sim_advance(w->sim, least(world_next_ns(w), until_ns));
		world_instant(w);
	}
	return over(w);
}

static bool world_clients_are_over(struct world *w)
{
	for (unsigned i = 0; i < w->plot.clients; i++)
		if (!w->clients[i].over)
			return false;
	return true;
}

static bool world_never(struct world *w)
{
	(void)w;
	return false;
}

static bool world_has_settled(struct world *w)
{
	return w->balancer.lives && !w->hands_over &&
	       document_cluster_is_quiet(&w->clusters[ARM_SOURCE]) &&
	       document_cluster_is_quiet(&w->clusters[ARM_TARGET]);
}

static bool world_is_at_rest(struct world *w)
{
	struct replay_seen s;
	replay_see(w->balancer.replay, &s);
	return s.state == REPLAY_CURRENT && s.watermark_wall_ns >= w->calm_wall_ns &&
	       !s.keys.waiting && !s.keys.in_flight && !s.keys.parked && !s.keys.fences &&
	       !s.uncertain && !s.jobs.waiting;
}

static bool world_has_ended(struct world *w)
{
	return balancer_is_over(&w->balancer);
}

static bool world_clusters_have_left(struct world *w)
{
	return document_cluster_has_left(&w->clusters[ARM_SOURCE]) &&
	       document_cluster_has_left(&w->clusters[ARM_TARGET]);
}

static void world_tell_replay(struct world *w)
{
	struct replay_seen s;
	replay_see(w->balancer.replay, &s);
	printf("replay: state %d, lag %llu ms, keys %zu waiting %zu in flight %zu parked %zu "
	       "fences, "
	       "%llu uncertain, %zu jobs, copies %llu again %llu, behind %llu: "
	       "%s\n",
	       (int)s.state, (unsigned long long)s.lag_ms, s.keys.waiting, s.keys.in_flight,
	       s.keys.parked, s.keys.fences, (unsigned long long)s.uncertain, s.jobs.waiting,
	       (unsigned long long)s.copies.copies, (unsigned long long)s.copies.again,
	       (unsigned long long)s.behind, s.trouble);
}

static void world_must_come(struct world *w, bool (*over)(struct world *w), uint64_t for_ms,
			    const char *what)
{
	if (world_until(w, over, for_ms))
		return;
	if (w->balancer.lives && w->balancer.replay)
		world_tell_replay(w);
	judge_fail(w, "it comes to rest", "%s", what);
}

/* --- what goes wrong --- */

static void world_set_trouble(struct world *w)
{
	timer_set(&w->wheel, &w->trouble,
		  world_now_ms(w) + 1 + dice_size(&w->trouble_dice, w->plot.pause_ms));
}

/* As the system does with what a process had open and mapped: only then are its locks gone. */
static void world_close_descriptors(struct world *w)
{
	char line[512];
	unsigned long from, to;
	FILE *maps = fopen("/proc/self/maps", "re");
	must(maps);
	while (fgets(line, sizeof line, maps))
		if (strstr(line, w->mirror.path) && sscanf(line, "%lx-%lx", &from, &to) == 2)
			must(!munmap((void *)from, to - from));
	fclose(maps);
	must(!close_range((unsigned)w->first_fd, ~0u, 0));
}

static void world_crash_balancer(struct world *w, bool power)
{
	struct dice *d = &w->trouble_dice;
	world_tell(w, "the balancer %s", power ? "loses power" : "is killed");
	sim_store_crash(w->store, power);
	balancer_crash(&w->balancer);
	w->hands_over = false;
	world_close_descriptors(w);
	timer_set(&w->wheel, &w->restart, world_now_ms(w) + 1 + dice_size(d, 30000));
}

static void world_start_again(struct timer *t)
{
	world_start_balancer(list_entry(t, struct world, restart));
}

static void world_has_trouble(struct timer *t)
{
	struct world *w = list_entry(t, struct world, trouble);
	struct dice *d = &w->trouble_dice;
	unsigned which = (unsigned)dice_roll(d, 5);
	world_set_trouble(w);
	if (which == 0 && w->plot.crashes) {
		w->plot.crashes--;
		document_cluster_crash(&w->clusters[dice_roll(d, ARMS)],
				       1 + (unsigned)dice_size(d, 20000));
	} else if (which == 1 && w->plot.kills && w->balancer.lives) {
		w->plot.kills--;
		world_crash_balancer(w, false);
	} else if (which == 2 && w->plot.power_cuts && w->balancer.lives) {
		w->plot.power_cuts--;
		world_crash_balancer(w, true);
	} else if (which == 3 && w->plot.stops) {
		w->plot.stops--;
		document_cluster_stop(&w->clusters[dice_roll(d, ARMS)],
				      1 + (unsigned)dice_size(d, STOP_MS_MAX));
	} else if (which == 4 && w->plot.handovers && w->balancer.lives && !w->hands_over) {
		w->plot.handovers--;
		w->hands_over = true;
		world_tell(w, "the balancer hands over");
		balancer_stop(&w->balancer);
	}
}

static void world_open_troubles(struct world *w)
{
	for (int arm = 0; arm < ARMS; arm++)
		w->clusters[arm].faults = w->plot.faults[arm];
	w->clusters[ARM_TARGET].refuses = w->plot.refuses;
	sim_store_set_faults(w->store, &w->plot.disk);
	timer_init(&w->trouble, world_has_trouble);
	timer_init(&w->restart, world_start_again);
	world_set_trouble(w);
}

/* --- open --- */

static void world_write_listeners(struct world *w)
{
	w->listeners[0] = (struct listener){
		.name = "source",
		.route = { .arm = ARM_SOURCE },
		.policy = { .head_ms = HEAD_TIMEOUT_MS,
			    .idle_ms = WORLD_RESPONSE_MS,
			    .keep_alive_ms = CLIENT_KEEP_ALIVE_MS,
			    .tunnel_idle_ms = TUNNEL_IDLE_TIMEOUT_MS },
		.port = 9200,
	};
	for (int arm = 0; arm < ARMS; arm++)
		w->internal[arm] = (struct listener){
			.internal = true,
			.number = LISTENER_INTERNAL,
			.name = "replay",
			.route = { .arm = (enum arm)arm },
			.forwarded = FORWARDED_REMOVE,
			.trace = TRACE_KEEP,
		};
}

static void world_write_node(struct world *w, enum arm arm, unsigned i)
{
	struct node_state *state = &w->node_states[arm][i];
	struct node_addresses a = { .n = 1, .list = { w->clusters[arm].nodes[i].at } };
	state->number = (uint32_t)arm * CLUSTER_NODES_MAX + i;
	must(!pthread_mutex_init(&state->lock, NULL));
	node_state_set_addresses(state, &a);
	document_cluster_is_checked(&w->clusters[arm], i, state);
	w->nodes[arm][i] = (struct node){ .state = state,
					  .name = world_arm_name(arm),
					  .server_name = world_arm_name(arm) };
}

static void world_write_cluster(struct world *w, enum arm arm)
{
	for (unsigned i = 0; i < w->plot.nodes[arm]; i++)
		world_write_node(w, arm, i);
	w->plan.clusters[arm] = (struct cluster){
		.name = arm == ARM_SOURCE ? "source" : "target",
		.arm = arm,
		.nodes = w->nodes[arm],
		.node_n = w->plot.nodes[arm],
		.policy = { CONNECT_TIMEOUT_MS,
			    WORLD_RESPONSE_MS,
			    TUNNEL_IDLE_TIMEOUT_MS,
			    IDLE_TIMEOUT_MS,
			    { 0 } },
		.response_timeouts = { .response_ms = WORLD_RESPONSE_MS },
		.workers = BALANCER_WORKERS,
		.queue_ms = 10000,
	};
}

static void world_write_plan(struct world *w)
{
	w->policy = (struct capture_policy){ .durable = DURABLE_WRITES };
	w->plan = (struct plan){
		.number = 1,
		.listeners = w->listeners,
		.listener_n = 1,
		.internal = w->internal,
		.profile = PROFILE_OPENSEARCH,
		.capture = &w->policy,
		.worker_n = BALANCER_WORKERS,
		.accepting_n = 1,
		.memory_max = 64u << 20,
		.pins = w->pins,
	};
	world_write_listeners(w);
	for (int arm = 0; arm < ARMS; arm++)
		world_write_cluster(w, (enum arm)arm);
}

/* Every lower descriptor is in use from now on. */
static void world_note_descriptors(struct world *w)
{
	w->first_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	must(w->first_fd >= 0);
	close(w->first_fd);
}

static struct world *world_open(uint64_t seed, bool verbose, const struct plot_wishes *wishes)
{
	struct world *w = aligned_alloc(64, (sizeof *w + 63) / 64 * 64);
	must(w);
	memset(w, 0, sizeof *w);
	w->seed = seed;
	w->verbose = verbose;
	w->dice.state = dice_mix(seed);
	w->cluster_dice.state = dice_mix(seed ^ 0xc1);
	w->trouble_dice.state = dice_mix(seed ^ 0x70);
	plot_make(&w->plot, &w->dice, wishes);
	w->sim = sim_open(seed, &w->plot.network);
	wheel_open(&w->wheel, world_now_ms(w));
	bufs_open(&w->clients_bufs);
	w->clients_io = sim_io_open(w->sim, &w->clients_bufs);
	clocks_are_of(w);
	histories_are_of(w);
	document_clusters_are_of(w);
	w->store = sim_store_open(w->sim);
	log_mirror_open(&w->mirror, w->store);
	board_format(&w->board, 7);
	must(addr_parse(span_of("10.2.0.1"), 9200, &w->listener));
	for (int arm = 0; arm < ARMS; arm++)
		document_cluster_open(&w->clusters[arm], w, (enum arm)arm, w->plot.nodes[arm]);
	world_write_plan(w);
	world_note_descriptors(w);
	world_open_troubles(w);
	balancer_start(&w->balancer, w, log_mirror_recover(&w->mirror));
	for (unsigned i = 0; i < w->plot.clients; i++)
		writer_client_open(&w->clients[i], w, i);
	return w;
}

/* --- run --- */

static void world_calm(struct world *w)
{
	static const struct sim_faults none = { 0 };
	static const struct sim_disk_faults fine = { 0 };
	sim_set_faults(w->sim, &none);
	sim_store_set_faults(w->store, &fine);
	timer_clear(&w->trouble);
	for (int arm = 0; arm < ARMS; arm++)
		w->clusters[arm].faults = (struct cluster_faults){ 0 };
	world_tell(w, "nothing goes wrong any more");
}

static bool world_order_is_over(struct world *w)
{
	struct order_outcome outcome;
	return replay_outcome(w->balancer.replay, w->order, &outcome);
}

/* Somebody mends the replica, and has what was set aside tried again. */
static void world_retry(struct world *w)
{
	w->clusters[ARM_TARGET].refuses = false;
	w->order = replay_order(w->balancer.replay, &(struct replay_order){ .kind = ORDER_RETRY });
	must(w->order);
	world_must_come(w, world_order_is_over, REST_MS, "an order is not carried out");
	world_must_come(w, world_is_at_rest, REST_MS, "replay is not at rest behind a retry");
	judge_rest(w);
}

static void world_run_to_its_end(struct world *w)
{
	world_must_come(w, world_clients_are_over, CLIENTS_MS, "clients wait");
	world_until(w, world_never, w->plot.after_ms);
	world_calm(w);
	world_must_come(w, world_has_settled, REST_MS, "clusters do not settle");
	w->calm_wall_ns = world_wall_ns(w);
	world_must_come(w, world_is_at_rest, REST_MS, "replay is not at rest");
	world_until(w, world_never, STAYS_MS);
	world_must_come(w, world_is_at_rest, REST_MS, "replay does not stay at rest");
	judge_rest(w);
	if (w->plot.refuses)
		world_retry(w);
	balancer_stop(&w->balancer);
	world_must_come(w, world_has_ended, END_MS, "the balancer does not stop");
	for (int arm = 0; arm < ARMS; arm++)
		document_cluster_leave(&w->clusters[arm]);
	world_must_come(w, world_clusters_have_left, END_MS, "connections to clusters stay");
}

static uint64_t world_close(struct world *w)
{
	for (unsigned i = 0; i < w->plot.clients; i++)
		writer_client_close(&w->clients[i]);
	for (int arm = 0; arm < ARMS; arm++)
		document_cluster_close(&w->clusters[arm]);
	io_free(w->clients_io);
	bufs_close(&w->clients_bufs);
	uint64_t trace = sim_trace(w->sim);
	sim_close(w->sim);
	log_mirror_close(&w->mirror);
	sim_store_close(w->store);
	clocks_are_of(NULL);
	histories_are_of(NULL);
	document_clusters_are_of(NULL);
	histories_close(&w->histories);
	free(w);
	return trace;
}

uint64_t world_run(uint64_t seed, bool verbose, const struct plot_wishes *wishes)
{
	struct world *w = world_open(seed, verbose, wishes);
	world_run_to_its_end(w);
	return world_close(w);
}
