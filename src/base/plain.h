#ifndef BASE_PLAIN_H
#define BASE_PLAIN_H

/*
 * Text from outside that will be shown on a terminal or written into a log. Characters that could
 * move the cursor, break the line or change the writing direction are escaped: the control
 * characters of ASCII and of ISO 6429 above it (C1, such as U+009B), marks without a width or with
 * a direction, line separators, and bytes that are not UTF-8.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*
 * The number of bytes of the character at `at`, where `n` bytes are left. *shown: it needs no
 * escape.
 */
size_t plain_character(const char *at, size_t n, bool *shown);
bool plain_is(const char *text);

/*
 * Escapes byte by byte as \xNN. The copy is terminated, and cut to `room` at a character. Returns
 * its length.
 */
size_t plain_copy(char *to, size_t room, const char *from);
/* The same into a file, without a limit. Tabs and newlines, also CR LF, stay. */
void plain_put(const char *at, size_t n, FILE *to);
/* For a JSON text: escapes as \uNNNN, which leaves the JSON's meaning unchanged; newlines stay. */
void plain_put_json(const char *text, FILE *to);

#endif
