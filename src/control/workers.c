#include "control/workers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "control/recorder_look.h"
#include "control/file_limits.h"

#define DAY_MS (24 * 3600 * 1000ull)
/* The name of the I/O backend while no worker has one. */
static const char NO_BACKEND[] = "none";

unsigned workers_count(const struct config *c, struct cores *cores)
{
	struct cores own;
	if (!cores)
		cores = &own;
	if (c->workers)
		*cores = (struct cores){ c->workers, "the configuration says so" };
	else
		cores_here(cores);
	/* Replay has a worker of its own. */
	unsigned most = WORKERS_MAX - (c->replay.head.at != NOWHERE);
	return cores->n < most ? cores->n : most;
}

/* --- opening --- */

static void *aligned_zeroed(size_t n, size_t alignment, size_t bytes)
{
	size_t whole = (n * bytes + alignment - 1) / alignment * alignment;
	void *memory = aligned_alloc(alignment, whole);
	if (!memory)
		abort();
	memset(memory, 0, whole);
	return memory;
}

static void workers_open_libraries(struct workers *w)
{
	w->libraries = aligned_zeroed(w->n + 1, 64, sizeof(struct tls_library *));
	for (unsigned i = 0; i <= w->n; i++) {
		w->libraries[i] = tls_library_open();
		must(w->libraries[i]);
	}
}

const struct plan *workers_compile(struct workers *w, struct config *config,
				   struct diagnostics *diagnostics)
{
	struct compile how = {
		.config = config,
		.nodes = &w->nodes,
		.listeners = &w->listeners,
		.worker_n = w->n,
		.accepting_n = w->accepting_n,
		.files = w->files,
		.libraries = w->libraries,
		.tickets = w->tickets,
		.previous = w->publisher.plan_n ? publisher_newest(&w->publisher) : NULL,
	};
	return plan_compile(&how, diagnostics);
}

static const char *log_trouble(int error)
{
	return error == EPERM ? "it belongs to another user" : strerror(error);
}

int workers_open_log(struct config *config)
{
	const struct config_log *l = &config->log;
	int fd = l->access ? access_log_file(l->access) : -1;
	if (l->access && fd < 0 && config->kept)
		log_line(LOG_ERROR,
			 "access log: after a crash %s cannot be opened: %s; opening is repeated "
			 "until it succeeds",
			 l->access, log_trouble(errno));
	else if (l->access && fd < 0)
		diagnose(&config->diagnostics, l->head.at, "log: cannot write %s: %s", l->access,
			 log_trouble(errno));
	return fd;
}

void workers_use_log(struct workers *w, int fd)
{
	int error = access_log_use(&w->access_log, fd);
	if (error)
		log_line(LOG_ERROR, "access log: its thread cannot be started: %s",
			 strerror(error));
}

static bool workers_lack_access_log(const struct workers *w)
{
	return w->config->kept && w->config->log.access && !w->access_log.running;
}

static void workers_open_log_again(struct timer *t)
{
	struct workers *w = list_entry(t, struct workers, log_again);
	int fd = workers_lack_access_log(w) ? access_log_file(w->config->log.access) : -1;
	workers_use_log(w, fd);
	if (fd >= 0)
		log_line(LOG_INFO, "access log: %s can be opened again", w->config->log.access);
	else if (workers_lack_access_log(w))
		timer_set(&w->loop->wheel, t, w->loop->wheel.now_ms + ACCESS_REOPEN_MS);
}

void workers_reopen_log(struct workers *w)
{
	const char *path = w->config->log.access;
	int fd = path ? access_log_file(path) : -1;
	workers_use_log(w, fd);
	if (fd >= 0)
		log_line(LOG_INFO, "access log: %s was reopened", path);
	else if (path)
		log_line(LOG_ERROR, "access log: cannot reopen %s: %s; the old file stays in use",
			 path, log_trouble(errno));
}

static void workers_take_memory(struct workers *w)
{
	w->mailboxes = aligned_zeroed(w->n, 64, sizeof *w->mailboxes);
	w->slots = aligned_zeroed(w->n, 64, sizeof(struct board_slot *));
	w->counters = aligned_zeroed(w->n, 64, sizeof *w->counters);
	access_log_open(&w->access_log, w->n, w->counters);
	tracer_open(&w->tracer, &w->publisher, w->n);
	workers_open_libraries(w);
}

struct admin_tls *workers_open_admin_tls(const struct workers *w, struct config *config)
{
	return admin_tls_open(config, w->libraries[w->n], w->tickets, &config->diagnostics);
}

void workers_use_admin_tls(struct workers *w, struct admin_tls *t)
{
	admin_tls_close(w->admin_tls);
	w->admin_tls = t;
	w->admin_context = t->context;
}

static bool workers_open_first_plan(struct workers *w)
{
	struct config *config = w->config;
	int log = workers_open_log(config);
	bool named[LISTENERS_MAX] = { false };
	struct span addresses;
	if (saved_files_find(config->kept, SAVED_ADDRESSES, &addresses))
		nodes_take_addresses_text(&w->nodes, addresses, clock_monotonic_ns() / 1000000);
	must(listeners_add(&w->listeners, config, named));
	const struct plan *first = workers_compile(w, config, &config->diagnostics);
	workers_use_log(w, log);
	if (!first)
		return false;
	certificate_dates_open(&w->certificate_dates, config, &config->diagnostics);
	certificate_dates_warning(&w->certificate_dates, clock_wall_s(), &config->diagnostics);
	workers_use_admin_tls(w, workers_open_admin_tls(w, config));
	publisher_open(&w->publisher, w->mailboxes, w->n, first);
	return config->diagnostics.n == 0;
}

/* The owner of the writes is known when this process leads. */
static void workers_tune_replay(struct workers *w)
{
	const struct config_replay *c = &w->config->replay;
	const struct board_values v = board_read(w->board);
	tuning_put(&w->replay_mailbox.tuning,
		   &(struct tuning){
			   .in_flight = c->in_flight,
			   .operations = c->batch.operations,
			   .rate = c->rate,
			   .wait_ms = c->batch.wait_ms,
			   .bulk_bytes = c->batch.bytes,
			   .response_ms = w->config->clusters[v.owner].timeouts.idle_ms,
		   });
}

bool workers_open(struct workers *w, struct config *config, struct board *board,
		  const struct ticket_keys *tickets)
{
	w->config = config_hold(config);
	w->board = board;
	w->tickets = tickets;
	w->accepting_n = workers_count(config, &w->cores);
	w->n = w->accepting_n + (config->replay.head.at != NOWHERE);
	w->files = file_limits_now();
	w->started_wall_ns = clock_wall_ns();
	atomic_store(&w->backend, NO_BACKEND);
	w->replay = aligned_zeroed(1, 64, sizeof *w->replay);
	must(!pthread_mutex_init(&w->replay->lock, NULL));
	w->replay->config = config_hold(config);
	workers_tune_replay(w);
	workers_take_memory(w);
	nodes_open(&w->nodes, config);
	listeners_open(&w->listeners);
	return workers_open_first_plan(w);
}

bool workers_close(struct workers *w)
{
	must(atomic_load(&w->running) == 0);
	log_outage_close(&w->log_outage);
	bool all = recorder_detach(&w->recorder);
	if (w->loop) {
		timer_clear(&w->log_again);
		timer_clear(&w->daily);
		ejections_close(&w->ejections);
		tracer_detach(&w->tracer);
		trim_close(&w->trim);
		names_close(&w->names);
		health_close(&w->health);
	}
	for (unsigned i = 0; i < w->n; i++)
		if (w->slots[i])
			board_give_slot(w->slots[i]);
	certificate_dates_close(&w->certificate_dates);
	tracer_close(&w->tracer);
	admin_tls_close(w->admin_tls);
	publisher_close(&w->publisher);
	nodes_close(&w->nodes);
	listeners_close(&w->listeners);
	for (unsigned i = 0; i <= w->n; i++)
		tls_library_close(w->libraries[i]);
	config_close(w->replay->config);
	config_close(w->config);
	if (!access_log_close(&w->access_log) || !all)
		return false;
	free(w->libraries);
	free(w->counters);
	free(w->slots);
	free(w->mailboxes);
	pthread_mutex_destroy(&w->replay->lock);
	free(w->replay);
	return true;
}

bool workers_take_slots(struct workers *w)
{
	for (unsigned i = 0; i < w->n; i++) {
		w->slots[i] = board_take_slot(w->board, (uint32_t)getpid(), i);
		if (!w->slots[i])
			return false;
	}
	return true;
}

/* On the resolver's thread. */
static void workers_names_changed(void *observer)
{
	struct workers *w = observer;
	atomic_store(&w->names_news, true);
	io_wake(w->loop->io);
}

static bool workers_open_names(struct workers *w)
{
	return names_open(&w->names, &w->nodes, w->config, workers_names_changed, w);
}

/* Logs what a start and a reload give as warnings. */
static void workers_day_is_over(struct timer *t)
{
	struct workers *w = list_entry(t, struct workers, daily);
	certificate_dates_say(&w->certificate_dates, clock_wall_s());
	timer_set(&w->loop->wheel, t, w->loop->wheel.now_ms + DAY_MS);
}

bool workers_attach(struct workers *w, struct loop *loop, struct disk_jobs *state_disk,
		    char error[WORKERS_ERROR_BYTES])
{
	w->loop = loop;
	w->state_disk = state_disk;
	timer_init(&w->daily, workers_day_is_over);
	timer_set(&loop->wheel, &w->daily, loop_now_ms(loop) + DAY_MS);
	timer_init(&w->log_again, workers_open_log_again);
	if (workers_lack_access_log(w))
		timer_set(&loop->wheel, &w->log_again, loop_now_ms(loop) + ACCESS_REOPEN_MS);
	ejections_open(&w->ejections, &w->nodes, w->counters, w->n, &loop->wheel);
	tracer_attach(&w->tracer, &loop->wheel);
	trim_open(&w->trim, loop, w->counters, w->n);
	health_open(&w->health, loop, w->config, &w->nodes, &w->publisher, w->board->id);
	if (workers_open_names(w))
		return true;
	snprintf(error, WORKERS_ERROR_BYTES, "cannot start the resolver: %s", strerror(errno));
	return false;
}

/*
 * Only the health checks have connections on the loop. Everything else is closed by
 * workers_close().
 */
void workers_quiet(struct workers *w)
{
	health_stop(&w->health);
}

void workers_record_owner(struct workers *w)
{
	const struct board_values values = board_read(w->board);
	recorder_owner(&w->recorder, &values);
}

bool workers_record(struct workers *w, char error[RECORDER_ERROR_BYTES])
{
	if (!recorder_open(&w->recorder, w->config, w->accepting_n, error))
		return false;
	workers_record_owner(w);
	if (!recorder_attach(&w->recorder, w->loop->io, &w->loop->wheel, w->state_disk)) {
		snprintf(error, RECORDER_ERROR_BYTES,
			 "capture: cannot start the thread of its directory: %s", strerror(errno));
		return false;
	}
	log_outage_open(&w->log_outage, &w->recorder, &w->loop->wheel);
	return true;
}

bool workers_listen(struct workers *w, const struct socket_source *source)
{
	w->source = *source;
	return listeners_listen(&w->listeners, w->config, w->accepting_n, &w->source);
}

/* --- messages for an operator --- */

bool workers_weights_differ(const struct workers *w)
{
	const struct board_values v = board_read(w->board);
	return w->config->weights.head.at != NOWHERE &&
	       memcmp(v.weights, w->config->weights.arms, sizeof v.weights) != 0;
}

void workers_say_risks(const struct workers *w)
{
	const struct board_values v = board_read(w->board);
	const uint32_t *file = w->config->weights.arms;
	const struct diagnostics *said = &w->config->diagnostics;
	for (size_t i = 0; i < said->warning_n; i++) {
		char line[1024];
		diagnostic_line(said, &said->warnings[i], line, sizeof line);
		log_line(LOG_WARN, "%s", line);
	}
	if (workers_weights_differ(w))
		log_line(
			LOG_INFO,
			"weights: source %u, target %u (epoch %llu) are in force, as set at run "
			"time; the configuration's source %u, target %u are only for a first start",
			v.weights[ARM_SOURCE], v.weights[ARM_TARGET], (unsigned long long)v.epoch,
			file[ARM_SOURCE], file[ARM_TARGET]);
}

/* --- workers --- */

struct worker_config workers_config(struct workers *w, unsigned number)
{
	must(number < w->n);
	return (struct worker_config){
		.number = number,
		.board = w->board,
		.slot = w->slots[number],
		.mailbox = &w->mailboxes[number].mailbox,
		.counters = &w->counters[number],
		.access = number < w->accepting_n ? &w->access_log.ends[number] : NULL,
		.tracing = tracer_of(&w->tracer, number),
		.taps = recorder_taps(&w->recorder, number),
		.seed = clock_wall_ns() ^ ((uint64_t)getpid() << 40) ^ ((uint64_t)number << 56),
	};
}

bool workers_replay_is(const struct workers *w, unsigned number)
{
	return number >= w->accepting_n;
}

static enum resend_policy resend_policy_of(uint32_t word)
{
	return word == CONFIG_UNSET ? RESEND_STOP : (enum resend_policy)word;
}

struct replay_config workers_replay_config(struct workers *w)
{
	/* It is called on replay's thread, while a reload may change the one in force. */
	const struct config *config = w->replay->config;
	const struct config_replay *c = &config->replay;
	const struct board_values v = board_read(w->board);
	return (struct replay_config){
		.resends = config->profile == PROFILE_HTTP,
		.uncertain = resend_policy_of(c->uncertain),
		.refused = resend_policy_of(c->refused),
		.directory = config->capture.directory,
		.state = config->state,
		.filter = { c->indices.list, c->indices.n },
		.from_ns = c->from_ns,
		.mailbox = &w->replay_mailbox,
		.owner = (enum arm)v.owner,
		.since = v.since,
		.seed = clock_wall_ns() ^ (uint64_t)getpid() << 32,
	};
}

void workers_use_replay(struct workers *w, struct replay *r)
{
	pthread_mutex_lock(&w->replay->lock);
	w->replay->replay = r;
	pthread_mutex_unlock(&w->replay->lock);
}

bool workers_see_replay(const struct workers *w, struct replay_seen *to)
{
	pthread_mutex_lock(&w->replay->lock);
	bool there = w->replay->replay;
	if (there)
		replay_see(w->replay->replay, to);
	pthread_mutex_unlock(&w->replay->lock);
	return there;
}

json_t *workers_replay_upkeep(const struct workers *w)
{
	pthread_mutex_lock(&w->replay->lock);
	json_t *j = w->replay->replay ? replay_upkeep_json(w->replay->replay) : NULL;
	pthread_mutex_unlock(&w->replay->lock);
	return j;
}

json_t *workers_replay_aside(const struct workers *w, size_t from)
{
	pthread_mutex_lock(&w->replay->lock);
	json_t *j = w->replay->replay ? replay_aside_json(w->replay->replay, from) : NULL;
	pthread_mutex_unlock(&w->replay->lock);
	return j;
}

uint64_t workers_order_replay(struct workers *w, const struct replay_order *one)
{
	pthread_mutex_lock(&w->replay->lock);
	uint64_t number = w->replay->replay ? replay_order(w->replay->replay, one) : 0;
	pthread_mutex_unlock(&w->replay->lock);
	return number;
}

bool workers_replay_outcome(struct workers *w, uint64_t number, struct order_outcome *to)
{
	pthread_mutex_lock(&w->replay->lock);
	bool over = w->replay->replay && replay_outcome(w->replay->replay, number, to);
	pthread_mutex_unlock(&w->replay->lock);
	return over;
}

bool workers_with_replay(const struct workers *w, void (*act)(struct replay *r, void *user),
			 void *user)
{
	pthread_mutex_lock(&w->replay->lock);
	bool there = w->replay->replay;
	if (there)
		act(w->replay->replay, user);
	pthread_mutex_unlock(&w->replay->lock);
	return there;
}

void workers_wish_replay(struct workers *w, enum replay_wish wish)
{
	workers_tune_replay(w);
	atomic_store(&w->replay_mailbox.wish, wish);
	pthread_mutex_lock(&w->replay->lock);
	if (w->replay->replay)
		replay_wake(w->replay->replay);
	pthread_mutex_unlock(&w->replay->lock);
}

void workers_up(struct workers *w, unsigned number, struct io *io)
{
	const char *before = NO_BACKEND;
	atomic_fetch_add(&w->running, 1);
	if (!atomic_compare_exchange_strong(&w->backend, &before, io->verbs->name) &&
	    strcmp(before, io->verbs->name) != 0)
		atomic_store(&w->backend, "io_uring and epoll");
	publish_worker_io(&w->mailboxes[number], io);
}

void workers_over(struct workers *w, unsigned number)
{
	publish_worker_io(&w->mailboxes[number], NULL);
	/*
	 * Other workers of this process may still drain: a change of weights must not wait for this
	 * one.
	 */
	board_give_slot(w->slots[number]);
	w->slots[number] = NULL;
	atomic_fetch_sub(&w->running, 1);
	io_wake(w->loop->io);
}

void workers_tell(struct workers *w, enum workers_state state)
{
	for (unsigned i = 0; i < w->n; i++) {
		struct worker_mailbox *mailbox = &w->mailboxes[i].mailbox;
		if (state == WORKERS_LEAVING)
			atomic_store_explicit(&mailbox->leaving, true, memory_order_release);
		if (state == WORKERS_RETIRING)
			atomic_store_explicit(&mailbox->retiring, true, memory_order_release);
		if (state >= WORKERS_DRAINING)
			atomic_store_explicit(&mailbox->stopping, true, memory_order_release);
		if (state == WORKERS_ABORTING)
			atomic_store_explicit(&mailbox->aborting, true, memory_order_release);
	}
	w->state = state;
	publisher_wake(&w->publisher);
}

/* --- turning --- */

/* New addresses need no new plan: workers look at the nodes' states, and the checks follow them. */
static void workers_look_at_names(struct workers *w)
{
	if (!atomic_exchange(&w->names_news, false) || !names_take(&w->names, loop_now_ms(w->loop)))
		return;
	w->to_be_kept = true;
	publisher_change_node_admin(&w->publisher);
	health_follow(&w->health, &w->nodes);
}

static void workers_look_at_serving(struct workers *w)
{
	const struct board_values now = board_read(w->board);
	if (w->state == WORKERS_SERVING)
		serving_look(&w->serving, &w->nodes, &now);
}

/* A removed node is freed when no plan uses it any more. */
static void workers_sweep_plans(struct workers *w)
{
	bool named[NODES_MAX];
	publisher_sweep(&w->publisher);
	if (!w->nodes.gone_n)
		return;
	publisher_name_nodes(&w->publisher, named);
	nodes_sweep(&w->nodes, named, w->counters, w->n);
}

void workers_look(struct workers *w)
{
	recorder_turn(&w->recorder);
	workers_look_at_names(w);
	workers_look_at_serving(w);
	log_outage_look(&w->log_outage, w->config);
	workers_sweep_plans(w);
}

void workers_follow(struct workers *w, struct config *config)
{
	config_close(w->config);
	w->config = config_hold(config);
	w->to_be_kept = true;
	workers_tune_replay(w);
	health_renew(&w->health, w->config, &w->nodes);
	names_close(&w->names);
	if (!workers_open_names(w))
		log_line(LOG_ERROR, "reload: the resolver cannot be started: %s", strerror(errno));
}
