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

#endif
