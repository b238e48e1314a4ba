#ifndef HTTP_SECRET_H
#define HTTP_SECRET_H

/*
 * Finds secrets in a query by the names of their parameters. Software that reads the query later
 * may decode it twice, divide it at other bytes, and read a name as PHP and similar languages do.
 * All of these readings are understood: one secret too many is better than one too few.
 */

#include <stdbool.h>

#include "base/span.h"

struct secret_names {
	const struct span *names; /* borrowed */
	size_t n;
};

/*
 * The first secret value in a query, or in the rest of a query behind a value. A name matches in
 * any case, with '_', '-', '.' or nothing between its words, and with percent codes, even of
 * percent codes. It may stand in brackets or before them (`access_token[]`, `user[password]`), and
 * inside a value that is a URL or a query itself. The value ends at the next literal '&'.
 */
bool secret_next(const struct secret_names *names, struct span query, struct span *value);

#endif
