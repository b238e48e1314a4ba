#include "io/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <unistd.h>

int backend_socket(const struct addr *to, int flags)
{
	int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	if (fd < 0)
		return -errno;
	int one = 1;
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0) {
		int err = errno;
		close(fd);
		return -err;
	}
	return fd;
}

void backend_peer(int fd, struct addr *peer)
{
	socklen_t bytes = sizeof *peer;
	*peer = (struct addr){ .any.sa_family = AF_UNSPEC };
	if (getpeername(fd, &peer->any, &bytes) < 0)
		peer->any.sa_family = AF_UNSPEC;
	backend_clean_peer(peer);
}

void backend_set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	must(flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0);
}
