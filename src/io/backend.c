#include "io/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <unistd.h>

static void backend_set_option(int fd, int level, int option, uint32_t value)
{
	/*
	 * A failure is harmless: without the option, only the detection of a dead peer is slower.
	 */
	(void)setsockopt(fd, level, option, &value, sizeof value);
}

void io_keep_alive(int fd, const struct io_keepalive *k)
{
	uint32_t between_s = k->idle_s / TCP_KEEPALIVE_PROBES;
	backend_set_option(fd, SOL_SOCKET, SO_KEEPALIVE, k->idle_s > 0);
	if (!k->idle_s)
		return;
	backend_set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, k->idle_s);
	backend_set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, between_s ? between_s : 1);
	backend_set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, TCP_KEEPALIVE_PROBES);
	backend_set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, k->silent_ms);
}

int backend_socket(const struct io *io, const struct addr *to, int flags)
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
	if (io->keepalive.idle_s)
		io_keep_alive(fd, &io->keepalive);
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
