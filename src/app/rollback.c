#include <stdio.h>

#include "app/client.h"
#include "app/paint.h"
#include "app/weights_text.h"

static json_int_t answered_by_target(const json_t *status)
{
	const json_t *target = json_array_get(json_object_get(status, "clusters"), 1);
	return json_integer_value(json_object_get(json_object_get(target, "requests"), "all"));
}

/* What going back means for the writes that the target took. */
static void explain(struct client *t)
{
	struct client_answer a;
	if (!client_ask(t, "GET", "/v1/status", NULL, 0, &a))
		return;
	json_int_t n = answered_by_target(a.json);
	if (n > 0)
		printf("%sThe target has answered %lld request%s since this process started.%s "
		       "What it took "
		       "by writes, the source does not have.\n",
		       paint(PAINT_YELLOW), (long long)n, n == 1 ? "" : "s", paint(PAINT_NONE));
	client_answer_free(&a);
}

static int print(struct client *t, const json_t *j)
{
	int code = weights_text_change(j);
	explain(t);
	return code;
}

int command_rollback(const struct command *c, int argc, char **argv)
{
	struct client_options o = { 0 };
	const char *reason = NULL;
	const struct command_option options[] = { CLIENT_OPTIONS(&o),
						  { 0, "reason", &reason, NULL } };
	int code, operands = command_options(c, argc, argv, options, 4, &code);
	if (operands < 0)
		return code;
	if (operands > 0)
		return command_misused(c, "'%s' is not expected here", argv[1]);
	json_t *body = json_pack("{s:s*,s:s}", "reason", reason, "who", client_who());
	return client_do(c, &o, &(struct client_request){ "POST", "/v1/rollback", body, 0, print });
}
