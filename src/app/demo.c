#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/client.h"
#include "app/command.h"
#include "app/demo_stage.h"
#include "app/demo_traffic.h"
#include "app/paint.h"
#include "base/clock.h"
#include "control/duration.h"

#define BAR_CELLS 20
#define HEADER_EVERY 20
#define TARGET_WAIT_MS 20000

struct demo {
	struct demo_stage stage;
	struct demo_traffic *traffic;
	struct client client;
	struct demo_counts before;
	uint64_t began_ns, for_ms; /* for_ms 0: until a signal */
	unsigned steps_done, lines;
};

/* --- what it says --- */

static void print_invitation(const struct demo *d)
{
	const struct demo_stage *s = &d->stage;
	const char *bold = paint(PAINT_BOLD), *plain = paint(PAINT_NONE);
	printf("%sA balancer is running, with two sample clusters behind it.%s\n\n", bold, plain);
	printf("  https://127.0.0.1:%u   weighted: split over both\n", s->ports[DEMO_WEIGHTED]);
	printf("  https://127.0.0.1:%u   always the source\n", s->ports[DEMO_SOURCE]);
	printf("  https://127.0.0.1:%u   always the target\n", s->ports[DEMO_TARGET]);
	printf("  http://127.0.0.1:%u/metrics\n\n", s->ports[DEMO_ADMIN]);
	printf("%sTry it in another terminal:%s\n\n", bold, plain);
	printf("  export CROSSFADE_SOCKET=%s\n", s->socket);
	printf("  %s weights 90 10\n", s->balancer_program);
	printf("  %s weights 0 1\n", s->balancer_program);
	printf("  %s rollback\n", s->balancer_program);
	printf("  %s status --watch\n", s->balancer_program);
	printf("  %s replay status\n", s->balancer_program);
	printf("  %s compare --all\n", s->balancer_program);
	printf("  %s smoke -c %s\n", s->balancer_program, s->config);
	printf("  curl -i --cacert %s https://127.0.0.1:%u/demo/_doc/1\n", s->certificate,
	       s->ports[DEMO_WEIGHTED]);
	printf("\nA little test traffic goes through the weighted listener. ");
	if (d->for_ms)
		printf("The demo changes the weights by itself, and then ends.\n\n");
	else
		printf("Ctrl-C stops everything.\n\n");
}

static void print_bar(unsigned long source, unsigned long target)
{
	unsigned long all = source + target;
	unsigned cells = all ? (unsigned)((source * BAR_CELLS + all / 2) / all) : 0;
	printf("%s", paint(PAINT_GREEN));
	for (unsigned i = 0; i < cells; i++)
		putchar('#');
	printf("%s", paint(PAINT_YELLOW));
	for (unsigned i = cells; all && i < BAR_CELLS; i++)
		putchar('.');
	printf("%s", paint(PAINT_NONE));
	for (unsigned i = cells; !all && i < BAR_CELLS; i++)
		putchar(' ');
}

static uint64_t elapsed_ms(const struct demo *d)
{
	return (clock_monotonic_ns() - d->began_ns) / 1000000;
}

/* How far the target is behind the source. */
static void demo_print_replay(const json_t *replay)
{
	const json_t *lag = json_object_get(replay, "lag_ms");
	const json_t *copies = json_object_get(replay, "copies");
	if (json_is_integer(lag))
		printf("%5lld ms behind, %lld copied", (long long)json_integer_value(lag),
		       (long long)json_integer_value(json_object_get(copies, "documents")));
	else
		printf("%-23s", "not known yet");
}

/*
 * Which cluster the responses of the last second came from, the weights in force, and how far the
 * target is behind.
 */
static void demo_print_line(struct demo *d, const json_t *weights, const json_t *replay)
{
	struct demo_counts now = demo_traffic_counts(d->traffic);
	unsigned long source = now.responded[ARM_SOURCE] - d->before.responded[ARM_SOURCE];
	unsigned long target = now.responded[ARM_TARGET] - d->before.responded[ARM_TARGET];
	const json_t *w = json_object_get(weights, "weights");
	if (d->lines++ % HEADER_EVERY == 0)
		printf("%s  time   weights    responses in the last second             target by "
		       "replay          failed%s\n",
		       paint(PAINT_DIM), paint(PAINT_NONE));
	printf("%4llu s   %3lld / %-3lld  source %3lu [",
	       (unsigned long long)(elapsed_ms(d) / 1000),
	       (long long)json_integer_value(json_object_get(w, "source")),
	       (long long)json_integer_value(json_object_get(w, "target")), source);
	print_bar(source, target);
	printf("] target %3lu  ", target);
	demo_print_replay(replay);
	printf("  %s%lu%s\n", now.failed ? paint(PAINT_RED) : "", now.failed, paint(PAINT_NONE));
	if (now.failed != d->before.failed)
		printf("         %s\n", now.failure);
	fflush(stdout);
	d->before = now;
}

/* --- what it does --- */

/* With --for, the weights move to the target and back. `percent`: when, in per cent of the time. */
static const struct step {
	unsigned percent, source, target;
	bool rollback;
} steps[] = {
	{ 15, 90, 10, false }, { 30, 70, 30, false }, { 45, 50, 50, false },
	{ 60, 0, 1, false },   { 80, 1, 0, true },
};

static void demo_take_step(struct demo *d, const struct step *s)
{
	struct client_response a;
	json_t *body = s->rollback
			       ? json_pack("{s:s}", "who", "demo")
			       : json_pack("{s:{s:i,s:i},s:s}", "weights", "source", (int)s->source,
					   "target", (int)s->target, "who", "demo");
	if (s->rollback)
		printf("%s$ crossfade rollback%s\n", paint(PAINT_BOLD), paint(PAINT_NONE));
	else
		printf("%s$ crossfade weights %u %u%s\n", paint(PAINT_BOLD), s->source, s->target,
		       paint(PAINT_NONE));
	if (client_ask(&d->client, s->rollback ? "POST" : "PUT",
		       s->rollback ? "/v1/rollback" : "/v1/weights", body, 0, &a))
		client_response_free(&a);
	json_decref(body);
}

static void demo_take_steps(struct demo *d)
{
	while (d->for_ms && d->steps_done < sizeof steps / sizeof steps[0] &&
	       elapsed_ms(d) * 100 >= d->for_ms * steps[d->steps_done].percent)
		demo_take_step(d, &steps[d->steps_done++]);
}

static bool demo_look(struct demo *d)
{
	struct client_response weights, replay;
	if (!client_ask(&d->client, "GET", "/v1/weights", NULL, 0, &weights))
		return false;
	bool good = client_ask(&d->client, "GET", "/v1/replay", NULL, 0, &replay);
	if (good) {
		demo_print_line(d, weights.json, replay.json);
		client_response_free(&replay);
	}
	client_response_free(&weights);
	return good;
}

/* True when a signal has come. */
static bool sleep_a_second(const struct demo *d, const sigset_t *ends)
{
	uint64_t left_ms = d->for_ms ? d->for_ms - elapsed_ms(d) : 1000;
	left_ms = left_ms < 1000 ? left_ms : 1000;
	struct timespec t = { (time_t)(left_ms / 1000), (long)(left_ms % 1000) * 1000000 };
	return sigtimedwait(ends, NULL, &t) > 0;
}

static int demo_play(struct demo *d, const sigset_t *ends)
{
	print_invitation(d);
	d->began_ns = clock_monotonic_ns();
	while (!d->for_ms || elapsed_ms(d) < d->for_ms) {
		if (sleep_a_second(d, ends))
			return EXIT_OK;
		if (!demo_stage_stands(&d->stage) || !demo_look(d)) {
			fprintf(stderr, "crossfade demo: the balancer has ended\n");
			return EXIT_NO;
		}
		/* The reader of our output is gone. */
		if (ferror(stdout))
			return EXIT_OK;
		demo_take_steps(d);
	}
	return EXIT_OK;
}

static int demo_finish(struct demo *d, int code)
{
	struct demo_counts c = demo_traffic_counts(d->traffic);
	printf("\nThe source responded to %lu requests, the target to %lu; %s%lu failed%s.\n",
	       c.responded[ARM_SOURCE], c.responded[ARM_TARGET],
	       paint(c.failed ? PAINT_RED : PAINT_GREEN), c.failed, paint(PAINT_NONE));
	return c.failed ? EXIT_NO : code;
}

/* The target has the first documents: reads may go there. False: replay does not bring them. */
static bool demo_await_target(struct demo *d)
{
	const uint64_t end_ns = clock_monotonic_ns() + TARGET_WAIT_MS * 1000000ull;
	bool there = false;
	while (!there && clock_monotonic_ns() < end_ns) {
		struct client_response a;
		if (!client_ask(&d->client, "GET", "/v1/replay", NULL, 0, &a))
			return false;
		const json_t *copies = json_object_get(a.json, "copies");
		there = json_integer_value(json_object_get(copies, "documents")) >= DEMO_SEEDED;
		client_response_free(&a);
		nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	}
	if (!there)
		fprintf(stderr, "crossfade demo: the first documents did not reach the target\n");
	return there;
}

static int demo_run(struct demo *d, const struct command *c, unsigned port_base,
		    const sigset_t *ends)
{
	int code = EXIT_NO;
	if (!demo_stage_set(&d->stage, port_base))
		return EXIT_NO;
	struct client_options o = { .socket = d->stage.socket };
	if (client_open(&d->client, c, &o, &code)) {
		d->traffic = demo_traffic_start(&d->stage);
		code = EXIT_NO;
		if (d->traffic && demo_await_target(d))
			code = demo_finish(d, demo_play(d, ends));
		if (d->traffic)
			demo_traffic_stop(d->traffic);
		client_close(&d->client);
	}
	demo_stage_strike(&d->stage);
	return code;
}

/*
 * The signals are blocked in all threads and taken by sigtimedwait(): demo_stage_strike() must run
 * whatever ends the demo.
 */
static void hold_signals(sigset_t *ends)
{
	sigemptyset(ends);
	sigaddset(ends, SIGINT);
	sigaddset(ends, SIGTERM);
	sigaddset(ends, SIGHUP);
	sigprocmask(SIG_BLOCK, ends, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int command_demo(const struct command *c, int argc, char **argv)
{
	struct demo d = { 0 };
	sigset_t ends;
	const char *length = NULL, *base = NULL;
	unsigned long long port_base = 0;
	const struct command_option options[] = { { 0, "for", &length, NULL },
						  { 0, "port-base", &base, NULL } };
	int code, operands = command_options(c, argc, argv, options, 2, &code);
	if (operands < 0)
		return code;
	if (operands > 0)
		return command_misused(c, "'%s' is not expected here", argv[1]);
	if (length && (!duration_read(length, &d.for_ms) || d.for_ms < 1000))
		return command_misused(
			c,
			"--for: '%s' is not a duration of at least one second, such as 60s or 5m",
			length);
	if (base && (!span_to_u64(span_of(base), 65535 - DEMO_PORTS, &port_base) || !port_base))
		return command_misused(c, "--port-base: '%s' is not a port number", base);
	hold_signals(&ends);
	return demo_run(&d, c, (unsigned)port_base, &ends);
}
