#include "replay/unheard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/limits.h"

static uint64_t unheard_now_ms(const struct unheard *u)
{
	return loop_now_ms(u->ask.subrequest.of->loop);
}

/* --- pure --- */

static bool unheard_task_is(const json_t *task, const char *id)
{
	const json_t *headers = json_object_get(task, "headers");
	const char *name, *text;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)headers, name, value) {
		text = json_string_value(value);
		if (!strcasecmp(name, "X-Opaque-Id") && text && !strncmp(text, id, strlen(id)))
			return true;
	}
	return false;
}

static bool unheard_node_has(const json_t *node, const char *id)
{
	const char *name;
	json_t *task;
	json_object_foreach(json_object_get(node, "tasks"), name, task)
		if (unheard_task_is(task, id))
			return true;
	return false;
}

enum unheard_said unheard_read(const json_t *tasks, const char *id)
{
	const json_t *nodes = json_object_get(tasks, "nodes");
	const char *name;
	json_t *node;
	json_object_foreach((json_t *)(uintptr_t)nodes, name, node)
		if (unheard_node_has(node, id))
			return UNHEARD_ACTS;
	bool whole = json_is_object(nodes) &&
		     !json_array_size(json_object_get(tasks, "node_failures")) &&
		     !json_array_size(json_object_get(tasks, "task_failures"));
	return whole ? UNHEARD_CLEAR : UNHEARD_NOT_SAID;
}

/* --- a look --- */

/* NULL: all of them pass their health checks. */
static const char *unheard_ill_node(const struct unheard *u)
{
	const struct plan *plan = worker_plan(u->ask.subrequest.of->worker);
	const struct cluster *c = &plan->clusters[u->replica];
	for (size_t i = 0; i < c->node_n; i++)
		if (!atomic_load_explicit(&c->nodes[i].state->healthy, memory_order_relaxed))
			return c->nodes[i].name;
	return NULL;
}

static const char *unheard_cluster(const struct unheard *u)
{
	return arm_name(u->replica);
}

static void unheard_end(struct unheard *u, struct unheard_wait *w)
{
	list_remove(&w->link);
	u->n--;
	w->over(w);
}

static void unheard_judge(struct unheard *u, struct unheard_wait *w, enum unheard_said said)
{
	uint64_t now_ms = unheard_now_ms(u);
	w->asked = false;
	if (said != UNHEARD_CLEAR)
		w->clear_ms = 0;
	else if (!w->clear_ms)
		w->clear_ms = now_ms;
	else if (now_ms - w->clear_ms >= UNHEARD_SETTLE_MS)
		unheard_end(u, w);
	if (said == UNHEARD_ACTS)
		snprintf(u->trouble, sizeof u->trouble,
			 "%s: a write of replay's got no response and is at work there still: what "
			 "it writes is copied again when that is over",
			 unheard_cluster(u));
}

static void unheard_note(struct unheard *u, enum err why, const char *ill)
{
	char said[128];
	if (ill) {
		snprintf(u->trouble, sizeof u->trouble,
			 "%s: what replay has sent may still act: node %.80s, which may have it, "
			 "does not pass its health check; if it is gone for good, take it out of "
			 "the configuration",
			 unheard_cluster(u), ill);
		return;
	}
	ask_trouble(&u->ask, why, said, sizeof said);
	snprintf(u->trouble, sizeof u->trouble,
		 "%s: what replay has sent may still act, and _tasks does not say whether: %s",
		 unheard_cluster(u), said);
}

static void unheard_seen(struct ask *a, enum err why)
{
	struct unheard *u = a->user;
	const char *ill = unheard_ill_node(u);
	bool good = ask_succeeded(a, why) && !ill &&
		    unheard_read(a->json, UNHEARD_PREFIX "-no-id") == UNHEARD_CLEAR;
	*u->trouble = 0;
	if (!good)
		unheard_note(u, why, ill);
	list_each_safe(at, &u->waits) {
		struct unheard_wait *w = list_entry(at, struct unheard_wait, link);
		if (w->asked)
			unheard_judge(u, w, good ? unheard_read(a->json, w->id) : UNHEARD_NOT_SAID);
	}
	u->not_before_ms = unheard_now_ms(u) + UNHEARD_LOOK_MS;
	if (list_empty(&u->waits))
		*u->trouble = 0;
}

void unheard_turn(struct unheard *u)
{
	if (list_empty(&u->waits) || !ask_is_idle(&u->ask) || unheard_now_ms(u) < u->not_before_ms)
		return;
	list_each(at, &u->waits)
		list_entry(at, struct unheard_wait, link)->asked = true;
	ask_json(&u->ask, u->replica, "GET",
		 strdup("/_tasks?actions=indices:data/write/*,indices:admin/*"), NULL,
		 ASK_TIMEOUT_MS, unheard_seen);
}

uint64_t unheard_due_ms(const struct unheard *u)
{
	return list_empty(&u->waits) || !ask_is_idle(&u->ask) ? UINT64_MAX : u->not_before_ms;
}

/* --- what is waited for --- */

void unheard_id(struct unheard *u, char id[UNHEARD_ID_BYTES])
{
	/* The dash behind the number: no id is the beginning of another one. */
	snprintf(id, UNHEARD_ID_BYTES, UNHEARD_PREFIX "%016jx-%ju-", (uintmax_t)u->process,
		 (uintmax_t)++u->last);
}

bool unheard_wait(struct unheard *u, struct unheard_wait *w, const char *id,
		  void (*over)(struct unheard_wait *w))
{
	if (u->left) {
		u->lost = true;
		return false;
	}
	*w = (struct unheard_wait){ .over = over };
	snprintf(w->id, sizeof w->id, "%s", id);
	list_init(&w->link);
	list_add_tail(&u->waits, &w->link);
	u->n++;
	return true;
}

void unheard_forget(struct unheard *u, struct unheard_wait *w)
{
	if (!w->link.next || list_empty(&w->link))
		return;
	list_remove(&w->link);
	u->n--;
}

size_t unheard_n(const struct unheard *u)
{
	return u->n - (u->begun && !u->started);
}

/* --- the start --- */

static void unheard_start(struct unheard_wait *w)
{
	struct unheard *u = list_entry(w, struct unheard, start);
	u->started = true;
}

bool unheard_may_begin(struct unheard *u)
{
	if (!u->begun)
		u->begun = unheard_wait(u, &u->start, UNHEARD_PREFIX, unheard_start);
	return u->started;
}

void unheard_need_not_begin(struct unheard *u)
{
	if (!u->begun)
		u->begun = u->started = true;
}

void unheard_begin_anew(struct unheard *u)
{
	unheard_forget(u, &u->start);
	u->begun = u->started = false;
}

/* --- a life --- */

void unheard_open(struct unheard *u, struct subrequests *subrequests, enum arm replica,
		  uint64_t seed)
{
	*u = (struct unheard){ .replica = replica, .process = seed };
	list_init(&u->waits);
	ask_open(&u->ask, subrequests, u);
}

void unheard_leave(struct unheard *u)
{
	u->left = true;
	u->lost |= !list_empty(&u->waits);
	ask_stop(&u->ask);
	while (!list_empty(&u->waits))
		unheard_end(u, list_entry(u->waits.next, struct unheard_wait, link));
}

void unheard_lose(struct unheard *u)
{
	u->lost = true;
}

bool unheard_has_heard_all(const struct unheard *u)
{
	return u->started && !u->lost;
}

void unheard_close(struct unheard *u)
{
	must(list_empty(&u->waits));
	ask_close(&u->ask);
}
