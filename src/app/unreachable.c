#include "app/unreachable.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Returns 0 or an errno. */
static int try_to_connect(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof to.sun_path)
		return ENAMETOOLONG;
	memcpy(to.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return errno;
	int error = connect(fd, (const struct sockaddr *)&to, sizeof to) < 0 ? errno : 0;
	close(fd);
	return error;
}

static void say_no_right(const char *path, char text[UNREACHABLE_BYTES])
{
	struct stat s;
	const struct passwd *p = stat(path, &s) < 0 ? NULL : getpwuid(s.st_uid);
	if (p)
		snprintf(text, UNREACHABLE_BYTES,
			 "you have no right to it: it belongs to %.60s; run the command as that "
			 "user (sudo -u %.60s), or as root",
			 p->pw_name, p->pw_name);
	else
		snprintf(text, UNREACHABLE_BYTES,
			 "you have no right to its directory; run the command as the balancer's "
			 "user, or as root");
}

static void say_refused(const char *path, char text[UNREACHABLE_BYTES])
{
	struct stat s;
	if (!stat(path, &s) && !S_ISSOCK(s.st_mode))
		snprintf(text, UNREACHABLE_BYTES, "that is %s, not a socket",
			 S_ISDIR(s.st_mode)   ? "a directory"
			 : S_ISREG(s.st_mode) ? "a file"
					      : "something else");
	else
		snprintf(text, UNREACHABLE_BYTES,
			 "nobody listens there any more: the balancer that made it has ended");
}

void unreachable_why(const char *path, char text[UNREACHABLE_BYTES])
{
	int error = try_to_connect(path);
	text[0] = 0;
	switch (error) {
	case 0:
		break;
	case ENOENT:
	case ENOTDIR:
		snprintf(text, UNREACHABLE_BYTES,
			 "there is no such socket: is the balancer running, and is this its "
			 "admin.socket?");
		break;
	case EACCES:
	case EPERM:
		say_no_right(path, text);
		break;
	case ECONNREFUSED:
		say_refused(path, text);
		break;
	case EAGAIN:
		snprintf(text, UNREACHABLE_BYTES,
			 "too many connections wait there: does the balancer hang?");
		break;
	default:
		snprintf(text, UNREACHABLE_BYTES, "%s", strerror(error));
	}
}
