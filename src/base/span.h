#ifndef BASE_SPAN_H
#define BASE_SPAN_H

/* Bytes with another owner. A span is passed by value and never freed. */

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
	const char *at; /* borrowed; not terminated by NUL */
	size_t n;
};

#define SPAN(literal) ((struct span){ (literal), sizeof(literal) - 1 })
/* The same for a static table. */
#define SPAN_INIT(literal)                                                                         \
	{                                                                                          \
		(literal), sizeof(literal) - 1                                                     \
	}

static inline struct span span_of(const char *text)
{
	return (struct span){ text, text ? strlen(text) : 0 };
}

static inline bool span_is(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.at, b.at, a.n) == 0);
}

/* ASCII letters compare without case, as field names and tokens do (RFC 9110, 5.1 and 5.6.2). */
bool span_is_nocase(struct span a, struct span b);

/* Cuts leading and trailing spaces and tabs: the OWS of RFC 9110, 5.6.3. */
struct span span_trim(struct span s);

/*
 * Takes the next member of a comma-separated list out of *rest: trimmed, and empty members are
 * skipped (RFC 9110, 5.6.1.2). False at the end. Commas inside quoted strings are not special here:
 * the lists that are read this way (Connection, Transfer-Encoding) hold only tokens.
 */
bool span_next_member(struct span *rest, struct span *member);

/* Only decimal digits, no sign, no space. False when empty, not digits, or above `max`. */
bool span_to_u64(struct span s, unsigned long long max, unsigned long long *value);

#endif
