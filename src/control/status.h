#ifndef CONTROL_STATUS_H
#define CONTROL_STATUS_H

/* How the balancer is doing, for a person or a script: the JSON of GET /v1/status. */

#include <jansson.h>

#include "control/control.h"

json_t *status_json(const struct control *c);

#endif
