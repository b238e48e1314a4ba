#ifndef CAPTURE_RETENTION_H
#define CAPTURE_RETENTION_H

/*
 * How much of a capture directory is kept: the oldest segments go while there is more than `size`,
 * and those whose last record is older than `age`. The newest segment of all stays, and so does
 * what a process writes to, and what a registered follower has not passed.
 */

#include <stdbool.h>
#include <stdint.h>

#include "capture/follower.h"

struct retention {
	uint64_t size_bytes; /* 0: any */
	uint64_t age_ns;     /* 0: any */
};

struct retained {
	uint64_t bytes; /* what is left */
	unsigned segments, removed;
	char held_for[FOLLOWER_NAME_BYTES]; /* who keeps more there than there should be; "" */
};

/*
 * Of those that followers_look() has found in it. False with errno: the directory cannot be read,
 * or a file not be removed.
 */
bool retain(int directory, const struct retention *r, uint64_t wall_ns,
	    const struct followers *followers, struct retained *to);

#endif
