#ifndef CONTROL_ADMIN_BODY_H
#define CONTROL_ADMIN_BODY_H

/* What the handlers of the admin API share about bodies: strict JSON, and texts that go to logs. */

#include <jansson.h>
#include <stdbool.h>

#include "base/span.h"

/* A text in a request or in a response. */
#define ADMIN_BODY_TEXT_BYTES 256

/* NULL: `error` says what is wrong. */
json_t *admin_body_parse(struct span body, char error[ADMIN_BODY_TEXT_BYTES]);
/* Describes the error that json_unpack_ex() found, as a sentence about the body. */
void admin_body_say_why(const json_error_t *why, char error[ADMIN_BODY_TEXT_BYTES]);
/* Copies a text that terminals and logs show as one line. NULL counts as "". */
bool admin_body_take_text(const char *name, const char *text, char to[ADMIN_BODY_TEXT_BYTES],
			  char error[ADMIN_BODY_TEXT_BYTES]);

/* The largest number of bytes, at most `most`, that does not cut a UTF-8 character of `text`. */
size_t admin_body_whole(const char *text, size_t most);
/* `text` as a JSON string. Bytes that are not UTF-8 are written as \xHH. NULL gives null. */
json_t *admin_body_log_text(const char *text);

#endif
