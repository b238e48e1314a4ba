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

/* More would be a mistake: some addresses with a socket for each worker, and few others. */
#define RECORDS_MAX (LISTENERS_MAX * 4 * WORKERS_MAX)

enum record_kind {
	RECORD_BOARD = 1,
	RECORD_TICKETS = 2,
	RECORD_SOCKET = 3, /* `addr`, or a unix socket's `path` */
	RECORD_LOCK = 4,   /* `path` */
	RECORD_KEPT = 6,
	RECORD_LOG_FROM = 7,
	RECORD_LOG_TO = 8,
	RECORD_PROCESS = 5, /* `pid`, `state`, `started_ms`; `fd` is its channel */
};

struct head {
	char magic[16];
	uint32_t version, head_bytes, record_bytes, record_n;
	uint64_t rotate_ms;
	char program[1024];
};

struct record {
	uint32_t kind; /* enum record_kind */
	int32_t fd;
	int32_t pid;
	uint32_t state; /* enum process_state */
	uint64_t started_ms;
	struct addr addr;
	char path[1024];
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

static bool write_record(int fd, const struct record *r)
{
	return write_whole(fd, r, sizeof *r);
}

static bool write_sockets(int fd, const struct holdings *h)
{
	for (size_t i = 0; i < h->socket_n; i++) {
		struct record r = { .kind = RECORD_SOCKET,
				    .fd = h->sockets[i].fd,
				    .addr = h->sockets[i].addr };
		memcpy(r.path, h->sockets[i].path, sizeof h->sockets[i].path);
		if (!write_record(fd, &r))
			return false;
	}
	return true;
}

static bool write_locks(int fd, const struct holdings *h)
{
	for (size_t i = 0; i < h->lock_n; i++) {
		struct record r = { .kind = RECORD_LOCK, .fd = h->locks[i].fd };
		memcpy(r.path, h->locks[i].path, sizeof r.path);
		if (!write_record(fd, &r))
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
		if (p->state != PROCESS_NONE && !write_record(fd, &r))
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
	return !logs_n(h) ||
	       (write_record(fd, &(struct record){ .kind = RECORD_LOG_FROM, .fd = h->log_from }) &&
		write_record(fd, &(struct record){ .kind = RECORD_LOG_TO, .fd = h->log_to }));
}

static bool write_list(int fd, const struct handover *h)
{
	struct head head = {
		.version = HANDOVER_VERSION,
		.head_bytes = sizeof head,
		.record_bytes = sizeof(struct record),
		.record_n = (uint32_t)(2 + (h->holdings.kept_fd >= 0) + logs_n(h) +
				       h->holdings.socket_n + h->holdings.lock_n +
				       processes_n(&h->processes)),
		.rotate_ms = h->rotate_ms,
	};
	memcpy(head.magic, magic, sizeof magic);
	memcpy(head.program, h->program, sizeof head.program);
	return write_whole(fd, &head, sizeof head) &&
	       write_record(fd,
			    &(struct record){ .kind = RECORD_BOARD, .fd = h->holdings.board_fd }) &&
	       write_record(fd, &(struct record){ .kind = RECORD_TICKETS,
						  .fd = h->holdings.tickets_fd }) &&
	       (h->holdings.kept_fd < 0 ||
		write_record(fd,
			     &(struct record){ .kind = RECORD_KEPT, .fd = h->holdings.kept_fd })) &&
	       write_sockets(fd, &h->holdings) && write_locks(fd, &h->holdings) &&
	       write_processes(fd, &h->processes) && write_logs(fd, h);
}

int handover_write(const struct handover *h)
{
	int fd = memfd_create("crossfade-handover", MFD_CLOEXEC);
	if (fd < 0 || write_list(fd, h))
		return fd;
	int why = errno;
	close(fd);
	errno = why;
	return -1;
}

void handover_keep(const struct handover *h, int fd, bool keep)
{
	keep_over_exec(fd, keep);
	keep_over_exec(h->holdings.board_fd, keep);
	keep_over_exec(h->holdings.tickets_fd, keep);
	if (h->holdings.kept_fd >= 0)
		keep_over_exec(h->holdings.kept_fd, keep);
	if (logs_n(h)) {
		keep_over_exec(h->log_from, keep);
		keep_over_exec(h->log_to, keep);
	}
	for (size_t i = 0; i < h->holdings.socket_n; i++)
		keep_over_exec(h->holdings.sockets[i].fd, keep);
	for (size_t i = 0; i < h->holdings.lock_n; i++)
		keep_over_exec(h->holdings.locks[i].fd, keep);
	for (int i = 0; i < PROCESSES_MAX; i++)
		if (h->processes.list[i].state != PROCESS_NONE && h->processes.list[i].channel >= 0)
			keep_over_exec(h->processes.list[i].channel, keep);
}

/* --- reading --- */

struct reading {
	struct handover *to;
	char *error;
	int board_fd, tickets_fd, kept_fd;
};

__attribute__((format(printf, 2, 3))) static bool misfit(struct reading *r, const char *format, ...)
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

static bool take_socket(struct reading *r, const struct record *from)
{
	struct held_socket s = { HELD_OLD, .addr = from->addr, .fd = from->fd };
	if (!is_socket_that_listens(from->fd))
		return misfit(r, "descriptor %d is no listening socket", from->fd);
	if (memchr(from->path, 0, sizeof s.path) == NULL)
		return misfit(r, "the path of descriptor %d has no end", from->fd);
	memcpy(s.path, from->path, sizeof s.path);
	holdings_add_socket(&r->to->holdings, &s);
	return true;
}

static bool take_lock(struct reading *r, const struct record *from)
{
	struct held_lock l = { .fd = from->fd };
	struct stat st;
	if (fstat(from->fd, &st) < 0 || memchr(from->path, 0, sizeof l.path) == NULL)
		return misfit(r, "descriptor %d is no lock", from->fd);
	memcpy(l.path, from->path, sizeof l.path);
	holdings_add_lock(&r->to->holdings, &l);
	return true;
}

static bool take_process(struct reading *r, const struct record *from)
{
	struct process *p = processes_find(&r->to->processes, PROCESS_NONE);
	if (!p || from->pid <= 0 || from->state <= PROCESS_NONE || from->state > PROCESS_RETIRED)
		return misfit(r, "process %d has no place", from->pid);
	*p = (struct process){ .state = (enum process_state)from->state,
			       .pid = from->pid,
			       .channel = from->fd,
			       .started_ms = from->started_ms };
	return true;
}

static bool take_descriptor(struct reading *r, int fd, int *to)
{
	if (fcntl(fd, F_GETFD) < 0)
		return misfit(r, "descriptor %d is not there", fd);
	*to = fd;
	return true;
}

static bool take_record(struct reading *r, const struct record *from)
{
	switch ((enum record_kind)from->kind) {
	case RECORD_BOARD:
		r->board_fd = from->fd;
		return true;
	case RECORD_TICKETS:
		r->tickets_fd = from->fd;
		return true;
	case RECORD_KEPT:
		return take_descriptor(r, from->fd, &r->kept_fd);
	case RECORD_LOG_FROM:
		return take_descriptor(r, from->fd, &r->to->log_from);
	case RECORD_LOG_TO:
		return take_descriptor(r, from->fd, &r->to->log_to);
	case RECORD_SOCKET:
		return take_socket(r, from);
	case RECORD_LOCK:
		return take_lock(r, from);
	case RECORD_PROCESS:
		return take_process(r, from);
	}
	return misfit(r, "a record of the unknown kind %u", from->kind);
}

static bool is_of_size(int fd, size_t bytes)
{
	struct stat st;
	return fd >= 0 && fstat(fd, &st) == 0 && (size_t)st.st_size == bytes;
}

/* The layouts are in the version already; that they differ without it would be a mistake of ours.
 */
static bool take_memory(struct reading *r)
{
	struct holdings *h = &r->to->holdings, shared;
	if (!is_of_size(r->board_fd, sizeof *h->board) ||
	    !is_of_size(r->tickets_fd, sizeof *h->tickets))
		return misfit(r, "what is shared is of another size");
	if (!holdings_open_from(&shared, r->board_fd, r->tickets_fd, r->kept_fd))
		return misfit(r, "the board cannot be mapped: %s", strerror(errno));
	h->board_fd = shared.board_fd;
	h->tickets_fd = shared.tickets_fd;
	h->kept_fd = shared.kept_fd;
	h->board = shared.board;
	h->tickets = shared.tickets;
	h->kept = shared.kept;
	if (!board_fits(h->board) || h->tickets->version != TICKET_KEYS_VERSION)
		return misfit(r, "the board or the ticket keys are of another version");
	return true;
}

static bool read_head(struct reading *r, int fd, struct head *head)
{
	ssize_t n = pread(fd, head, sizeof *head, 0);
	size_t stable = offsetof(struct head, rotate_ms);
	if (n < (ssize_t)stable || memcmp(head->magic, magic, sizeof magic) != 0)
		return misfit(r, "descriptor %d is no hand-over of a keeper", fd);
	if (head->version != HANDOVER_VERSION || head->head_bytes != sizeof *head ||
	    head->record_bytes != sizeof(struct record) || n != sizeof *head)
		return misfit(
			r,
			"the running version hands over in format %u, this one takes %u: stop "
			"and start it in place of an upgrade",
			head->version, HANDOVER_VERSION);
	if (head->record_n > RECORDS_MAX || !memchr(head->program, 0, sizeof head->program))
		return misfit(r, "the hand-over is damaged");
	return true;
}

bool handover_read(int fd, struct handover *h, char error[HANDOVER_ERROR_BYTES])
{
	struct reading r = { h, error, -1, -1, -1 };
	struct head head;
	*h = (struct handover){ .holdings = { .board_fd = -1, .tickets_fd = -1, .kept_fd = -1 },
				.log_from = -1,
				.log_to = -1 };
	processes_open(&h->processes);
	if (!read_head(&r, fd, &head))
		return false;
	h->rotate_ms = head.rotate_ms;
	memcpy(h->program, head.program, sizeof h->program);
	for (uint32_t i = 0; i < head.record_n; i++) {
		struct record from;
		off_t at = (off_t)(sizeof head + i * sizeof from);
		if (pread(fd, &from, sizeof from, at) != sizeof from)
			return misfit(&r, "the hand-over ends early");
		if (!take_record(&r, &from))
			return false;
	}
	return take_memory(&r);
}

/* --- the new program, asked before it is executed --- */

int handover_main(int argc, char **argv)
{
	unsigned long long fd;
	char error[HANDOVER_ERROR_BYTES];
	struct handover h;
	if (argc != 3 || !span_to_u64(span_of(argv[2]), INT32_MAX, &fd)) {
		fprintf(stderr, "crossfade " HANDOVER_COMMAND ": is for an upgrade only\n");
		return EXIT_USAGE;
	}
	bool good = handover_read((int)fd, &h, error);
	if (!good)
		fprintf(stderr, "crossfade %s cannot take over: %s\n", CROSSFADE_VERSION, error);
	holdings_disown(&h.holdings);
	return good && check_file(argv[1]) ? EXIT_OK : EXIT_NO;
}
