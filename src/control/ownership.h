#ifndef CONTROL_OWNERSHIP_H
#define CONTROL_OWNERSHIP_H

/*
 * Checks who owns the directories that a configuration names, the files in them, and the paths to
 * them.
 */

#include "control/config.h"

/*
 * Adds a diagnostic for what must not be used: a link, a file of another user, a file that anybody
 * may write to, a path on which another user may replace a file. Adds a warning for what is weak: a
 * directory of another user, write permission for a group, a key or token that others may read.
 * When root checks the directory of a service without running it (`runs` is false), the diagnostics
 * are only warnings. Missing directories are created.
 */
void ownership_check(struct config *c, bool runs);

#endif
