#include "app/holdings.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Connections that wait to be accepted on one socket; the kernel takes somaxconn if that is less.
 */
#define BACKLOG 8192

struct held_socket {
	struct addr addr;
	int fd;
};

struct held_lock {
	char path[1024];
	int fd;
};

/* --- shared memory --- */

static void *share(const char *name, size_t bytes, int *fd)
{
	*fd = memfd_create(name, MFD_CLOEXEC);
	if (*fd < 0 || ftruncate(*fd, (off_t)bytes) < 0)
		return NULL;
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

bool holdings_open(struct holdings *h)
{
	*h = (struct holdings){ .board_fd = -1, .tickets_fd = -1 };
	h->board = share("crossfade-board", sizeof *h->board, &h->board_fd);
	h->tickets = share("crossfade-tickets", sizeof *h->tickets, &h->tickets_fd);
	if (!h->board || !h->tickets)
		return false;
	board_format(h->board);
	return ticket_keys_fill(h->tickets);
}

void holdings_stop_listening(struct holdings *h)
{
	for (size_t i = 0; i < h->socket_n; i++)
		close(h->sockets[i].fd);
	h->socket_n = 0;
}

void holdings_close(struct holdings *h)
{
	holdings_stop_listening(h);
	for (size_t i = 0; i < h->lock_n; i++)
		close(h->locks[i].fd);
	free(h->sockets);
	free(h->locks);
	if (h->board)
		munmap(h->board, sizeof *h->board);
	if (h->tickets)
		munmap(h->tickets, sizeof *h->tickets);
	if (h->board_fd >= 0)
		close(h->board_fd);
	if (h->tickets_fd >= 0)
		close(h->tickets_fd);
	*h = (struct holdings){ .board_fd = -1, .tickets_fd = -1 };
}

/* --- listening sockets --- */

static bool set_option(int fd, int level, int option)
{
	int on = 1;
	return setsockopt(fd, level, option, &on, sizeof on) == 0;
}

/* Bound; TCP_NODELAY is inherited by what is accepted. */
static int bind_socket(const struct addr *a, bool shared)
{
	int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (set_option(fd, SOL_SOCKET, SO_REUSEADDR) && set_option(fd, IPPROTO_TCP, TCP_NODELAY) &&
	    (!shared || set_option(fd, SOL_SOCKET, SO_REUSEPORT)) &&
	    (a->any.sa_family != AF_INET6 || set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY)) &&
	    bind(fd, &a->any, addr_bytes(a)) == 0)
		return fd;
	int why = errno;
	close(fd);
	errno = why;
	return -1;
}

/*
 * With SO_REUSEPORT a second balancer of the same user would get half of the connections without a
 * word from the kernel; without it, binding shows whether anybody listens there.
 */
static bool is_free(const struct addr *a)
{
	int fd = bind_socket(a, false);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int open_socket(struct holdings *h, const struct addr *a)
{
	struct held_socket *more = realloc(h->sockets, (h->socket_n + 1) * sizeof *more);
	if (!more)
		return -1;
	h->sockets = more;
	int fd = bind_socket(a, true);
	if (fd < 0)
		return -1;
	if (listen(fd, BACKLOG) < 0) {
		int why = errno;
		close(fd);
		errno = why;
		return -1;
	}
	h->sockets[h->socket_n++] = (struct held_socket){ *a, fd };
	return fd;
}

int holdings_listen(struct holdings *h, const struct addr *a, unsigned count, int *descriptors)
{
	unsigned have = 0;
	for (size_t i = 0; i < h->socket_n && have < count; i++)
		if (addr_is(&h->sockets[i].addr, a))
			descriptors[have++] = h->sockets[i].fd;
	if (have == 0 && !is_free(a))
		return errno;
	for (; have < count; have++) {
		descriptors[have] = open_socket(h, a);
		if (descriptors[have] < 0)
			return errno;
	}
	return 0;
}

void holdings_forget(struct holdings *h, const struct addr *a)
{
	size_t kept = 0;
	for (size_t i = 0; i < h->socket_n; i++)
		if (addr_is(&h->sockets[i].addr, a))
			close(h->sockets[i].fd);
		else
			h->sockets[kept++] = h->sockets[i];
	h->socket_n = kept;
}

/* --- locks --- */

static int lock_file(const char *path)
{
	struct timespec pause = { .tv_nsec = 20 * 1000000 };
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	/* A balancer that has just been killed goes any moment, its working process with it. */
	for (int waited_ms = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; waited_ms += 20) {
		if (errno != EWOULDBLOCK || waited_ms >= LOCK_WAIT_MS) {
			int why = errno;
			close(fd);
			errno = why;
			return -1;
		}
		nanosleep(&pause, NULL);
	}
	return fd;
}

int holdings_lock(struct holdings *h, const char *directory, int *descriptor)
{
	struct held_lock l;
	if ((size_t)snprintf(l.path, sizeof l.path, "%s/lock", directory) >= sizeof l.path)
		return ENAMETOOLONG;
	for (size_t i = 0; i < h->lock_n; i++)
		if (!strcmp(h->locks[i].path, l.path)) {
			*descriptor = h->locks[i].fd;
			return 0;
		}
	struct held_lock *more = realloc(h->locks, (h->lock_n + 1) * sizeof *more);
	if (!more)
		return ENOMEM;
	h->locks = more;
	l.fd = lock_file(l.path);
	if (l.fd < 0)
		return errno;
	h->locks[h->lock_n++] = l;
	*descriptor = l.fd;
	return 0;
}
