#include "control/reload.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/log.h"
#include "control/changes.h"
#include "control/config_kafka.h"
#include "control/control.h"
#include "control/ownership.h"

/* --- what only a new working process can change --- */

static bool workers_differ(const struct control *c, const struct config *fresh)
{
	return fresh->workers != c->config->workers &&
	       control_worker_count(fresh, NULL) != c->worker_n;
}

static bool io_differs(const struct control *c, const struct config *fresh)
{
	return fresh->io != c->config->io;
}

static bool state_differs(const struct control *c, const struct config *fresh)
{
	return strcmp(fresh->state, c->config->state) != 0;
}

static bool capture_differs(const struct control *c, const struct config *fresh)
{
	const struct config_capture *a = &c->config->capture, *b = &fresh->capture;
	if (a->head.at == NOWHERE || b->head.at == NOWHERE)
		return (a->head.at == NOWHERE) != (b->head.at == NOWHERE);
	return strcmp(a->directory, b->directory) != 0 || a->commit_ms != b->commit_ms ||
	       a->compress != b->compress || a->segment_bytes != b->segment_bytes ||
	       a->limit_bytes != b->limit_bytes || a->retain.size_bytes != b->retain.size_bytes ||
	       a->retain.age_ms != b->retain.age_ms || a->durable_at != b->durable_at ||
	       kafka_differs(&a->kafka, &b->kafka);
}

static bool admin_socket_differs(const struct control *c, const struct config *fresh)
{
	return strcmp(fresh->admin.socket, c->config->admin.socket) != 0;
}

static bool addresses_differ(const struct config_address *a, const struct config_address *b)
{
	for (; a && b; a = a->next, b = b->next)
		if (!addr_is(&a->addr, &b->addr))
			return true;
	return a || b;
}

static bool admin_address_differs(const struct control *c, const struct config *fresh)
{
	return addresses_differ(fresh->admin.addresses, c->config->admin.addresses);
}

static const struct {
	const char *key;
	bool (*differs)(const struct control *c, const struct config *fresh);
} fixed[] = {
	{ "workers", workers_differ },
	{ "io", io_differs },
	{ "state", state_differs },
	{ "capture", capture_differs },
	{ "admin.socket", admin_socket_differs },
	{ "admin.address", admin_address_differs },
};

static void refuse_what_is_fixed(const struct control *c, struct config *fresh)
{
	for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
		if (fixed[i].differs(c, fresh))
			complain(&fresh->complaints, config_place(fresh, fixed[i].key),
				 "%s: a reload cannot change this; SIGUSR2 or a restart can",
				 fixed[i].key);
}

/* --- all or nothing --- */

static const struct plan *make_plan(struct control *c, struct config *fresh)
{
	bool named[LISTENERS_MAX];
	publisher_name_listeners(&c->publisher, named);
	if (!listeners_add(&c->listeners, fresh, named) ||
	    !listeners_listen(&c->listeners, fresh, c->worker_n, &c->source))
		return NULL;
	if (!nodes_add(&c->nodes, fresh)) {
		complain(&fresh->complaints, NOWHERE,
			 "nodes: too many that were taken away earlier are still in use; try again "
			 "later");
		return NULL;
	}
	return control_compile(c, fresh, &fresh->complaints);
}

static bool publish_plan(struct control *c, struct config *fresh, const struct plan *plan)
{
	if (publish(&c->publisher, plan))
		return true;
	plan_free(plan);
	complain(&fresh->complaints, NOWHERE,
		 "%d earlier plans are still in use by long requests; try again later", PLANS_MAX);
	return false;
}

static bool apply(struct control *c, struct config *fresh)
{
	if (fresh->complaints.n == 0)
		refuse_what_is_fixed(c, fresh);
	if (fresh->complaints.n == 0)
		ownership_check(fresh, true);
	if (fresh->complaints.n)
		return false;
	struct validity validity;
	validity_open(&validity, fresh, &fresh->complaints);
	validity_caution(&validity, clock_wall_s(), &fresh->complaints);
	int log = fresh->complaints.n ? -1 : control_open_log(fresh);
	const struct plan *plan = fresh->complaints.n ? NULL : make_plan(c, fresh);
	bool good = plan && publish_plan(c, fresh, plan);
	nodes_retire(&c->nodes, good ? fresh : c->config);
	listeners_retire(&c->listeners, good ? fresh : c->config, &c->source);
	if (good)
		control_use_log(c, log);
	else if (log >= 0)
		close(log);
	validity_close(good ? &c->validity : &validity);
	if (good)
		c->validity = validity;
	return good;
}

/* The configuration is in force: those who look at it by themselves are told. */
static void follow(struct control *c, struct config *fresh)
{
	config_close(c->config);
	c->config = config_hold(fresh);
	c->to_be_kept = true;
	health_renew(&c->health, c->config, &c->nodes);
	drains_renew(&c->drains);
	names_close(&c->names);
	if (!control_open_names(c))
		log_line(LOG_ERROR, "reload: the resolver cannot be started: %s", strerror(errno));
}

/* --- what came of it --- */

static void say_good(struct control *c, const char *changes)
{
	struct reload *r = &c->reload;
	r->good_n++;
	r->file_text[0] = 0;
	snprintf(r->text, sizeof r->text, "%s", changes);
	log_line(LOG_INFO, "reload: the configuration is in force: %s (plan %llu)", r->text,
		 (unsigned long long)publisher_newest(&c->publisher)->number);
	control_say_risks(c);
}

static void say_bad(struct control *c, struct complaints *all)
{
	struct reload *r = &c->reload;
	r->bad_n++;
	complaints_sort(all);
	r->mistakes = json_array();
	r->mistakes_more = all->more;
	complaint_line(all, &all->list[0], r->text, sizeof r->text);
	for (size_t i = 0; i < all->n; i++) {
		char line[RELOAD_TEXT_BYTES];
		complaint_line(all, &all->list[i], line, sizeof line);
		log_line(LOG_ERROR, "reload: %s", line);
		json_t *text = json_string(line);
		json_array_append_new(r->mistakes, text ? text : json_string("it is in the log"));
	}
	if (all->more)
		log_line(LOG_ERROR, "reload: and %zu more", all->more);
	log_line(LOG_ERROR, "reload: nothing was changed");
}

void reload_now(struct control *c)
{
	char changes[CHANGES_TEXT_BYTES];
	struct config *fresh = config_open(c->config->complaints.file);
	c->reload.wall_ns = clock_wall_ns();
	json_decref(c->reload.mistakes);
	c->reload.mistakes = NULL;
	c->reload.mistakes_more = 0;
	c->reload.good = apply(c, fresh);
	if (c->reload.good) {
		changes_tell(c->config, fresh, changes);
		follow(c, fresh);
		say_good(c, changes);
	} else {
		say_bad(c, &fresh->complaints);
	}
	config_close(fresh);
}

/* Those that it names, too: a certificate that was replaced, and nobody has said so yet. */
static void compare_files(const struct control *c, const struct config *file,
			  char text[RELOAD_TEXT_BYTES])
{
	for (const struct kept_file *f = c->config->read.first; f && !text[0]; f = f->next) {
		struct span now;
		if (!kept_files_find(&file->read, f->name, &now) || !span_is(now, f->text))
			snprintf(text, RELOAD_TEXT_BYTES, "%s has changed, and was not read since",
				 f->name);
	}
}

void reload_compare(struct control *c)
{
	struct reload *r = &c->reload;
	struct config *file = config_open(c->config->complaints.file);
	struct complaints *all = &file->complaints;
	if (!all->n)
		refuse_what_is_fixed(c, file);
	complaints_sort(all);
	if (all->n)
		complaint_line(all, &all->list[0], r->file_text, sizeof r->file_text);
	else if (!span_is(all->text, c->config->complaints.text))
		snprintf(r->file_text, sizeof r->file_text,
			 "%s has changed, and was not read since", all->file);
	else
		compare_files(c, file, r->file_text);
	if (r->file_text[0])
		log_line(LOG_ERROR,
			 "after a crash the configuration that was in force goes on, and not the "
			 "file: %s; mend it, and say SIGHUP",
			 r->file_text);
	config_close(file);
}

bool reload_is_in_force(const struct reload *r)
{
	return (!r->wall_ns || r->good) && !r->file_text[0];
}
