#include <stdio.h>
#include <string.h>

#include "app/client.h"
#include "app/paint.h"
#include "app/terminal.h"
#include "base/span.h"

#define SHOWN 20
#define SHOWN_MAX 1000000

static const char *text(const json_t *j, const char *name)
{
	const char *s = json_string_value(json_object_get(j, name));
	return s ? s : "";
}

static bool is(const json_t *j, const char *name)
{
	return json_is_true(json_object_get(j, name));
}

static long long weight(const json_t *change, const char *which, const char *arm)
{
	const json_t *pair = json_object_get(change, which);
	return (long long)json_integer_value(json_object_get(pair, arm));
}

static void print_what(const json_t *j, char *to, size_t bytes)
{
	if (*text(j, "node"))
		snprintf(to, bytes, "%s %s", text(j, "to"), text(j, "node"));
	else
		snprintf(to, bytes, "%s%lld/%lld -> %lld/%lld",
			 is(j, "rollback") ? "rollback " : "", weight(j, "from", "source"),
			 weight(j, "from", "target"), weight(j, "to", "source"),
			 weight(j, "to", "target"));
	size_t n = strlen(to);
	snprintf(to + n, bytes - n, "%s%s", is(j, "forced") ? ", forced" : "",
		 json_is_false(json_object_get(j, "saved")) ? ", NOT SAVED" : "");
}

static void print_epoch(const json_t *j, char to[24])
{
	const json_t *epoch = json_object_get(j, "epoch");
	snprintf(to, 24, json_is_integer(epoch) ? "%lld" : "-",
		 (long long)json_integer_value(epoch));
}

static void print_change(const json_t *j)
{
	char what[320], epoch[24];
	print_what(j, what, sizeof what);
	print_epoch(j, epoch);
	printf("%-24s  %-16s  %-28s  %6s  %s\n", text(j, "when"), text(j, "who"), what, epoch,
	       text(j, "why"));
	const json_t *without = json_object_get(j, "without_a_line");
	if (json_is_object(without))
		printf("%-24s  %lld changes before it have no line\n", "",
		       (long long)json_integer_value(json_object_get(without, "changes")));
}

/* The last so many of them. */
static int print(const struct client *t, const json_t *answer, size_t most)
{
	json_t *all = json_object_get(answer, "changes");
	while (json_array_size(all) > most)
		json_array_remove(all, 0);
	if (t->json) {
		terminal_put_json(answer, stdout);
		putchar('\n');
		return EXIT_OK;
	}
	size_t i;
	const json_t *one;
	if (!json_array_size(all))
		printf("Nothing has been changed yet.\n");
	else
		printf("%s%-24s  %-16s  %-28s  %6s  %s%s\n", paint(PAINT_DIM), "WHEN", "WHO",
		       "WHAT", "EPOCH", "WHY", paint(PAINT_NONE));
	json_array_foreach(all, i, one)
		print_change(one);
	return EXIT_OK;
}

int command_history(const struct command *c, int argc, char **argv)
{
	struct client_options o = { 0 };
	const char *n = NULL;
	const struct command_option options[] = { CLIENT_OPTIONS(&o), { 'n', "last", &n, NULL } };
	unsigned long long most = SHOWN;
	struct client t;
	struct client_answer a;
	int code, operands = command_options(c, argc, argv, OPTIONS(options), &code);
	if (operands < 0)
		return code;
	if (operands > 0)
		return command_misused(c, "'%s' is not expected here", argv[1]);
	if (n && (!span_to_u64(span_of(n), SHOWN_MAX, &most) || !most))
		return command_misused(c, "-n %s: is not a number of changes", n);
	if (!client_open(&t, c, &o, &code))
		return code;
	code = EXIT_UNREACHABLE;
	if (client_ask(&t, "GET", "/v1/history", NULL, 0, &a))
		code = a.status == 200 ? print(&t, a.json, most) : client_refused(&t, &a);
	client_answer_free(&a);
	client_close(&t);
	return code;
}
