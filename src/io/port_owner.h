#ifndef IO_PORT_OWNER_H
#define IO_PORT_OWNER_H

/* Who listens at an address already, as far as /proc tells: of others' processes only root sees it.
 */

#include <sys/types.h>

#include "io/addr.h"

struct port_owner {
	bool listens; /* somebody does */
	pid_t pid;    /* 0: it is not to be seen who; or nobody has it any more */
	pid_t parent;
	uid_t uid; /* of the socket */
	char name[17];
};

void port_owner_find(const struct addr *a, struct port_owner *to);

/* " (process 4711, java, listens there)"; "": nothing is known. */
#define PORT_OWNER_TEXT_BYTES 96
void port_owner_text(const struct port_owner *o, char text[PORT_OWNER_TEXT_BYTES]);

#endif
