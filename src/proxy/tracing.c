#include "proxy/tracing.h"

#include <stdio.h>
#include <string.h>

#include "base/list.h"

static void tracing_put(struct tracing_tap *tap, struct tracing_said *said)
{
	struct tracing *t = tap->tracing;
	said->at_ns = t->io->now_ns;
	said->request = tap->request;
	said->client = tap->client;
	if (!ring_put(&t->ring, (struct span){ (const char *)said, sizeof *said }))
		atomic_fetch_add_explicit(&t->lost, 1, memory_order_relaxed);
}

static void tracing_name(char to[TRACING_NAME_BYTES], const char *text)
{
	snprintf(to, TRACING_NAME_BYTES, "%s", text ? text : "");
}

/* An exchange may outlive the tracing that was on when it began. */
static void tracing_record(const struct stream_tracer *tracer, const struct stream *to,
			   const char *verb, unsigned long long number, bool end)
{
	struct tracing_tap *tap =
		(struct tracing_tap *)((uintptr_t)tracer - offsetof(struct tracing_tap, tracer));
	if (!atomic_load_explicit(&tap->tracing->on, memory_order_relaxed))
		return;
	struct tracing_said s = { .number = number, .end = end };
	tracing_name(s.verb, verb);
	tracing_name(s.from, to->peer ? to->peer->name : NULL);
	tracing_name(s.to, to->name);
	tracing_put(tap, &s);
}

void tracing_open(struct tracing *t)
{
	ring_open(&t->ring, TRACING_RING_BYTES);
}

void tracing_close(struct tracing *t)
{
	ring_close(&t->ring);
}

const struct stream_tracer *tracing_begin(struct tracing *t, const struct io *io,
					  const struct front_facts *facts)
{
	if (!atomic_load_explicit(&t->on, memory_order_relaxed) ||
	    !networks_have(&t->clients, facts->peer))
		return NULL;
	struct tracing_tap *tap = &t->taps[t->request_n++ % TRACING_TAPS];
	*tap = (struct tracing_tap){ { tracing_record }, t, t->request_n, *facts->peer };
	t->io = io;
	struct tracing_said s = { .number = facts->number };
	tracing_name(s.verb, "opens");
	tracing_name(s.from, "client");
	tracing_name(s.to, "front");
	tracing_put(tap, &s);
	return &tap->tracer;
}
