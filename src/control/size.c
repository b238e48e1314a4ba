#include "control/size.h"

#include <string.h>

#include "base/span.h"

static const struct {
	const char *word;
	unsigned shift;
} units[] = { { "", 0 }, { "KiB", 10 }, { "MiB", 20 }, { "GiB", 30 }, { "TiB", 40 } };

bool size_read(const char *text, uint64_t *bytes)
{
	size_t digits = strspn(text, "0123456789");
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		unsigned long long n;
		if (strcmp(units[i].word, text + digits) != 0)
			continue;
		if (!span_to_u64((struct span){ text, digits }, UINT64_MAX >> units[i].shift, &n))
			return false;
		*bytes = n << units[i].shift;
		return true;
	}
	return false;
}
