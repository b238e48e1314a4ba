#include "app/weights_text.h"

#include <stdio.h>

#include "app/command.h"
#include "app/paint.h"
#include "base/limits.h"

static json_int_t weights_integer(const json_t *j, const char *name)
{
	return json_integer_value(json_object_get(j, name));
}

static void weights_print_pair(FILE *to, const json_t *weights)
{
	json_int_t source = weights_integer(weights, "source"),
		   target = weights_integer(weights, "target");
	double sum = source + target > 0 ? (double)(source + target) : 1;
	fprintf(to, "source %lld (%.4g %%), target %lld (%.4g %%)", (long long)source,
		100 * (double)source / sum, (long long)target, 100 * (double)target / sum);
}

void weights_text_share(FILE *to, const json_t *j)
{
	weights_print_pair(to, json_object_get(j, "weights"));
}

static void weights_print_late(const json_t *late)
{
	size_t i;
	const json_t *one;
	printf("%sNot acknowledged within %d s by", paint(PAINT_RED),
	       ACKNOWLEDGE_TIMEOUT_MS / 1000);
	json_array_foreach(late, i, one)
		printf("%s worker %lld of process %lld", i ? "," : "",
		       (long long)weights_integer(one, "worker"),
		       (long long)weights_integer(one, "pid"));
	printf(".%s The change is in force; see `crossfade status`.\n", paint(PAINT_NONE));
}

/* The warnings are sentences without a capital and a full stop. */
static void weights_print_warnings(const json_t *warnings)
{
	size_t i;
	const json_t *one;
	json_array_foreach(warnings, i, one)
		printf("%sWarning: %s.%s\n", paint(PAINT_YELLOW), json_string_value(one),
		       paint(PAINT_NONE));
}

int weights_text_change(const json_t *j)
{
	long long before = (long long)weights_integer(j, "in_flight_before");
	int acknowledged = json_is_true(json_object_get(j, "acknowledged"));
	printf("now     ");
	weights_text_share(stdout, j);
	printf("   epoch %lld\nbefore  ", (long long)weights_integer(j, "epoch"));
	weights_print_pair(stdout, json_object_get(j, "before"));
	putchar('\n');
	if (acknowledged)
		printf("%sEvery worker uses the new weights.%s\n", paint(PAINT_GREEN),
		       paint(PAINT_NONE));
	else
		weights_print_late(json_object_get(j, "late"));
	if (before)
		printf("%lld request%s decided by the weights before %s still under way.\n", before,
		       before == 1 ? "" : "s", before == 1 ? "is" : "are");
	if (!json_is_true(json_object_get(j, "saved")))
		printf("%sThe change could not be saved; the balancer tries again until it can.%s "
		       "Until then a restart of the machine would lose it.\n",
		       paint(PAINT_RED), paint(PAINT_NONE));
	if (json_is_false(json_object_get(j, "audited")))
		printf("%saudit.jsonl has no line of it yet; the balancer tries again until it "
		       "can.%s\n",
		       paint(PAINT_RED), paint(PAINT_NONE));
	weights_print_warnings(json_object_get(j, "warnings"));
	return acknowledged ? EXIT_OK : EXIT_UNACKNOWLEDGED;
}
