#include "control/local_socket.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 64

static bool somebody_answers(const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return true;
	/* A full backlog (EAGAIN) has an owner too. */
	bool answered =
		connect(fd, (const struct sockaddr *)at, sizeof *at) == 0 || errno == EAGAIN;
	close(fd);
	return answered;
}

/* Anything but a dead process's socket stays. */
static bool make_room(const struct sockaddr_un *at)
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
	if (!somebody_answers(at))
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
	if (!make_room(&at))
		return -1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	/* Linux makes the file with the socket's own mode: it is never open to others, not for a
	 * moment. */
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
		return "what is there belongs to somebody else: take it away";
	case EEXIST:
		return "what is there is no socket: take it away";
	default:
		return strerror(error);
	}
}
