#ifndef CAPTURE_LAG_H
#define CAPTURE_LAG_H

/* How far behind the log somebody is who follows it. */

#include "capture/position.h"

struct lag {
	uint64_t records; /* that are not passed: frames, of open exchanges too */
	uint64_t wall_ns; /* when the first of them was recorded; 0: there is none */
};

/* Reads heads of segments, and the last of each series. False with errno. */
bool lag_look(int directory, const struct position *p, struct lag *to);

#endif
