#include <stdio.h>

#include "app/order.h"
#include "app/terminal.h"

static const json_t *upgrade_of(const json_t *status)
{
	return json_object_get(status, "upgrade");
}

static void upgrade_print_json(json_t *j /* moved in */)
{
	terminal_put_json(j, stdout);
	putchar('\n');
	json_decref(j);
}

static int say_done(const struct order *o, const json_t *now)
{
	long long by = order_integer(now, "pid"), before = order_integer(o->before, "pid");
	const char *version = json_string_value(json_object_get(now, "version"));
	if (o->client.json)
		upgrade_print_json(json_pack("{s:b,s:I,s:I,s:s}", "ok", 1, "pid", (json_int_t)by,
					     "before", (json_int_t)before, "version", version));
	else
		printf("Process %lld of crossfade %s serves; process %lld drains.\n", by, version,
		       before);
	return EXIT_OK;
}

static int say_failed(const struct order *o, const json_t *now)
{
	const char *why = json_string_value(json_object_get(upgrade_of(now), "message"));
	if (o->client.json)
		upgrade_print_json(json_pack("{s:b,s:s}", "ok", 0, "message", why));
	else
		fprintf(stderr, "crossfade %s: %s\nThe balancer's log says more.\n",
			o->client.command->name, why);
	return EXIT_NO;
}

/* Returns the exit code; -1: there is no outcome yet. */
static int upgrade_outcome(const struct order *o, const json_t *now)
{
	if (order_integer(now, "pid") != order_integer(o->before, "pid"))
		return say_done(o, now);
	long long failed = order_integer(upgrade_of(now), "failed");
	return failed > order_integer(upgrade_of(o->before), "failed") ? say_failed(o, now) : -1;
}

int command_upgrade(const struct command *c, int argc, char **argv)
{
	const struct order_kind kind = { "/v1/upgrade", upgrade_outcome,
					 "no other process has taken over" };
	return order_run(c, argc, argv, &kind);
}
