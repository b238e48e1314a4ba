#include "app/compare_text.h"

#include <string.h>

#include "app/paint.h"
#include "base/plain.h"

static const char *compare_word(const json_t *compare, const char *name)
{
	const char *text = json_string_value(json_object_get(compare, name));
	return text ? text : "";
}

static long long compare_sum(const json_t *compare)
{
	static const char *const names[] = { "different", "missing", "extra", "surroundings" };
	const json_t *numbers = json_object_get(compare, "numbers");
	long long sum = 0;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		sum += json_integer_value(json_object_get(numbers, names[i]));
	return sum;
}

void compare_text_line(FILE *to, const json_t *compare)
{
	const char *result = compare_word(compare, "result"), *why = compare_word(compare, "why");
	if (!*result)
		return;
	bool equal = !strcmp(result, "equal"), different = !strcmp(result, "different");
	fprintf(to, "%scompare%s  %s%s%s at %s (%s, %lld documents", paint(PAINT_BOLD),
		paint(PAINT_NONE), paint_good(equal),
		equal || different ? result : "nobody can tell", paint(PAINT_NONE),
		compare_word(compare, "ended"), compare_word(compare, "what"),
		(long long)json_integer_value(
			json_object_get(json_object_get(compare, "numbers"), "checked")));
	if (different)
		fprintf(to, ", %lld differences", compare_sum(compare));
	fputs(*why ? "): " : ")", to);
	plain_put(why, strlen(why), to);
	putc('\n', to);
}
