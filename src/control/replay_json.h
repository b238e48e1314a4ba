#ifndef CONTROL_REPLAY_JSON_H
#define CONTROL_REPLAY_JSON_H

/* What is known of replay, for status and /v1/replay. */

#include <jansson.h>

#include "control/workers.h"

/* A new reference; NULL: nothing is replayed. */
json_t *replay_json(const struct workers *w);

#endif
