#ifndef HTTP_SECRET_H
#define HTTP_SECRET_H

/*
 * Secrets in a query, known by the names of their parameters. Who reads a query after us may decode
 * it twice, take other bytes for what divides it, and read a name as PHP and its heirs do; so all
 * of these are understood: rather one too many than one too few.
 */

#include <stdbool.h>

#include "base/span.h"

struct secret_names {
	const struct span *names; /* borrowed */
	size_t n;
};

/*
 * The first secret value in a query, or in the rest of one behind a value. A name has any case,
 * '_',
 * '-', '.' or nothing between its words, and percent codes, of percent codes too; it may stand in
 * brackets or before them
 * (`access_token[]`, `user[password]`), and in a value that is a URL or a query itself. The value
 * ends at the next '&' that is written as such.
 */
bool secret_next(const struct secret_names *names, struct span query, struct span *value);

#endif
