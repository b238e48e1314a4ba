#ifndef CONTROL_DRAINS_FILE_H
#define CONTROL_DRAINS_FILE_H

/*
 * drained.json in the state directory: the drained nodes, {"drained":[{"node":"source/es-1:9200",
 * "since":MS,"by":"...","why":"..."}]}. It is replaced as a whole: after a crash it is either the
 * old file or the new one.
 */

#include "control/nodes.h"

/* The file's text for `nodes`, terminated; the caller frees it. NULL: out of memory. */
char *drains_file_text(const struct nodes *nodes);
/* True when the text is on the disk. NULL as `text` fails. False with errno. */
bool drains_file_write(const char *directory, const char *text);
/* Reads the file's text; the caller frees it. NULL: there is no file. False with errno. */
bool drains_file_text_of(const char *directory, char **text);
/*
 * Sets `duty` for the nodes that the file names, with the times of the file, and sets listed[i] for
 * each of them, by its index in nodes->list. A name that `nodes` does not have is logged and left
 * out. No file means that no node is drained. False with errno; EINVAL: the text is malformed.
 */
bool drains_file_read(struct span text, struct nodes *nodes, enum node_duty duty,
		      bool listed[NODES_MAX]);
bool drains_file_load(const char *directory, struct nodes *nodes, enum node_duty duty,
		      bool listed[NODES_MAX]);

#endif
