#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

/*
 * The machine's clocks. Workers never call these functions: they use the time of their turn from
 * `io`.
 */

#include <stdbool.h>
#include <stdint.h>

uint64_t clock_monotonic_ns(void);
uint64_t clock_wall_ns(void);
int64_t clock_wall_s(void); /* since 1970-01-01T00:00:00Z */

/* "2026-11-23T18:01:25.123Z"; `text` has room for CLOCK_TEXT_BYTES. */
#define CLOCK_TEXT_BYTES 25
void clock_text(uint64_t wall_ns, char text[CLOCK_TEXT_BYTES]);
/* The same back: 2026-11-23T18:01:25Z, with a fraction or without, and with a Z or without. */
bool clock_read(const char *text, uint64_t *wall_ns);

#endif
