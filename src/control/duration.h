#ifndef CONTROL_DURATION_H
#define CONTROL_DURATION_H

/* Durations as people write them: 300ms, 5s, 2m, 1h, 7d. */

#include <stdbool.h>
#include <stdint.h>

/*
 * False when `text` is not a duration. A number without a unit is refused: its unit would be a
 * guess.
 */
bool duration_read(const char *text, uint64_t *ms);

/* Writes it in the largest unit that divides it: "2m", "1500ms". */
#define DURATION_TEXT_BYTES 32
const char *duration_text(uint64_t ms, char text[DURATION_TEXT_BYTES]);

#endif
