#ifndef CONTROL_PATTERN_H
#define CONTROL_PATTERN_H

/*
 * A regular expression of Perl's kind over bytes (PCRE2). Its size and the time of a search are
 * limited: neither the author of the pattern nor the sender of the text can slow the balancer down.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

struct pattern;

#define PATTERN_ERROR_BYTES 256

/*
 * NULL when `text` is not a valid pattern: `error` says why, and *at is the offset of the byte in
 * question.
 */
struct pattern *pattern_open(const char *text, char error[PATTERN_ERROR_BYTES], size_t *at);
void pattern_close(struct pattern *p);

enum match { MATCH_YES, MATCH_NO, MATCH_TOO_COSTLY };

/* Whether the pattern matches somewhere in the text. */
enum match pattern_find(struct pattern *p, struct span text);

#endif
