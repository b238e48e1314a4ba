#ifndef CONTROL_ADMIN_WEIGHTS_H
#define CONTROL_ADMIN_WEIGHTS_H

/* The admin API's handlers of weights: they read what is asked for, and report the outcome. */

#include "control/service.h"

/* GET /v1/weights; PUT /v1/weights; POST /v1/rollback */
void admin_serve_weights(struct call *c);
void admin_serve_change(struct call *c);
void admin_serve_rollback(struct call *c);

#endif
