#ifndef CONTROL_ADMIN_HISTORY_H
#define CONTROL_ADMIN_HISTORY_H

/* The admin API's handler of the history of changes. */

#include "control/service.h"

/* GET /v1/history */
void admin_serve_history(struct call *c);

#endif
