#ifndef REPLAY_COMPARE_JSON_H
#define REPLAY_COMPARE_JSON_H

/*
 * Whether two JSON texts (RFC 8259) say the same. A cluster may have rewritten one of them: the
 * order of an object's members does not count, nor do blanks and codes in strings. Numbers without
 * a fraction and an exponent are compared digit by digit, all others as doubles, so that 1.10 is
 * 1.1, and 1e3 is 1000.0.
 *
 * What has no single meaning (a member that is there twice, half a surrogate pair, bytes that are
 * no UTF-8) or is too large to be taken apart is compared byte by byte without blanks: then it is
 * equal, or nobody can tell. Memory: some 70 bytes for each value of both, during the call.
 */

#include "base/limits.h"
#include "base/span.h"

enum compare_verdict {
	COMPARE_EQUAL,
	COMPARE_DIFFERENT,
	COMPARE_UNKNOWN, /* nobody can tell */
};

/*
 * `where` gets the first difference, in plain text: "user.tags[2]: 5 / nothing"; or why nobody can
 * tell; or "". Texts are borrowed for the call.
 */
enum compare_verdict compare_json(struct span a, struct span b, char where[COMPARE_WHERE_BYTES]);

/* Whether two numbers as JSON writes them are one. */
bool compare_json_numbers(struct span a, struct span b);

#endif
