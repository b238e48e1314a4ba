#ifndef CAPTURE_ROUNDS_H
#define CAPTURE_ROUNDS_H

/*
 * The log on its way to somebody who acknowledges: runs of frames of one series, each with how much
 * of what was made of it is still out. They are settled in the order of the log, however
 * acknowledgments come.
 */

#include <stdbool.h>

#include "base/limits.h"
#include "capture/position.h"

struct round {
	uint64_t generation, sequence; /* of its last frame */
	uint64_t frames;
	uint64_t wall_ns; /* when the first of them was recorded */
	uint64_t out;	  /* records that are not acknowledged */
	bool keeps;	  /* when it is settled, the position is kept: */
	struct position position;
};

/* Oldest first, in a ring; the last one is being filled. */
struct rounds {
	struct round list[KAFKA_ROUNDS];
	unsigned first, n;
};

/* Empty, with one that is being filled. */
void rounds_open(struct rounds *r);
void rounds_close(struct rounds *r);

/* Whether one more can be begun. */
bool rounds_have_room(const struct rounds *r);
struct round *rounds_begin(struct rounds *r);
struct round *rounds_last(struct rounds *r);
const struct round *rounds_oldest(const struct rounds *r);
/* Stays the same for as long as any of it is out. */
unsigned rounds_tag(const struct rounds *r, const struct round *one);

/* Of all of them. */
uint64_t rounds_frames(const struct rounds *r);
/* The oldest one, if nothing of it is out; NULL. The last one only if `all`. */
struct round *rounds_settled(struct rounds *r, bool all);
/* It is no more. */
void rounds_drop_oldest(struct rounds *r);

#endif
