#include <stdio.h>

#include "app/client.h"
#include "app/weights_text.h"

static int rollback_print(struct client *t, const json_t *j)
{
	(void)t;
	return weights_text_change(j);
}

int command_rollback(const struct command *c, int argc, char **argv)
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
	json_t *body = json_pack("{s:s*,s:s}", "reason", reason, "who", client_who());
	const struct client_request back = { "POST", "/v1/rollback", body, 0, rollback_print };
	return body ? client_do(c, &o, &back) : command_misused(c, "--reason: is not UTF-8 text");
}
