#ifndef APP_COMPARE_TEXT_H
#define APP_COMPARE_TEXT_H

#include <jansson.h>
#include <stdio.h>

/* A line of the status: what the last comparison said, and when. Nothing where there was none. */
void compare_text_line(FILE *to, const json_t *compare);

#endif
