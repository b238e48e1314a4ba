#include "control/tracer.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/log.h"

static void lease_is_over(struct timer *timer)
{
	struct tracer *t = list_entry(timer, struct tracer, lease);
	log_line(LOG_INFO, "trace: it ends, because nobody has read it for %d s",
		 TRACE_LEASE_MS / 1000);
	tracer_end(t);
}

void tracer_open(struct tracer *t, struct publisher *publisher, unsigned worker_n)
{
	*t = (struct tracer){ .publisher = publisher, .n = worker_n };
	/* A ring has members that need cache lines of their own. */
	t->list = aligned_alloc(64, worker_n * sizeof *t->list);
	must(t->list);
	memset(t->list, 0, worker_n * sizeof *t->list);
	for (unsigned i = 0; i < worker_n; i++)
		tracing_open(&t->list[i]);
	timer_init(&t->lease, lease_is_over);
}

void tracer_close(struct tracer *t)
{
	for (unsigned i = 0; i < t->n; i++)
		tracing_close(&t->list[i]);
	free(t->list);
}

void tracer_attach(struct tracer *t, struct wheel *wheel)
{
	t->wheel = wheel;
}

void tracer_detach(struct tracer *t)
{
	timer_clear(&t->lease);
}

struct tracing *tracer_of(struct tracer *t, unsigned worker)
{
	must(worker < t->n);
	return &t->list[worker];
}

static void tracer_renew_lease(struct tracer *t)
{
	timer_set(t->wheel, &t->lease, t->wheel->now_ms + TRACE_LEASE_MS);
}

static void tracing_drop_lines(struct tracing *t)
{
	ring_take(&t->ring, ring_used(&t->ring));
	atomic_store(&t->lost, 0);
}

/* Workers read the clients only while tracing is on. */
static void tracing_choose(struct tracing *t, const struct networks *clients)
{
	memcpy(t->ranges, clients->ranges, clients->n * sizeof *t->ranges);
	t->clients = (struct networks){ t->ranges, clients->n };
}

enum tracer_begun tracer_begin(struct tracer *t, const char *clients)
{
	struct range ranges[NETWORK_RANGES];
	struct networks chosen = { ranges, 0 };
	if (t->on || publisher_unacknowledged(t->publisher, t->change))
		return TRACER_BUSY;
	if (networks_add(&chosen, span_of(clients)) != NETWORK_GOOD)
		return TRACER_NO_NETWORK;
	networks_sort(&chosen);
	for (unsigned i = 0; i < t->n; i++) {
		tracing_drop_lines(&t->list[i]);
		tracing_choose(&t->list[i], &chosen);
		atomic_store(&t->list[i].on, true);
	}
	t->on = true;
	publisher_change_node_admin(t->publisher);
	tracer_renew_lease(t);
	return TRACER_BEGUN;
}

void tracer_end(struct tracer *t)
{
	if (!t->on)
		return;
	for (unsigned i = 0; i < t->n; i++)
		atomic_store(&t->list[i].on, false);
	t->on = false;
	t->change = publisher_change_node_admin(t->publisher);
	timer_clear(&t->lease);
}

/* --- the trace's lines --- */

static bool has_reason(const char *verb)
{
	return !strcmp(verb, "reset") || !strcmp(verb, "stop");
}

static json_t *tracing_line_json(const struct tracing_said *s, unsigned worker)
{
	char client[ADDR_TEXT_BYTES];
	addr_text(&s->client, client);
	json_t *j = json_pack("{s:i,s:I,s:I,s:s,s:s,s:s,s:s,s:I,s:b}", "worker", (int)worker,
			      "request", (json_int_t)s->request, "at_ns", (json_int_t)s->at_ns,
			      "client", client, "from", s->from, "to", s->to, "verb", s->verb,
			      "number", (json_int_t)s->number, "end", s->end);
	must(j);
	if (has_reason(s->verb))
		json_object_set_new(j, "why", json_string(err_word((enum err)s->number)));
	return j;
}

/* A record may wrap around the end of the ring. */
static void tracing_copy_line(const struct span runs[2], size_t at, struct tracing_said *to)
{
	size_t first = at < runs[0].n ? runs[0].n - at : 0;
	if (first > sizeof *to)
		first = sizeof *to;
	if (first)
		memcpy(to, runs[0].at + at, first);
	if (first < sizeof *to)
		memcpy((char *)to + first, runs[1].at + (at + first - runs[0].n),
		       sizeof *to - first);
}

static void tracing_take_lines(struct tracing *t, unsigned worker, json_t *to)
{
	struct span runs[2] = { { NULL, 0 }, { NULL, 0 } };
	size_t n = ring_look(&t->ring, runs) ? runs[0].n + runs[1].n : 0, at = 0;
	for (; at + sizeof(struct tracing_said) <= n && json_array_size(to) < TRACE_TAKEN_MAX;
	     at += sizeof(struct tracing_said)) {
		struct tracing_said s;
		tracing_copy_line(runs, at, &s);
		json_array_append_new(to, tracing_line_json(&s, worker));
	}
	ring_take(&t->ring, at);
}

json_t *tracer_take(struct tracer *t)
{
	json_t *all = json_array();
	uint64_t lost = 0;
	must(all);
	for (unsigned i = 0; i < t->n; i++) {
		tracing_take_lines(&t->list[i], i, all);
		lost += atomic_load(&t->list[i].lost);
	}
	if (t->on)
		tracer_renew_lease(t);
	return json_pack("{s:b,s:I,s:o}", "on", t->on, "lost", (json_int_t)lost, "said", all);
}
