#ifndef CAPTURE_RETENTION_H
#define CAPTURE_RETENTION_H

/*
 * Limits the size of a capture directory: the oldest segments are removed while there is more than
 * `size_bytes`, and those whose last record is older than `age_ns`. The newest segment stays, and
 * so does what a process writes to, and what a registered follower has not passed.
 */

#include <stdbool.h>
#include <stdint.h>

#include "capture/follower.h"

struct retention {
	uint64_t size_bytes; /* 0: no limit */
	uint64_t age_ns;     /* 0: no limit */
};

struct retained {
	uint64_t bytes; /* what is left */
	unsigned segments, removed;
	/* the follower for which more is kept than there should be; "" */
	char held_for[FOLLOWER_NAME_BYTES];
};

/*
 * `followers`: what followers_look() has found in the directory. False with errno: the directory
 * cannot be read, or a file cannot be removed.
 */
bool retain(int directory, const struct retention *r, uint64_t wall_ns,
	    const struct followers *followers, struct retained *to);

#endif
