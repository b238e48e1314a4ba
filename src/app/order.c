#include "app/order.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/limits.h"
#include "control/duration.h"

#define TIMEOUT "120s"
/* For one look at the status: a process that is just being replaced does not respond. */
#define LOOK_TIMEOUT_S 2L

long long order_integer(const json_t *j, const char *name)
{
	return (long long)json_integer_value(json_object_get(j, name));
}

static json_t *order_body(const struct order_options *o)
{
	return json_pack("{s:s*,s:s}", "reason", o->reason, "who", client_who());
}

static bool order_take_status(struct order *o, int *code)
{
	struct client_response a;
	*code = EXIT_UNREACHABLE;
	if (!client_ask(&o->client, "GET", "/v1/status", NULL, 0, &a))
		return false;
	if (a.status == 200)
		o->before = json_incref(a.json);
	else
		*code = client_refused(&o->client, &a);
	client_response_free(&a);
	return o->before;
}

static bool order_send(struct order *o, const char *path, json_t *body, int *code)
{
	struct client_response a;
	bool responded = client_ask(&o->client, "POST", path, body, 0, &a);
	*code = EXIT_UNREACHABLE;
	if (responded && a.status != 202)
		*code = client_refused(&o->client, &a);
	bool good = responded && a.status == 202;
	client_response_free(&a);
	return good;
}

bool order_open(struct order *o, const struct command *c, const struct order_options *options,
		const char *path, int *code)
{
	uint64_t ms;
	*o = (struct order){ .timeout = options->timeout ? options->timeout : TIMEOUT };
	*code = EXIT_USAGE;
	if (!duration_read(o->timeout, &ms)) {
		command_misused(c, "--timeout: '%s' is not a duration, such as 120s", o->timeout);
		return false;
	}
	json_t *body = order_body(options);
	if (!body) {
		command_misused(c, "--reason: is not UTF-8 text");
		return false;
	}
	bool good = command_takes_reason(c, options->reason) &&
		    client_open(&o->client, c, &options->client, code);
	if (good) {
		good = order_take_status(o, code) && order_send(o, path, body, code);
		o->until_ns = clock_monotonic_ns() + ms * 1000000;
		o->client.timeout_s = LOOK_TIMEOUT_S;
		if (!good)
			order_close(o);
	}
	json_decref(body);
	return good;
}

void order_close(struct order *o)
{
	json_decref(o->before);
	o->before = NULL;
	client_close(&o->client);
}

void order_tell(struct order *o, const char *path)
{
	struct client_response a;
	char error[FETCH_ERROR_BYTES];
	json_t *body = json_pack("{s:s}", "who", client_who());
	client_try(&o->client, "POST", path, body, 0, &a, error);
	client_response_free(&a);
	json_decref(body);
}

bool order_look(struct order *o, json_t **now)
{
	static const struct timespec pause = { .tv_nsec = ORDER_LOOK_MS * 1000000 };
	struct client_response a;
	char error[FETCH_ERROR_BYTES];
	*now = NULL;
	if (clock_monotonic_ns() >= o->until_ns)
		return false;
	nanosleep(&pause, NULL);
	if (client_try(&o->client, "GET", "/v1/status", NULL, 0, &a, error) && a.status == 200)
		*now = json_incref(a.json);
	client_response_free(&a);
	return true;
}

int order_is_late(const struct order *o, const char *what)
{
	fprintf(stderr, "crossfade %s: the balancer got the order, but %s within %s\n",
		o->client.command->name, what, o->timeout);
	return EXIT_UNACKNOWLEDGED;
}

static int order_wait_for_outcome(struct order *o, const struct order_kind *kind)
{
	json_t *now;
	int code = -1;
	while (code < 0 && order_look(o, &now)) {
		if (now)
			code = kind->outcome(o, now);
		json_decref(now);
	}
	return code < 0 ? order_is_late(o, kind->late) : code;
}

int order_run(const struct command *c, int argc, char **argv, const struct order_kind *kind)
{
	struct order_options o = { 0 };
	const struct command_option options[] = { ORDER_OPTIONS(&o) };
	struct order order;
	int code, operands = command_options(c, argc, argv, OPTIONS(options), &code);
	if (operands < 0)
		return code;
	if (operands > 0)
		return command_misused(c, "'%s' is not expected here", argv[1]);
	if (!order_open(&order, c, &o, kind->path, &code))
		return code;
	code = order_wait_for_outcome(&order, kind);
	order_close(&order);
	return code;
}
