#ifndef CONTROL_STATUS_H
#define CONTROL_STATUS_H

/* The state of the balancer, for a person or a script: the JSON of GET /v1/status. */

#include <jansson.h>

#include "control/leader.h"
#include "control/reload.h"

json_t *status_json(const struct workers *w, const struct leader *l, const struct reload *r);

#endif
