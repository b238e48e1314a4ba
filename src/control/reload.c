#include "control/reload.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "control/changes.h"
#include "control/config_kafka.h"
#include "control/config_read.h"
#include "control/ownership.h"

/* --- keys that only a new process can change --- */

static bool workers_differ(const struct workers *w, const struct config *fresh)
{
	return fresh->workers != w->config->workers && workers_count(fresh, NULL) != w->accepting_n;
}

static bool io_differs(const struct workers *w, const struct config *fresh)
{
	return fresh->io != w->config->io;
}

static bool state_differs(const struct workers *w, const struct config *fresh)
{
	return strcmp(fresh->state, w->config->state) != 0;
}

static bool capture_differs(const struct workers *w, const struct config *fresh)
{
	const struct config_capture *a = &w->config->capture, *b = &fresh->capture;
	if (a->head.at == NOWHERE || b->head.at == NOWHERE)
		return (a->head.at == NOWHERE) != (b->head.at == NOWHERE);
	return strcmp(a->directory, b->directory) != 0 || a->commit_ms != b->commit_ms ||
	       a->compress != b->compress || a->segment_bytes != b->segment_bytes ||
	       a->limit_bytes != b->limit_bytes || a->retain.size_bytes != b->retain.size_bytes ||
	       a->retain.age_ms != b->retain.age_ms || a->durable_at != b->durable_at ||
	       kafka_differs(&a->kafka, &b->kafka);
}

/* Its worker is made when the process starts. */
static bool replay_differs(const struct workers *w, const struct config *fresh)
{
	const struct config_replay *a = &w->config->replay, *b = &fresh->replay;
	bool differs =
		(a->head.at == NOWHERE) != (b->head.at == NOWHERE) || a->indices.n != b->indices.n;
	for (size_t i = 0; !differs && i < a->indices.n; i++)
		differs = strcmp(a->indices.list[i], b->indices.list[i]) != 0;
	return differs || a->uncertain != b->uncertain || a->refused != b->refused;
}

static bool admin_socket_differs(const struct workers *w, const struct config *fresh)
{
	return strcmp(fresh->admin.socket, w->config->admin.socket) != 0;
}

static bool addresses_differ(const struct config_address *a, const struct config_address *b)
{
	for (; a && b; a = a->next, b = b->next)
		if (!addr_is(&a->addr, &b->addr))
			return true;
	return a || b;
}

static bool admin_address_differs(const struct workers *w, const struct config *fresh)
{
	return addresses_differ(fresh->admin.addresses, w->config->admin.addresses);
}

static const struct {
	const char *key;
	bool (*differs)(const struct workers *w, const struct config *fresh);
} fixed[] = {
	{ "workers", workers_differ },
	{ "io", io_differs },
	{ "state", state_differs },
	{ "capture", capture_differs },
	{ "replay", replay_differs },
	{ "admin.socket", admin_socket_differs },
	{ "admin.address", admin_address_differs },
};

static void reload_refuse_fixed(const struct workers *w, struct config *fresh)
{
	for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
		if (fixed[i].differs(w, fresh))
			diagnose(&fresh->diagnostics, config_place(fresh, fixed[i].key),
				 "%s: a reload cannot change this; use SIGUSR2 or a restart",
				 fixed[i].key);
}

/* --- all or nothing --- */

static const struct plan *reload_make_plan(struct workers *w, struct config *fresh)
{
	bool named[LISTENERS_MAX];
	publisher_name_listeners(&w->publisher, named);
	if (!listeners_add(&w->listeners, fresh, named) ||
	    !listeners_listen(&w->listeners, fresh, w->accepting_n, &w->source))
		return NULL;
	if (!nodes_add(&w->nodes, fresh)) {
		diagnose(&fresh->diagnostics, NOWHERE,
			 "nodes: too many removed nodes are still in use; try again later");
		return NULL;
	}
	return workers_compile(w, fresh, &fresh->diagnostics);
}

static bool reload_publish_plan(struct workers *w, struct config *fresh, const struct plan *plan)
{
	if (publish(&w->publisher, plan))
		return true;
	plan_free(plan);
	diagnose(&fresh->diagnostics, NOWHERE,
		 "%d earlier configurations are still in use by long requests; try again later",
		 PLANS_MAX);
	return false;
}

static bool reload_apply(struct workers *w, struct config *fresh)
{
	if (fresh->diagnostics.n == 0)
		reload_refuse_fixed(w, fresh);
	if (fresh->diagnostics.n == 0)
		ownership_check(fresh, true);
	if (fresh->diagnostics.n)
		return false;
	struct certificate_dates certificate_dates;
	certificate_dates_open(&certificate_dates, fresh, &fresh->diagnostics);
	certificate_dates_warning(&certificate_dates, clock_wall_s(), &fresh->diagnostics);
	struct admin_tls *admin_tls = workers_open_admin_tls(w, fresh);
	int log = fresh->diagnostics.n ? -1 : workers_open_log(fresh);
	const struct plan *plan = fresh->diagnostics.n ? NULL : reload_make_plan(w, fresh);
	bool good = plan && reload_publish_plan(w, fresh, plan);
	nodes_retire(&w->nodes, good ? fresh : w->config);
	listeners_retire(&w->listeners, good ? fresh : w->config, &w->source);
	if (good)
		workers_use_log(w, log);
	else if (log >= 0)
		close(log);
	certificate_dates_close(good ? &w->certificate_dates : &certificate_dates);
	if (!good) {
		admin_tls_close(admin_tls);
		return false;
	}
	w->certificate_dates = certificate_dates;
	workers_use_admin_tls(w, admin_tls);
	return true;
}

/* --- the outcome --- */

static void reload_say_good(struct reload *r, const struct workers *w, const char *changes)
{
	r->good_n++;
	r->file_text[0] = 0;
	snprintf(r->text, sizeof r->text, "%s", changes);
	log_line(LOG_INFO, "reload: the configuration is in force: %s (plan %llu)", r->text,
		 (unsigned long long)publisher_newest(&w->publisher)->number);
	workers_say_risks(w);
}

static void reload_say_bad(struct reload *r, struct diagnostics *all)
{
	r->bad_n++;
	diagnostics_sort(all);
	r->mistakes = json_array();
	r->mistakes_more = all->more;
	diagnostic_line(all, &all->list[0], r->text, sizeof r->text);
	for (size_t i = 0; i < all->n; i++) {
		char line[RELOAD_TEXT_BYTES];
		diagnostic_line(all, &all->list[i], line, sizeof line);
		log_line(LOG_ERROR, "reload: %s", line);
		json_t *text = json_string(line);
		json_array_append_new(r->mistakes, text ? text : json_string("see the log"));
	}
	if (all->more)
		log_line(LOG_ERROR, "reload: and %zu more", all->more);
	log_line(LOG_ERROR, "reload: nothing was changed");
}

void reload_now(struct reload *r, struct workers *w)
{
	char changes[CHANGES_TEXT_BYTES];
	struct config *fresh = config_open(w->config->diagnostics.file);
	r->wall_ns = clock_wall_ns();
	json_decref(r->mistakes);
	r->mistakes = NULL;
	r->mistakes_more = 0;
	r->good = reload_apply(w, fresh);
	if (r->good) {
		changes_tell(w->config, fresh, changes);
		workers_follow(w, fresh);
		reload_say_good(r, w, changes);
	} else {
		reload_say_bad(r, &fresh->diagnostics);
	}
	config_close(fresh);
}

/*
 * Compares the files that the configuration names, too: a certificate may have been replaced
 * without a reload.
 */
static void compare_files(const struct workers *w, const struct config *file,
			  char text[RELOAD_TEXT_BYTES])
{
	for (const struct saved_file *f = w->config->read.first; f && !text[0]; f = f->next) {
		struct span now;
		if (!saved_files_find(&file->read, f->name, &now) || !span_is(now, f->text))
			snprintf(text, RELOAD_TEXT_BYTES, "%s has changed, and was not reloaded",
				 f->name);
	}
}

void reload_compare(struct reload *r, const struct workers *w)
{
	struct config *file = config_open(w->config->diagnostics.file);
	struct diagnostics *all = &file->diagnostics;
	if (!all->n)
		reload_refuse_fixed(w, file);
	diagnostics_sort(all);
	if (all->n)
		diagnostic_line(all, &all->list[0], r->file_text, sizeof r->file_text);
	else if (!span_is(all->text, w->config->diagnostics.text))
		snprintf(r->file_text, sizeof r->file_text, "%s has changed, and was not reloaded",
			 all->file);
	else
		compare_files(w, file, r->file_text);
	if (r->file_text[0])
		log_line(LOG_ERROR,
			 "after a crash the configuration from before the crash is in force, not "
			 "the file: %s; correct the file, and reload (SIGHUP)",
			 r->file_text);
	config_close(file);
}

bool reload_is_in_force(const struct reload *r)
{
	return (!r->wall_ns || r->good) && !r->file_text[0];
}
