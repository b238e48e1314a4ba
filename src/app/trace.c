#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "app/client.h"
#include "app/trace_diagram.h"
#include "base/clock.h"
#include "base/limits.h"
#include "control/duration.h"

static volatile sig_atomic_t interrupted;

static void trace_interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

/* Sends a request about the trace. Returns the exit code. *on: the trace is running. */
static int trace_ask(struct client *t, const char *method, json_t *body, bool *on,
		     struct client_response *a)
{
	*on = false;
	if (!client_ask(t, method, "/v1/trace", body, 0, a))
		return EXIT_UNREACHABLE;
	if (a->status != 200)
		return client_refused(t, a);
	*on = json_is_true(json_object_get(a->json, "on"));
	return EXIT_OK;
}

static void trace_show(const struct client *t, struct trace_diagram *d, const json_t *response)
{
	size_t i;
	const json_t *said;
	json_array_foreach(json_object_get(response, "said"), i, said) {
		if (!t->json) {
			trace_diagram_show(d, said, stdout);
			continue;
		}
		json_dumpf(said, stdout, JSON_COMPACT);
		putchar('\n');
	}
	fflush(stdout);
}

static int trace_look(struct client *t, struct trace_diagram *d, bool *on, uint64_t *lost)
{
	struct client_response a;
	int code = trace_ask(t, "GET", NULL, on, &a);
	if (code == EXIT_OK) {
		trace_show(t, d, a.json);
		*lost = (uint64_t)json_integer_value(json_object_get(a.json, "lost"));
	}
	client_response_free(&a);
	return code;
}

static int trace_send(struct client *t, const char *method, json_t *body /* moved in */, bool *on)
{
	struct client_response a;
	int code = trace_ask(t, method, body, on, &a);
	json_decref(body);
	client_response_free(&a);
	return code;
}

/* Shows events until `until_ns`, Ctrl-C, or until the balancer ends the trace. */
static int trace_follow(struct client *t, uint64_t until_ns)
{
	static const struct timespec pause = { .tv_nsec = TRACE_LOOK_MS * 1000000 };
	struct trace_diagram d;
	uint64_t lost = 0;
	bool on = true, over = false;
	int code = EXIT_OK;
	trace_diagram_open(&d);
	while (code == EXIT_OK && on && !over) {
		nanosleep(&pause, NULL);
		over = interrupted || (until_ns && clock_monotonic_ns() >= until_ns);
		code = trace_look(t, &d, &on, &lost);
	}
	if (lost)
		fprintf(stderr,
			"crossfade trace: %llu events were lost: they came faster than they were "
			"read\n",
			(unsigned long long)lost);
	if (code == EXIT_OK && !over)
		fprintf(stderr, "crossfade trace: the balancer has ended the trace\n");
	return code;
}

static int trace_run(struct client *t, const char *clients, uint64_t for_ms)
{
	bool on;
	int code = trace_send(t, "POST", json_pack("{s:s}", "client", clients), &on);
	if (code != EXIT_OK)
		return code;
	signal(SIGINT, trace_interrupt);
	signal(SIGTERM, trace_interrupt);
	fprintf(stderr, "Tracing the requests of clients in %s; Ctrl-C ends the trace.\n", clients);
	code = trace_follow(t, for_ms ? clock_monotonic_ns() + for_ms * 1000000 : 0);
	return code == EXIT_OK ? trace_send(t, "DELETE", NULL, &on) : code;
}

int command_trace(const struct command *c, int argc, char **argv)
{
	struct client_options o = { 0 };
	const char *clients = NULL, *during = NULL;
	const struct command_option options[] = { CLIENT_OPTIONS(&o),
						  { 0, "client", &clients, NULL },
						  { 0, "for", &during, NULL } };
	uint64_t for_ms = 0;
	struct client t;
	int code, operands = command_options(c, argc, argv, OPTIONS(options), &code);
	if (operands < 0)
		return code;
	if (operands > 0)
		return command_misused(c, "'%s' is not expected here", argv[1]);
	if (!clients)
		return command_misused(c, "--client is missing: an address or a network, such as "
					  "10.0.0.7 or 10.0.0.0/24");
	if (during && !duration_read(during, &for_ms))
		return command_misused(c, "--for: '%s' is not a duration, such as 30s or 5m",
				       during);
	if (!client_open(&t, c, &o, &code))
		return code;
	code = trace_run(&t, clients, for_ms);
	client_close(&t);
	return code;
}
