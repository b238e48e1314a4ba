#include <stdio.h>
#include <string.h>

#include "app/client.h"
#include "app/paint.h"
#include "app/terminal.h"
#include "base/span.h"

#define SHOWN 20
#define SHOWN_MAX 1000000

static const char *change_text(const json_t *j, const char *name)
{
	const char *s = json_string_value(json_object_get(j, name));
	return s ? s : "";
}

static bool change_is(const json_t *j, const char *name)
{
	return json_is_true(json_object_get(j, name));
}

static long long change_weight(const json_t *change, const char *which, const char *arm)
{
	const json_t *pair = json_object_get(change, which);
	return (long long)json_integer_value(json_object_get(pair, arm));
}

static void history_print_what(const json_t *j, char *to, size_t bytes)
{
	if (*change_text(j, "node"))
		snprintf(to, bytes, "%s %s", change_text(j, "to"), change_text(j, "node"));
	else if (*change_text(j, "replay"))
		snprintf(to, bytes, "replay %s", change_text(j, "replay"));
	else
		snprintf(to, bytes, "%s%lld/%lld -> %lld/%lld",
			 change_is(j, "rollback") ? "rollback " : "",
			 change_weight(j, "from", "source"), change_weight(j, "from", "target"),
			 change_weight(j, "to", "source"), change_weight(j, "to", "target"));
	size_t n = strlen(to);
	snprintf(to + n, bytes - n, "%s%s", change_is(j, "forced") ? ", forced" : "",
		 json_is_false(json_object_get(j, "saved")) ? ", NOT SAVED" : "");
}

static void history_print_epoch(const json_t *j, char to[24])
{
	const json_t *epoch = json_object_get(j, "epoch");
	snprintf(to, 24, json_is_integer(epoch) ? "%lld" : "-",
		 (long long)json_integer_value(epoch));
}

static void history_print_change(const json_t *j)
{
	char what[320], epoch[24];
	history_print_what(j, what, sizeof what);
	history_print_epoch(j, epoch);
	printf("%-24s  %-16s  %-28s  %6s  %s\n", change_text(j, "when"), change_text(j, "who"),
	       what, epoch, change_text(j, "why"));
	const json_t *without = json_object_get(j, "without_a_line");
	if (json_is_object(without))
		printf("%-24s  %lld earlier changes have no line\n", "",
		       (long long)json_integer_value(json_object_get(without, "changes")));
}

/* Prints the last `most` changes. */
static int history_print(const struct client *t, const json_t *response, size_t most)
{
	json_t *all = json_object_get(response, "changes");
	while (json_array_size(all) > most)
		json_array_remove(all, 0);
	if (t->json) {
		terminal_put_json(response, stdout);
		putchar('\n');
		return EXIT_OK;
	}
	size_t i;
	const json_t *one;
	if (!json_array_size(all))
		printf("No changes have been made yet.\n");
	else
		printf("%s%-24s  %-16s  %-28s  %6s  %s%s\n", paint(PAINT_DIM), "WHEN", "WHO",
		       "WHAT", "EPOCH", "WHY", paint(PAINT_NONE));
	json_array_foreach(all, i, one)
		history_print_change(one);
	return EXIT_OK;
}

int command_history(const struct command *c, int argc, char **argv)
{
	struct client_options o = { 0 };
	const char *n = NULL;
	const struct command_option options[] = { CLIENT_OPTIONS(&o), { 'n', "last", &n, NULL } };
	unsigned long long most = SHOWN;
	struct client t;
	struct client_response a;
	int code, operands = command_options(c, argc, argv, OPTIONS(options), &code);
	if (operands < 0)
		return code;
	if (operands > 0)
		return command_misused(c, "'%s' is not expected here", argv[1]);
	if (n && (!span_to_u64(span_of(n), SHOWN_MAX, &most) || !most))
		return command_misused(c, "-n: '%s' is not a number of changes", n);
	if (!client_open(&t, c, &o, &code))
		return code;
	code = EXIT_UNREACHABLE;
	if (client_ask(&t, "GET", "/v1/history", NULL, 0, &a))
		code = a.status == 200 ? history_print(&t, a.json, most) : client_refused(&t, &a);
	client_response_free(&a);
	client_close(&t);
	return code;
}
