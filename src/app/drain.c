#include <stdio.h>
#include <string.h>

#include "app/client.h"
#include "app/paint.h"
#include "base/limits.h"
#include "control/duration.h"

static bool member_is_true(const json_t *j, const char *name)
{
	return json_is_true(json_object_get(j, name));
}

static void print_drained(const json_t *j, const char *node)
{
	char delay[DURATION_TEXT_BYTES];
	duration_text((uint64_t)json_integer_value(json_object_get(j, "delay_ms")), delay);
	printf("%s gets no new requests. Requests that it still has after %s are cut off.\n", node,
	       delay);
	if (member_is_true(j, "all_drained"))
		printf("%sAll nodes of its cluster are drained: requests to the cluster get "
		       "503.%s\n",
		       paint(PAINT_RED), paint(PAINT_NONE));
}

static int drain_print_change(struct client *t, const json_t *j)
{
	(void)t;
	const char *node = json_string_value(json_object_get(j, "node"));
	const char *state = json_string_value(json_object_get(j, "state"));
	const char *before = json_string_value(json_object_get(j, "before"));
	if (!node || !state || !before)
		return EXIT_NO;
	if (!strcmp(state, "drain"))
		print_drained(j, node);
	else
		printf("%s %s requests%s.\n", node, strcmp(before, state) ? "takes" : "took",
		       strcmp(before, state) ? " again" : " already");
	if (!member_is_true(j, "saved"))
		printf("%sThe change could not be saved; the balancer tries again until it "
		       "can.%s\n",
		       paint(PAINT_RED), paint(PAINT_NONE));
	if (member_is_true(j, "acknowledged"))
		return EXIT_OK;
	printf("%s%lld of the workers did not acknowledge the change within %d s.%s It is in "
	       "force all the same.\n",
	       paint(PAINT_RED), (long long)json_integer_value(json_object_get(j, "late")),
	       ACKNOWLEDGE_TIMEOUT_MS / 1000, paint(PAINT_NONE));
	return EXIT_UNACKNOWLEDGED;
}

/* Host names need no encoding; characters of a mistyped name may. */
static void encode_node(const char *name, char *to, size_t bytes)
{
	size_t n = 0;
	for (; *name && n + 4 <= bytes; name++)
		if ((unsigned char)*name > ' ' && *name < 0x7f && !strchr("%?#", *name))
			to[n++] = *name;
		else
			n += (size_t)snprintf(to + n, 4, "%%%02x", (unsigned char)*name);
	to[n] = 0;
}

static bool is_delay(const struct command *c, const char *text)
{
	uint64_t ms;
	if (duration_read(text, &ms) && ms <= DRAIN_DELAY_MAX_MS)
		return true;
	command_misused(c, "--delay: '%s' is not a duration from 0s to 1d, such as 300s", text);
	return false;
}

static int change_state(const struct command *c, const struct client_options *o, const char *node,
			json_t *body /* moved in */)
{
	char path[1024], encoded[768];
	encode_node(node, encoded, sizeof encoded);
	snprintf(path, sizeof path, "/v1/nodes/%s/state", encoded);
	return client_do(c, o,
			 &(struct client_request){ "PUT", path, body, 0, drain_print_change });
}

static int drain_or_ready(const struct command *c, int argc, char **argv, bool drain)
{
	struct client_options o = { 0 };
	const char *reason = NULL, *delay = NULL;
	bool force = false;
	const struct command_option options[] = { CLIENT_OPTIONS(&o),
						  { 0, "reason", &reason, NULL },
						  { 0, "delay", &delay, NULL },
						  { 0, "force", NULL, &force } };
	int code, operands = command_options(c, argc, argv, options,
					     CLIENT_OPTION_N + (drain ? 3 : 1), &code);
	if (operands < 0)
		return code;
	if (operands != 1)
		return command_misused(c, "one node is expected, as `crossfade status` shows it");
	if ((delay && !is_delay(c, delay)) || !command_takes_reason(c, reason))
		return EXIT_USAGE;
	json_t *body = json_pack("{s:s,s:s*,s:s*,s:s,s:o*}", "state", drain ? "drain" : "ready",
				 "delay", delay, "reason", reason, "who", client_who(), "force",
				 force ? json_true() : NULL);
	return body ? change_state(c, &o, argv[1], body)
		    : command_misused(c, "--reason: is not UTF-8 text");
}

int command_drain(const struct command *c, int argc, char **argv)
{
	return drain_or_ready(c, argc, argv, true);
}

int command_ready(const struct command *c, int argc, char **argv)
{
	return drain_or_ready(c, argc, argv, false);
}
