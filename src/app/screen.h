#ifndef APP_SCREEN_H
#define APP_SCREEN_H

/*
 * Shows one page on a terminal, and draws it anew now and then. It does not flicker, because every
 * line is written over the line before, in one write. At the end the terminal shows what it showed
 * before.
 */

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

struct screen_size {
	unsigned columns, rows;
};

/* 80 by 24 if the terminal does not say. */
struct screen_size screen_size(void);

/* Between screen_enter() and screen_leave(), keys are read one by one and not echoed. */
struct screen {
	bool keys; /* keys can be read */
	struct termios before;
};

void screen_enter(struct screen *s);
void screen_leave(struct screen *s);
/* Returns a key that was pressed; 0: none. */
char screen_key(const struct screen *s);

/*
 * A line that is wider than the terminal is cut and ends with '>'. If there are more lines than
 * rows, the last row says how many are not shown.
 */
void screen_draw(const char *page, struct screen_size size);

#endif
