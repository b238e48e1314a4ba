#ifndef CONTROL_RECORDER_SEEN_H
#define CONTROL_RECORDER_SEEN_H

/* What operators see of the capture log: in status, at /v1/capture, at /metrics. */

#include <jansson.h>
#include <stdio.h>

#include "control/recorder.h"

/* Owned by the caller; null when nothing is recorded. */
json_t *recorder_json(const struct recorder *r);
/* Nothing when nothing is recorded. */
void recorder_metrics(const struct recorder *r, FILE *to);
/* Whether writes are refused, or pass unrecorded, because the log cannot be written. */
bool recorder_is_degraded(const struct recorder *r);

#define RECORDER_TROUBLE_BYTES 256
/* Why it cannot be written, for an operator; "": it can. */
void recorder_trouble(const struct recorder *r, char text[RECORDER_TROUBLE_BYTES]);
/* Since when it is away and no gap has told of that; 0: it is not known to be. */
uint64_t recorder_away_wall_ns(const struct recorder *r);

/* Requests of this process that the log has not. */
struct recorder_passed {
	uint64_t refused, reads, writes;
};

struct recorder_passed recorder_passed(const struct recorder *r);

#endif
