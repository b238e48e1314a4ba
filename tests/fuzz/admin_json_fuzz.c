/*
 * What is sent to the admin API. A change that is read is one that can be made, and reads the same
 * when it is written again; anything else has its words.
 */

#include <stdint.h>
#include <stdlib.h>

#include "base/bug.h"
#include "control/weights_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_again(const struct weights_change *c)
{
	struct weights_change again = { 0 };
	char error[WEIGHTS_TEXT_BYTES] = "";
	json_t *j =
		json_pack("{s:{s:i,s:i},s:s,s:s}", "weights", "source", (int)c->weights[ARM_SOURCE],
			  "target", (int)c->weights[ARM_TARGET], "reason", c->why, "who", c->who);
	char *text = json_dumps(j, JSON_COMPACT);
	must(text && weights_json_read(span_of(text), &again, error));
	must(!memcmp(c->weights, again.weights, sizeof c->weights) && !strcmp(c->why, again.why) &&
	     !strcmp(c->who, again.who));
	free(text);
	json_decref(j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span body = { (const char *)data, n };
	struct weights_change c = { 0 };
	char error[WEIGHTS_TEXT_BYTES] = "";
	if (weights_json_read(body, &c, error)) {
		must(c.weights[ARM_SOURCE] <= WEIGHT_MAX && c.weights[ARM_TARGET] <= WEIGHT_MAX);
		check_again(&c);
	} else {
		must(error[0]);
	}
	error[0] = 0;
	must(weights_json_read_rollback(body, &c, error) || error[0]);
	return 0;
}
