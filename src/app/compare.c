#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/client.h"
#include "app/paint.h"
#include "app/terminal.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/span.h"

/* Neither yes nor no. */
#define EXIT_UNKNOWN EXIT_USAGE

static volatile sig_atomic_t compare_interrupted;

static void compare_interrupt(int signal)
{
	(void)signal;
	compare_interrupted = 1;
}

static long long compare_number(const json_t *report, const char *name)
{
	return json_integer_value(json_object_get(json_object_get(report, "numbers"), name));
}

static const char *compare_text(const json_t *report, const char *name)
{
	const char *text = json_string_value(json_object_get(report, name));
	return text ? text : "";
}

/* --- progress --- */

struct compare_progress {
	bool terminal;
	bool shown;
	uint64_t next_ns; /* of the next line */
};

static void compare_print_progress(const json_t *r, char *text, size_t bytes)
{
	long long checked = compare_number(r, "checked"), expected = compare_number(r, "expected");
	const char *index = compare_text(r, "index");
	snprintf(text, bytes, "%.30s: %lld of about %lld documents compared, %lld differ%s%.60s",
		 compare_text(r, "stage"), checked, expected,
		 compare_number(r, "different") + compare_number(r, "missing") +
			 compare_number(r, "extra"),
		 *index ? "; index " : "", index);
}

static void compare_show_progress(struct compare_progress *p, const json_t *report)
{
	char text[256];
	uint64_t now_ns = clock_monotonic_ns();
	if (now_ns < p->next_ns)
		return;
	compare_print_progress(report, text, sizeof text);
	if (p->terminal)
		fprintf(stderr, "\r%-100.100s", text);
	else if (p->next_ns)
		fprintf(stderr, "%s\n", text);
	p->shown |= p->terminal;
	p->next_ns = now_ns + (p->terminal ? 0 : COMPARE_LINE_MS * 1000000ull);
}

static void compare_clear_progress(const struct compare_progress *p)
{
	if (p->shown)
		fprintf(stderr, "\r%100s\r", "");
}

/* --- the result --- */

static void compare_put(const char *text)
{
	terminal_put(text, strlen(text), stdout);
}

static void compare_print_difference(const json_t *d)
{
	const char *index = compare_text(d, "index"), *id = compare_text(d, "id");
	const char *routing = compare_text(d, "routing");
	fputs("  ", stdout);
	compare_put(*index ? index : "(no index)");
	if (*id) {
		fputs("/", stdout);
		compare_put(id);
	}
	if (*routing) {
		fputs(" (routing ", stdout);
		compare_put(routing);
		fputs(")", stdout);
	}
	printf("  %s: ", compare_text(d, "kind"));
	compare_put(compare_text(d, "what"));
	fputs("\n", stdout);
}

static void compare_print_list(const json_t *report)
{
	size_t i;
	const json_t *one;
	const json_t *differences = json_object_get(report, "differences");
	long long all = compare_number(report, "surroundings") + compare_number(report, "unknown") +
			compare_number(report, "different") + compare_number(report, "missing") +
			compare_number(report, "extra") + compare_number(report, "moving");
	json_array_foreach(differences, i, one)
		compare_print_difference(one);
	if (all > (long long)json_array_size(differences))
		printf("  ... and %lld more\n", all - (long long)json_array_size(differences));
	json_array_foreach(json_object_get(report, "hints"), i, one) {
		fputs("Hint: ", stdout);
		compare_put(json_string_value(one));
		fputs("\n", stdout);
	}
}

static void compare_print_numbers(const json_t *report)
{
	static const struct {
		const char *name, *text;
	} rows[] = {
		{ "different", "differ" },
		{ "missing", "are missing at the replica" },
		{ "extra", "are at the replica alone" },
		{ "moving", "were written at each look: nothing is said of them" },
		{ "unknown", "nobody can tell of" },
		{ "surroundings", "differences of indices and what belongs to them" },
		{ "repaired", "were repaired, and are the same now" },
	};
	printf("%lld documents of %lld indices were compared: %lld are the same\n",
	       compare_number(report, "checked"), compare_number(report, "indices"),
	       compare_number(report, "equal"));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (compare_number(report, rows[i].name))
			printf("%lld %s\n", compare_number(report, rows[i].name), rows[i].text);
}

static int compare_code(const char *result)
{
	if (!strcmp(result, "equal"))
		return EXIT_OK;
	return strcmp(result, "different") ? EXIT_UNKNOWN : EXIT_NO;
}

static int compare_print_result(struct client *t, const json_t *report)
{
	const char *result = compare_text(report, "result"), *why = compare_text(report, "why");
	int code = compare_code(result);
	if (t->json) {
		terminal_put_json(report, stdout);
		fputs("\n", stdout);
		return code;
	}
	compare_print_list(report);
	compare_print_numbers(report);
	if (!strcmp(result, "stopped"))
		printf("%sStopped%s: what was not compared is not known.\n", paint(PAINT_YELLOW),
		       paint(PAINT_NONE));
	else if (code == EXIT_UNKNOWN)
		printf("%sCannot tell%s whether owner and replica are equal", paint(PAINT_YELLOW),
		       paint(PAINT_NONE));
	else
		printf("%s%s%s", paint(code == EXIT_OK ? PAINT_GREEN : PAINT_RED),
		       code == EXIT_OK ? "Equal" : "Different", paint(PAINT_NONE));
	if (strcmp(result, "stopped") != 0) {
		fputs(*why ? ": " : ".", stdout);
		compare_put(why);
		fputs("\n", stdout);
	}
	if (code == EXIT_NO && !json_is_true(json_object_get(report, "repair")))
		fputs("`crossfade compare --repair` lets replay copy documents that differ.\n",
		      stdout);
	return code;
}

/* --- a run --- */

/* The report; NULL after a diagnostic: *code is the exit code. */
static json_t *compare_ask(struct client *t, const char *method, json_t *body, int *code)
{
	struct client_response a;
	json_t *report = NULL;
	if (!client_ask(t, method, "/v1/compare", body, 0, &a)) {
		*code = EXIT_UNREACHABLE;
	} else if (a.status >= 300 || !a.json) {
		client_refused(t, &a);
		*code = EXIT_UNKNOWN;
	} else {
		report = json_incref(a.json);
	}
	client_response_free(&a);
	return report;
}

static void compare_cancel_run(struct client *t)
{
	struct client_response a;
	char error[FETCH_ERROR_BYTES];
	/* That it was over already is no trouble. */
	client_try(t, "DELETE", "/v1/compare", NULL, 0, &a, error);
	client_response_free(&a);
}

static int compare_follow(struct client *t)
{
	static const struct timespec pause = { .tv_nsec = COMPARE_ASK_MS * 1000000 };
	struct compare_progress p = { .terminal = isatty(STDERR_FILENO) };
	bool canceled = false;
	json_t *report;
	int code;
	while ((report = compare_ask(t, "GET", NULL, &code))) {
		if (strcmp(compare_text(report, "state"), "running") != 0)
			break;
		compare_show_progress(&p, report);
		json_decref(report);
		nanosleep(&pause, NULL);
		if (compare_interrupted && !canceled)
			compare_cancel_run(t);
		canceled = compare_interrupted;
	}
	compare_clear_progress(&p);
	if (!report)
		return code;
	if (!strcmp(compare_text(report, "state"), "over")) {
		code = compare_print_result(t, report);
	} else {
		fprintf(stderr, "crossfade compare: the process that compared has ended: begin "
				"again\n");
		code = EXIT_UNKNOWN;
	}
	json_decref(report);
	return code;
}

static int compare_run(const struct command *c, const struct client_options *o,
		       json_t *order /* moved in */)
{
	struct client t;
	int code;
	if (!client_open(&t, c, o, &code)) {
		json_decref(order);
		return code;
	}
	const struct sigaction interrupt = { .sa_handler = compare_interrupt };
	sigaction(SIGINT, &interrupt, NULL);
	sigaction(SIGTERM, &interrupt, NULL);
	json_t *begun = compare_ask(&t, "POST", order, &code);
	json_decref(order);
	if (begun)
		code = compare_follow(&t);
	json_decref(begun);
	client_close(&t);
	return code;
}

int command_compare(const struct command *c, int argc, char **argv)
{
	struct client_options o = { 0 };
	const char *sample = NULL;
	bool all = false, repair = false;
	const struct command_option options[] = { CLIENT_OPTIONS(&o),
						  { 0, "all", NULL, &all },
						  { 0, "sample", &sample, NULL },
						  { 0, "repair", NULL, &repair } };
	unsigned long long n = 0;
	int code, operands = command_options(c, argc, argv, OPTIONS(options), &code);
	if (operands < 0)
		return code;
	if (all && sample)
		return command_misused(c, "--all and --sample exclude each other");
	if (sample && (!span_to_u64(span_of(sample), COMPARE_SAMPLE_MAX, &n) || !n))
		return command_misused(c,
				       "--sample: '%s' is not a number of documents from 1 to %d",
				       sample, COMPARE_SAMPLE_MAX);
	json_t *indices = json_array();
	for (int i = 1; i <= operands; i++)
		if (json_array_append_new(indices, json_string(argv[i])) < 0)
			return command_misused(c, "the name of an index is not UTF-8 text");
	json_t *order = json_pack("{s:s,s:o,s:b,s:I}", "what",
				  all	   ? "all"
				  : sample ? "sample"
					   : "touched",
				  "indices", indices, "repair", repair, "n", (json_int_t)n);
	return compare_run(c, &o, order);
}
