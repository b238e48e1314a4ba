#ifndef BASE_PLAIN_H
#define BASE_PLAIN_H

/*
 * Text from outside that is about to be shown on a terminal or written into a log: what could move
 * the cursor, change the line or turn its direction is shown escaped. That is ASCII's control
 * characters, those of ISO 6429 above (C1, as U+009B), marks without a width or of direction, line
 * separators, and whatever is no UTF-8.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Bytes of the character at `at`, which has `n` bytes in front of it; *shown: it may be as it is.
 */
size_t plain_character(const char *at, size_t n, bool *shown);
bool plain_is(const char *text);

/* Escaped as \xNN, byte by byte; terminated, and cut to `room` at a character. Returns its length.
 */
size_t plain_copy(char *to, size_t room, const char *from);
/* The same into a file, uncut; tabs and ends of lines, CR LF too, stay. */
void plain_put(const char *at, size_t n, FILE *to);
/* A text of JSON, escaped as \uNNNN, which is the same JSON; ends of lines stay. */
void plain_put_json(const char *text, FILE *to);

#endif
