#ifndef CONTROL_SUGGEST_H
#define CONTROL_SUGGEST_H

/* "did you mean": the most similar of some words to an unknown one. */

#include <stddef.h>

struct suggestion {
	const char *meant; /* borrowed: the unknown word */
	const char *word;  /* borrowed: the most similar so far; NULL: none */
	size_t distance;
};

void suggest_open(struct suggestion *s, const char *meant);
void suggest_consider(struct suggestion *s, const char *word);

#endif
