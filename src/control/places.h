#ifndef CONTROL_PLACES_H
#define CONTROL_PLACES_H

/*
 * Whether who runs the balancer can make the directories that a configuration names, and read its
 * files: a look that is made before a start, by whomever.
 */

#include "control/config.h"

/*
 * Who runs it is systemd's crossfade.service, where root looks and that names this configuration;
 * else the owner of the state directory, where root looks and it is somebody else's; else who
 * looks. Complains, or is only cautious where who runs it is a guess.
 */
void places_check(struct config *c);

#endif
