#ifndef APP_WEIGHTS_TEXT_H
#define APP_WEIGHTS_TEXT_H

/* The outcome of a change of the weights, as text for a person. */

#include <jansson.h>
#include <stdio.h>

/* "source 90 (90.0 %), target 10 (10.0 %)"; `j` is {"weights":{...},...}. */
void weights_text_share(FILE *to, const json_t *j);

/* Prints all that the response to a change says. Returns EXIT_OK or EXIT_UNACKNOWLEDGED. */
int weights_text_change(const json_t *j);

#endif
