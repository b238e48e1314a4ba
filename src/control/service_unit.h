#ifndef CONTROL_SERVICE_UNIT_H
#define CONTROL_SERVICE_UNIT_H

/*
 * What systemd's crossfade.service, with its drop-ins, says of who runs the balancer and what that
 * user may do: for a look at a configuration by somebody else, root, before it is started. Looked
 * for where systemd looks, or in SYSTEMD_UNIT_PATH.
 */

#include <stdbool.h>

#include "base/arena.h"

#define SERVICE_UNIT "crossfade.service"

struct unit_word {
	const char *text;
	struct unit_word *next;
};

/* The values of each key, in their order, all lines of it. */
struct service_unit {
	const char *path;
	struct unit_word *start, *user, *dynamic, *groups, *credentials, *protect;
	struct unit_word *state, *runtime, *logs, *writable;
};

/* False: there is none, or it runs another configuration than this one. Texts are the arena's. */
bool service_unit_find(struct service_unit *u, struct arena *arena, const char *configuration);

/* Whether its user is one that systemd makes up at each start. */
bool service_unit_is_dynamic(const struct service_unit *u);
/* The user's name; "root" where it says none. */
const char *service_unit_user(const struct service_unit *u);
/* Whether it hands over a file under that name, whoever may read it. */
bool service_unit_hands_over(const struct service_unit *u, const char *name);
/* Whether systemd makes this directory for it, or one above it. */
bool service_unit_makes(const struct service_unit *u, const char *path);
/* Whether it lets the service write there, whatever the directory's mode. */
bool service_unit_lets_write(const struct service_unit *u, const char *path);

#endif
