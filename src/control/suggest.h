#ifndef CONTROL_SUGGEST_H
#define CONTROL_SUGGEST_H

/* "did you mean": the nearest of some words to one that nobody knows. */

#include <stddef.h>

struct suggestion {
	const char *meant; /* borrowed: what was mistyped */
	const char *word;  /* borrowed: the nearest so far; NULL: none is near */
	size_t distance;
};

void suggest_open(struct suggestion *s, const char *meant);
void suggest_consider(struct suggestion *s, const char *word);

#endif
