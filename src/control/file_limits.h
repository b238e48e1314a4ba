#ifndef CONTROL_FILE_LIMITS_H
#define CONTROL_FILE_LIMITS_H

/*
 * How many files the process may have open, and how they are shared out. Clients must not use up
 * what the balancer needs to serve them: connections to nodes, files of the capture log, the admin
 * API, DNS look-ups, a reload. Therefore each worker has a number of clients that it accepts,
 * whatever `connections` of its listeners says, and a number of connections to nodes. The numbers
 * are the same for both I/O backends: io_uring's sockets may need no descriptors, but the next
 * start may have to use epoll.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct file_limits_needs {
	uint64_t files; /* the limit; 0: no limit */
	unsigned workers;
	size_t addresses; /* addresses to listen on */
	size_t nodes;	  /* nodes to check */
};

/* All 0: there is no limit. */
struct file_limits {
	uint64_t files, needed;	 /* the limit, and the smallest sufficient one */
	uint32_t clients, nodes; /* connections of one worker */
};

/* False: there are too few files; room->needed says how many are needed. */
bool file_limits_share(const struct file_limits_needs *n, struct file_limits *room);

/*
 * The limit of this process; and the limit of a process started from here, which raises its soft
 * limit to the hard limit. 0: unknown.
 */
uint64_t file_limits_now(void);
uint64_t file_limits_when_started(void);

#endif
