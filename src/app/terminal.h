#ifndef APP_TERMINAL_H
#define APP_TERMINAL_H

/*
 * What the commands write, where that is shown on a terminal: bytes of others are escaped as in
 * base/plain.h. A file or a pipe gets every byte as it is.
 */

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

/* From here on all that is written to `stderr`, arguments of the command line too. */
void terminal_guard_errors(void);

/* A text of others; ends of lines and tabs stay. */
void terminal_put(const char *at, size_t n, FILE *to);
/* The same JSON in either case. */
void terminal_put_json(const json_t *j, FILE *to);

#endif
