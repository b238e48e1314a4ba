#ifndef SAMPLE_RESTORE_H
#define SAMPLE_RESTORE_H

/*
 * A cluster that was killed becomes by its log of operations what it was: documents, but for white
 * space in them, with their versions and sequence numbers, and indices with all that is said of
 * them. Primary terms are higher by one, as after the restart of a cluster.
 */

#include "sample/sample.h"

/*
 * Into an empty cluster, whose log goes on behind it. What a kill has left of a last line is cut
 * off. False after a diagnostic: the file cannot be read, or a line before the last makes no sense.
 */
bool sample_restore(struct sample *p, const char *path);

#endif
