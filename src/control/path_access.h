#ifndef CONTROL_PATH_ACCESS_H
#define CONTROL_PATH_ACCESS_H

/*
 * Checks, before a start, whether the user that runs the balancer can create the directories of a
 * configuration and read its files. Any user may run this check.
 */

#include "control/config.h"

/*
 * The user that runs the balancer is: that of systemd's crossfade.service, if root runs this check
 * and the unit names this configuration; else the owner of the state directory, if root runs this
 * check and another user owns it; else the user that runs this check. Adds a diagnostic, or only a
 * warning where that user is a guess.
 */
void path_access_check(struct config *c);

#endif
