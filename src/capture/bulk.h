#ifndef CAPTURE_BULK_H
#define CAPTURE_BULK_H

/*
 * What a search cluster says in its response to a bulk request: 200, whatever became of the items,
 * and `"errors":true` where it has refused some. It is looked at as it passes, and not kept.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct bulk;

struct bulk_counts {
	uint64_t accepted, refused; /* items */
	bool counted; /* else the response does not say it of each: somebody has asked for less */
};

/* Whether a request goes to _bulk, by its target. */
bool bulk_is(struct span target);

/* By the response's head. NULL: its body is in a coding that is not read here. */
struct bulk *bulk_open(struct span head);
void bulk_close(struct bulk *b);
/* The next bytes of the body, as they were recorded. */
void bulk_take(struct bulk *b, struct span s);
/* All of it has been taken. False: it has no `"errors":true`, or is no such response. */
bool bulk_has_refused(const struct bulk *b, struct bulk_counts *counts);

#endif
