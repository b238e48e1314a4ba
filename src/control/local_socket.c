#include "control/local_socket.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 64

static bool has_listener(const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return true;
	/* A socket with a full backlog (EAGAIN) has a process, too. */
	bool responded =
		connect(fd, (const struct sockaddr *)at, sizeof *at) == 0 || errno == EAGAIN;
	close(fd);
	return responded;
}

/* Removes the socket of a dead process, and nothing else. */
static bool local_socket_make_room(const struct sockaddr_un *at)
{
	struct stat s;
	if (lstat(at->sun_path, &s) < 0)
		return errno == ENOENT;
	errno = EPERM;
	if (s.st_uid != geteuid() && s.st_uid != 0)
		return false;
	errno = EEXIST;
	if (!S_ISSOCK(s.st_mode))
		return false;
	if (!has_listener(at))
		return unlink(at->sun_path) == 0;
	errno = EADDRINUSE;
	return false;
}

int local_socket_listen(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	errno = ENAMETOOLONG;
	if (strlen(path) >= sizeof at.sun_path)
		return -1;
	memcpy(at.sun_path, path, strlen(path) + 1);
	if (!local_socket_make_room(&at))
		return -1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	/*
	 * Linux creates the file with the socket's own mode: at no moment can other users open it.
	 */
	if (fchmod(fd, 0600) == 0 && bind(fd, (const struct sockaddr *)&at, sizeof at) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	int why = errno;
	close(fd);
	errno = why;
	return -1;
}

const char *local_socket_trouble(int error)
{
	switch (error) {
	case EADDRINUSE:
		return "another balancer answers there";
	case EPERM:
		return "the file there belongs to another user: remove it";
	case EEXIST:
		return "the file there is not a socket: remove it";
	default:
		return strerror(error);
	}
}
