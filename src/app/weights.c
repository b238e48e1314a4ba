#include <stdio.h>

#include "app/client.h"
#include "app/weights_text.h"
#include "base/limits.h"
#include "base/span.h"

static int weights_print_now(struct client *t, const json_t *j)
{
	(void)t;
	weights_text_share(stdout, j);
	printf("   epoch %lld\n", (long long)json_integer_value(json_object_get(j, "epoch")));
	return EXIT_OK;
}

static int weights_print_change(struct client *t, const json_t *j)
{
	(void)t;
	return weights_text_change(j);
}

static bool weights_read_operand(const struct command *c, const char *text,
				 unsigned long long *weight)
{
	if (span_to_u64(span_of(text), WEIGHT_MAX, weight))
		return true;
	command_misused(c, "'%s' is not a weight: a whole number from 0 to %d", text, WEIGHT_MAX);
	return false;
}

static json_t *change_body(unsigned long long source, unsigned long long target, const char *reason,
			   bool force)
{
	return json_pack("{s:{s:I,s:I},s:s*,s:s,s:o*}", "weights", "source", (json_int_t)source,
			 "target", (json_int_t)target, "reason", reason, "who", client_who(),
			 "force", force ? json_true() : NULL);
}

int command_weights(const struct command *c, int argc, char **argv)
{
	struct client_options o = { 0 };
	const char *reason = NULL, *if_epoch = NULL;
	bool force = false;
	const struct command_option options[] = { CLIENT_OPTIONS(&o),
						  { 0, "reason", &reason, NULL },
						  { 0, "if-epoch", &if_epoch, NULL },
						  { 0, "force", NULL, &force } };
	unsigned long long source, target, epoch = 0;
	int code, operands = command_options(c, argc, argv, OPTIONS(options), &code);
	if (operands < 0)
		return code;
	if (operands != 0 && operands != 2)
		return command_misused(
			c, "two weights are expected, SOURCE and TARGET, or none to see them");
	if (operands == 0 && (reason || if_epoch || force))
		return command_misused(
			c, "--reason, --if-epoch and --force go with a change: SOURCE TARGET");
	if (operands && (!weights_read_operand(c, argv[1], &source) ||
			 !weights_read_operand(c, argv[2], &target)))
		return EXIT_USAGE;
	if (!command_takes_reason(c, reason))
		return EXIT_USAGE;
	if (operands && source == 0 && target == 0)
		return command_misused(c, "0 0: nobody would be served");
	if (if_epoch && (!span_to_u64(span_of(if_epoch), INT64_MAX, &epoch) || !epoch))
		return command_misused(c, "--if-epoch: '%s' is not an epoch", if_epoch);
	struct client_request now = { "GET", "/v1/weights", NULL, 0, weights_print_now };
	if (!operands)
		return client_do(c, &o, &now);
	json_t *body = change_body(source, target, reason, force);
	struct client_request change = { "PUT", "/v1/weights", body, epoch, weights_print_change };
	return body ? client_do(c, &o, &change) : command_misused(c, "--reason: is not UTF-8 text");
}
