/*
 * Two JSON texts, divided by a byte of zero: compared in either order the verdict is one, each is
 * equal to itself with a blank before it, and what differs is told in plain text. Read from memory
 * that ends with them.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/plain.h"
#include "replay/compare_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct span exact(const uint8_t *data, size_t n, bool blank)
{
	char *at = malloc(n + 1);
	must(at);
	if (blank)
		at[0] = ' ';
	if (n)
		memcpy(at + blank, data, n);
	return (struct span){ at, n + blank };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char where[COMPARE_WHERE_BYTES], back[COMPARE_WHERE_BYTES];
	const uint8_t *zero = n ? memchr(data, 0, n) : NULL;
	size_t first = zero ? (size_t)(zero - data) : n;
	struct span a = exact(data, first, false), blank = exact(data, first, true);
	struct span b = exact(data + first + !!zero, n - first - !!zero, false);
	enum compare_verdict verdict = compare_json(a, b, where);
	must(compare_json(b, a, back) == verdict);
	must(plain_is(where) && plain_is(back) && !*where == (verdict == COMPARE_EQUAL));
	must(compare_json(a, blank, where) == COMPARE_EQUAL);
	free((char *)(uintptr_t)a.at);
	free((char *)(uintptr_t)b.at);
	free((char *)(uintptr_t)blank.at);
	return 0;
}
