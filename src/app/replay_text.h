#ifndef APP_REPLAY_TEXT_H
#define APP_REPLAY_TEXT_H

/* Replay as text, from the JSON of the admin API: for `crossfade status` and `crossfade replay`. */

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* One line, and one more for each thing that somebody should know. Nothing if it is no object. */
void replay_text_put(FILE *to, const json_t *replay);
/* Documents done of all, rate and time left, in one line without its end. */
void replay_text_progress(char *to, size_t bytes, const json_t *backfill);
/* How a backfill has ended. */
void replay_text_end(FILE *to, const json_t *backfill);
/* What was set aside, a paragraph for each document. */
void replay_text_aside(FILE *to, const json_t *list);

#endif
