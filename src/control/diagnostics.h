#ifndef CONTROL_DIAGNOSTICS_H
#define CONTROL_DIAGNOSTICS_H

/*
 * The mistakes in a text that a person wrote. Each diagnostic has a place in the text. It is shown
 * with its line and with a caret under the place. All diagnostics of a text are collected, so that
 * the person can correct all of them at once.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/limits.h"
#include "base/span.h"

/* A diagnostic of the whole file, without a place in the text. */
#define NOWHERE ((size_t)-1)

struct diagnostic {
	size_t at; /* offset in bytes of the text */
	char *message;
};

struct diagnostics {
	const char *file; /* borrowed: the file's name as the person gave it */
	struct span text; /* borrowed */
	struct diagnostic list[DIAGNOSTICS_MAX];
	size_t n;				     /* entries of `list` */
	size_t more;				     /* diagnostics that `list` has no room for */
	struct diagnostic warnings[DIAGNOSTICS_MAX]; /* valid, but maybe not meant */
	size_t warning_n;
	bool *shown; /* owned: for each byte whether it may be shown; NULL: all may */
};

void diagnostics_open(struct diagnostics *c, const char *file, struct span text);
void diagnostics_close(struct diagnostics *c);

__attribute__((format(printf, 3, 4))) void diagnose(struct diagnostics *c, size_t at,
						    const char *format, ...);

/* Adds a warning; the text stays valid. Warnings beyond DIAGNOSTICS_MAX are dropped. */
__attribute__((format(printf, 3, 4))) void warn_at(struct diagnostics *c, size_t at,
						   const char *format, ...);

/* From now on only the structure of the text is shown, and '*' for each other character. */
void diagnostics_hide(struct diagnostics *c);
/*
 * Shows this word at `at` all the same, if the text has exactly it there, and it is one plain word
 * that cannot be a secret.
 */
void diagnostics_show(struct diagnostics *c, size_t at, const char *word);

/* Line and column of a place, from 1; columns count characters. Both 0 for NOWHERE. */
void diagnostic_place(const struct diagnostics *c, size_t at, size_t *line, size_t *column);

/* Sorts them by their place in the text. */
void diagnostics_sort(struct diagnostics *c);
/* Writes "file:line:column: message", cut to `bytes`. */
void diagnostic_line(const struct diagnostics *c, const struct diagnostic *one, char *to,
		     size_t bytes);

/*
 * Prints each diagnostic as "file:line:column: message", the line, and a caret, in the order of the
 * text:
 *
 *   crossfade.yaml:3:15: unknown key 'adress'; did you mean 'address'?
 *       source: { adress: ************ }
 *                 ^
 *
 * The warnings follow, with "warning: " before their message.
 */
void diagnostics_print(struct diagnostics *c, FILE *to);

#endif
