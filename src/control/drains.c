#include "control/drains.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"

/* A save that failed is tried again. */
#define SAVE_PAUSE_MS 1000
/* Workers heed a change within a turn: looking begins at 1 ms. */
#define LOOK_PAUSE_MAX_MS 32

/* --- saving --- */

static void save(struct drains *d)
{
	int before = d->unsaved;
	d->changed = true;
	d->unsaved = drains_file_save(d->directory, d->nodes) ? 0 : errno;
	if (d->unsaved)
		timer_set(d->wheel, &d->save_again, d->wheel->now_ms + SAVE_PAUSE_MS);
	if (d->unsaved && !before)
		log_line(LOG_ERROR,
			 "drain: which nodes are drained cannot be saved: %s; it is tried again "
			 "until it works",
			 strerror(d->unsaved));
	if (!d->unsaved && before)
		log_line(LOG_INFO, "drain: which nodes are drained is saved again");
}

static void save_is_due(struct timer *t)
{
	save(list_entry(t, struct drains, save_again));
}

/* --- the delay --- */

static void await_next_cut(struct drains *d)
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

static void delay_is_over(struct timer *t)
{
	struct drains *d = list_entry(t, struct drains, cut);
	for (size_t i = 0; i < d->nodes->n; i++) {
		struct node_record *n = d->nodes->list[i];
		if (node_duty(n) != DUTY_DRAINED || n->cut_at_ms > d->wheel->now_ms)
			continue;
		log_line(LOG_INFO, "drain: the delay of %s/%s is over: what is still there is cut",
			 arm_name(n->arm), n->name);
		node_set_duty(n, DUTY_CUT);
	}
	publisher_change_duties(d->publisher);
	await_next_cut(d);
}

/* --- waiting for the workers --- */

static void look(struct timer *t)
{
	struct drain_change *c = list_entry(t, struct drain_change, look_again);
	struct drains *d = c->in;
	c->late_n = publisher_heedless(d->publisher, c->number);
	if (c->late_n && clock_monotonic_ns() < c->until_ns) {
		if (c->pause_ms < LOOK_PAUSE_MAX_MS)
			c->pause_ms *= 2;
		timer_set(d->wheel, &c->look_again, d->wheel->now_ms + c->pause_ms);
		return;
	}
	if (c->late_n)
		log_line(LOG_WARN, "drain: %u of the workers have not heeded it in %d ms",
			 c->late_n, ACKNOWLEDGE_TIMEOUT_MS);
	d->waiting_n--;
	c->done(c);
}

/* By the clock and not by the wheel, whose time stands while a change is being saved. */
static void await_workers(struct drains *d, struct drain_change *c)
{
	d->waiting_n++;
	c->pause_ms = 1;
	c->until_ns = clock_monotonic_ns() + ACKNOWLEDGE_TIMEOUT_MS * 1000000ull;
	timer_init(&c->look_again, look);
	timer_set(d->wheel, &c->look_again, d->wheel->now_ms + c->pause_ms);
}

void drains_forget(struct drain_change *c)
{
	if (!timer_is_set(&c->look_again))
		return;
	timer_clear(&c->look_again);
	c->in->waiting_n--;
}

/* --- a change --- */

static void say_change(struct drains *d, const struct drain_change *c)
{
	log_line(LOG_INFO, "drain: %s %s; by %s%s%s", c->name,
		 c->drain ? "gets no new requests" : "takes requests again", c->who,
		 c->why[0] ? ": " : "", c->why);
	struct audit_drain e = {
		.who = c->who,
		.why = c->why[0] ? c->why : NULL,
		.node = c->name,
		.drain = c->drain,
		.was_drained = c->was_drained,
		.delay_ms = c->delay_ms,
		.saved = c->error == 0,
		.forced = c->forced,
	};
	if (!audit_append_drain(d->audit, &e))
		log_line(LOG_ERROR, "drain: audit.jsonl does not have this change: %s",
			 strerror(errno));
}

static bool all_drained(const struct nodes *s, enum arm arm)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->list[i]->arm == arm && node_duty(s->list[i]) == DUTY_READY)
			return false;
	return true;
}

int drains_change(struct drains *d, struct drain_change *c)
{
	if (!audit_has_room(d->audit))
		return errno;
	struct node_record *n = c->node;
	c->in = d;
	node_full_name(n, c->name);
	c->was_drained = node_duty(n) != DUTY_READY;
	if (c->drain)
		node_drain(n, DUTY_DRAINED, clock_wall_ns(), c->who, c->why);
	else
		node_set_duty(n, DUTY_READY);
	n->cut_at_ms = d->wheel->now_ms + c->delay_ms;
	await_next_cut(d);
	c->number = publisher_change_duties(d->publisher);
	c->all_drained = all_drained(d->nodes, n->arm);
	if (c->drain && c->all_drained)
		log_line(LOG_WARN, "drain: all nodes of %s are drained: requests to it get 503",
			 arm_name(n->arm));
	save(d);
	c->error = d->unsaved;
	say_change(d, c);
	await_workers(d, c);
	return 0;
}

void drains_renew(struct drains *d)
{
	await_next_cut(d);
	save(d);
}

/* --- a life --- */

static void begin(struct drains *d, struct nodes *nodes, struct publisher *publisher,
		  struct audit *audit, const char *directory)
{
	*d = (struct drains){
		.nodes = nodes,
		.publisher = publisher,
		.audit = audit,
		.directory = strdup(directory),
	};
	must(d->directory);
}

static void say_drained(const struct nodes *nodes)
{
	for (size_t i = 0; i < nodes->n; i++)
		if (node_duty(nodes->list[i]) != DUTY_READY)
			log_line(LOG_WARN, "drain: %s/%s is drained still, by %s",
				 arm_name(nodes->list[i]->arm), nodes->list[i]->name,
				 nodes->list[i]->drained_by);
}

/* A process that has just started has nothing there that a delay could be for. */
bool drains_open(struct drains *d, struct nodes *nodes, struct publisher *publisher,
		 struct audit *audit, const char *directory)
{
	bool listed[NODES_MAX];
	begin(d, nodes, publisher, audit, directory);
	if (!drains_file_load(directory, nodes, DUTY_CUT, listed))
		return false;
	say_drained(nodes);
	return true;
}

bool drains_open_kept(struct drains *d, struct nodes *nodes, struct publisher *publisher,
		      struct audit *audit, const char *directory, struct span text)
{
	bool listed[NODES_MAX];
	begin(d, nodes, publisher, audit, directory);
	if (drains_file_read(text, nodes, DUTY_CUT, listed)) {
		say_drained(nodes);
		return true;
	}
	free(d->directory);
	return false;
}

void drains_attach(struct drains *d, struct wheel *wheel)
{
	d->wheel = wheel;
	timer_init(&d->cut, delay_is_over);
	timer_init(&d->save_again, save_is_due);
}

void drains_follow(struct drains *d)
{
	bool listed[NODES_MAX], was_ready[NODES_MAX] = { 0 };
	for (size_t i = 0; i < d->nodes->n; i++)
		was_ready[i] = node_duty(d->nodes->list[i]) == DUTY_READY;
	if (!drains_file_load(d->directory, d->nodes, DUTY_DRAINED, listed)) {
		log_line(LOG_ERROR, "drain: %s/drained.json is no good: %s", d->directory,
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
	publisher_change_duties(d->publisher);
	await_next_cut(d);
}

void drains_yield(struct drains *d)
{
	if (d->wheel)
		timer_clear(&d->save_again);
}

void drains_close(struct drains *d)
{
	must(d->waiting_n == 0);
	free(d->directory);
	if (!d->wheel)
		return;
	timer_clear(&d->cut);
	timer_clear(&d->save_again);
}
