#ifndef APP_PAINT_H
#define APP_PAINT_H

/*
 * Colours for a terminal. None if standard output is no terminal, TERM is dumb, or NO_COLOR is set.
 */

enum paint { PAINT_NONE, PAINT_BOLD, PAINT_GREEN, PAINT_YELLOW, PAINT_RED, PAINT_DIM };

/* The bytes that begin the colour; paint(PAINT_NONE) ends it. */
const char *paint(enum paint p);

/* Green for good, red for bad. */
const char *paint_good(int good);

#endif
