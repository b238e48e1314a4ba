#ifndef APP_TERMINAL_H
#define APP_TERMINAL_H

/*
 * Output of the commands to a terminal: bytes from others are escaped as in base/plain.h. A file or
 * a pipe gets every byte unchanged.
 */

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

/* From now on guards all output to `stderr`, also what contains arguments of the command line. */
void terminal_guard_errors(void);

/* Prints text from others; ends of lines and tabs are kept. */
void terminal_put(const char *at, size_t n, FILE *to);
/* Prints JSON, escaped on a terminal. It stays the same JSON. */
void terminal_put_json(const json_t *j, FILE *to);

#endif
