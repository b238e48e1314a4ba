#include <stdio.h>

#include "app/order.h"
#include "app/terminal.h"

static void print_mistakes(const struct order *o, const json_t *reload)
{
	const json_t *one, *mistakes = json_object_get(reload, "mistakes");
	size_t i;
	fprintf(stderr, "crossfade %s: REFUSED: nothing was changed\n", o->client.command->name);
	json_array_foreach(mistakes, i, one)
		fprintf(stderr, "%s\n", json_string_value(one));
	if (order_integer(reload, "more"))
		fprintf(stderr, "and %lld more\n", order_integer(reload, "more"));
}

static int print_outcome(const struct order *o, const json_t *now)
{
	const json_t *c = json_object_get(now, "configuration");
	const json_t *reload = json_object_get(c, "reload");
	bool good = json_is_true(json_object_get(reload, "ok"));
	if (o->client.json) {
		terminal_put_json(reload, stdout);
		putchar('\n');
	} else if (good) {
		printf("The configuration is in force: %s (plan %lld).\n",
		       json_string_value(json_object_get(reload, "message")),
		       order_integer(c, "plan"));
	} else {
		print_mistakes(o, reload);
	}
	return good ? EXIT_OK : EXIT_NO;
}

static int say_replaced(const struct order *o)
{
	fprintf(stderr,
		"crossfade %s: another process has taken over meanwhile: `crossfade status` says "
		"what is in force\n",
		o->client.command->name);
	return EXIT_NO;
}

static long long reloads_of(const json_t *status)
{
	return order_integer(json_object_get(status, "configuration"), "reloads");
}

/* Returns the exit code; -1: there is no outcome yet. */
static int reload_outcome(const struct order *o, const json_t *now)
{
	if (order_integer(now, "pid") != order_integer(o->before, "pid"))
		return say_replaced(o);
	return reloads_of(now) > reloads_of(o->before) ? print_outcome(o, now) : -1;
}

int command_reload(const struct command *c, int argc, char **argv)
{
	const struct order_kind kind = { "/v1/reload", reload_outcome,
					 "the configuration was not read" };
	return order_run(c, argc, argv, &kind);
}
