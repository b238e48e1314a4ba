#ifndef CONTROL_PATTERN_H
#define CONTROL_PATTERN_H

/*
 * A regular expression of Perl's kind over bytes (PCRE2), bounded in size and in the time that a
 * search may take: neither who writes it nor who sends the text can slow anything down.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

struct pattern;

#define PATTERN_ERROR_BYTES 256

/* NULL, when the text is none: `error` says why, and *at is the byte of it in question. */
struct pattern *pattern_open(const char *text, char error[PATTERN_ERROR_BYTES], size_t *at);
void pattern_close(struct pattern *p);

enum match { MATCH_YES, MATCH_NO, MATCH_TOO_COSTLY };

/* Whether it is found somewhere in the text. */
enum match pattern_find(struct pattern *p, struct span text);

#endif
