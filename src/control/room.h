#ifndef CONTROL_ROOM_H
#define CONTROL_ROOM_H

/*
 * How many open files there may be, and what they are for. Clients must not take what the balancer
 * needs to serve them: connections to nodes, the capture log's files, the admin API, look-ups, a
 * reload. So each worker has a number of clients that it takes, whatever its listeners'
 * `connections` say, and a number of connections to nodes. It is the same on each backend:
 * io_uring's sockets may be no descriptors, but epoll may have to serve after the next start.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct room_needs {
	uint64_t files; /* the limit; 0: there is none */
	unsigned workers;
	size_t addresses; /* that are listened on */
	size_t nodes;	  /* that are checked */
};

/* All 0: there is no limit. */
struct room {
	uint64_t files, needed;	 /* the limit, and the least that would do */
	uint32_t clients, nodes; /* connections of one worker */
};

/* False: there are too few; room->needed says how many would do. */
bool room_share(const struct room_needs *n, struct room *room);

/*
 * The limit of this process; and that of one which is started here, and raises the soft limit to
 * the hard one. 0: it cannot be told.
 */
uint64_t room_files(void);
uint64_t room_files_when_started(void);

#endif
