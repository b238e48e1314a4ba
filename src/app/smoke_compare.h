#ifndef APP_SMOKE_COMPARE_H
#define APP_SMOKE_COMPARE_H

/*
 * Compares the responses of two clusters by status and JSON. Ignores what differs between any two
 * clusters: duration, names of nodes, versions, shards, scores, dates of creation.
 */

#include <stdbool.h>
#include <stddef.h>

#define SMOKE_DIFFERENCE_BYTES 256

struct smoke_side {
	long status; /* 0: there was no response */
	const char *text;
	size_t n;
	const char *error; /* why there was no response */
};

/* True when both are the same; otherwise `difference` says for a person what differs. */
bool smoke_compare(const char *path, const struct smoke_side *source,
		   const struct smoke_side *target, char difference[SMOKE_DIFFERENCE_BYTES]);

#endif
