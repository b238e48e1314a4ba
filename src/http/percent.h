#ifndef HTTP_PERCENT_H
#define HTTP_PERCENT_H

/* Percent codes of URIs (RFC 3986, 2.1). */

#include "base/span.h"

/* The byte of the two hex digits at `at`; -1 when there are not two. */
int percent_code(const char *at, const char *end);

/*
 * Writes `s`, decoded once, to `to`. False: the result is longer than `room`. A '%' without two hex
 * digits stays.
 */
bool percent_decode(struct span s, char *to, size_t room, size_t *n);

/*
 * Writes `s` as one segment of a path or one value of a query, and a NUL behind it. `to` has room
 * for 3 * s.n + 1 bytes. Returns the bytes without the NUL.
 */
size_t percent_encode(struct span s, char *to);

#endif
