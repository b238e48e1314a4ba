#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/client.h"
#include "app/paint.h"
#include "app/weights_text.h"
#include "base/clock.h"

/* Between two looks of --watch. */
#define WATCH_S 1

/* What the last look saw, for rates. */
struct before {
	uint64_t at_ns;
	json_int_t requests[2];
};

static const char *text(const json_t *j, const char *name)
{
	const char *s = json_string_value(json_object_get(j, name));
	return s ? s : "-";
}

static long long integer(const json_t *j, const char *name)
{
	return (long long)json_integer_value(json_object_get(j, name));
}

static void print_head(const json_t *j)
{
	bool serving = !strcmp(text(j, "state"), "serving");
	long long up = integer(j, "up_seconds");
	printf("crossfade %s  %s%s%s  process %lld, %lld workers on %s, up %lldd "
	       "%02lld:%02lld:%02lld\n",
	       text(j, "version"), paint_good(serving), text(j, "state"), paint(PAINT_NONE),
	       integer(j, "pid"), integer(j, "workers"), text(j, "io"), up / 86400, up / 3600 % 24,
	       up / 60 % 60, up % 60);
	printf("%sweights%s  ", paint(PAINT_BOLD), paint(PAINT_NONE));
	weights_text_share(j);
	printf("   epoch %lld%s%s%s%s\n", integer(j, "epoch"),
	       json_is_true(json_object_get(j, "rolled_back")) ? "   rolled back" : "",
	       paint(PAINT_RED), json_is_true(json_object_get(j, "saved")) ? "" : "   NOT SAVED",
	       paint(PAINT_NONE));
}

/* Silent while there is one. */
static void print_processes(const json_t *processes)
{
	size_t i;
	const json_t *p;
	if (json_array_size(processes) < 2)
		return;
	json_array_foreach(processes, i, p)
		printf("%sprocess%s  %lld %s, %lld workers, %lld requests in flight\n",
		       paint(PAINT_BOLD), paint(PAINT_NONE), integer(p, "pid"), text(p, "state"),
		       integer(p, "workers"), integer(p, "in_flight"));
}

/* Silent while the file says what holds. */
static void print_configuration(const json_t *c)
{
	const json_t *reload = json_object_get(c, "reload"), *file = json_object_get(c, "weights");
	if (json_is_object(file))
		printf("%sthe file says source %lld, target %lld; what is kept in the state "
		       "holds%s\n",
		       paint(PAINT_DIM), integer(file, "source"), integer(file, "target"),
		       paint(PAINT_NONE));
	if (!json_is_object(reload))
		return;
	bool good = json_is_true(json_object_get(reload, "ok"));
	printf("%sreload%s   %s%s%s at %s: %s\n", paint(PAINT_BOLD), paint(PAINT_NONE),
	       paint_good(good), good ? "ok" : "REFUSED", paint(PAINT_NONE), text(reload, "at"),
	       text(reload, "message"));
}

static void print_listeners(const json_t *listeners)
{
	size_t i;
	const json_t *l;
	printf("\n%s%-9s %-26s %5s %12s %14s%s\n", paint(PAINT_DIM), "listener", "address", "tls",
	       "connections", "requests", paint(PAINT_NONE));
	json_array_foreach(listeners, i, l)
		printf("%-9s %-26s %5s %12lld %14lld\n", text(l, "name"), text(l, "address"),
		       json_is_true(json_object_get(l, "tls")) ? "on" : "off",
		       integer(l, "connections"), integer(l, "requests"));
}

static void print_ms(const json_t *j, const char *name)
{
	const json_t *value = json_object_get(j, name);
	if (json_is_number(value))
		printf(" %8.2f", json_number_value(value));
	else
		printf(" %8s", "-");
}

static void print_cluster(const json_t *c, size_t i, struct before *b, double seconds)
{
	const json_t *requests = json_object_get(c, "requests");
	const json_t *latency = json_object_get(c, "latency_ms");
	long long all = integer(requests, "all"), failed = integer(requests, "5xx");
	printf("%-9s %6lld %12lld %s%8lld%s %8lld", text(c, "name"), integer(c, "weight"), all,
	       failed ? paint(PAINT_RED) : "", failed, paint(PAINT_NONE), integer(c, "in_flight"));
	print_ms(latency, "p50");
	print_ms(latency, "p95");
	print_ms(latency, "p99");
	if (seconds > 0)
		printf(" %10.0f", (double)(all - b->requests[i]) / seconds);
	putchar('\n');
	b->requests[i] = all;
}

static void print_clusters(const json_t *clusters, struct before *b)
{
	size_t i;
	const json_t *c;
	uint64_t now = clock_monotonic_ns();
	double seconds = b->at_ns ? (double)(now - b->at_ns) / 1e9 : 0;
	printf("\n%s%-9s %6s %12s %8s %8s %8s %8s %8s%s%s\n", paint(PAINT_DIM), "cluster", "weight",
	       "requests", "5xx", "inflight", "p50 ms", "p95 ms", "p99 ms",
	       seconds > 0 ? "   per second" : "", paint(PAINT_NONE));
	json_array_foreach(clusters, i, c)
		if (i < 2)
			print_cluster(c, i, b, seconds);
	b->at_ns = now;
}

/* What is not well is to be seen. */
static const char *shout(const char *word, char *to, size_t bytes)
{
	size_t n = 0;
	for (; word[n] && n + 1 < bytes; n++)
		to[n] = word[n] == '_' ? ' ' : (char)toupper((unsigned char)word[n]);
	to[n] = 0;
	return to;
}

static void print_node(const json_t *cluster, const json_t *n)
{
	const json_t *drained = json_object_get(n, "drained");
	const char *state = text(n, "state"), *why = text(drained, "why");
	bool healthy = !strcmp(state, "healthy");
	printf("%-9s %-34s %s%-10s%s %s", text(cluster, "name"), text(n, "name"),
	       paint_good(healthy), healthy ? state : shout(state, (char[16]){ 0 }, 16),
	       paint(PAINT_NONE), text(n, "check"));
	if (!strcmp(state, "ejected"))
		printf("; by %lld workers: %s",
		       integer(json_object_get(n, "ejected"), "by_workers"),
		       text(json_object_get(n, "ejected"), "why"));
	if (drained)
		printf("; by %s%s%s", text(drained, "by"), *why ? ": " : "", why);
	putchar('\n');
}

static void print_nodes(const json_t *clusters)
{
	size_t i, k;
	const json_t *c, *n;
	printf("\n%s%-9s %-34s %-10s last check%s\n", paint(PAINT_DIM), "cluster", "node", "state",
	       paint(PAINT_NONE));
	json_array_foreach(clusters, i, c)
		json_array_foreach(json_object_get(c, "nodes"), k, n)
			print_node(c, n);
}

static int look(struct client *t, struct before *b, bool redraw)
{
	struct client_answer a;
	if (!client_ask(t, "GET", "/v1/status", NULL, 0, &a))
		return EXIT_UNREACHABLE;
	int code = EXIT_OK;
	if (a.status != 200 || !a.json) {
		code = client_refused(t, &a);
	} else if (t->json) {
		fputs(a.text, stdout);
	} else {
		if (redraw)
			fputs("\033[H\033[J", stdout);
		print_head(a.json);
		print_processes(json_object_get(a.json, "processes"));
		print_configuration(json_object_get(a.json, "configuration"));
		print_listeners(json_object_get(a.json, "listeners"));
		print_clusters(json_object_get(a.json, "clusters"), b);
		print_nodes(json_object_get(a.json, "clusters"));
	}
	fflush(stdout);
	client_answer_free(&a);
	return code;
}

/* Until it is interrupted, or the balancer goes away. */
static int watch(struct client *t)
{
	struct before b = { 0 };
	bool redraw = isatty(STDOUT_FILENO) && !t->json;
	int code = EXIT_OK;
	while (code == EXIT_OK) {
		code = look(t, &b, redraw);
		nanosleep(&(struct timespec){ .tv_sec = WATCH_S }, NULL);
	}
	return code;
}

int command_status(const struct command *c, int argc, char **argv)
{
	struct client_options o = { 0 };
	bool watching = false;
	const struct command_option options[] = { CLIENT_OPTIONS(&o),
						  { 0, "watch", NULL, &watching } };
	int code, operands = command_options(c, argc, argv, options, 4, &code);
	if (operands < 0)
		return code;
	if (operands > 0)
		return command_misused(c, "'%s' is not expected here", argv[1]);
	struct client t;
	if (!client_open(&t, c, &o, &code))
		return code;
	code = watching ? watch(&t) : look(&t, &(struct before){ 0 }, false);
	client_close(&t);
	return code;
}
