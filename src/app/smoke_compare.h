#ifndef APP_SMOKE_COMPARE_H
#define APP_SMOKE_COMPARE_H

/*
 * Compares the answers of two clusters: status and JSON, but for what differs between any two
 * clusters (how long it took, names of nodes, versions, shards, scores, dates of creation).
 */

#include <stdbool.h>
#include <stddef.h>

#define SMOKE_DIFFERENCE_BYTES 256

struct smoke_side {
	long status; /* 0: there was no answer */
	const char *text;
	size_t n;
	const char *error; /* without an answer: why */
};

/* True when they are the same; else `difference` says what is not, for a person. */
bool smoke_compare(const char *path, const struct smoke_side *source,
		   const struct smoke_side *target, char difference[SMOKE_DIFFERENCE_BYTES]);

#endif
