#ifndef CAPTURE_HEAD_TEXT_H
#define CAPTURE_HEAD_TEXT_H

/*
 * The text of a recorded head, which is canonical (http/msg.h): a first line, then "Name: value" in
 * each line, and "\r\n" between them. Results are parts of the head.
 */

#include "base/span.h"

/* The n-th word of the first line, from 0; empty: there is none. */
struct span head_word(struct span head, unsigned n);
/* The value of the first field of that name, in any case of letters; empty: there is none. */
struct span head_value(struct span head, struct span name);

#endif
