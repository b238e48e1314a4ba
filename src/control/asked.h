#ifndef CONTROL_ASKED_H
#define CONTROL_ASKED_H

/* What the bodies of requests to the admin API have in common: strict JSON, and texts for logs. */

#include <jansson.h>
#include <stdbool.h>

#include "base/span.h"

/* A text that somebody sends, or that we answer. */
#define ASKED_TEXT_BYTES 256

/* NULL: `error` says what is wrong. */
json_t *asked_parse(struct span body, char error[ASKED_TEXT_BYTES]);
/* What json_unpack_ex() found wrong, in words about the body. */
void asked_say_why(const json_error_t *why, char error[ASKED_TEXT_BYTES]);
/* Copies a text that is shown on terminals and in logs, a line each; NULL is "". */
bool asked_take_text(const char *name, const char *text, char to[ASKED_TEXT_BYTES],
		     char error[ASKED_TEXT_BYTES]);

/* So many bytes of a text are whole characters of it, `most` at most. */
size_t asked_whole(const char *text, size_t most);
/* As a string, whatever it is: what is no UTF-8 is written as \xHH. NULL is null. */
json_t *asked_json(const char *text);

#endif
