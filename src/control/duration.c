#include "control/duration.h"

#include <stdio.h>
#include <string.h>

#include "base/span.h"

static const struct unit {
	const char *word;
	uint32_t ms;
} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 } };

static const struct unit *find_unit(const char *word)
{
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (!strcmp(units[i].word, word))
			return &units[i];
	return NULL;
}

bool duration_read(const char *text, uint64_t *ms)
{
	size_t digits = strspn(text, "0123456789");
	const struct unit *unit = find_unit(text + digits);
	unsigned long long n;
	if (!unit || !span_to_u64((struct span){ text, digits }, UINT32_MAX, &n))
		return false;
	*ms = n * unit->ms;
	return true;
}

const char *duration_text(uint64_t ms, char text[DURATION_TEXT_BYTES])
{
	const struct unit *u = &units[0];
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (ms && ms % units[i].ms == 0)
			u = &units[i];
	snprintf(text, DURATION_TEXT_BYTES, "%llu%s", (unsigned long long)(ms / u->ms), u->word);
	return text;
}
