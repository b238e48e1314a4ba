#ifndef CONTROL_LOG_OUTAGE_H
#define CONTROL_LOG_OUTAGE_H

/*
 * Logs when the capture log cannot be written any more: why, and what happens to requests
 * meanwhile. Logs when it can be written again: how long the outage was, and what was not recorded.
 */

#include "control/recorder_seen.h"

struct log_outage {
	struct recorder *recorder; /* borrowed; NULL: nothing is recorded */
	uint64_t since_wall_ns;	   /* when the outage began; 0: there is none */
	uint64_t failures;	   /* the count of failures at the last look */
	struct recorder_passed before;
	struct wheel *wheel;
	struct timer due;
};

void log_outage_open(struct log_outage *a, struct recorder *r, struct wheel *wheel);
/* Call it at each turn of the control thread. `c` is the configuration in force. */
void log_outage_look(struct log_outage *a, const struct config *c);
void log_outage_close(struct log_outage *a);

#endif
