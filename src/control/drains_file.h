#ifndef CONTROL_DRAINS_FILE_H
#define CONTROL_DRAINS_FILE_H

/*
 * drained.json in the state directory: the drained nodes, {"drained":[{"node":"source/es-1:9200",
 * "since":MS,"by":"...","why":"..."}]}. It is replaced as a whole, so that it is the old one or the
 * new one.
 */

#include "control/nodes.h"

/* What the file says of them, terminated; the caller frees it. NULL: there is no memory. */
char *drains_file_text(const struct nodes *nodes);
/* True when it is on the disk. False with errno. */
bool drains_file_save(const char *directory, const struct nodes *nodes);
/*
 * Gives that duty to the nodes that the file names, as long ago as it says, and says which they are
 * in listed[i], of nodes->list[i]. One that is not among `nodes` is said and left out. No file is
 * none drained. False with errno, EINVAL when it cannot be understood.
 */
bool drains_file_read(struct span text, struct nodes *nodes, enum node_duty duty,
		      bool listed[NODES_MAX]);
bool drains_file_load(const char *directory, struct nodes *nodes, enum node_duty duty,
		      bool listed[NODES_MAX]);

#endif
