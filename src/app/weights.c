#include <stdio.h>
#include <stdlib.h>

#include "app/client.h"
#include "app/weights_text.h"
#include "base/span.h"
#include "base/limits.h"

static int show(struct client *t)
{
	struct client_answer a;
	if (!client_ask(t, "GET", "/v1/weights", NULL, 0, &a))
		return EXIT_UNREACHABLE;
	int code = EXIT_OK;
	if (a.status != 200 || !a.json) {
		code = client_refused(t, &a);
	} else if (t->json) {
		fputs(a.text, stdout);
	} else {
		weights_text_share(stdout, a.json);
		printf("   epoch %lld\n",
		       (long long)json_integer_value(json_object_get(a.json, "epoch")));
	}
	client_answer_free(&a);
	return code;
}

static int change(struct client *t, json_t *body, uint64_t if_epoch)
{
	struct client_answer a;
	if (!client_ask(t, "PUT", "/v1/weights", body, if_epoch, &a))
		return EXIT_UNREACHABLE;
	int code;
	if ((a.status != 200 && a.status != 202) || !a.json) {
		code = client_refused(t, &a);
	} else if (t->json) {
		fputs(a.text, stdout);
		code = a.status == 200 ? EXIT_OK : EXIT_UNACKNOWLEDGED;
	} else {
		code = weights_text_change(a.json);
	}
	client_answer_free(&a);
	return code;
}

static bool read_weight(const struct command *c, const char *text, unsigned long long *weight)
{
	if (span_to_u64(span_of(text), WEIGHT_MAX, weight))
		return true;
	command_misused(c, "'%s' is not a weight: a whole number from 0 to %d", text, WEIGHT_MAX);
	return false;
}

static json_t *change_body(unsigned long long source, unsigned long long target, const char *reason)
{
	return json_pack("{s:{s:I,s:I},s:s*,s:s}", "weights", "source", (json_int_t)source,
			 "target", (json_int_t)target, "reason", reason, "who", client_who());
}

int command_weights(const struct command *c, int argc, char **argv)
{
	struct client_options o = { 0 };
	const char *reason = NULL, *if_epoch = NULL;
	const struct command_option options[] = { CLIENT_OPTIONS(&o),
						  { 0, "reason", &reason, NULL },
						  { 0, "if-epoch", &if_epoch, NULL } };
	unsigned long long source, target, epoch = 0;
	int code, operands = command_options(c, argc, argv, options, 5, &code);
	if (operands < 0)
		return code;
	if (operands != 0 && operands != 2)
		return command_misused(
			c, "two weights are expected, SOURCE and TARGET, or none to see them");
	if (operands == 0 && (reason || if_epoch))
		return command_misused(c,
				       "--reason and --if-epoch go with a change: SOURCE TARGET");
	if (operands && (!read_weight(c, argv[1], &source) || !read_weight(c, argv[2], &target)))
		return EXIT_USAGE;
	if (operands && source == 0 && target == 0)
		return command_misused(c, "0 0: nobody would be served");
	if (if_epoch && (!span_to_u64(span_of(if_epoch), INT64_MAX, &epoch) || !epoch))
		return command_misused(c, "--if-epoch %s: is not an epoch", if_epoch);
	struct client t;
	if (!client_open(&t, c, &o, &code))
		return code;
	if (operands) {
		json_t *body = change_body(source, target, reason);
		code = body ? change(&t, body, epoch)
			    : command_misused(c, "--reason: is not UTF-8 text");
		json_decref(body);
	} else {
		code = show(&t);
	}
	client_close(&t);
	return code;
}
