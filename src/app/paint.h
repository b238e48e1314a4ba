#ifndef APP_PAINT_H
#define APP_PAINT_H

/* Colours on a terminal; nothing where standard output is piped, TERM is dumb or NO_COLOR is set.
 */

enum paint { PAINT_NONE, PAINT_BOLD, PAINT_GREEN, PAINT_YELLOW, PAINT_RED, PAINT_DIM };

/* The bytes that begin it; paint(PAINT_NONE) ends it. */
const char *paint(enum paint p);

/* The same of how something is: well or not. */
const char *paint_good(int good);

#endif
