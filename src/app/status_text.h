#ifndef APP_STATUS_TEXT_H
#define APP_STATUS_TEXT_H

/*
 * The status of a balancer as text for a person: both clusters side by side, then the listeners and
 * nodes.
 */

#include <jansson.h>
#include <stdio.h>

struct status_view {
	const json_t *now;    /* a response of GET /v1/status */
	const json_t *before; /* an earlier response, for rates; NULL: sums since the start */
	double seconds;	      /* between the two responses */
	/*
	 * The size of the screen. On a narrow one, the columns of the clusters become narrower. On
	 * a low one, the valid certificates and the listeners are left out, then nodes are only
	 * counted, those that are not well last. The text says what is left out.
	 */
	unsigned columns, rows;
	double stale_seconds; /* age of `now` while there is no response; 0: it is fresh */
};

/* True when both are of the same process, so that rates between them make sense. */
int status_is_comparable(const json_t *before, const json_t *now);

void status_text(FILE *to, const struct status_view *v);

#endif
