#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/replay_command.h"
#include "app/replay_text.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/plain.h"

#define LOOK_MS 250
/* A line each so often where standard output is no terminal. */
#define LINE_MS 10000

static volatile sig_atomic_t interrupted;

static void backfill_interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

/* --- following it --- */

struct backfill_view {
	struct client *client;
	bool terminal;
	char *begun;	     /* owned: when ours did; NULL: not known */
	uint64_t printed_ns; /* the last line */
	bool silent;	     /* the balancer does not respond */
};

static void backfill_print(struct backfill_view *v, const char *text)
{
	uint64_t now_ns = clock_monotonic_ns();
	if (v->terminal) {
		/* In place of the line before. */
		printf("\r%s\033[K", text);
	} else if (!v->printed_ns || now_ns - v->printed_ns >= LINE_MS * 1000000ull) {
		puts(text);
		v->printed_ns = now_ns;
	}
	fflush(stdout);
}

static void backfill_end_line(const struct backfill_view *v)
{
	if (v->terminal)
		fputs("\r\033[K", stdout);
}

/* -1: it goes on. */
static int backfill_look(struct backfill_view *v, const json_t *replay)
{
	const json_t *backfill = json_object_get(replay, "backfill");
	const char *state = json_string_value(json_object_get(backfill, "state"));
	const char *begun = json_string_value(json_object_get(backfill, "begun"));
	char text[320];
	if (!state || !begun)
		return -1;
	if (v->begun && strcmp(v->begun, begun) != 0) {
		backfill_end_line(v);
		printf("Another backfill was begun at %s: this command leaves.\n", begun);
		return EXIT_NO;
	}
	if (!v->begun)
		v->begun = strdup(begun);
	if (!strcmp(state, "done") || !strcmp(state, "stopped")) {
		backfill_end_line(v);
		replay_text_end(stdout, backfill);
		return !strcmp(state, "done") ? EXIT_OK : EXIT_NO;
	}
	replay_text_progress(text, sizeof text, backfill);
	if (json_is_object(json_object_get(replay, "paused")))
		strncat(text, "; replay is paused", sizeof text - strlen(text) - 1);
	backfill_print(v, text);
	return -1;
}

static int backfill_ask(struct backfill_view *v)
{
	struct client_response a;
	char error[FETCH_ERROR_BYTES];
	int code = -1;
	if (client_try(v->client, "GET", "/v1/replay", NULL, 0, &a, error) && a.status == 200) {
		v->silent = false;
		code = backfill_look(v, a.json);
	} else if (!v->silent) {
		/* A process is being replaced, or the balancer is down: it goes on behind that. */
		v->silent = true;
		v->printed_ns = 0;
		backfill_print(v, "The balancer does not respond now; asking again until it does.");
	}
	client_response_free(&a);
	return code;
}

static int backfill_follow(struct client *t, const json_t *ordered)
{
	static const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };
	struct backfill_view v = { .client = t, .terminal = isatty(STDOUT_FILENO) == 1 };
	int code = backfill_look(&v, json_object_get(ordered, "replay"));
	while (code < 0 && !interrupted) {
		nanosleep(&pause, NULL);
		if (!interrupted)
			code = backfill_ask(&v);
	}
	free(v.begun);
	if (code >= 0)
		return code;
	fputs(v.terminal ? "\n" : "", stdout);
	puts("The backfill goes on without this command. `crossfade replay status` shows how far "
	     "it "
	     "is; `crossfade replay backfill stop` ends it.");
	return EXIT_UNACKNOWLEDGED;
}

/* --- ordering it --- */

struct backfill_options {
	struct client_options client;
	const char *reason, *rate;
	bool no_wait;
};

/* False after a diagnostic. */
static bool backfill_read_rate(const struct command *c, const char *text, json_int_t *rate)
{
	char *end;
	*rate = text ? (json_int_t)strtoul(text, &end, 10) : 0;
	if (!text)
		return true;
	if (*text >= '0' && *text <= '9' && (!*end || !strcmp(end, "/s")) && *rate >= 1 &&
	    *rate <= REPLAY_RATE_MAX)
		return true;
	command_misused(c, "--rate: '%s' is no rate from 1/s to %d/s, such as 500/s", text,
			REPLAY_RATE_MAX);
	return false;
}

static json_t *backfill_indices(int n, char **names)
{
	json_t *list = n ? json_array() : NULL;
	for (int i = 0; i < n; i++)
		json_array_append_new(list, json_string(names[i]));
	return list;
}

static int backfill_end_order(struct client *t, const struct backfill_options *o,
			      const char *change, const struct client_response *a)
{
	if (a->status != 200 && a->status != 202)
		return client_refused(t, a);
	if (t->json) {
		plain_put_json(a->text, stdout);
		return a->status == 200 ? EXIT_OK : EXIT_UNACKNOWLEDGED;
	}
	if (!replay_order_is_done(a->json))
		return EXIT_UNACKNOWLEDGED;
	if (change)
		printf("The backfill is %s.\n", !strcmp(change, "pause")    ? "paused"
						: !strcmp(change, "resume") ? "going on"
									    : "stopped");
	else if (o->no_wait)
		puts("The backfill has begun; `crossfade replay status` shows how far it is.");
	else
		return backfill_follow(t, a->json);
	return EXIT_OK;
}

static int backfill_send(const struct command *c, const struct backfill_options *o,
			 const char *change, json_t *body)
{
	struct client t;
	struct client_response a;
	char path[64];
	int code;
	snprintf(path, sizeof path, "/v1/replay/backfill%s%s", change ? "/" : "",
		 change ? change : "");
	if (!client_open(&t, c, &o->client, &code))
		return code;
	struct sigaction by = { .sa_handler = backfill_interrupt };
	sigaction(SIGINT, &by, NULL);
	sigaction(SIGTERM, &by, NULL);
	bool responded = client_ask(&t, "POST", path, body, 0, &a);
	code = responded ? backfill_end_order(&t, o, change, &a) : EXIT_UNREACHABLE;
	client_response_free(&a);
	client_close(&t);
	return code;
}

static bool backfill_is_change(const char *word)
{
	return !strcmp(word, "pause") || !strcmp(word, "resume") || !strcmp(word, "stop");
}

int replay_backfill(const struct command *c, int argc, char **argv)
{
	struct backfill_options o = { 0 };
	const struct command_option options[] = { CLIENT_OPTIONS(&o.client),
						  { 0, "reason", &o.reason, NULL },
						  { 0, "rate", &o.rate, NULL },
						  { 0, "no-wait", NULL, &o.no_wait } };
	json_int_t rate;
	int code, n = command_options(c, argc, argv, OPTIONS(options), &code);
	if (n < 0)
		return code;
	const char *change = n == 1 && backfill_is_change(argv[1]) ? argv[1] : NULL;
	if (!backfill_read_rate(c, o.rate, &rate) || !command_takes_reason(c, o.reason))
		return EXIT_USAGE;
	if (change && rate)
		return command_misused(c, "--rate cannot be used together with %s", change);
	json_t *body = json_pack("{s:s*,s:s,s:o*,s:o*}", "reason", o.reason, "who", client_who(),
				 "indices", change ? NULL : backfill_indices(n, argv + 1), "rate",
				 rate ? json_integer(rate) : NULL);
	if (!body)
		return command_misused(c, "an argument is not UTF-8 text");
	code = backfill_send(c, &o, change, body);
	json_decref(body);
	return code;
}
