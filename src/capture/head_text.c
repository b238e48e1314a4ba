#include "capture/head_text.h"

#include <string.h>

struct span head_word(struct span head, unsigned n)
{
	for (; n; n--) {
		const char *blank = head.n ? memchr(head.at, ' ', head.n) : NULL;
		size_t skip = blank ? (size_t)(blank - head.at) + 1 : head.n;
		head = (struct span){ head.at + skip, head.n - skip };
	}
	const char *end = head.n ? memchr(head.at, ' ', head.n) : NULL;
	return (struct span){ head.at, end ? (size_t)(end - head.at) : head.n };
}

/* Of the line at `at`; empty: it is no field of that name. */
static struct span head_line_value(const char *at, const char *end, struct span name)
{
	size_t n = (size_t)(end - at);
	if (n < name.n + 2 || !span_is_nocase((struct span){ at, name.n }, name) ||
	    memcmp(at + name.n, ": ", 2) != 0)
		return (struct span){ "", 0 };
	at += name.n + 2;
	const char *stop = memchr(at, '\r', (size_t)(end - at));
	return (struct span){ at, (size_t)((stop ? stop : end) - at) };
}

struct span head_value(struct span head, struct span name)
{
	const char *at = head.at, *end = head.at + head.n;
	struct span value = { "", 0 };
	while (!value.n && at < end && (at = memchr(at, '\n', (size_t)(end - at))))
		value = head_line_value(++at, end, name);
	return value;
}
