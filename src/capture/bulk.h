#ifndef CAPTURE_BULK_H
#define CAPTURE_BULK_H

/*
 * What a search cluster says in its response to a bulk request. The status is 200 whatever became
 * of the items; `"errors":true` says that the cluster has refused some. The body is examined as it
 * passes, and not kept.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct bulk;

struct bulk_counts {
	uint64_t accepted, refused; /* items */
	/* false: the response does not give each item's status, for the client asked for less */
	bool counted;
};

/* Whether a request goes to _bulk, by its target. */
bool bulk_is(struct span target);

/* `head` is the response's. NULL: its body has a coding that is not read here. */
struct bulk *bulk_open(struct span head);
void bulk_close(struct bulk *b);
/* The next bytes of the body, as they were recorded. */
void bulk_take(struct bulk *b, struct span s);
/*
 * Called when all of the body was taken. False: it has no `"errors":true`, or is no bulk response.
 */
bool bulk_has_refused(const struct bulk *b, struct bulk_counts *counts);

#endif
