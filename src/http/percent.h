#ifndef HTTP_PERCENT_H
#define HTTP_PERCENT_H

/* Percent codes of URIs (RFC 3986, 2.1). */

#include "base/span.h"

/* The byte that the two digits at `at` say, or -1 where there are no two. */
int percent_code(const char *at, const char *end);

/* What it says, decoded once, at `to`. False: that is more than `room`. A '%' without its digits
 * stays. */
bool percent_decode(struct span s, char *to, size_t room, size_t *n);

#endif
