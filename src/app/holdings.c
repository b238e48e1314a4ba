#include "app/holdings.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "app/kept.h"
#include "base/bug.h"
#include "base/log.h"
#include "control/local_socket.h"
#include "io/own_file.h"

/* Connections that wait to be accepted on one socket; the kernel takes somaxconn if that is less.
 */
#define BACKLOG 8192

/* --- shared memory --- */

static void *map(int fd, size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

static int make_shared(const char *name, size_t bytes)
{
	int fd = memfd_create(name, MFD_CLOEXEC);
	return fd < 0 || ftruncate(fd, (off_t)bytes) < 0 ? -1 : fd;
}

bool holdings_open_from(struct holdings *h, int board_fd, int tickets_fd, int kept_fd)
{
	*h = (struct holdings){ .board_fd = board_fd,
				.tickets_fd = tickets_fd,
				.kept_fd = kept_fd };
	h->board = map(board_fd, sizeof *h->board);
	h->tickets = map(tickets_fd, sizeof *h->tickets);
	if (kept_fd >= 0)
		(void)kept_lock(kept_fd, &h->kept);
	return h->board && h->tickets;
}

bool holdings_open(struct holdings *h)
{
	if (!holdings_open_from(h, make_shared("crossfade-board", sizeof *h->board),
				make_shared("crossfade-tickets", sizeof *h->tickets), -1))
		return false;
	uint64_t id;
	if (getrandom(&id, sizeof id, 0) != sizeof id)
		return false;
	board_format(h->board, id);
	return ticket_keys_fill(h->tickets);
}

static void *grow(void *list, size_t n, size_t bytes)
{
	void *more = realloc(list, (n + 1) * bytes);
	must(more);
	return more;
}

void holdings_add_socket(struct holdings *h, const struct held_socket *s)
{
	h->sockets = grow(h->sockets, h->socket_n, sizeof *s);
	h->sockets[h->socket_n++] = *s;
}

void holdings_add_lock(struct holdings *h, const struct held_lock *l)
{
	h->locks = grow(h->locks, h->lock_n, sizeof *l);
	h->locks[h->lock_n++] = *l;
}

static void close_socket(struct held_socket *s)
{
	close(s->fd);
	if (s->path[0])
		unlink(s->path);
}

void holdings_disown(struct holdings *h)
{
	free(h->sockets);
	free(h->locks);
	if (h->board)
		munmap(h->board, sizeof *h->board);
	if (h->tickets)
		munmap(h->tickets, sizeof *h->tickets);
	kept_unmap(&h->kept);
	*h = (struct holdings){ .board_fd = -1, .tickets_fd = -1, .kept_fd = -1 };
}

bool holdings_keep(struct holdings *h, int fd)
{
	if (h->kept_fd >= 0)
		close(h->kept_fd);
	kept_unmap(&h->kept);
	h->kept_fd = fd;
	return kept_lock(fd, &h->kept);
}

void holdings_close(struct holdings *h)
{
	for (size_t i = 0; i < h->socket_n; i++)
		close_socket(&h->sockets[i]);
	for (size_t i = 0; i < h->lock_n; i++)
		close(h->locks[i].fd);
	if (h->board_fd >= 0)
		close(h->board_fd);
	if (h->tickets_fd >= 0)
		close(h->tickets_fd);
	if (h->kept_fd >= 0)
		close(h->kept_fd);
	holdings_disown(h);
}

/* --- the life of a working process --- */

void holdings_begin(struct holdings *h)
{
	for (size_t i = 0; i < h->socket_n; i++)
		h->sockets[i].state = HELD_OLD;
}

static void close_in_state(struct holdings *h, enum held_state state)
{
	size_t kept = 0;
	for (size_t i = 0; i < h->socket_n; i++)
		if (h->sockets[i].state == state)
			close_socket(&h->sockets[i]);
		else
			h->sockets[kept++] = h->sockets[i];
	h->socket_n = kept;
}

void holdings_settle(struct holdings *h)
{
	close_in_state(h, HELD_OLD);
}

void holdings_take_back(struct holdings *h)
{
	close_in_state(h, HELD_FRESH);
}

void holdings_stop_listening(struct holdings *h)
{
	size_t kept = 0;
	for (size_t i = 0; i < h->socket_n; i++)
		if (h->sockets[i].path[0])
			h->sockets[kept++] = h->sockets[i];
		else
			close(h->sockets[i].fd);
	h->socket_n = kept;
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
	int fd = bind_socket(a, true);
	if (fd < 0)
		return -1;
	if (listen(fd, BACKLOG) < 0) {
		int why = errno;
		close(fd);
		errno = why;
		return -1;
	}
	holdings_add_socket(h, &(struct held_socket){ HELD_FRESH, .addr = *a, .fd = fd });
	return fd;
}

static void ask_for(struct held_socket *s)
{
	if (s->state == HELD_OLD)
		s->state = HELD_ASKED;
}

int holdings_listen(struct holdings *h, const struct addr *a, unsigned count,
		    int descriptors[WORKERS_MAX], unsigned *given)
{
	unsigned have = 0;
	for (size_t i = 0; i < h->socket_n && have < WORKERS_MAX; i++) {
		struct held_socket *s = &h->sockets[i];
		if (s->path[0] || !addr_is(&s->addr, a))
			continue;
		ask_for(s);
		descriptors[have++] = s->fd;
	}
	if (have == 0 && !is_free(a))
		return errno;
	for (; have < count; have++) {
		descriptors[have] = open_socket(h, a);
		if (descriptors[have] < 0)
			return errno;
	}
	*given = have;
	return 0;
}

void holdings_forget(struct holdings *h, const struct addr *a)
{
	size_t kept = 0;
	for (size_t i = 0; i < h->socket_n; i++)
		if (!h->sockets[i].path[0] && addr_is(&h->sockets[i].addr, a))
			close(h->sockets[i].fd);
		else
			h->sockets[kept++] = h->sockets[i];
	h->socket_n = kept;
}

static struct held_socket *find_local(struct holdings *h, const char *path)
{
	for (size_t i = 0; i < h->socket_n; i++)
		if (!strcmp(h->sockets[i].path, path))
			return &h->sockets[i];
	return NULL;
}

static bool is_there(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

static int listen_local(struct held_socket *s)
{
	int fd = local_socket_listen(s->path);
	if (fd < 0)
		return errno;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = fd;
	return 0;
}

int holdings_listen_local(struct holdings *h, const char *path, int *descriptor)
{
	struct held_socket fresh = { HELD_FRESH, .fd = -1 }, *s = find_local(h, path);
	int error = 0;
	if (s) {
		ask_for(s);
		/* Where somebody has removed the file nobody can connect: it is made again. */
		if (!is_there(path))
			error = listen_local(s);
		if (error)
			log_line(LOG_ERROR,
				 "keeper: the admin socket %s is gone and cannot be made again: %s",
				 path, local_socket_trouble(error));
		*descriptor = s->fd;
		return 0;
	}
	if ((size_t)snprintf(fresh.path, sizeof fresh.path, "%s", path) >= sizeof fresh.path)
		return ENAMETOOLONG;
	error = listen_local(&fresh);
	if (!error)
		holdings_add_socket(h, &fresh);
	*descriptor = fresh.fd;
	return error;
}

/* --- locks --- */

static int open_lock_file(const char *directory)
{
	int fd = own_file_open_in(directory, "lock", O_RDWR | O_CREAT, 0600);
	/* A directory that can only be read is served from. */
	if (fd < 0 && errno == EROFS)
		fd = own_file_open_in(directory, "lock", O_RDONLY, 0);
	return fd;
}

/* Takes what was opened, or closes it. -1 with errno. */
static int lock_opened(int fd)
{
	struct timespec pause = { .tv_nsec = 20 * 1000000 };
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

/* The same file is the same lock, however its path is written. */
static bool is_lock(const struct held_lock *l, const char *path)
{
	struct stat held, asked;
	if (fstat(l->fd, &held) < 0)
		return false;
	/* It cannot be looked at any more: what we hold is the best that there is. */
	if (stat(path, &asked) < 0)
		return errno != ENOENT && !strcmp(l->path, path);
	return held.st_dev == asked.st_dev && held.st_ino == asked.st_ino;
}

/* For whoever finds it locked. */
static void sign(int fd)
{
	if (!ftruncate(fd, 0))
		dprintf(fd, "%d\n", (int)getpid());
}

/* The one that is held already; -1: none. */
static int find_lock(const struct holdings *h, const char *path)
{
	for (size_t i = 0; i < h->lock_n; i++)
		if (is_lock(&h->locks[i], path))
			return h->locks[i].fd;
	return -1;
}

static int hold_file(struct holdings *h, const char *directory)
{
	struct held_lock l;
	if ((size_t)snprintf(l.path, sizeof l.path, "%s/lock", directory) >= sizeof l.path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	int held = find_lock(h, l.path);
	if (held >= 0)
		return held;
	l.fd = lock_opened(open_lock_file(directory));
	if (l.fd < 0)
		return -1;
	sign(l.fd);
	holdings_add_lock(h, &l);
	return l.fd;
}

/* What is removed from it, `lock` too, changes nothing. */
static int hold_directory(struct holdings *h, const char *directory)
{
	struct held_lock l;
	int held = find_lock(h, directory);
	if (held >= 0)
		return held;
	snprintf(l.path, sizeof l.path, "%s", directory);
	l.fd = lock_opened(open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (l.fd >= 0)
		holdings_add_lock(h, &l);
	return l.fd;
}

int holdings_lock(struct holdings *h, const char *directory, int descriptors[LOCK_DESCRIPTORS],
		  unsigned *count)
{
	int whole = hold_directory(h, directory);
	if (whole < 0 && errno == EWOULDBLOCK)
		return EWOULDBLOCK;
	descriptors[0] = hold_file(h, directory);
	if (descriptors[0] < 0)
		return errno;
	/* Where directories cannot be locked it is left to the file. */
	descriptors[1] = whole;
	*count = whole < 0 ? 1 : 2;
	return 0;
}

/* --- a question --- */

void holdings_answer(struct holdings *h, const struct channel_message *m, int reply)
{
	int descriptors[WORKERS_MAX];
	unsigned count = 1;
	int error = EINVAL;
	if (m->word == CHANNEL_LISTEN && m->count > 0 && m->count <= WORKERS_MAX)
		error = holdings_listen(h, &m->addr, m->count, descriptors, &count);
	else if (m->word == CHANNEL_LISTEN_LOCAL)
		error = holdings_listen_local(h, m->path, descriptors);
	else if (m->word == CHANNEL_LOCK)
		error = holdings_lock(h, m->path, descriptors, &count);
	channel_answer(reply, error, descriptors, error ? 0 : count);
}
