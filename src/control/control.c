#include "control/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/log.h"

/* Its opening may take ACCESS_OPEN_MS. */
#define LOG_AGAIN_MS 5000
#define DAY_MS (24 * 3600 * 1000ull)
/* What the workers' io is called before there is one. */
static const char NO_BACKEND[] = "none";

unsigned control_worker_count(const struct config *c, struct cores *cores)
{
	struct cores own;
	if (!cores)
		cores = &own;
	if (c->workers)
		*cores = (struct cores){ c->workers, "the configuration says so" };
	else
		cores_here(cores);
	return cores->n;
}

/* --- opening --- */

static void *allocate(size_t n, size_t alignment, size_t bytes)
{
	size_t whole = (n * bytes + alignment - 1) / alignment * alignment;
	void *memory = aligned_alloc(alignment, whole);
	if (!memory)
		abort();
	memset(memory, 0, whole);
	return memory;
}

static void open_libraries(struct control *c)
{
	c->libraries = allocate(c->worker_n + 1, 64, sizeof(struct tls_library *));
	for (unsigned i = 0; i <= c->worker_n; i++) {
		c->libraries[i] = tls_library_open();
		must(c->libraries[i]);
	}
}

const struct plan *control_compile(struct control *c, struct config *config,
				   struct complaints *complaints)
{
	struct compile how = {
		.config = config,
		.nodes = &c->nodes,
		.listeners = &c->listeners,
		.worker_n = c->worker_n,
		.files = c->files,
		.libraries = c->libraries,
		.tickets = c->tickets,
		.previous = c->publisher.plan_n ? publisher_newest(&c->publisher) : NULL,
	};
	return plan_compile(&how, complaints);
}

static const char *log_trouble(int error)
{
	return error == EPERM ? "it belongs to somebody else" : strerror(error);
}

int control_open_log(struct config *config)
{
	const struct config_log *l = &config->log;
	int fd = l->access ? access_log_file(l->access) : -1;
	if (l->access && fd < 0 && config->kept)
		log_line(LOG_ERROR,
			 "access log: after a crash %s cannot be opened: %s; it is tried "
			 "again until it works",
			 l->access, log_trouble(errno));
	else if (l->access && fd < 0)
		complain(&config->complaints, l->head.at, "log: cannot write %s: %s", l->access,
			 log_trouble(errno));
	return fd;
}

void control_use_log(struct control *c, int fd)
{
	int error = access_log_use(&c->access_log, fd);
	if (error)
		log_line(LOG_ERROR, "access log: its thread cannot be started: %s",
			 strerror(error));
}

static bool lacks_access_log(const struct control *c)
{
	return c->config->kept && c->config->log.access && !c->access_log.running;
}

static void open_log_again(struct timer *t)
{
	struct control *c = list_entry(t, struct control, log_again);
	int fd = lacks_access_log(c) ? access_log_file(c->config->log.access) : -1;
	control_use_log(c, fd);
	if (fd >= 0)
		log_line(LOG_INFO, "access log: %s can be opened again", c->config->log.access);
	else if (lacks_access_log(c))
		timer_set(&c->loop.wheel, t, c->loop.wheel.now_ms + LOG_AGAIN_MS);
}

static void reopen_access_log(struct control *c)
{
	const char *path = c->config->log.access;
	int fd = path ? access_log_file(path) : -1;
	control_use_log(c, fd);
	if (fd >= 0)
		log_line(LOG_INFO, "access log: %s is opened anew", path);
	else if (path)
		log_line(LOG_ERROR, "access log: cannot open %s anew: %s; the old file is kept",
			 path, log_trouble(errno));
}

void control_reopen_logs(struct control *c)
{
	reopen_access_log(c);
	if (c->leads && !audit_reopen(&c->weights.audit, c->config->state))
		log_line(LOG_ERROR, "audit.jsonl cannot be opened anew: %s", strerror(errno));
}

static bool open_parts(struct control *c, struct config *config, char error[WEIGHTS_TEXT_BYTES])
{
	int log = control_open_log(config);
	bool named[LISTENERS_MAX] = { false };
	struct span addresses;
	if (kept_files_find(config->kept, KEPT_ADDRESSES, &addresses))
		nodes_take_addresses_text(&c->nodes, addresses, clock_monotonic_ns() / 1000000);
	must(listeners_add(&c->listeners, config, named));
	const struct plan *first = control_compile(c, config, &config->complaints);
	control_use_log(c, log);
	if (!first)
		return false;
	validity_open(&c->validity, config, &config->complaints);
	validity_caution(&c->validity, clock_wall_s(), &config->complaints);
	publisher_open(&c->publisher, c->workers, c->worker_n, first);
	if (config->complaints.n)
		return false;
	struct span drained;
	if (kept_files_find(config->kept, KEPT_DRAINED, &drained) &&
	    drains_open_kept(&c->drains, &c->nodes, &c->publisher, &c->weights.audit, config->state,
			     drained))
		return true;
	if (drains_open(&c->drains, &c->nodes, &c->publisher, &c->weights.audit, config->state))
		return true;
	snprintf(
		error, WEIGHTS_TEXT_BYTES,
		"cannot tell which nodes are drained: %.150s/drained.json: %s (what it holds is no "
		"good: mend it, or take it away)",
		config->state, strerror(errno));
	return false;
}

struct control *control_open(struct config *config, struct board *board,
			     const struct ticket_keys *tickets, char error[WEIGHTS_TEXT_BYTES])
{
	struct control *c = allocate(1, 64, sizeof *c);
	error[0] = 0;
	c->config = config_hold(config);
	c->board = board;
	c->tickets = tickets;
	c->worker_n = control_worker_count(config, &c->cores);
	c->files = room_files();
	c->started_wall_ns = clock_wall_ns();
	atomic_store(&c->backend, NO_BACKEND);
	c->workers = allocate(c->worker_n, 64, sizeof *c->workers);
	c->slots = allocate(c->worker_n, 64, sizeof(struct board_slot *));
	c->counters = allocate(c->worker_n, 64, sizeof *c->counters);
	c->weights.state.fd = c->weights.audit.fd = -1;
	writes_open(&c->writes, c->counters, c->worker_n, c->started_wall_ns);
	access_log_open(&c->access_log, c->worker_n, c->counters);
	open_libraries(c);
	nodes_open(&c->nodes, config);
	listeners_open(&c->listeners);
	if (open_parts(c, config, error))
		return c;
	control_close(c);
	return NULL;
}

bool control_take_slots(struct control *c)
{
	for (unsigned i = 0; i < c->worker_n; i++) {
		c->slots[i] = board_take_slot(c->board, (uint32_t)getpid(), i);
		if (!c->slots[i])
			return false;
	}
	return true;
}

bool control_is_to_be_renewed(struct control *c)
{
	bool is = c->recorder.found && c->state == CONTROL_SERVING;
	c->recorder.found = false;
	return is;
}

static void keep_copy(struct kept_files *to, struct arena *arena, const char *name,
		      struct span text)
{
	char *own = arena_take(arena, text.n + 1);
	if (text.n)
		memcpy(own, text.at, text.n);
	own[text.n] = 0;
	kept_files_add(to, arena, name, (struct span){ own, text.n });
}

static void keep_made(struct kept_files *to, struct arena *arena, const char *name,
		      char *text /* moved in */)
{
	must(text);
	keep_copy(to, arena, name, span_of(text));
	free(text);
}

void control_keep(const struct control *c, struct kept_files *to, struct arena *arena)
{
	kept_files_add(to, arena, KEPT_CONFIGURATION, c->config->complaints.text);
	for (const struct kept_file *f = c->config->read.first; f; f = f->next)
		kept_files_add(to, arena, f->name, f->text);
	if (c->admin.token[0])
		keep_copy(to, arena, KEPT_TOKEN, span_of(c->admin.token));
	keep_made(to, arena, KEPT_DRAINED, drains_file_text(&c->nodes));
	keep_made(to, arena, KEPT_ADDRESSES, nodes_addresses_text(&c->nodes));
}

bool control_is_to_be_kept(struct control *c)
{
	bool is = c->to_be_kept || c->drains.changed;
	c->to_be_kept = c->drains.changed = false;
	return is;
}

void control_close(struct control *c)
{
	must(atomic_load(&c->running) == 0);
	absence_close(&c->absence);
	recorder_close(&c->recorder);
	if (c->attached) {
		timer_clear(&c->drain);
		timer_clear(&c->log_again);
		timer_clear(&c->daily);
		ejections_close(&c->ejections);
		trim_close(&c->trim);
		names_close(&c->names);
		health_close(&c->health);
		admin_close(&c->admin);
		loop_close(&c->loop);
	}
	for (unsigned i = 0; i < c->worker_n; i++)
		if (c->slots[i])
			board_give_slot(c->slots[i]);
	validity_close(&c->validity);
	drains_close(&c->drains);
	weights_close(&c->weights);
	publisher_close(&c->publisher);
	nodes_close(&c->nodes);
	listeners_close(&c->listeners);
	for (unsigned i = 0; i <= c->worker_n; i++)
		tls_library_close(c->libraries[i]);
	config_close(c->config);
	json_decref(c->reload.mistakes);
	/* A thread that waits for a dead disk has some of it still. */
	if (!access_log_close(&c->access_log))
		return;
	free(c->libraries);
	free(c->counters);
	free(c->slots);
	free(c->workers);
	free(c);
}

void control_look(struct control *c)
{
	publisher_wake(&c->publisher);
	if (!c->leads)
		drains_follow(&c->drains);
}

void control_let_others_look(struct control *c)
{
	c->peers.look(c->peers.self);
}

static void wake_workers(void *waker)
{
	struct control *c = waker;
	publisher_wake(&c->publisher);
	control_let_others_look(c);
}

static void tell_workers(struct control *c, size_t door_member)
{
	for (unsigned i = 0; i < c->worker_n; i++) {
		atomic_bool *said = (atomic_bool *)((char *)&c->workers[i].door + door_member);
		atomic_store_explicit(said, true, memory_order_release);
	}
	publisher_wake(&c->publisher);
}

static void cut(struct control *c)
{
	c->state = CONTROL_ABORTING;
	timer_clear(&c->drain);
	tell_workers(c, offsetof(struct worker_door, stopping));
	tell_workers(c, offsetof(struct worker_door, aborting));
}

static void drain_is_over(struct timer *t)
{
	struct control *c = list_entry(t, struct control, drain);
	if (c->state == CONTROL_LEAVING) {
		control_stop(c);
		return;
	}
	if (atomic_load(&c->running))
		log_line(LOG_WARN, "stop: the drain time is over; what is left is cut");
	cut(c);
}

/* On the resolver's thread. */
static void names_have_news(void *hearer)
{
	struct control *c = hearer;
	atomic_store(&c->names_news, true);
	io_wake(c->loop.io);
}

bool control_open_names(struct control *c)
{
	return names_open(&c->names, &c->nodes, c->config, names_have_news, c);
}

/* What a start and a reload say as cautions. */
static void day_is_over(struct timer *t)
{
	struct control *c = list_entry(t, struct control, daily);
	validity_say(&c->validity, clock_wall_s());
	timer_set(&c->loop.wheel, t, c->loop.wheel.now_ms + DAY_MS);
}

bool control_attach(struct control *c, char error[WEIGHTS_TEXT_BYTES])
{
	tls_library_enter(c->libraries[c->worker_n]);
	if (!loop_open(&c->loop)) {
		snprintf(error, WEIGHTS_TEXT_BYTES, "cannot open epoll: %s", strerror(errno));
		return false;
	}
	c->attached = true;
	timer_init(&c->drain, drain_is_over);
	timer_init(&c->daily, day_is_over);
	timer_set(&c->loop.wheel, &c->daily, loop_now_ms(&c->loop) + DAY_MS);
	timer_init(&c->log_again, open_log_again);
	if (lacks_access_log(c))
		timer_set(&c->loop.wheel, &c->log_again, loop_now_ms(&c->loop) + LOG_AGAIN_MS);
	drains_attach(&c->drains, &c->loop.wheel);
	ejections_open(&c->ejections, &c->nodes, c->counters, c->worker_n, &c->loop.wheel);
	trim_open(&c->trim, c);
	admin_open(&c->admin, c, &c->loop);
	health_open(&c->health, &c->loop, c->config, &c->nodes, &c->publisher, c->board->id);
	if (control_open_names(c))
		return true;
	snprintf(error, WEIGHTS_TEXT_BYTES, "cannot start the resolver: %s", strerror(errno));
	return false;
}

/* After a crash it is the one that was in force, whatever the file has become. */
static bool take_token(struct control *c, const struct evidence *e)
{
	struct span kept;
	bool made;
	if (kept_files_find(c->config->kept, KEPT_TOKEN, &kept) && kept.n == TOKEN_BYTES - 1) {
		memcpy(c->admin.token, kept.at, TOKEN_BYTES);
		return true;
	}
	if (!token_take(c->config->state, c->admin.token, &made))
		return false;
	if (made && (e->kept.epoch || e->witness))
		log_line(LOG_WARN,
			 "admin: %s/" TOKEN_FILE " was not there, and is made anew: who has the "
			 "one before is refused",
			 c->config->state);
	return true;
}

bool control_lead(struct control *c, const struct control_sockets *s,
		  const struct control_peers *peers, char error[WEIGHTS_TEXT_BYTES])
{
	const struct config *config = c->config;
	struct evidence evidence;
	c->peers = *peers;
	evidence_look(&evidence, config);
	if (!take_token(c, &evidence)) {
		snprintf(error, WEIGHTS_TEXT_BYTES, "cannot read or make %.150s/" TOKEN_FILE ": %s",
			 config->state, strerror(errno));
		return false;
	}
	if (!board_read(c->board).epoch)
		evidence_say(&evidence, config->state);
	memcpy(c->audit_trouble, evidence.audit, sizeof c->audit_trouble);
	if (!weights_open(&c->weights, c->board, config->state, config->weights.arms, &evidence,
			  error))
		return false;
	c->leads = true;
	recorder_lead(&c->recorder);
	/* After a crash it is known, and the file may be the one that is no good. */
	if (config->kept)
		drains_renew(&c->drains);
	else
		drains_follow(&c->drains);
	c->to_be_kept = true;
	weights_attach(&c->weights, &c->loop.wheel, wake_workers, c);
	if (s->local >= 0)
		service_listen(&c->admin.service, s->local, true, NULL);
	for (size_t i = 0; i < s->tcp_n; i++)
		service_listen(&c->admin.service, s->tcp[i], false, NULL);
	return true;
}

bool control_record(struct control *c, char error[RECORDER_ERROR_BYTES])
{
	if (!recorder_open(&c->recorder, c->config, c->worker_n, error))
		return false;
	recorder_attach(&c->recorder, &c->loop.wheel);
	absence_open(&c->absence, &c->recorder, &c->loop.wheel);
	return true;
}

bool control_listen(struct control *c, const struct socket_source *source)
{
	c->source = *source;
	return listeners_listen(&c->listeners, c->config, c->worker_n, &c->source);
}

/* --- what an operator must know --- */

bool control_weights_differ(const struct control *c)
{
	const struct board_values v = board_read(c->board);
	return c->config->weights.head.at != NOWHERE &&
	       memcmp(v.weights, c->config->weights.arms, sizeof v.weights) != 0;
}

void control_say_risks(const struct control *c)
{
	const struct board_values v = board_read(c->board);
	const uint32_t *file = c->config->weights.arms;
	const struct complaints *said = &c->config->complaints;
	for (size_t i = 0; i < said->caution_n; i++) {
		char line[1024];
		complaint_line(said, &said->cautions[i], line, sizeof line);
		log_line(LOG_WARN, "%s", line);
	}
	if (control_weights_differ(c))
		log_line(LOG_INFO,
			 "weights: source %u, target %u (epoch %llu), as set while it ran; the "
			 "configuration's source %u, target %u are for a first start",
			 v.weights[ARM_SOURCE], v.weights[ARM_TARGET], (unsigned long long)v.epoch,
			 file[ARM_SOURCE], file[ARM_TARGET]);
}

/* --- workers --- */

struct worker_config control_worker(struct control *c, unsigned number)
{
	must(number < c->worker_n);
	return (struct worker_config){
		.number = number,
		.board = c->board,
		.slot = c->slots[number],
		.door = &c->workers[number].door,
		.counters = &c->counters[number],
		.access = &c->access_log.ends[number],
		.taps = recorder_taps(&c->recorder, number),
		.seed = clock_wall_ns() ^ ((uint64_t)getpid() << 40) ^ ((uint64_t)number << 56),
	};
}

void control_worker_up(struct control *c, unsigned number, struct io *io)
{
	const char *before = NO_BACKEND;
	atomic_fetch_add(&c->running, 1);
	if (!atomic_compare_exchange_strong(&c->backend, &before, io->verbs->name) &&
	    strcmp(before, io->verbs->name) != 0)
		atomic_store(&c->backend, "io_uring and epoll");
	publish_worker_io(&c->workers[number], io);
}

void control_worker_over(struct control *c, unsigned number)
{
	publish_worker_io(&c->workers[number], NULL);
	/* Others of this process may still drain: nobody is to wait for this one. */
	board_give_slot(c->slots[number]);
	c->slots[number] = NULL;
	atomic_fetch_sub(&c->running, 1);
	io_wake(c->loop.io);
}

/* --- turning --- */

/* Addresses need no plan: workers look at the nodes' states, and checks follow. */
static void look_at_names(struct control *c)
{
	if (!atomic_exchange(&c->names_news, false) ||
	    !names_take(&c->names, loop_now_ms(&c->loop)))
		return;
	c->to_be_kept = true;
	publisher_change_duties(&c->publisher);
	health_follow(&c->health, &c->nodes);
}

static void look_at_reload(struct control *c)
{
	if (!c->reload_wanted)
		return;
	c->reload_wanted = false;
	if (c->state == CONTROL_SERVING)
		reload_now(c);
	else
		log_line(LOG_WARN, "reload: it is stopping; nothing is changed any more");
}

static void look_at_serving(struct control *c)
{
	const struct board_values now = board_read(c->board);
	if (c->state == CONTROL_SERVING)
		serving_look(&c->serving, &c->nodes, &now);
}

/* What is gone is freed when no plan names it any more. */
static void sweep_plans(struct control *c)
{
	bool named[NODES_MAX];
	publisher_sweep(&c->publisher);
	if (!c->nodes.gone_n)
		return;
	publisher_name_nodes(&c->publisher, named);
	nodes_sweep(&c->nodes, named, c->counters, c->worker_n);
}

/* The last to go is what tells how the others go. */
static void stop_own(struct control *c)
{
	health_stop(&c->health);
	service_stop(&c->admin.service);
}

/* Whoever has just asked a retired process is answered; one that only keeps its connection is not
 * waited for as long as clients are. */
static bool may_end(struct control *c)
{
	if (c->state <= CONTROL_LEAVING || atomic_load(&c->running))
		return false;
	if (c->state != CONTROL_RETIRING || !c->loop.fronts.open_n)
		return true;
	if (!c->farewell)
		timer_set(&c->loop.wheel, &c->drain, loop_now_ms(&c->loop) + LINGER_MS);
	c->farewell = true;
	return false;
}

void control_turn(struct control *c)
{
	loop_turn(&c->loop);
	look_at_reload(c);
	look_at_names(c);
	look_at_serving(c);
	absence_look(&c->absence, c->config);
	sweep_plans(c);
	if (may_end(c))
		stop_own(c);
}

static void begin_drain(struct control *c, enum control_state state, size_t door_member)
{
	c->state = state;
	timer_set(&c->loop.wheel, &c->drain, loop_now_ms(&c->loop) + c->config->timeouts.drain_ms);
	tell_workers(c, door_member);
}

void control_retire(struct control *c)
{
	if (c->state != CONTROL_SERVING)
		return;
	c->leads = false;
	recorder_retire(&c->recorder);
	weights_yield(&c->weights);
	drains_yield(&c->drains);
	service_retire(&c->admin.service);
	begin_drain(c, CONTROL_RETIRING, offsetof(struct worker_door, retiring));
}

void control_upgrade_failed(struct control *c, const char *why)
{
	struct control_upgrades *u = &c->upgrades;
	u->failed_n++;
	u->wall_ns = clock_wall_ns();
	snprintf(u->why, sizeof u->why, "%s", why);
}

void control_reload(struct control *c)
{
	c->reload_wanted = true;
}

/* Whoever watches the health path, a load balancer in front, has so long to take us out. */
static void leave(struct control *c)
{
	c->state = CONTROL_LEAVING;
	timer_set(&c->loop.wheel, &c->drain, loop_now_ms(&c->loop) + c->config->timeouts.leave_ms);
	tell_workers(c, offsetof(struct worker_door, leaving));
	log_line(LOG_INFO, "stop: health paths say 503, and all else is served, for %u ms more",
		 c->config->timeouts.leave_ms);
}

bool control_is_open(const struct control *c)
{
	return c->state <= CONTROL_LEAVING;
}

void control_stop(struct control *c)
{
	if (c->state == CONTROL_SERVING && c->config->timeouts.leave_ms)
		leave(c);
	else if (c->state < CONTROL_DRAINING)
		begin_drain(c, CONTROL_DRAINING, offsetof(struct worker_door, stopping));
	else if (c->state == CONTROL_DRAINING)
		cut(c);
}

bool control_is_over(const struct control *c)
{
	return c->state > CONTROL_LEAVING && atomic_load(&c->running) == 0 &&
	       service_is_stopped(&c->admin.service);
}
