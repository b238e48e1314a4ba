#ifndef APP_SCREEN_H
#define APP_SCREEN_H

/*
 * A terminal that shows one page, drawn anew now and then. It does not flicker: every line is
 * written over the one before, in one write. What was on the terminal comes back at the end.
 */

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

struct screen_size {
	unsigned columns, rows;
};

/* 80 by 24 where the terminal does not say. */
struct screen_size screen_size(void);

/* Keys come one by one, and are not shown, while the terminal is ours. */
struct screen {
	bool keys; /* they come */
	struct termios before;
};

void screen_enter(struct screen *s);
void screen_leave(struct screen *s);
/* One that was pressed; 0: none. */
char screen_key(const struct screen *s);

/*
 * A line that is longer than the terminal is wide ends with a '>'; where there are more lines than
 * rows the last one says how many are not shown.
 */
void screen_draw(const char *page, struct screen_size size);

#endif
