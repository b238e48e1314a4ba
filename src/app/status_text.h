#ifndef APP_STATUS_TEXT_H
#define APP_STATUS_TEXT_H

/* How a balancer is, for a person: both sides beside each other, then its listeners and nodes. */

#include <jansson.h>
#include <stdio.h>

struct status_view {
	const json_t *now;    /* what /v1/status says */
	const json_t *before; /* what it said earlier, for rates; NULL: sums since the start */
	double seconds;	      /* between the two */
	/*
	 * The room. Where it is narrow the sides move together. Where it is low certificates that
	 * are valid and the listeners are left out, then nodes are only counted; those that are not
	 * well come first. What is left out is said.
	 */
	unsigned columns, rows;
	double stale_seconds; /* so old it is, for nobody answers; 0: it is not */
};

/* Whether both are of one process, so that there are rates between them. */
int status_is_comparable(const json_t *before, const json_t *now);

void status_text(FILE *to, const struct status_view *v);

#endif
