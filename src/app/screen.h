#ifndef APP_SCREEN_H
#define APP_SCREEN_H

/*
 * A terminal that shows one page, drawn anew now and then. It does not flicker: every line is
 * written over the one before, in one write. What was on the terminal comes back at the end.
 */

#include <stdbool.h>
#include <stddef.h>

struct screen_size {
	unsigned columns, rows;
};

/* 80 by 24 where the terminal does not say. */
struct screen_size screen_size(void);

void screen_enter(void);
void screen_leave(void);

/* Lines that are longer than the terminal is wide, and those below its last one, are cut. */
void screen_draw(const char *page, struct screen_size size);

#endif
