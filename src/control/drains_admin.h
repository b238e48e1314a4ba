#ifndef CONTROL_DRAINS_ADMIN_H
#define CONTROL_DRAINS_ADMIN_H

/*
 * PUT /v1/nodes/NAME/state: {"state":"drain"|"ready","delay":"300s","reason":TEXT,"who":TEXT}; only
 * the state is required. NAME is as in status, with the cluster in front where both clusters have
 * such a node: source/es-1:9200.
 */

#include <jansson.h>

#include "control/drains.h"

/* The decoded NAME of such a path. False: it is another path. */
bool drains_read_path(struct span path, char name[NODE_NAME_BYTES]);
/* Reads the body. False: `error` says what is wrong. */
bool drains_read_body(struct span body, struct drain_change *c, char error[DRAINS_TEXT_BYTES]);
/*
 * The one node of that name. NULL: `error` says that there is no such node or more than one, and
 * which names are similar.
 */
struct node_record *drains_find(const struct nodes *s, const char *name,
				char error[2 * DRAINS_TEXT_BYTES]);
/* The outcome of a change. */
json_t *drains_json(const struct drain_change *c);

#endif
