#ifndef CONTROL_CONFIG_REPLAY_H
#define CONTROL_CONFIG_REPLAY_H

/* `replay`: how captured writes reach the other cluster. */

#include "control/config.h"
#include "control/keys.h"

extern const struct section replay_section; /* struct config_replay */

/* Whether the rest of the configuration fits: adds diagnostics where it does not. */
void replay_check(struct binder *b, const struct config *c);

#endif
