#include "app/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/check.h"
#include "app/command.h"
#include "base/bug.h"
#include "base/limits.h"

enum record_kind {
	RECORD_BOARD = 1,
	RECORD_TICKETS = 2,
	RECORD_SOCKET = 3, /* `addr`, or `path` of a unix socket */
	RECORD_LOCK = 4,   /* `path` */
	RECORD_KEPT = 6,
	RECORD_LOG_FROM = 7,
	RECORD_LOG_TO = 8,
	RECORD_PROCESS = 5, /* `pid`, `state`, `started_ms`; `fd` is its channel */
};

struct head {
	char magic[16];
	uint16_t major, minor;
	uint32_t head_bytes, record_bytes, record_n;
	uint64_t rotate_ms;
	char program[1024];
	uint64_t room[16]; /* zero */
};

struct record {
	uint32_t kind; /* enum record_kind */
	int32_t fd;    /* -1: none */
	int32_t pid;
	uint32_t state; /* enum process_state */
	uint64_t started_ms;
	struct addr addr;
	char path[1024];
	uint64_t room[8]; /* zero */
};

static const char magic[16] = "crossfade keeper";

/* --- writing --- */

static bool write_whole(int fd, const void *from, size_t n)
{
	ssize_t done = write(fd, from, n);
	if (done >= 0 && (size_t)done < n)
		errno = ENOSPC;
	return done == (ssize_t)n;
}

static bool handover_write_record(int fd, const struct record *r)
{
	return write_whole(fd, r, sizeof *r);
}

static bool write_sockets(int fd, const struct inherited *h)
{
	for (size_t i = 0; i < h->socket_n; i++) {
		struct record r = { .kind = RECORD_SOCKET,
				    .fd = h->sockets[i].fd,
				    .addr = h->sockets[i].addr };
		memcpy(r.path, h->sockets[i].path, sizeof h->sockets[i].path);
		if (!handover_write_record(fd, &r))
			return false;
	}
	return true;
}

static bool write_locks(int fd, const struct inherited *h)
{
	for (size_t i = 0; i < h->lock_n; i++) {
		struct record r = { .kind = RECORD_LOCK, .fd = h->locks[i].fd };
		memcpy(r.path, h->locks[i].path, sizeof r.path);
		if (!handover_write_record(fd, &r))
			return false;
	}
	return true;
}

static bool write_processes(int fd, const struct processes *s)
{
	for (int i = 0; i < PROCESSES_MAX; i++) {
		const struct process *p = &s->list[i];
		struct record r = { .kind = RECORD_PROCESS,
				    .fd = p->channel,
				    .pid = (int32_t)p->pid,
				    .state = p->state,
				    .started_ms = p->started_ms };
		if (p->state != PROCESS_NONE && !handover_write_record(fd, &r))
			return false;
	}
	return true;
}

static unsigned logs_n(const struct handover *h)
{
	return h->log_from >= 0 ? 2 : 0;
}

static bool write_logs(int fd, const struct handover *h)
{
	return !logs_n(h) || (handover_write_record(fd, &(struct record){ .kind = RECORD_LOG_FROM,
									  .fd = h->log_from }) &&
			      handover_write_record(fd, &(struct record){ .kind = RECORD_LOG_TO,
									  .fd = h->log_to }));
}

static bool handover_write_list(int fd, const struct handover *h)
{
	struct head head = {
		.major = HANDOVER_MAJOR,
		.minor = HANDOVER_MINOR,
		.head_bytes = sizeof head,
		.record_bytes = sizeof(struct record),
		.record_n = (uint32_t)(2 + (h->inherited.saved_config_fd >= 0) + logs_n(h) +
				       h->inherited.socket_n + h->inherited.lock_n +
				       processes_n(&h->processes)),
		.rotate_ms = h->rotate_ms,
	};
	memcpy(head.magic, magic, sizeof magic);
	memcpy(head.program, h->program, sizeof head.program);
	return write_whole(fd, &head, sizeof head) &&
	       handover_write_record(
		       fd, &(struct record){ .kind = RECORD_BOARD, .fd = h->inherited.board_fd }) &&
	       handover_write_record(fd, &(struct record){ .kind = RECORD_TICKETS,
							   .fd = h->inherited.tickets_fd }) &&
	       (h->inherited.saved_config_fd < 0 ||
		handover_write_record(fd,
				      &(struct record){ .kind = RECORD_KEPT,
							.fd = h->inherited.saved_config_fd })) &&
	       write_sockets(fd, &h->inherited) && write_locks(fd, &h->inherited) &&
	       write_processes(fd, &h->processes) && write_logs(fd, h);
}

int handover_write(const struct handover *h)
{
	int fd = memfd_create("crossfade-handover", MFD_CLOEXEC);
	if (fd < 0 || handover_write_list(fd, h))
		return fd;
	int why = errno;
	close(fd);
	errno = why;
	return -1;
}

void handover_keep(const struct handover *h, int fd, bool keep)
{
	keep_over_exec(fd, keep);
	keep_over_exec(h->inherited.board_fd, keep);
	keep_over_exec(h->inherited.tickets_fd, keep);
	if (h->inherited.saved_config_fd >= 0)
		keep_over_exec(h->inherited.saved_config_fd, keep);
	if (logs_n(h)) {
		keep_over_exec(h->log_from, keep);
		keep_over_exec(h->log_to, keep);
	}
	for (size_t i = 0; i < h->inherited.socket_n; i++)
		keep_over_exec(h->inherited.sockets[i].fd, keep);
	for (size_t i = 0; i < h->inherited.lock_n; i++)
		keep_over_exec(h->inherited.locks[i].fd, keep);
	for (int i = 0; i < PROCESSES_MAX; i++)
		if (h->processes.list[i].state != PROCESS_NONE && h->processes.list[i].channel >= 0)
			keep_over_exec(h->processes.list[i].channel, keep);
}

/* --- reading --- */

struct reading {
	struct handover *to;
	char *error;
	int board_fd, tickets_fd, saved_config_fd;
	bool newer; /* the list may have records that this version does not know */
};

__attribute__((format(printf, 2, 3))) static bool handover_misfit(struct reading *r,
								  const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(r->error, HANDOVER_ERROR_BYTES, format, args);
	va_end(args);
	return false;
}

static bool is_socket_that_listens(int fd)
{
	int listens = 0;
	socklen_t n = sizeof listens;
	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) == 0 && listens;
}

static bool handover_take_socket(struct reading *r, const struct record *from)
{
	struct held_socket s = { HELD_OLD, .addr = from->addr, .fd = from->fd };
	if (!is_socket_that_listens(from->fd))
		return handover_misfit(r, "descriptor %d is not a listening socket", from->fd);
	if (memchr(from->path, 0, sizeof s.path) == NULL)
		return handover_misfit(r, "the path of descriptor %d is not terminated", from->fd);
	memcpy(s.path, from->path, sizeof s.path);
	inherited_add_socket(&r->to->inherited, &s);
	return true;
}

static bool handover_take_lock(struct reading *r, const struct record *from)
{
	struct held_lock l = { .fd = from->fd };
	struct stat st;
	if (fstat(from->fd, &st) < 0 || memchr(from->path, 0, sizeof l.path) == NULL)
		return handover_misfit(r, "descriptor %d is not a lock", from->fd);
	memcpy(l.path, from->path, sizeof l.path);
	inherited_add_lock(&r->to->inherited, &l);
	return true;
}

static bool handover_take_process(struct reading *r, const struct record *from)
{
	struct process *p = processes_find(&r->to->processes, PROCESS_NONE);
	if (!p || from->pid <= 0 || from->state <= PROCESS_NONE || from->state > PROCESS_RETIRED)
		return handover_misfit(
			r, "process %d does not fit: its state is wrong, or there are too many",
			from->pid);
	*p = (struct process){ .state = (enum process_state)from->state,
			       .pid = from->pid,
			       .channel = from->fd,
			       .started_ms = from->started_ms };
	return true;
}

static bool handover_take_descriptor(struct reading *r, int fd, int *to)
{
	if (fcntl(fd, F_GETFD) < 0)
		return handover_misfit(r, "descriptor %d is not open", fd);
	*to = fd;
	return true;
}

static bool handover_take_record(struct reading *r, const struct record *from)
{
	switch ((enum record_kind)from->kind) {
	case RECORD_BOARD:
		r->board_fd = from->fd;
		return true;
	case RECORD_TICKETS:
		r->tickets_fd = from->fd;
		return true;
	case RECORD_KEPT:
		return handover_take_descriptor(r, from->fd, &r->saved_config_fd);
	case RECORD_LOG_FROM:
		return handover_take_descriptor(r, from->fd, &r->to->log_from);
	case RECORD_LOG_TO:
		return handover_take_descriptor(r, from->fd, &r->to->log_to);
	case RECORD_SOCKET:
		return handover_take_socket(r, from);
	case RECORD_LOCK:
		return handover_take_lock(r, from);
	case RECORD_PROCESS:
		return handover_take_process(r, from);
	}
	return r->newer || handover_misfit(r, "a record has the unknown kind %u", from->kind);
}

static bool is_of_size(int fd, size_t bytes)
{
	struct stat st;
	return fd >= 0 && fstat(fd, &st) == 0 && (size_t)st.st_size == bytes;
}

/*
 * The version covers the layouts already: a different size under the same version is our mistake.
 */
static bool handover_take_memory(struct reading *r)
{
	struct inherited *h = &r->to->inherited, shared;
	if (!is_of_size(r->board_fd, sizeof *h->board) ||
	    !is_of_size(r->tickets_fd, sizeof *h->tickets))
		return handover_misfit(r, "the shared memory has another size");
	if (!inherited_open_from(&shared, r->board_fd, r->tickets_fd, r->saved_config_fd))
		return handover_misfit(r, "the board cannot be mapped: %s", strerror(errno));
	h->board_fd = shared.board_fd;
	h->tickets_fd = shared.tickets_fd;
	h->saved_config_fd = shared.saved_config_fd;
	h->board = shared.board;
	h->tickets = shared.tickets;
	h->kept = shared.kept;
	if (!board_fits(h->board) || h->tickets->version != TICKET_KEYS_VERSION)
		return handover_misfit(r, "the board or the ticket keys have another version");
	return true;
}

static bool handover_read_head(struct reading *r, int fd, struct head *head)
{
	ssize_t n = pread(fd, head, sizeof *head, 0);
	size_t stable = offsetof(struct head, rotate_ms);
	if (n < (ssize_t)stable || memcmp(head->magic, magic, sizeof magic) != 0)
		return handover_misfit(r, "descriptor %d is not a keeper's hand-over list", fd);
	if (head->major != HANDOVER_MAJOR || head->head_bytes != sizeof *head ||
	    head->record_bytes != sizeof(struct record) || n != sizeof *head)
		return handover_misfit(
			r,
			"the running version hands over in format %u, but this one reads format "
			"%u: stop the balancer and start it again instead of upgrading",
			head->major, HANDOVER_MAJOR);
	if (head->record_n > HANDOVER_RECORDS_MAX ||
	    !memchr(head->program, 0, sizeof head->program))
		return handover_misfit(r, "the hand-over list is damaged");
	return true;
}

static bool handover_read_record(int fd, uint32_t i, struct record *to)
{
	off_t at = (off_t)(sizeof(struct head) + i * sizeof *to);
	return pread(fd, to, sizeof *to, at) == sizeof *to;
}

static bool record_is_known(uint32_t kind)
{
	return kind >= RECORD_BOARD && kind <= RECORD_LOG_TO;
}

static void close_unknown(int fd, uint32_t record_n)
{
	struct record r;
	for (uint32_t i = 0; i < record_n && handover_read_record(fd, i, &r); i++)
		if (!record_is_known(r.kind) && r.fd > STDERR_FILENO)
			close(r.fd);
}

bool handover_read(int fd, struct handover *h, char error[HANDOVER_ERROR_BYTES])
{
	struct reading r = { h, error, -1, -1, -1, false };
	struct head head;
	*h = (struct handover){
		.inherited = { .board_fd = -1, .tickets_fd = -1, .saved_config_fd = -1 },
		.log_from = -1,
		.log_to = -1
	};
	processes_open(&h->processes);
	if (!handover_read_head(&r, fd, &head))
		return false;
	h->rotate_ms = head.rotate_ms;
	memcpy(h->program, head.program, sizeof h->program);
	r.newer = head.minor > HANDOVER_MINOR;
	for (uint32_t i = 0; i < head.record_n; i++) {
		struct record from;
		if (!handover_read_record(fd, i, &from))
			return handover_misfit(&r, "the hand-over list ends early");
		if (!handover_take_record(&r, &from))
			return false;
	}
	if (!handover_take_memory(&r))
		return false;
	if (r.newer)
		close_unknown(fd, head.record_n);
	return true;
}

/* --- the new program, asked before it is executed --- */

int handover_main(int argc, char **argv)
{
	unsigned long long fd;
	char error[HANDOVER_ERROR_BYTES];
	struct handover h;
	if (argc != 3 || !span_to_u64(span_of(argv[2]), INT32_MAX, &fd)) {
		fprintf(stderr,
			"crossfade " HANDOVER_COMMAND ": only an upgrade uses this command\n");
		return EXIT_USAGE;
	}
	bool good = handover_read((int)fd, &h, error);
	if (!good)
		fprintf(stderr, "crossfade %s cannot take over: %s\n", CROSSFADE_VERSION, error);
	inherited_disown(&h.inherited);
	return good && check_file(argv[1]) ? EXIT_OK : EXIT_NO;
}
