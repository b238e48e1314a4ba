#ifndef CONTROL_SERVICE_UNIT_H
#define CONTROL_SERVICE_UNIT_H

/*
 * What systemd's crossfade.service, with its drop-ins, says about the user that runs the balancer
 * and about that user's permissions. Root uses it to check a configuration before the service is
 * started. The unit is looked up where systemd looks, or in SYSTEMD_UNIT_PATH.
 */

#include <stdbool.h>

#include "base/arena.h"

#define SERVICE_UNIT "crossfade.service"

struct unit_word {
	const char *text;
	struct unit_word *next;
};

/* The values of each key, from all its lines, in their order. */
struct service_unit {
	const char *path;
	struct unit_word *start, *user, *dynamic, *groups, *credentials, *protect;
	struct unit_word *state, *runtime, *logs, *writable;
};

/* False: there is no such unit, or it runs another configuration. The texts are in the arena. */
bool service_unit_find(struct service_unit *u, struct arena *arena, const char *configuration);

/* Whether systemd makes up the unit's user at each start (DynamicUser=). */
bool service_unit_is_dynamic(const struct service_unit *u);
/* The user's name; "root" where the unit names none. */
const char *service_unit_user(const struct service_unit *u);
/*
 * Whether the unit passes a file under that name to the service (a credential), so that the user
 * need not be able to read it.
 */
bool service_unit_hands_over(const struct service_unit *u, const char *name);
/* Whether systemd creates this directory, or one above it, for the unit. */
bool service_unit_makes(const struct service_unit *u, const char *path);
/* Whether the unit allows the service to write there; the directory's mode is not looked at. */
bool service_unit_lets_write(const struct service_unit *u, const char *path);

#endif
