#ifndef CONTROL_ADMIN_NODES_H
#define CONTROL_ADMIN_NODES_H

/* The admin API's handler that drains nodes and takes them back. */

#include "control/service.h"

/* PUT /v1/nodes/NAME/state */
void admin_serve_node_state(struct call *c);

#endif
