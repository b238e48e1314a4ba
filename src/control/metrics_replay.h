#ifndef CONTROL_METRICS_REPLAY_H
#define CONTROL_METRICS_REPLAY_H

/* The metrics of replay, in Prometheus' text format. */

#include <jansson.h>
#include <stdio.h>

/* `replay` is what replay_json() gives; borrowed. NULL: there are none. */
void metrics_replay(const json_t *replay, FILE *to);

#endif
