#ifndef CONTROL_COMPLAINTS_H
#define CONTROL_COMPLAINTS_H

/*
 * What is wrong with a text that a person wrote: each complaint has a place in it, and is shown
 * with the line and a caret under what is meant. All of a text are collected, so that they can be
 * mended in one go.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/span.h"

/* Shown of one text; further ones are counted. */
#define COMPLAINTS_MAX 20
/* A place that is not in the text: the file as such. */
#define NOWHERE ((size_t)-1)

struct complaint {
	size_t at; /* byte of the text */
	char *message;
};

struct complaints {
	const char *file; /* borrowed: its name, as the person knows it */
	struct span text; /* borrowed */
	struct complaint list[COMPLAINTS_MAX];
	size_t n;				   /* in the list */
	size_t more;				   /* beyond it */
	struct complaint cautions[COMPLAINTS_MAX]; /* what is good, and may not be what is meant */
	size_t caution_n;
	bool *shown; /* owned: of each byte of the text; NULL: all of it may be shown */
};

void complaints_open(struct complaints *c, const char *file, struct span text);
void complaints_close(struct complaints *c);

__attribute__((format(printf, 3, 4))) void complain(struct complaints *c, size_t at,
						    const char *format, ...);

/* The text stays good, and the person is warned. Further ones than COMPLAINTS_MAX are dropped. */
__attribute__((format(printf, 3, 4))) void caution(struct complaints *c, size_t at,
						   const char *format, ...);

/* From here on only the structure of the text is shown, and '*' for all else. */
void complaints_hide(struct complaints *c);
/* But for this word, if it stands there just so, and is one word that names nobody. */
void complaints_show(struct complaints *c, size_t at, const char *word);

/* Line and column of a place, from 1; columns count characters. Both 0 for NOWHERE. */
void complaint_place(const struct complaints *c, size_t at, size_t *line, size_t *column);

/* In the order of the text. */
void complaints_sort(struct complaints *c);
/* "file:line:column: message"; cut to the room that there is. */
void complaint_line(const struct complaints *c, const struct complaint *one, char *to,
		    size_t bytes);

/*
 * "file:line:column: message", the line, and a caret, for each, in the order of the text:
 *
 *   crossfade.yaml:3:15: unknown key 'adress'; did you mean 'address'?
 *       source: { adress: ************ }
 *                 ^
 *
 * Then the cautions, with "warning: " before their message.
 */
void complaints_print(struct complaints *c, FILE *to);

#endif
