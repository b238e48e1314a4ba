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

struct demo {
	struct demo_stage stage;
	struct demo_traffic *traffic;
	struct client client;
	struct demo_counts before;
	uint64_t began_ns, for_ms; /* for_ms 0: until it is interrupted */
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
	printf("  %s smoke -c %s\n", s->balancer_program, s->config);
	printf("  curl -i --cacert %s https://127.0.0.1:%u/demo/_doc/1\n", s->certificate,
	       s->ports[DEMO_WEIGHTED]);
	printf("\nA trickle of traffic goes through the weighted listener. ");
	if (d->for_ms)
		printf("The demo moves the weights itself, and ends.\n\n");
	else
		printf("Ctrl-C ends it all.\n\n");
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

/* Where the answers of the last second came from, beside the weights in force. */
static void print_line(struct demo *d, const json_t *weights)
{
	struct demo_counts now = demo_traffic_counts(d->traffic);
	unsigned long source = now.answered[ARM_SOURCE] - d->before.answered[ARM_SOURCE];
	unsigned long target = now.answered[ARM_TARGET] - d->before.answered[ARM_TARGET];
	const json_t *w = json_object_get(weights, "weights");
	if (d->lines++ % HEADER_EVERY == 0)
		printf("%s  time   weights    answered in the last second               failed in "
		       "all%s\n",
		       paint(PAINT_DIM), paint(PAINT_NONE));
	printf("%4llu s   %3lld / %-3lld  source %3lu [",
	       (unsigned long long)(elapsed_ms(d) / 1000),
	       (long long)json_integer_value(json_object_get(w, "source")),
	       (long long)json_integer_value(json_object_get(w, "target")), source);
	print_bar(source, target);
	printf("] target %3lu  %s%lu%s\n", target, now.failed ? paint(PAINT_RED) : "", now.failed,
	       paint(PAINT_NONE));
	if (now.failed != d->before.failed)
		printf("         %s\n", now.failure);
	fflush(stdout);
	d->before = now;
}

/* --- what it does --- */

/* With --for, the weights go up and come back: each step at its share of the time. */
static const struct step {
	unsigned percent, source, target;
	bool rollback;
} steps[] = {
	{ 15, 90, 10, false }, { 30, 70, 30, false }, { 45, 50, 50, false },
	{ 60, 0, 1, false },   { 80, 1, 0, true },
};

static void take_step(struct demo *d, const struct step *s)
{
	struct client_answer a;
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
		client_answer_free(&a);
	json_decref(body);
}

static void take_steps(struct demo *d)
{
	while (d->for_ms && d->steps_done < sizeof steps / sizeof steps[0] &&
	       elapsed_ms(d) * 100 >= d->for_ms * steps[d->steps_done].percent)
		take_step(d, &steps[d->steps_done++]);
}

static bool look(struct demo *d)
{
	struct client_answer a;
	if (!client_ask(&d->client, "GET", "/v1/weights", NULL, 0, &a))
		return false;
	print_line(d, a.json);
	client_answer_free(&a);
	return true;
}

/* True when a signal has come. */
static bool sleep_a_second(const struct demo *d, const sigset_t *ends)
{
	uint64_t left_ms = d->for_ms ? d->for_ms - elapsed_ms(d) : 1000;
	left_ms = left_ms < 1000 ? left_ms : 1000;
	struct timespec t = { (time_t)(left_ms / 1000), (long)(left_ms % 1000) * 1000000 };
	return sigtimedwait(ends, NULL, &t) > 0;
}

static int play(struct demo *d, const sigset_t *ends)
{
	print_invitation(d);
	d->began_ns = clock_monotonic_ns();
	while (!d->for_ms || elapsed_ms(d) < d->for_ms) {
		if (sleep_a_second(d, ends))
			return EXIT_OK;
		if (!demo_stage_stands(&d->stage) || !look(d)) {
			fprintf(stderr, "crossfade demo: the balancer has gone\n");
			return EXIT_NO;
		}
		/* Whoever read our output has gone. */
		if (ferror(stdout))
			return EXIT_OK;
		take_steps(d);
	}
	return EXIT_OK;
}

static int finish(struct demo *d, int code)
{
	struct demo_counts c = demo_traffic_counts(d->traffic);
	printf("\n%lu requests were answered by the source, %lu by the target, %s%lu failed%s.\n",
	       c.answered[ARM_SOURCE], c.answered[ARM_TARGET],
	       paint(c.failed ? PAINT_RED : PAINT_GREEN), c.failed, paint(PAINT_NONE));
	return c.failed ? EXIT_NO : code;
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
		if (d->traffic) {
			code = finish(d, play(d, ends));
			demo_traffic_stop(d->traffic);
		}
		client_close(&d->client);
	}
	demo_stage_strike(&d->stage);
	return code;
}

/* They are waited for, and reach no thread: the stage is struck whatever ends the demo. */
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
			c, "--for %s: is not a duration of a second or more, as 60s or 5m", length);
	if (base && (!span_to_u64(span_of(base), 65535 - DEMO_PORTS, &port_base) || !port_base))
		return command_misused(c, "--port-base %s: is not a port", base);
	hold_signals(&ends);
	return demo_run(&d, c, (unsigned)port_base, &ends);
}
