#ifndef CAPTURE_LAG_H
#define CAPTURE_LAG_H

/* How far a follower is behind the log. */

#include "capture/position.h"

struct lag {
	uint64_t records; /* frames that are not passed, also of open exchanges */
	uint64_t wall_ns; /* when the first of them was recorded; 0: there is none */
};

/* Reads the heads of segments, and the last segment of each series. False with errno. */
bool lag_look(int directory, const struct position *p, struct lag *to);

#endif
