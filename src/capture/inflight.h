#ifndef CAPTURE_INFLIGHT_H
#define CAPTURE_INFLIGHT_H

/*
 * The part of the log that is on its way to a receiver who acknowledges. A run is frames of one
 * series, with the number of records made of them that are not acknowledged yet. Runs settle in the
 * order of the log, in whatever order acknowledgments come.
 */

#include <stdbool.h>

#include "capture/kafka_limits.h"
#include "capture/position.h"

struct inflight_run {
	uint64_t generation, sequence; /* of its last frame */
	uint64_t frames;
	uint64_t wall_ns; /* when the first of them was recorded */
	uint64_t out;	  /* records that are not acknowledged */
	bool keeps;	  /* `position` is saved when the run settles */
	struct position position;
};

/* Oldest first, in a ring; the last one is being filled. */
struct inflight {
	struct inflight_run list[KAFKA_INFLIGHT];
	unsigned first, n;
};

/* Begins with one empty run, which is being filled. */
void inflight_open(struct inflight *r);
void inflight_close(struct inflight *r);

/* Whether one more run can begin. */
bool inflight_have_room(const struct inflight *r);
struct inflight_run *inflight_begin(struct inflight *r);
struct inflight_run *inflight_last(struct inflight *r);
const struct inflight_run *inflight_oldest(const struct inflight *r);
/* The run's tag, which stays the same while any of its records is in flight. */
unsigned inflight_tag(const struct inflight *r, const struct inflight_run *one);

/* Of all runs. */
uint64_t inflight_frames(const struct inflight *r);
/*
 * The oldest run, if none of its records is in flight; else NULL. `all`: also if it is the run that
 * is being filled.
 */
struct inflight_run *inflight_settled(struct inflight *r, bool all);
/* Removes the oldest run. */
void inflight_drop_oldest(struct inflight *r);

#endif
