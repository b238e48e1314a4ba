#ifndef CONTROL_ABSENCE_H
#define CONTROL_ABSENCE_H

/*
 * Whether the capture log can be written, told in the process's log: when it cannot any more, why,
 * and what becomes of requests meanwhile; when it can again, how long it was away, and what it has
 * missed.
 */

#include "control/recorder_seen.h"

/* How late it may be told. */
#define ABSENCE_LOOK_MS 250

struct absence {
	struct recorder *recorder; /* borrowed; NULL: nothing is recorded */
	uint64_t since_wall_ns;	   /* 0: it is there */
	uint64_t failures;	   /* as counted when it was looked at last */
	struct recorder_passed before;
	struct wheel *wheel;
	struct timer due;
};

void absence_open(struct absence *a, struct recorder *r, struct wheel *wheel);
/* At each turn of control. `c` is the configuration in force. */
void absence_look(struct absence *a, const struct config *c);
void absence_close(struct absence *a);

#endif
