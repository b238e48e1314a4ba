#ifndef CONTROL_OWNERSHIP_H
#define CONTROL_OWNERSHIP_H

/* Whether the directories that a configuration names, what is in them, and the ways to them, are
 * our own. */

#include "control/config.h"

/*
 * Complains of what must not be used: a link, a file of somebody else, one that anybody may write
 * to, a way on which somebody else may put something in its place. Cautions where it is weak: a
 * directory of another user, a group that may write, a key or a token that others may read. Root
 * that looks at the directory of a service, and does not run it, is only cautious. Directories that
 * are not there yet are made.
 */
void ownership_check(struct config *c, bool runs);

#endif
