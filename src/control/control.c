#include "control/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/log.h"

/* --- the end of the process --- */

static void control_cut(struct control *c)
{
	timer_clear(&c->drain);
	workers_tell(&c->workers, WORKERS_ABORTING);
}

/* The timer then begins the next state. */
static void control_begin_state(struct control *c, enum workers_state state, uint32_t ms)
{
	workers_tell(&c->workers, state);
	timer_set(&c->loop.wheel, &c->drain, loop_now_ms(&c->loop) + ms);
}

/* A load balancer in front, which watches the health path, has this time to remove this one. */
static void control_leave(struct control *c, uint32_t ms)
{
	control_begin_state(c, WORKERS_LEAVING, ms);
	log_line(LOG_INFO,
		 "stop: for %u ms health paths respond 503, and all other requests are served", ms);
}

void control_stop(struct control *c)
{
	const struct config_timeouts *timeouts = &c->workers.config->timeouts;
	enum workers_state state = c->workers.state;
	if (state == WORKERS_SERVING && timeouts->leave_ms)
		control_leave(c, timeouts->leave_ms);
	else if (state < WORKERS_DRAINING)
		control_begin_state(c, WORKERS_DRAINING, timeouts->drain_ms);
	else if (state == WORKERS_DRAINING)
		control_cut(c);
}

static void control_state_is_over(struct timer *t)
{
	struct control *c = list_entry(t, struct control, drain);
	if (c->workers.state == WORKERS_LEAVING) {
		control_stop(c);
		return;
	}
	if (atomic_load(&c->workers.running))
		log_line(LOG_WARN, "stop: the drain time is over; what is left is cut");
	control_cut(c);
}

void control_retire(struct control *c)
{
	if (c->workers.state != WORKERS_SERVING)
		return;
	leader_retire(&c->leader);
	service_retire(&c->admin.service);
	control_begin_state(c, WORKERS_RETIRING, c->workers.config->timeouts.drain_ms);
}

bool control_is_open(const struct control *c)
{
	return c->workers.state <= WORKERS_LEAVING;
}

bool control_is_over(const struct control *c)
{
	return c->workers.state > WORKERS_LEAVING && atomic_load(&c->workers.running) == 0 &&
	       service_is_stopped(&c->admin.service);
}

/* --- opening --- */

struct control *control_open(struct config *config, struct board *board,
			     const struct ticket_keys *tickets, char error[WEIGHTS_TEXT_BYTES])
{
	size_t bytes = (sizeof(struct control) + 63) / 64 * 64;
	struct control *c = aligned_alloc(64, bytes);
	must(c);
	memset(c, 0, bytes);
	error[0] = 0;
	if (workers_open(&c->workers, config, board, tickets) &&
	    leader_open(&c->leader, &c->workers, error))
		return c;
	control_close(c);
	return NULL;
}

bool control_attach(struct control *c, char error[WEIGHTS_TEXT_BYTES])
{
	tls_library_enter(c->workers.libraries[c->workers.n]);
	if (!loop_open_own(&c->loop)) {
		snprintf(error, WEIGHTS_TEXT_BYTES, "cannot open epoll: %s", strerror(errno));
		return false;
	}
	c->attached = true;
	timer_init(&c->drain, control_state_is_over);
	if (!leader_attach(&c->leader, &c->loop)) {
		snprintf(error, WEIGHTS_TEXT_BYTES, "cannot start the thread of the disk: %s",
			 strerror(errno));
		return false;
	}
	admin_open(&c->admin, &c->workers, &c->leader, &c->reload, &c->loop);
	return workers_attach(&c->workers, &c->loop, &c->leader.disk, error);
}

bool control_lead(struct control *c, const struct control_sockets *s,
		  const struct leader_peers *peers, char error[WEIGHTS_TEXT_BYTES])
{
	if (!leader_lead(&c->leader, peers, error))
		return false;
	control_respond(c, s);
	return true;
}

void control_respond(struct control *c, const struct control_sockets *s)
{
	if (s->local >= 0)
		service_listen(&c->admin.service, s->local, true, NULL);
	for (size_t i = 0; i < s->tcp_n; i++)
		service_listen(&c->admin.service, s->tcp[i], false, &c->workers.admin_context);
}

void control_close(struct control *c)
{
	if (c->attached) {
		timer_clear(&c->drain);
		admin_close(&c->admin);
	}
	bool kept = leader_close(&c->leader);
	bool all = workers_close(&c->workers) && kept;
	if (c->attached)
		loop_close(&c->loop);
	json_decref(c->reload.mistakes);
	if (all)
		free(c);
}

/* --- texts kept for a start after a crash --- */

bool control_is_to_be_renewed(struct control *c)
{
	bool is = c->workers.recorder.found && c->workers.state == WORKERS_SERVING;
	c->workers.recorder.found = false;
	return is;
}

static void keep_copy(struct saved_files *to, struct arena *arena, const char *name,
		      struct span text)
{
	char *own = arena_take(arena, text.n + 1);
	if (text.n)
		memcpy(own, text.at, text.n);
	own[text.n] = 0;
	saved_files_add(to, arena, name, (struct span){ own, text.n });
}

static void control_keep_text(struct saved_files *to, struct arena *arena, const char *name,
			      char *text /* moved in */)
{
	must(text);
	keep_copy(to, arena, name, span_of(text));
	free(text);
}

void control_keep(const struct control *c, struct saved_files *to, struct arena *arena)
{
	saved_files_add(to, arena, SAVED_CONFIGURATION, c->workers.config->diagnostics.text);
	for (const struct saved_file *f = c->workers.config->read.first; f; f = f->next)
		saved_files_add(to, arena, f->name, f->text);
	if (c->leader.token[0])
		keep_copy(to, arena, SAVED_TOKEN, span_of(c->leader.token));
	control_keep_text(to, arena, SAVED_DRAINED, drains_file_text(&c->workers.nodes));
	control_keep_text(to, arena, SAVED_ADDRESSES, nodes_addresses_text(&c->workers.nodes));
}

bool control_is_to_be_kept(struct control *c)
{
	bool is = c->workers.to_be_kept || c->leader.drains.changed;
	c->workers.to_be_kept = c->leader.drains.changed = false;
	return is;
}

/* --- turning --- */

void control_reload(struct control *c)
{
	c->reload_wanted = true;
}

static void control_look_at_reload(struct control *c)
{
	if (!c->reload_wanted)
		return;
	c->reload_wanted = false;
	if (c->workers.state != WORKERS_SERVING) {
		log_line(LOG_WARN,
			 "reload: this process is stopping, and makes no changes any more");
		return;
	}
	reload_now(&c->reload, &c->workers);
	if (c->reload.good)
		leader_follow(&c->leader);
}

void control_reopen_logs(struct control *c)
{
	workers_reopen_log(&c->workers);
	leader_reopen_log(&c->leader);
}

/*
 * A retired process still responds to a request that it has just received. For a connection that is
 * only kept open it waits LINGER_MS, which is less than clients get.
 */
static bool control_may_end(struct control *c)
{
	if (control_is_open(c) || atomic_load(&c->workers.running))
		return false;
	if (c->workers.state != WORKERS_RETIRING || !c->loop.fronts.open_n)
		return true;
	if (!c->lingers)
		timer_set(&c->loop.wheel, &c->drain, loop_now_ms(&c->loop) + LINGER_MS);
	c->lingers = true;
	return false;
}

void control_turn(struct control *c)
{
	loop_turn(&c->loop);
	leader_turn(&c->leader);
	control_look_at_reload(c);
	workers_look(&c->workers);
	if (!control_may_end(c))
		return;
	workers_quiet(&c->workers);
	service_stop(&c->admin.service);
}
