/*
 * Secrets of a query: values that are found lie in it, one behind the other, and where they have
 * been replaced the same ones are found again. Read from memory that ends with it.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "http/percent.h"
#include "http/secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct span names[] = { SPAN_INIT("access_token"), SPAN_INIT("sig"),
				     SPAN_INIT("X-A") };
static const struct secret_names secrets = { names, sizeof names / sizeof *names };

/* How many there are; `to` gets the query without their values. */
static size_t strip(struct span query, char *to, size_t *n)
{
	struct span value;
	size_t found = 0;
	*n = 0;
	for (; secret_next(&secrets, query, &value); found++) {
		size_t before = (size_t)(value.at - query.at);
		must(value.at > query.at && before + value.n <= query.n);
		must(!memchr(value.at, '&', value.n));
		memcpy(to + *n, query.at, before);
		*n += before;
		query.n -= before + value.n;
		query.at = value.at + value.n;
	}
	if (query.n)
		memcpy(to + *n, query.at, query.n);
	*n += query.n;
	return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *exact = malloc(n ? n : 1), *once = malloc(n + 1), *twice = malloc(n + 1);
	size_t once_n, twice_n, decoded_n;
	must(exact && once && twice);
	if (n)
		memcpy(exact, data, n);
	size_t found = strip((struct span){ exact, n }, once, &once_n);
	must(strip((struct span){ once, once_n }, twice, &twice_n) == found);
	must(once_n == twice_n && memcmp(once, twice, once_n) == 0);
	must(percent_decode((struct span){ exact, n }, once, n, &decoded_n) && decoded_n <= n);
	free(exact);
	free(once);
	free(twice);
	return 0;
}
