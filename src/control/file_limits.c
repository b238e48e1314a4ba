#include "control/file_limits.h"

#include <sys/resource.h>

#include "base/least.h"
#include "base/limits.h"

/*
 * A table of the ring also needs places for listening sockets and for the connections to be
 * accepted next.
 */
static uint64_t sockets_max(const struct file_limits_needs *n)
{
	return SOCKETS_OF_WORKER - n->addresses * (1 + ACCEPTS_ARMED) - SOCKETS_CLOSING;
}

bool file_limits_share(const struct file_limits_needs *n, struct file_limits *room)
{
	uint64_t own = FILES_OF_OURS + n->nodes + n->workers * (FILES_OF_WORKER + n->addresses);
	*room = (struct file_limits){ .files = n->files,
				      .needed = own + n->workers * SOCKETS_OF_WORKER_MIN };
	if (!n->files)
		return true;
	if (n->files < room->needed)
		return false;
	uint64_t sockets = least((n->files - own) / n->workers, sockets_max(n));
	uint64_t nodes = most(sockets / NODE_SOCKETS_PART, least(sockets / 2, NODE_SOCKETS_MIN));
	room->nodes = (uint32_t)nodes;
	room->clients = (uint32_t)(sockets - nodes);
	return true;
}

uint64_t file_limits_now(void)
{
	struct rlimit l;
	return getrlimit(RLIMIT_NOFILE, &l) == 0 ? l.rlim_cur : 0;
}

uint64_t file_limits_when_started(void)
{
	struct rlimit l;
	return getrlimit(RLIMIT_NOFILE, &l) == 0 ? l.rlim_max : 0;
}
