#ifndef APP_STOPPED_STATE_H
#define APP_STOPPED_STATE_H

/* For commands that change the state of a balancer that is stopped. */

#include "control/config.h"

/*
 * Whether this process may change the state of that configuration: it is the state's user, and no
 * balancer runs on it, nor can one start until this process ends. False after a diagnostic, which
 * begins with the command's name.
 */
bool stopped_state_lock(const char *command, const struct config *c);

#endif
