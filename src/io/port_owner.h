#ifndef IO_PORT_OWNER_H
#define IO_PORT_OWNER_H

/*
 * Finds the process that already listens at an address, from /proc. Only root sees the processes of
 * other users.
 */

#include <sys/types.h>

#include "io/addr.h"

struct port_owner {
	bool listens; /* a process listens there */
	pid_t pid;    /* 0: the process is not visible, or it has ended */
	pid_t parent;
	uid_t uid; /* of the socket */
	char name[17];
};

void port_owner_find(const struct addr *a, struct port_owner *to);

/* " (process 4711, java, listens there)"; "": nothing is known. */
#define PORT_OWNER_TEXT_BYTES 96
void port_owner_text(const struct port_owner *o, char text[PORT_OWNER_TEXT_BYTES]);

#endif
