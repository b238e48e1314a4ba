#ifndef CONTROL_HISTORY_H
#define CONTROL_HISTORY_H

/* The last lines of audit.jsonl, for whoever asks what was changed, by whom and why. */

#include <jansson.h>
#include <stdint.h>

/* Of the end of the file; a line is some hundred bytes. */
#define HISTORY_BYTES (256 * 1024)

/*
 * The newest last; lines that are none are left out. Owned by the caller. NULL with errno: it
 * cannot be read; where there is no file it is empty.
 */
json_t *history_read(const char *directory);

/* The change of weights that made that epoch; borrowed from the list. NULL: it is not there. */
const json_t *history_of_epoch(const json_t *list, uint64_t epoch);

/* "alice set source 9, target 1 at 2026-...Z (CHG-1)"; "": the list does not have it. */
#define HISTORY_TEXT_BYTES 1024
void history_tell(const json_t *list, uint64_t epoch, char text[HISTORY_TEXT_BYTES]);

#endif
