#include "control/drains.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"

/* A job of the disk's thread. */
struct drain_job {
	struct disk_job job;
	struct drains *in;
	struct drain_change *change; /* NULL: no caller waits for it any more */
	char *text;		     /* owned: the file's text; NULL: there is no file */
	int error;		     /* errno of the job; 0: it succeeded */
	/* For a change: its line in the audit. */
	struct audit_drain line;
	char name[NODE_NAME_BYTES], who[DRAINS_TEXT_BYTES], why[DRAINS_TEXT_BYTES];
};

static struct drain_job *drain_job_of(struct disk_job *j)
{
	return list_entry(j, struct drain_job, job);
}

static struct drain_job *drain_job_new(struct drains *d, void (*work)(struct disk_job *),
				       void (*done)(struct disk_job *))
{
	struct drain_job *j = calloc(1, sizeof *j);
	must(j);
	j->job = (struct disk_job){ .work = work, .done = done };
	j->in = d;
	return j;
}

static void drain_job_free(struct drain_job *j)
{
	free(j->text);
	free(j);
}

/* --- saving --- */

/* On the disk's thread. */
static void drains_work_save(struct disk_job *job)
{
	struct drain_job *j = drain_job_of(job);
	j->error = drains_file_write(j->in->directory, j->text) ? 0 : errno;
}

static void drains_note_save(struct drains *d, int error)
{
	int before = d->unsaved;
	d->unsaved = error;
	if (error)
		timer_set(d->wheel, &d->save_again, d->wheel->now_ms + DRAINS_SAVE_PAUSE_MS);
	if (error && !before)
		log_line(LOG_ERROR,
			 "drain: the list of drained nodes cannot be saved: %s; saving is repeated "
			 "until it succeeds",
			 strerror(error));
	if (!error && before)
		log_line(LOG_INFO, "drain: the list of drained nodes is saved again");
}

static void drains_saved(struct disk_job *job)
{
	struct drain_job *j = drain_job_of(job);
	drains_note_save(j->in, j->error);
	drain_job_free(j);
}

static void drains_save(struct drains *d)
{
	struct drain_job *j = drain_job_new(d, drains_work_save, drains_saved);
	j->text = drains_file_text(d->nodes);
	d->changed = true;
	disk_jobs_put(d->disk, &j->job);
}

static void drains_save_is_due(struct timer *t)
{
	drains_save(list_entry(t, struct drains, save_again));
}

/* --- the delay --- */

static void drains_await_next_cut(struct drains *d)
{
	uint64_t next_ms = UINT64_MAX;
	for (size_t i = 0; i < d->nodes->n; i++) {
		const struct node_record *n = d->nodes->list[i];
		if (node_duty(n) == DUTY_DRAINED && n->cut_at_ms < next_ms)
			next_ms = n->cut_at_ms;
	}
	if (next_ms == UINT64_MAX)
		timer_clear(&d->cut);
	else
		timer_set(d->wheel, &d->cut, next_ms);
}

static void drain_delay_is_over(struct timer *t)
{
	struct drains *d = list_entry(t, struct drains, cut);
	for (size_t i = 0; i < d->nodes->n; i++) {
		struct node_record *n = d->nodes->list[i];
		if (node_duty(n) != DUTY_DRAINED || n->cut_at_ms > d->wheel->now_ms)
			continue;
		log_line(LOG_INFO,
			 "drain: the delay of %s/%s is over: its remaining requests are cut",
			 arm_name(n->arm), n->name);
		node_set_duty(n, DUTY_CUT);
	}
	publisher_change_node_admin(d->publisher);
	drains_await_next_cut(d);
}

/* --- a change is over --- */

static void drain_end_wait(struct drain_change *c)
{
	list_remove(&c->link);
	timer_clear(&c->look_again);
	if (c->job)
		c->job->change = NULL;
	c->job = NULL;
}

static void drain_change_is_over(struct drain_change *c, enum drain_verdict verdict)
{
	c->verdict = verdict;
	drain_end_wait(c);
	c->done(c);
}

void drains_forget(struct drain_change *c)
{
	change_claim_drop(&c->claim);
	drain_end_wait(c);
}

/* The caller waits for a disk that does not answer only as long as for workers. */
static void drain_look_again(struct timer *t)
{
	struct drain_change *c = list_entry(t, struct drain_change, look_again);
	struct drains *d = c->in;
	c->late_n = publisher_unacknowledged(d->publisher, c->number);
	if ((c->late_n || c->job) && clock_monotonic_ns() < c->until_ns) {
		if (c->pause_ms < ACKNOWLEDGE_LOOK_MAX_MS)
			c->pause_ms *= 2;
		timer_set(d->wheel, &c->look_again, d->wheel->now_ms + c->pause_ms);
		return;
	}
	if (c->late_n)
		log_line(LOG_WARN,
			 "drain: %u workers have not acknowledged the change within %d ms",
			 c->late_n, ACKNOWLEDGE_TIMEOUT_MS);
	if (c->job)
		c->error = ETIMEDOUT;
	drain_change_is_over(c, DRAIN_STANDS);
}

/* Measured by the clock: the wheel's time stands still during a long turn. */
static void drain_await_workers(struct drain_change *c)
{
	struct drains *d = c->in;
	c->pause_ms = 1;
	c->until_ns = clock_monotonic_ns() + ACKNOWLEDGE_TIMEOUT_MS * 1000000ull;
	timer_set(d->wheel, &c->look_again, d->wheel->now_ms + c->pause_ms);
}

/* --- saving a change --- */

/* On the disk's thread. */
static void drains_work_keep(struct disk_job *job)
{
	struct drain_job *j = drain_job_of(job);
	drains_work_save(job);
	j->line.saved = j->error == 0;
	if (!audit_append_drain(j->in->audit, &j->line))
		log_line(LOG_ERROR, "drain: this change could not be written to audit.jsonl: %s",
			 strerror(errno));
}

static void drain_kept(struct disk_job *job)
{
	struct drain_job *j = drain_job_of(job);
	drains_note_save(j->in, j->error);
	j->in->changes(j->in->observer);
	if (j->change) {
		j->change->error = j->error;
		j->change->job = NULL;
	}
	drain_job_free(j);
}

static void drain_keep(struct drain_job *j, bool was_drained)
{
	struct drains *d = j->in;
	j->line.was_drained = was_drained;
	log_line(LOG_INFO, "drain: %s %s; by %s%s%s", j->name,
		 j->line.drain ? "gets no new requests" : "gets requests again", j->who,
		 j->why[0] ? ": " : "", j->why);
	j->text = drains_file_text(d->nodes);
	j->job = (struct disk_job){ .work = drains_work_keep, .done = drain_kept };
	d->changed = true;
	disk_jobs_put(d->disk, &j->job);
}

/* --- a change --- */

static bool all_nodes_drained(const struct nodes *s, enum arm arm)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->list[i]->arm == arm && node_duty(s->list[i]) == DUTY_READY)
			return false;
	return true;
}

static void drain_set_duty(struct drains *d, struct node_record *n, const struct drain_job *j)
{
	if (j->line.drain)
		node_drain(n, DUTY_DRAINED, clock_wall_ns(), j->who, j->why);
	else
		node_set_duty(n, DUTY_READY);
	n->cut_at_ms = d->wheel->now_ms + j->line.delay_ms;
	drains_await_next_cut(d);
}

static void drain_apply(struct drain_job *j, struct node_record *n)
{
	struct drains *d = j->in;
	struct drain_change *c = j->change;
	bool was_drained = node_duty(n) != DUTY_READY;
	drain_set_duty(d, n, j);
	uint32_t number = publisher_change_node_admin(d->publisher);
	bool all = all_nodes_drained(d->nodes, n->arm);
	if (j->line.drain && all)
		log_line(LOG_WARN, "drain: all nodes of %s are drained: requests to it get 503",
			 arm_name(n->arm));
	drain_keep(j, was_drained);
	if (!c)
		return;
	c->was_drained = was_drained;
	c->number = number;
	c->all_drained = all;
	drain_await_workers(c);
}

static void drain_refuse(struct drain_job *j, enum drain_verdict verdict)
{
	struct drain_change *c = j->change;
	int error = j->error;
	drain_job_free(j);
	if (!c)
		return;
	c->error = error;
	c->job = NULL;
	drain_change_is_over(c, verdict);
}

/* On the disk's thread. */
static void drains_work_room(struct disk_job *job)
{
	struct drain_job *j = drain_job_of(job);
	j->error = audit_has_room(j->in->audit) ? 0 : errno;
}

/* A reload may have removed the node in the meantime. */
static void drain_has_room(struct disk_job *job)
{
	struct drain_job *j = drain_job_of(job);
	struct drains *d = j->in;
	struct node_search found = nodes_search(d->nodes, j->name);
	if (j->error)
		drain_refuse(j, DRAIN_UNTOLD);
	else if (found.n != 1)
		drain_refuse(j, DRAIN_NO_NODE);
	else
		drain_apply(j, found.node);
	change_lock_give(d->lock);
}

static void drain_begin_change(struct change_claim *claim)
{
	struct drain_change *c = list_entry(claim, struct drain_change, claim);
	struct drain_job *j = drain_job_new(c->in, drains_work_room, drain_has_room);
	snprintf(j->name, sizeof j->name, "%s", c->name);
	snprintf(j->who, sizeof j->who, "%s", c->who);
	snprintf(j->why, sizeof j->why, "%s", c->why);
	j->line = (struct audit_drain){
		.who = j->who,
		.why = j->why[0] ? j->why : NULL,
		.node = j->name,
		.drain = c->drain,
		.delay_ms = c->delay_ms,
		.forced = c->forced,
	};
	j->change = c;
	c->job = j;
	disk_jobs_put(c->in->disk, &j->job);
}

static void drain_claim_refused(struct change_claim *claim, bool handed_over)
{
	struct drain_change *c = list_entry(claim, struct drain_change, claim);
	drain_change_is_over(c, handed_over ? DRAIN_HANDED_OVER : DRAIN_BUSY);
}

void drains_change(struct drains *d, struct drain_change *c)
{
	char what[CHANGE_WHAT_BYTES];
	c->in = d;
	c->error = 0;
	c->late_n = 0;
	c->job = NULL;
	c->claim = (struct change_claim){ .begins = drain_begin_change,
					  .refused = drain_claim_refused };
	node_full_name(c->node, c->name);
	timer_init(&c->look_again, drain_look_again);
	list_init(&c->link);
	list_add_tail(&d->open, &c->link);
	snprintf(what, sizeof what, "%s of %.100s, by %.100s", c->drain ? "drain" : "end of drain",
		 c->name, c->who);
	if (change_lock_take(d->lock, &c->claim, what))
		drain_begin_change(&c->claim);
}

void drains_renew(struct drains *d)
{
	drains_await_next_cut(d);
	drains_save(d);
}

/* --- opening, following, closing --- */

static void ignore_changes(void *observer)
{
	(void)observer;
}

static void drains_begin(struct drains *d, struct nodes *nodes, struct publisher *publisher,
			 struct audit *audit, const char *directory)
{
	*d = (struct drains){
		.nodes = nodes,
		.publisher = publisher,
		.audit = audit,
		.directory = strdup(directory),
		.changes = ignore_changes,
	};
	list_init(&d->open);
	must(d->directory);
}

static void drains_log_drained(const struct nodes *nodes)
{
	for (size_t i = 0; i < nodes->n; i++)
		if (node_duty(nodes->list[i]) != DUTY_READY)
			log_line(LOG_WARN, "drain: %s/%s is still drained, by %s",
				 arm_name(nodes->list[i]->arm), nodes->list[i]->name,
				 nodes->list[i]->drained_by);
}

/*
 * A process that has just started has no requests at the node, so that no delay is needed:
 * DUTY_CUT.
 */
bool drains_open(struct drains *d, struct nodes *nodes, struct publisher *publisher,
		 struct audit *audit, const char *directory)
{
	bool listed[NODES_MAX];
	drains_begin(d, nodes, publisher, audit, directory);
	if (!drains_file_load(directory, nodes, DUTY_CUT, listed))
		return false;
	drains_log_drained(nodes);
	return true;
}

bool drains_open_kept(struct drains *d, struct nodes *nodes, struct publisher *publisher,
		      struct audit *audit, const char *directory, struct span text)
{
	bool listed[NODES_MAX];
	drains_begin(d, nodes, publisher, audit, directory);
	if (drains_file_read(text, nodes, DUTY_CUT, listed)) {
		drains_log_drained(nodes);
		return true;
	}
	free(d->directory);
	return false;
}

void drains_attach(struct drains *d, struct wheel *wheel, struct disk_jobs *disk,
		   struct change_lock *lock)
{
	d->wheel = wheel;
	d->disk = disk;
	d->lock = lock;
	timer_init(&d->cut, drain_delay_is_over);
	timer_init(&d->save_again, drains_save_is_due);
}

void drains_hear(struct drains *d, void (*changes)(void *), void *observer)
{
	d->changes = changes;
	d->observer = observer;
}

/* `text` is NULL: no node is drained. */
static void drains_follow_text(struct drains *d, const char *text)
{
	bool listed[NODES_MAX] = { false }, was_ready[NODES_MAX] = { false };
	for (size_t i = 0; i < d->nodes->n; i++)
		was_ready[i] = node_duty(d->nodes->list[i]) == DUTY_READY;
	if (text && !drains_file_read(span_of(text), d->nodes, DUTY_DRAINED, listed)) {
		log_line(LOG_ERROR, "drain: %s/drained.json is malformed: %s", d->directory,
			 strerror(errno));
		return;
	}
	for (size_t i = 0; i < d->nodes->n; i++) {
		struct node_record *n = d->nodes->list[i];
		if (!listed[i])
			node_set_duty(n, DUTY_READY);
		else if (was_ready[i])
			n->cut_at_ms = UINT64_MAX;
	}
	publisher_change_node_admin(d->publisher);
	drains_await_next_cut(d);
}

/* On the disk's thread. */
static void drains_work_load(struct disk_job *job)
{
	struct drain_job *j = drain_job_of(job);
	j->error = drains_file_text_of(j->in->directory, &j->text) ? 0 : errno;
}

static void drains_loaded(struct disk_job *job)
{
	struct drain_job *j = drain_job_of(job);
	if (j->error)
		log_line(LOG_ERROR, "drain: %s/drained.json cannot be read: %s", j->in->directory,
			 strerror(j->error));
	else
		drains_follow_text(j->in, j->text);
	drain_job_free(j);
}

void drains_follow(struct drains *d)
{
	disk_jobs_put(d->disk, &drain_job_new(d, drains_work_load, drains_loaded)->job);
}

void drains_yield(struct drains *d)
{
	if (d->wheel)
		timer_clear(&d->save_again);
}

void drains_close(struct drains *d)
{
	while (!list_empty(&d->open))
		drain_change_is_over(list_entry(d->open.next, struct drain_change, link),
				     DRAIN_STANDS);
	free(d->directory);
	if (!d->wheel)
		return;
	timer_clear(&d->cut);
	timer_clear(&d->save_again);
}
