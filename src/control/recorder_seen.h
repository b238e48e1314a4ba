#ifndef CONTROL_RECORDER_SEEN_H
#define CONTROL_RECORDER_SEEN_H

/* The state of the capture log for operators: in status, at /v1/capture, at /metrics. */

#include <jansson.h>

#include "control/recorder.h"
#include "control/recorder_numbers.h"

/* Owned by the caller; null when nothing is recorded. */
json_t *recorder_json(const struct recorder *r);
/* For metrics. False: nothing is recorded. */
bool recorder_numbers(const struct recorder *r, struct recorder_numbers *to);
/* Whether writes are refused, or pass unrecorded, because the log cannot be written. */
bool recorder_is_degraded(const struct recorder *r);

#define RECORDER_TROUBLE_BYTES 256
/* Why the log cannot be written, for an operator; "" when it can. */
void recorder_trouble(const struct recorder *r, char text[RECORDER_TROUBLE_BYTES]);
/* Since when the log is unavailable without a gap record of it; 0: it is not. */
uint64_t recorder_away_wall_ns(const struct recorder *r);

/* Requests of this process that are not in the log. */
struct recorder_passed {
	uint64_t refused, reads, writes;
};

struct recorder_passed recorder_passed(const struct recorder *r);

#endif
