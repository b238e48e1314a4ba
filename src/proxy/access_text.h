#ifndef PROXY_ACCESS_TEXT_H
#define PROXY_ACCESS_TEXT_H

/*
 * Writes values to a line of the access log. A value that does not fit its field is cut; an escape
 * is written whole or not at all.
 */

#include "proxy/access.h"

/* A line that is being written. */
struct access_line {
	struct access *access;
	const struct access_entry *e;
	const struct request *r; /* e->request */
	enum access_format format;
	char *at, *end; /* where the field's value goes on, and its limit */
};

/* Writes bytes without escapes: for digits and our own text. */
void access_put_raw(struct access_line *l, const char *from, size_t n);
/* Writes bytes from any source, escaped as the format demands. */
void access_put(struct access_line *l, struct span s);
/* The same for a string; NULL writes nothing. */
void access_put_text(struct access_line *l, const char *text);
void access_put_number(struct access_line *l, uint64_t n);
/* Seconds, to the millisecond. */
void access_put_seconds(struct access_line *l, uint64_t ns);
/* A time of day in ISO 8601, to the microsecond. */
void access_put_wall(struct access_line *l, uint64_t wall_ns);
/* Writes nothing for an unset address. */
void access_put_address(struct access_line *l, const struct addr *a);

#endif
