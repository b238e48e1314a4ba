#include "app/inherited.h"

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

#include "app/saved_config.h"
#include "base/bug.h"
#include "base/limits.h"
#include "base/log.h"
#include "control/local_socket.h"
#include "io/own_file.h"

/*
 * How many connections may wait to be accepted on one socket. The kernel uses somaxconn if that is
 * less.
 */
#define BACKLOG 8192

/* --- shared memory --- */

static void *shared_map(int fd, size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

static int make_shared(const char *name, size_t bytes)
{
	int fd = memfd_create(name, MFD_CLOEXEC);
	return fd < 0 || ftruncate(fd, (off_t)bytes) < 0 ? -1 : fd;
}

bool inherited_open_from(struct inherited *h, int board_fd, int tickets_fd, int saved_config_fd)
{
	*h = (struct inherited){ .board_fd = board_fd,
				 .tickets_fd = tickets_fd,
				 .saved_config_fd = saved_config_fd };
	h->board = shared_map(board_fd, sizeof *h->board);
	h->tickets = shared_map(tickets_fd, sizeof *h->tickets);
	if (saved_config_fd >= 0)
		(void)saved_config_lock(saved_config_fd, &h->kept);
	return h->board && h->tickets;
}

bool inherited_open(struct inherited *h)
{
	if (!inherited_open_from(h, make_shared("crossfade-board", sizeof *h->board),
				 make_shared("crossfade-tickets", sizeof *h->tickets), -1))
		return false;
	uint64_t id;
	if (getrandom(&id, sizeof id, 0) != sizeof id)
		return false;
	board_format(h->board, id);
	return ticket_keys_fill(h->tickets);
}

static void *list_grow(void *list, size_t n, size_t bytes)
{
	void *more = realloc(list, (n + 1) * bytes);
	must(more);
	return more;
}

void inherited_add_socket(struct inherited *h, const struct held_socket *s)
{
	h->sockets = list_grow(h->sockets, h->socket_n, sizeof *s);
	h->sockets[h->socket_n++] = *s;
}

void inherited_add_lock(struct inherited *h, const struct held_lock *l)
{
	h->locks = list_grow(h->locks, h->lock_n, sizeof *l);
	h->locks[h->lock_n++] = *l;
}

static void close_socket(struct held_socket *s)
{
	close(s->fd);
	if (s->path[0])
		unlink(s->path);
}

void inherited_disown(struct inherited *h)
{
	free(h->sockets);
	free(h->locks);
	if (h->board)
		munmap(h->board, sizeof *h->board);
	if (h->tickets)
		munmap(h->tickets, sizeof *h->tickets);
	saved_config_unmap(&h->kept);
	*h = (struct inherited){ .board_fd = -1, .tickets_fd = -1, .saved_config_fd = -1 };
}

bool inherited_keep(struct inherited *h, int fd)
{
	if (h->saved_config_fd >= 0)
		close(h->saved_config_fd);
	saved_config_unmap(&h->kept);
	h->saved_config_fd = fd;
	return saved_config_lock(fd, &h->kept);
}

void inherited_close(struct inherited *h)
{
	for (size_t i = 0; i < h->socket_n; i++)
		close_socket(&h->sockets[i]);
	for (size_t i = 0; i < h->lock_n; i++)
		close(h->locks[i].fd);
	if (h->board_fd >= 0)
		close(h->board_fd);
	if (h->tickets_fd >= 0)
		close(h->tickets_fd);
	if (h->saved_config_fd >= 0)
		close(h->saved_config_fd);
	inherited_disown(h);
}

/* --- the life of a working process --- */

void inherited_begin(struct inherited *h)
{
	for (size_t i = 0; i < h->socket_n; i++)
		h->sockets[i].state = HELD_OLD;
}

static void close_in_state(struct inherited *h, enum held_state state)
{
	size_t kept = 0;
	for (size_t i = 0; i < h->socket_n; i++)
		if (h->sockets[i].state == state)
			close_socket(&h->sockets[i]);
		else
			h->sockets[kept++] = h->sockets[i];
	h->socket_n = kept;
}

void inherited_close_old(struct inherited *h)
{
	close_in_state(h, HELD_OLD);
}

void inherited_close_fresh(struct inherited *h)
{
	close_in_state(h, HELD_FRESH);
}

void inherited_stop_listening(struct inherited *h)
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

static bool socket_set_option(int fd, int level, int option)
{
	int on = 1;
	return setsockopt(fd, level, option, &on, sizeof on) == 0;
}

/* Returns a bound socket. Accepted connections inherit TCP_NODELAY. */
static int bind_socket(const struct addr *a, bool shared)
{
	int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (socket_set_option(fd, SOL_SOCKET, SO_REUSEADDR) &&
	    socket_set_option(fd, IPPROTO_TCP, TCP_NODELAY) &&
	    (!shared || socket_set_option(fd, SOL_SOCKET, SO_REUSEPORT)) &&
	    (a->any.sa_family != AF_INET6 || socket_set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY)) &&
	    bind(fd, &a->any, addr_bytes(a)) == 0)
		return fd;
	int why = errno;
	close(fd);
	errno = why;
	return -1;
}

/*
 * With SO_REUSEPORT, a second balancer of the same user would silently get half of the connections.
 * Binding without it shows whether anybody listens there.
 */
static bool address_is_free(const struct addr *a)
{
	int fd = bind_socket(a, false);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int open_socket(struct inherited *h, const struct addr *a)
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
	inherited_add_socket(h, &(struct held_socket){ HELD_FRESH, .addr = *a, .fd = fd });
	return fd;
}

static void held_socket_asked(struct held_socket *s)
{
	if (s->state == HELD_OLD)
		s->state = HELD_ASKED;
}

int inherited_listen(struct inherited *h, const struct addr *a, unsigned count,
		     int descriptors[WORKERS_MAX], unsigned *given)
{
	unsigned have = 0;
	for (size_t i = 0; i < h->socket_n && have < WORKERS_MAX; i++) {
		struct held_socket *s = &h->sockets[i];
		if (s->path[0] || !addr_is(&s->addr, a))
			continue;
		held_socket_asked(s);
		descriptors[have++] = s->fd;
	}
	if (have == 0 && !address_is_free(a))
		return errno;
	for (; have < count; have++) {
		descriptors[have] = open_socket(h, a);
		if (descriptors[have] < 0)
			return errno;
	}
	*given = have;
	return 0;
}

void inherited_forget(struct inherited *h, const struct addr *a)
{
	size_t kept = 0;
	for (size_t i = 0; i < h->socket_n; i++)
		if (!h->sockets[i].path[0] && addr_is(&h->sockets[i].addr, a))
			close(h->sockets[i].fd);
		else
			h->sockets[kept++] = h->sockets[i];
	h->socket_n = kept;
}

static struct held_socket *find_local(struct inherited *h, const char *path)
{
	for (size_t i = 0; i < h->socket_n; i++)
		if (!strcmp(h->sockets[i].path, path))
			return &h->sockets[i];
	return NULL;
}

static bool socket_file_exists(const char *path)
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

int inherited_listen_local(struct inherited *h, const char *path, int *descriptor)
{
	struct held_socket fresh = { HELD_FRESH, .fd = -1 }, *s = find_local(h, path);
	int error = 0;
	if (s) {
		held_socket_asked(s);
		/* If the file was removed, nobody can connect: the socket is made again. */
		if (!socket_file_exists(path))
			error = listen_local(s);
		if (error)
			log_line(LOG_ERROR,
				 "keeper: the admin socket %s was removed and cannot be made "
				 "again: %s",
				 path, local_socket_trouble(error));
		*descriptor = s->fd;
		return 0;
	}
	if ((size_t)snprintf(fresh.path, sizeof fresh.path, "%s", path) >= sizeof fresh.path)
		return ENAMETOOLONG;
	error = listen_local(&fresh);
	if (!error)
		inherited_add_socket(h, &fresh);
	*descriptor = fresh.fd;
	return error;
}

/* --- locks --- */

static int open_lock_file(const char *directory)
{
	int fd = own_file_open_in(directory, "lock", O_RDWR | O_CREAT, 0600);
	/* On a read-only file system the balancer serves nevertheless. */
	if (fd < 0 && errno == EROFS)
		fd = own_file_open_in(directory, "lock", O_RDONLY, 0);
	return fd;
}

/* Locks the opened file, or closes it. -1 with errno. */
static int lock_opened(int fd)
{
	struct timespec pause = { .tv_nsec = 20 * 1000000 };
	if (fd < 0)
		return -1;
	/*
	 * A balancer that was just killed releases the lock soon, when its working process has
	 * ended too.
	 */
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

/* Compares the files, because one file may have several paths. */
static bool is_lock(const struct held_lock *l, const char *path)
{
	struct stat held, asked;
	if (fstat(l->fd, &held) < 0)
		return false;
	/* The path cannot be looked at any more: the path of the held lock must do. */
	if (stat(path, &asked) < 0)
		return errno != ENOENT && !strcmp(l->path, path);
	return held.st_dev == asked.st_dev && held.st_ino == asked.st_ino;
}

/* Writes our process id, for a balancer that finds the file locked. */
static void lock_sign(int fd)
{
	if (!ftruncate(fd, 0))
		dprintf(fd, "%d\n", (int)getpid());
}

/* Returns the descriptor of a lock that is held already; -1: none. */
static int find_lock(const struct inherited *h, const char *path)
{
	for (size_t i = 0; i < h->lock_n; i++)
		if (is_lock(&h->locks[i], path))
			return h->locks[i].fd;
	return -1;
}

static int hold_file(struct inherited *h, const char *directory)
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
	lock_sign(l.fd);
	inherited_add_lock(h, &l);
	return l.fd;
}

/* The directory's own lock holds even when somebody removes files from it, including `lock`. */
static int hold_directory(struct inherited *h, const char *directory)
{
	struct held_lock l;
	int held = find_lock(h, directory);
	if (held >= 0)
		return held;
	snprintf(l.path, sizeof l.path, "%s", directory);
	l.fd = lock_opened(open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (l.fd >= 0)
		inherited_add_lock(h, &l);
	return l.fd;
}

int inherited_lock(struct inherited *h, const char *directory, int descriptors[LOCK_DESCRIPTORS],
		   unsigned *count)
{
	int whole = hold_directory(h, directory);
	if (whole < 0 && errno == EWOULDBLOCK)
		return EWOULDBLOCK;
	descriptors[0] = hold_file(h, directory);
	if (descriptors[0] < 0)
		return errno;
	/* Some file systems cannot lock directories: then the file alone is locked. */
	descriptors[1] = whole;
	*count = whole < 0 ? 1 : 2;
	return 0;
}

/* --- a question --- */

void inherited_reply(struct inherited *h, const struct channel_message *m, int reply)
{
	int descriptors[WORKERS_MAX];
	unsigned count = 1;
	int error = EINVAL;
	if (m->word == CHANNEL_LISTEN && m->count > 0 && m->count <= WORKERS_MAX)
		error = inherited_listen(h, &m->addr, m->count, descriptors, &count);
	else if (m->word == CHANNEL_LISTEN_LOCAL)
		error = inherited_listen_local(h, m->path, descriptors);
	else if (m->word == CHANNEL_LOCK)
		error = inherited_lock(h, m->path, descriptors, &count);
	channel_reply(reply, error, descriptors, error ? 0 : count);
}
