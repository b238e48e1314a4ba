#include "app/replay_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/commands.h"
#include "app/replay_text.h"
#include "base/clock.h"
#include "base/plain.h"
#include "control/duration.h"
#include "control/suggest.h"

static int replay_status(const struct command *c, int argc, char **argv);
static int replay_pause(const struct command *c, int argc, char **argv);
static int replay_resume(const struct command *c, int argc, char **argv);
static int replay_restart(const struct command *c, int argc, char **argv);
static int replay_aside(const struct command *c, int argc, char **argv);

#define REASON "      --reason TEXT   why, for the audit log\n"

static const struct command commands[] = {
	{ "replay status", CLIENT_WHERE " [-o text|json]",
	  "Shows how far the replica is behind, and what stands in the way.",
	  CLIENT_HELP
	  "\nExit code 1: replay is paused or stopped, documents are set aside, or an index is\n"
	  "not exact.\n",
	  replay_status },
	{ "replay pause", "[--reason TEXT] " CLIENT_WHERE " [-o text|json]",
	  "Stops all copies to the replica, until `crossfade replay resume`.",
	  CLIENT_HELP REASON "\nThe capture log keeps what is written meanwhile, so that its size "
			     "grows. Replay stays\n"
			     "paused over reloads, restarts and upgrades.\n",
	  replay_pause },
	{ "replay resume", "[--skip|--send] [--reason TEXT] " CLIENT_WHERE " [-o text|json]",
	  "Lets replay go on where it was paused, or where it has stopped at a request.",
	  CLIENT_HELP
	  "      --skip          the requests at which replay has stopped are left out\n"
	  "      --send          they are sent to the replica\n" REASON
	  "\n--skip and --send are for profile: http. `crossfade replay status` names the "
	  "requests,\n"
	  "and why replay has stopped there. One that the capture log does not have whole can "
	  "only\n"
	  "be skipped.\n",
	  replay_resume },
	{ "replay backfill",
	  "[INDEX...] [--rate N/s] [--no-wait] [--reason TEXT] " CLIENT_WHERE " [-o text|json]\n"
	  "           pause|resume|stop",
	  "Copies all documents of the owner's indices to the replica, beside live writes.",
	  CLIENT_HELP
	  "      --rate N/s      documents a second at most, as 500/s (default: no limit)\n"
	  "      --no-wait       returns when it has begun\n" REASON
	  "\nINDEX is a name or a pattern, as 'logs-*', and behind -- one to leave out, as\n"
	  "'-logs-old-*'. Without one: all indices of replay.indices. An index that is named "
	  "pause,\n"
	  "resume or stop is written as a pattern: 'stop*'. It shows its progress until it is\n"
	  "done; Ctrl-C leaves it going. It goes on after a restart of the balancer. Documents\n"
	  "that only the replica has are not looked at. Exit code 1: refused, or stopped; 4:\n"
	  "interrupted, and it goes on.\n",
	  replay_backfill },
	{ "replay restart", "--from TIME [--reason TEXT] " CLIENT_WHERE " [-o text|json]",
	  "Plays the capture log again from a time, as before a snapshot that was restored.",
	  CLIENT_HELP
	  "      --from TIME     writes that ended then or later are copied again:\n"
	  "                      2026-11-24T10:00:00Z, or 10m (ago)\n" REASON
	  "\nCopies may be made twice: a document becomes what it is at the owner now.\n",
	  replay_restart },
	{ "replay set-aside",
	  "list|retry|drop [INDEX/ID] [--reason TEXT] " CLIENT_WHERE " [-o text|json]",
	  "Shows documents that the replica refuses, tries them again, or gives them up.",
	  CLIENT_HELP REASON
	  "\nWithout INDEX/ID: all of them. A document that was copied since is no more in the\n"
	  "list. Where one is dropped its index is not exact from then on.\n",
	  replay_aside },
};
#define COMMAND_N (sizeof commands / sizeof commands[0])

const struct command *commands_of_replay(size_t *n)
{
	*n = COMMAND_N;
	return commands;
}

/* --- which command --- */

static const char *replay_last_word(const struct command *c)
{
	return strchr(c->name, ' ') + 1;
}

int command_replay(const struct command *c, int argc, char **argv)
{
	struct suggestion near;
	if (argc < 2)
		return command_misused(c, "one of status, pause, resume, backfill, restart and "
					  "set-aside is expected");
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		command_print_help(c);
		return EXIT_OK;
	}
	suggest_open(&near, argv[1]);
	for (size_t i = 0; i < COMMAND_N; i++) {
		if (!strcmp(argv[1], replay_last_word(&commands[i])))
			return commands[i].run(&commands[i], argc - 1, argv + 1);
		suggest_consider(&near, replay_last_word(&commands[i]));
	}
	if (near.word)
		return command_misused(c, "'%s' is not known; did you mean %s?", argv[1],
				       near.word);
	return command_misused(c, "'%s' is not known", argv[1]);
}

/* --- status --- */

static bool replay_is_well(const json_t *r)
{
	const char *state = json_string_value(json_object_get(r, "state"));
	return state && strcmp(state, "failed") != 0 && strcmp(state, "stopped") != 0 &&
	       json_is_null(json_object_get(r, "paused")) &&
	       !json_integer_value(json_object_get(r, "set_aside")) &&
	       !json_object_size(json_object_get(r, "not_exact"));
}

static int replay_print_status(struct client *t, const json_t *r)
{
	(void)t;
	replay_text_put(stdout, r);
	return replay_is_well(r) ? EXIT_OK : EXIT_NO;
}

static int replay_status(const struct command *c, int argc, char **argv)
{
	struct client_options o = { 0 };
	const struct command_option options[] = { CLIENT_OPTIONS(&o) };
	int code, operands = command_options(c, argc, argv, OPTIONS(options), &code);
	if (operands < 0)
		return code;
	if (operands > 0)
		return command_misused(c, "'%s' is not expected here", argv[1]);
	return client_do(
		c, &o,
		&(struct client_request){ "GET", "/v1/replay", NULL, 0, replay_print_status });
}

/* --- orders --- */

bool replay_order_is_done(const json_t *response)
{
	const char *message = json_string_value(json_object_get(response, "message"));
	if (json_is_true(json_object_get(response, "done")))
		return true;
	printf("%s\n", message ? message : "The outcome of the order is not known.");
	return false;
}

static void replay_print_resumed(const json_t *j)
{
	long long n = (long long)json_integer_value(json_object_get(j, "requests"));
	if (n)
		printf("Replay goes on: %lld request%s decided.\n", n, n == 1 ? " is" : "s are");
	else
		puts("Replay goes on.");
}

static int replay_print_order(struct client *t, const json_t *j)
{
	const char *order = json_string_value(json_object_get(j, "order"));
	long long n = (long long)json_integer_value(json_object_get(j, "documents"));
	(void)t;
	if (!replay_order_is_done(j) || !order)
		return EXIT_UNACKNOWLEDGED;
	if (!strcmp(order, "pause"))
		puts("Replay is paused: nothing is copied until `crossfade replay resume`.");
	else if (!strcmp(order, "resume"))
		replay_print_resumed(j);
	else if (!strcmp(order, "restart"))
		puts("Replay reads the capture log again; `crossfade replay status` shows how far "
		     "it is.");
	else if (!strcmp(order, "set-aside retry"))
		printf("%lld document%s tried again; `crossfade replay set-aside list` shows "
		       "which the replica still refuses.\n",
		       n, n == 1 ? " is" : "s are");
	else if (!strcmp(order, "set-aside drop"))
		printf("%lld document%s dropped: the replica does not have what the owner has.\n",
		       n, n == 1 ? " was" : "s were");
	return EXIT_OK;
}

static int replay_order(const struct command *c, const struct client_options *o, const char *path,
			const char *reason, json_t *body /* moved in */)
{
	json_t *whole = json_pack("{s:s*,s:s}", "reason", reason, "who", client_who());
	if (!whole || !body) {
		json_decref(whole);
		json_decref(body);
		return command_misused(c, "an argument is not UTF-8 text");
	}
	json_object_update(whole, body);
	json_decref(body);
	return client_do(c, o,
			 &(struct client_request){ "POST", path, whole, 0, replay_print_order });
}

static int replay_plain_order(const struct command *c, int argc, char **argv, const char *path)
{
	struct client_options o = { 0 };
	const char *reason = NULL;
	const struct command_option options[] = { CLIENT_OPTIONS(&o),
						  { 0, "reason", &reason, NULL } };
	int code, operands = command_options(c, argc, argv, OPTIONS(options), &code);
	if (operands < 0)
		return code;
	if (operands > 0)
		return command_misused(c, "'%s' is not expected here", argv[1]);
	if (!command_takes_reason(c, reason))
		return EXIT_USAGE;
	return replay_order(c, &o, path, reason, json_object());
}

static int replay_pause(const struct command *c, int argc, char **argv)
{
	return replay_plain_order(c, argc, argv, "/v1/replay/pause");
}

static int replay_resume(const struct command *c, int argc, char **argv)
{
	struct client_options o = { 0 };
	const char *reason = NULL;
	bool skip = false, send = false;
	const struct command_option options[] = { CLIENT_OPTIONS(&o),
						  { 0, "skip", NULL, &skip },
						  { 0, "send", NULL, &send },
						  { 0, "reason", &reason, NULL } };
	int code, operands = command_options(c, argc, argv, OPTIONS(options), &code);
	if (operands < 0)
		return code;
	if (operands > 0)
		return command_misused(c, "'%s' is not expected here", argv[1]);
	if (skip && send)
		return command_misused(c, "--skip and --send exclude each other");
	if (!command_takes_reason(c, reason))
		return EXIT_USAGE;
	const char *held = skip ? "skip" : send ? "send" : NULL;
	return replay_order(c, &o, "/v1/replay/resume", reason, json_pack("{s:s*}", "held", held));
}

static int replay_restart(const struct command *c, int argc, char **argv)
{
	struct client_options o = { 0 };
	const char *reason = NULL, *from = NULL;
	const struct command_option options[] = { CLIENT_OPTIONS(&o),
						  { 0, "reason", &reason, NULL },
						  { 0, "from", &from, NULL } };
	char time[CLOCK_TEXT_BYTES];
	uint64_t ns, ms;
	int code, operands = command_options(c, argc, argv, OPTIONS(options), &code);
	if (operands < 0)
		return code;
	if (operands > 0)
		return command_misused(c, "'%s' is not expected here", argv[1]);
	if (!from)
		return command_misused(c, "--from is missing: the time before which nothing has to "
					  "be copied again, such as 2026-11-24T10:00:00Z or 10m");
	if (duration_read(from, &ms))
		ns = clock_wall_ns() - ms * 1000000;
	else if (!clock_read(from, &ns))
		return command_misused(c,
				       "--from: '%s' is no time, such as 2026-11-24T10:00:00Z "
				       "or 10m (ago)",
				       from);
	if (!command_takes_reason(c, reason))
		return EXIT_USAGE;
	clock_text(ns, time);
	return replay_order(c, &o, "/v1/replay/restart", reason, json_pack("{s:s}", "from", time));
}

/* --- what was set aside --- */

/* The admin API lists some at a time. */
static int replay_print_all_aside(struct client *t)
{
	size_t from = 0, of = 1;
	int code = EXIT_OK;
	while (code == EXIT_OK && from < of) {
		struct client_response a;
		char path[80];
		snprintf(path, sizeof path, "/v1/replay/set-aside?from=%zu", from);
		bool responded = client_ask(t, "GET", path, NULL, 0, &a);
		const json_t *list = json_object_get(a.json, "documents");
		code = !responded	 ? EXIT_UNREACHABLE
		       : a.status != 200 ? client_refused(t, &a)
					 : EXIT_OK;
		of = (size_t)json_integer_value(json_object_get(a.json, "of"));
		from += json_array_size(list);
		if (code == EXIT_OK && t->json)
			plain_put_json(a.text, stdout);
		else if (code == EXIT_OK && of)
			replay_text_aside(stdout, a.json);
		else if (code == EXIT_OK)
			puts("No document is set aside.");
		bool last = !json_array_size(list);
		client_response_free(&a);
		if (last)
			break;
	}
	return code;
}

static int replay_list_aside(const struct command *c, const struct client_options *o)
{
	struct client t;
	int code;
	if (!client_open(&t, c, o, &code))
		return code;
	code = replay_print_all_aside(&t);
	client_close(&t);
	return code;
}

static int replay_aside(const struct command *c, int argc, char **argv)
{
	struct client_options o = { 0 };
	const char *reason = NULL;
	const struct command_option options[] = { CLIENT_OPTIONS(&o),
						  { 0, "reason", &reason, NULL } };
	int code, operands = command_options(c, argc, argv, OPTIONS(options), &code);
	if (operands < 0)
		return code;
	const char *what = operands > 0 ? argv[1] : "", *document = operands > 1 ? argv[2] : NULL;
	bool drop = !strcmp(what, "drop");
	if (operands > 2)
		return command_misused(c, "'%s' is not expected here", argv[3]);
	if (!strcmp(what, "list") && !document)
		return replay_list_aside(c, &o);
	if (!drop && strcmp(what, "retry") != 0)
		return command_misused(c, "list, or retry or drop with INDEX/ID or without, is "
					  "expected");
	if (document && !strchr(document, '/'))
		return command_misused(c,
				       "'%s' is not INDEX/ID, as `crossfade replay set-aside "
				       "list` shows them",
				       document);
	if (!command_takes_reason(c, reason))
		return EXIT_USAGE;
	return replay_order(c, &o,
			    drop ? "/v1/replay/set-aside/drop" : "/v1/replay/set-aside/retry",
			    reason, json_pack("{s:s*}", "document", document));
}
