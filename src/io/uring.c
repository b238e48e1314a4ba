#include "io/uring.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "io/backend.h"
#include "io/block_ring.h"
#include "io/sock_table.h"
#include "io/waker.h"

/*
 * Enough for what one turn of a busy worker starts. A longer queue would use more cache; a full
 * queue is submitted with one more system call.
 */
#define SUBMISSIONS 512
/* Completions between two turns before the kernel must keep an overflow list: 64 KiB of memory. */
#define COMPLETIONS 4096
/* The pause between attempts to submit, when the kernel has no memory for it. */
#define SUBMIT_PAUSE_US 500
/*
 * Blocks that wait in the rings. They are filled first-in first-out, so a longer ring makes each
 * block colder: the rings hold as many as one turn usually fills, and no more. The kernel ends a
 * turn after about twenty receives that had to wait (6.12 and later). A receive that finds no block
 * costs one more submission.
 */
#define SMALL_BLOCKS 64
#define LARGE_BLOCKS 8

#define SEND_FLAGS (MSG_WAITALL | MSG_NOSIGNAL)

/* Newer than liburing 2.3: */
#define OP_FIXED_FD_INSTALL 54	   /* 6.8 */
#define FEATURE_RW_ATTR (1u << 16) /* 6.14: the first that can be told from 6.12 */

struct uring {
	struct io io;
	struct io_uring ring;
	struct block_ring blocks[BLOCK_CLASSES];
	enum uring_files files;
	uint8_t file_flag; /* a flag of every submission on a socket */
	struct sock_table socks;
	struct msghdr *messages; /* one per submission: the kernel reads both at the same time */
	struct list ended;	 /* operations that ended without the kernel */
	struct waker waker;
	uint32_t installs; /* requested descriptors, see uring_shutdown() */
	struct turn turn;
	unsigned sends; /* sends that this turn has started */
};

/* The user data of a completion: one of these tags, or the address of the operation. */
enum { QUIET, INSTALLED, WOKEN, TAGS };

/* The two steps of a watch: wait for the peer's end, then count the unread bytes. */
enum { WATCH_POLLS, WATCH_COUNTS };

static struct uring *uring_of(struct io *io)
{
	return (struct uring *)io;
}

static struct uring_sock *uring_of_sock(struct sock *s)
{
	return (struct uring_sock *)s;
}

/* --- submissions --- */

/*
 * Submits the queued entries. If the kernel has no memory (EAGAIN, EBUSY), or a signal comes, the
 * only choice is to try again: the next entry needs a place.
 */
static void uring_make_room(struct uring *u)
{
	static const struct timespec moment = { .tv_nsec = SUBMIT_PAUSE_US * 1000 };
	while (io_uring_submit(&u->ring) <= 0)
		nanosleep(&moment, NULL);
}

static struct io_uring_sqe *next_submission(struct uring *u)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
	if (__builtin_expect(!sqe, 0)) {
		uring_make_room(u);
		sqe = io_uring_get_sqe(&u->ring);
		must(sqe);
	}
	return sqe;
}

/*
 * For submissions without an owner: success makes no completion; a failure completes and is
 * ignored.
 */
static void make_quiet(struct io_uring_sqe *sqe, unsigned flags)
{
	sqe->flags = (uint8_t)(IOSQE_CQE_SKIP_SUCCESS | flags);
	sqe->user_data = QUIET;
}

static void make_op(struct io_uring_sqe *sqe, unsigned flags, struct io_op *op)
{
	sqe->flags = (uint8_t)flags;
	io_uring_sqe_set_data(sqe, op);
}

static void end_soon(struct uring *u, struct io_op *op, int32_t result)
{
	op->result = result;
	list_add_tail(&u->ended, &op->link);
}

/* --- sockets --- */

static void close_descriptor(struct uring *u, int fd)
{
	struct io_uring_sqe *sqe = next_submission(u);
	io_uring_prep_close(sqe, fd);
	make_quiet(sqe, 0);
}

/* Submissions are executed in order, so a slot that is being cleared may be reused at once. */
static void uring_close_sock(struct uring *u, struct uring_sock *s)
{
	struct io_uring_sqe *sqe = next_submission(u);
	if (u->files == URING_SLOTS)
		io_uring_prep_close_direct(sqe, (unsigned)s->fd);
	else
		io_uring_prep_close(sqe, s->fd);
	make_quiet(sqe, 0);
	sock_table_give(&u->socks, s);
}

static void own_descriptor(struct uring *u, struct uring_sock *s, int fd /* moved in */)
{
	if (u->files == URING_DESCRIPTORS) {
		s->fd = fd;
		return;
	}
	s->descriptor = fd; /* the kernel reads it when it takes the submission */
	struct io_uring_sqe *sqe = next_submission(u);
	io_uring_prep_files_update(sqe, &s->descriptor, 1, s->fd);
	make_quiet(sqe, 0);
	close_descriptor(u, fd);
}

static struct sock *uring_adopt(struct io *io, int fd)
{
	struct uring *u = uring_of(io);
	struct uring_sock *s = sock_table_take(&u->socks);
	if (!s) {
		errno = EMFILE;
		return NULL;
	}
	backend_set_nonblocking(fd);
	backend_peer(fd, &s->sock.peer);
	own_descriptor(u, s, fd);
	s->open = s->more = true;
	return &s->sock;
}

/* The direct form needs a slot before the new socket exists. */
static void uring_accept(struct io *io, struct io_op *op)
{
	struct uring *u = uring_of(io);
	int listening = uring_of_sock(op->sock)->fd;
	struct uring_sock *s = sock_table_take(&u->socks);
	op->sock = s ? &s->sock : NULL;
	if (!s) {
		end_soon(u, op, -EMFILE);
		return;
	}
	struct io_uring_sqe *sqe = next_submission(u);
	if (u->files == URING_SLOTS)
		io_uring_prep_accept_direct(sqe, listening, &s->sock.peer.any, &s->peer_bytes, 0,
					    (unsigned)s->fd);
	else
		io_uring_prep_accept(sqe, listening, &s->sock.peer.any, &s->peer_bytes,
				     SOCK_CLOEXEC);
	make_op(sqe, u->file_flag, op);
}

static void uring_connect(struct io *io, struct io_op *op)
{
	struct uring *u = uring_of(io);
	int fd = backend_socket(io, op->address, 0);
	if (fd < 0) {
		end_soon(u, op, fd);
		return;
	}
	struct uring_sock *s = sock_table_take(&u->socks);
	if (!s) {
		close(fd);
		end_soon(u, op, -EMFILE);
		return;
	}
	s->sock.peer = *op->address;
	op->sock = &s->sock;
	own_descriptor(u, s, fd);
	struct io_uring_sqe *sqe = next_submission(u);
	io_uring_prep_connect(sqe, s->fd, &s->sock.peer.any, addr_bytes(&s->sock.peer));
	make_op(sqe, u->file_flag, op);
}

/*
 * Sending FIN needs shutdown(2). io_uring's own shutdown runs on another thread, after later
 * submissions. So the slot gets a descriptor for a moment, and shutdown(2) is called on that, a
 * turn later. If no descriptor is free, FIN is sent when the socket is closed.
 */
static void uring_shutdown(struct io *io, struct sock *sock)
{
	struct uring *u = uring_of(io);
	struct uring_sock *s = uring_of_sock(sock);
	must(s->open);
	if (u->files == URING_DESCRIPTORS) {
		shutdown(s->fd, SHUT_WR);
		return;
	}
	struct io_uring_sqe *sqe = next_submission(u);
	io_uring_prep_rw(OP_FIXED_FD_INSTALL, sqe, s->fd, NULL, 0, 0);
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->user_data = INSTALLED;
	u->installs++;
}

static void finish_shutdown(struct uring *u, int fd)
{
	must(u->installs > 0);
	u->installs--;
	if (fd < 0)
		return;
	shutdown(fd, SHUT_WR);
	close(fd);
}

/*
 * Connecting a TCP socket to AF_UNSPEC disconnects it with RST, as SO_LINGER 0 does, but without a
 * descriptor.
 */
static void uring_close(struct io *io, struct sock *sock, bool reset)
{
	static const struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	struct uring *u = uring_of(io);
	struct uring_sock *s = uring_of_sock(sock);
	must(s->open);
	if (reset) {
		struct io_uring_sqe *sqe = next_submission(u);
		io_uring_prep_connect(sqe, s->fd, &nobody, sizeof nobody);
		make_quiet(sqe, u->file_flag);
	}
	uring_close_sock(u, s);
}

/* --- receiving and sending --- */

static void uring_recv(struct io *io, struct io_op *op)
{
	struct uring *u = uring_of(io);
	const struct uring_sock *s = uring_of_sock(op->sock);
	struct io_uring_sqe *sqe = next_submission(u);
	io_uring_prep_recv(sqe, s->fd, NULL, 0, 0); /* length 0: the whole block */
	sqe->ioprio = s->more ? 0 : IORING_RECVSEND_POLL_FIRST;
	sqe->buf_group = op->class;
	make_op(sqe, u->file_flag | IOSQE_BUFFER_SELECT, op);
}

static void uring_watch(struct io *io, struct io_op *op)
{
	struct uring *u = uring_of(io);
	struct io_uring_sqe *sqe = next_submission(u);
	io_uring_prep_poll_add(sqe, uring_of_sock(op->sock)->fd, POLLRDHUP | POLLHUP | POLLERR);
	op->backend_n = WATCH_POLLS;
	make_op(sqe, u->file_flag, op);
}

static void count_unread(struct uring *u, struct io_op *op)
{
	struct io_uring_sqe *sqe = next_submission(u);
	io_uring_prep_recv(sqe, uring_of_sock(op->sock)->fd, NULL, UNREAD_BYTES_MAX, UNREAD_FLAGS);
	op->backend_n = WATCH_COUNTS;
	make_op(sqe, u->file_flag, op);
}

static void uring_send_rest(struct uring *u, struct io_op *op)
{
	struct io_uring_sqe *sqe = next_submission(u);
	int fd = uring_of_sock(op->sock)->fd;
	if (backend_send_is_single(op)) {
		struct iovec rest = backend_send_rest(op);
		io_uring_prep_send(sqe, fd, rest.iov_base, rest.iov_len, SEND_FLAGS);
	} else {
		struct msghdr *message = &u->messages[sqe - u->ring.sq.sqes];
		*message = backend_send_message(op);
		io_uring_prep_sendmsg(sqe, fd, message, SEND_FLAGS);
	}
	make_op(sqe, u->file_flag, op);
}

static void uring_send(struct io *io, struct io_op *op)
{
	uring_of(io)->sends++;
	backend_send_begin(op);
	uring_send_rest(uring_of(io), op);
}

/*
 * If the operation has ended meanwhile, or never reached the kernel, the cancel finds nothing, and
 * the operation ends with its own result.
 */
static void uring_cancel(struct io *io, struct io_op *op)
{
	struct io_uring_sqe *sqe = next_submission(uring_of(io));
	io_uring_prep_cancel(sqe, op, 0);
	make_quiet(sqe, 0);
}

/* --- completions --- */

static void uring_finish_recv(struct uring *u, struct io_op *op, int32_t result, uint32_t flags)
{
	if (result == -ENOBUFS && !op->cancel) {
		/*
		 * Other receives of this turn took all blocks of the ring, and they have been
		 * replaced.
		 */
		u->io.counts.starved++;
		uring_of_sock(op->sock)->more = true;
		uring_recv(&u->io, op);
		return;
	}
	uring_of_sock(op->sock)->more = flags & IORING_CQE_F_SOCK_NONEMPTY;
	if (flags & IORING_CQE_F_BUFFER)
		op->block = block_ring_exchange(&u->blocks[op->class],
						flags >> IORING_CQE_BUFFER_SHIFT);
	turn_received(&u->turn, op, result > 0 && !(flags & IORING_CQE_F_SOCK_NONEMPTY));
	if (result > 0) {
		u->io.counts.recvs++;
		u->io.counts.recv_bytes += (uint32_t)result;
	} else if (op->block) {
		block_drop(op->block);
		op->block = NULL;
	}
	io_op_end(op, result == -ENOBUFS ? -ECANCELED : result);
}

/* The error itself stays for the next receive or send. */
static void uring_finish_watch(struct uring *u, struct io_op *op, int32_t result)
{
	if (op->backend_n == WATCH_COUNTS || result < 0)
		io_op_end(op, result);
	else if (op->cancel)
		io_op_end(op, -ECANCELED);
	else if (result & POLLERR)
		io_op_end(op, -ECONNRESET);
	else
		count_unread(u, op);
}

/*
 * A send is short only when it was interrupted. The next attempt sends the rest, or fails with the
 * reason.
 */
static void uring_finish_send(struct uring *u, struct io_op *op, int32_t result)
{
	if (result < 0) {
		io_op_end(op, result);
		return;
	}
	u->io.counts.send_bytes += (uint32_t)result;
	if (backend_send_advance(op, (size_t)result)) {
		u->io.counts.sends++;
		io_op_end(op, op->result);
	} else if (op->cancel) {
		io_op_end(op, -ECANCELED);
	} else {
		uring_send_rest(u, op);
	}
}

static void uring_finish_accept(struct uring *u, struct io_op *op, int32_t result)
{
	struct uring_sock *s = uring_of_sock(op->sock);
	if (result < 0) {
		sock_table_give(&u->socks, s);
		op->sock = NULL;
		io_op_end(op, result);
		return;
	}
	if (u->files == URING_DESCRIPTORS)
		s->fd = result;
	backend_clean_peer(&s->sock.peer);
	s->open = s->more = true; /* a peer that connects usually sends first */
	u->io.counts.accepts++;
	io_op_end(op, 0);
}

static void uring_finish_connect(struct uring *u, struct io_op *op, int32_t result)
{
	struct uring_sock *s = uring_of_sock(op->sock);
	if (result < 0) {
		uring_close_sock(u, s);
		op->sock = NULL;
	} else {
		s->open = true;
		u->io.counts.connects++;
	}
	io_op_end(op, result);
}

static void uring_finish(struct uring *u, struct io_op *op, int32_t result, uint32_t flags)
{
	switch ((enum io_verb)op->verb) {
	case IO_RECV:
		uring_finish_recv(u, op, result, flags);
		break;
	case IO_WATCH:
		u->turn.others = true;
		uring_finish_watch(u, op, result);
		break;
	case IO_SEND:
		uring_finish_send(u, op, result);
		break;
	case IO_ACCEPT:
		u->turn.others = true;
		uring_finish_accept(u, op, result);
		break;
	case IO_CONNECT:
		u->turn.others = true;
		uring_finish_connect(u, op, result);
		break;
	case IO_NONE:
		must(!"an idle operation completed");
	}
}

static void watch_waker(struct uring *u)
{
	struct io_uring_sqe *sqe = next_submission(u);
	io_uring_prep_poll_multishot(sqe, u->waker.fd, POLLIN);
	sqe->user_data = WOKEN;
}

static void finish_own(struct uring *u, uint64_t about, int32_t result, uint32_t flags)
{
	u->turn.others = true;
	if (about == INSTALLED)
		finish_shutdown(u, result);
	else if (about == WOKEN && !(flags & IORING_CQE_F_MORE))
		watch_waker(u);
}

static void uring_end_early(struct uring *u)
{
	struct list early;
	list_init(&early);
	list_splice_tail(&early, &u->ended);
	for (struct list *l; (l = list_take_first(&early));) {
		struct io_op *op = list_entry(l, struct io_op, link);
		io_op_end(op, op->result);
	}
}

/*
 * Completions that arrive during this call, because a full queue had to be submitted, wait for the
 * next turn. Each entry is given back before its done(), because done() may fill the queue.
 */
static void uring_dispatch(struct io *io)
{
	struct uring *u = uring_of(io);
	uring_end_early(u);
	for (unsigned n = io_uring_cq_ready(&u->ring); n > 0; n--) {
		const struct io_uring_cq *cq = &u->ring.cq;
		struct io_uring_cqe cqe = cq->cqes[*cq->khead & cq->ring_mask];
		io_uring_cq_advance(&u->ring, 1);
		if (cqe.user_data < TAGS)
			finish_own(u, cqe.user_data, cqe.res, cqe.flags);
		else
			uring_finish(u, (struct io_op *)(uintptr_t)cqe.user_data, cqe.res,
				     cqe.flags);
	}
}

static void uring_wake(struct io *io)
{
	waker_wake(&uring_of(io)->waker);
}

static int uring_sleep_for(struct uring *u, unsigned events, uint64_t ns)
{
	struct io_uring_cqe *first;
	struct __kernel_timespec t = { .tv_sec = (long long)(ns / 1000000000u),
				       .tv_nsec = (long long)(ns % 1000000000u) };
	return io_uring_submit_and_wait_timeout(&u->ring, &first, events,
						ns == UINT64_MAX ? NULL : &t, NULL);
}

/* Most sends complete when they are started. */
static int sleep_until(struct uring *u, uint64_t deadline_ns, uint64_t now_ns)
{
	uint64_t ns = deadline_ns == UINT64_MAX ? UINT64_MAX : deadline_ns - now_ns;
	uint64_t moment_ns = TRANSFER_WAIT_US * 1000ull;
	if (!turn_is_amid_transfers(&u->turn))
		return uring_sleep_for(u, 1, ns);
	return uring_sleep_for(u, u->sends + TRANSFER_EVENTS, ns < moment_ns ? ns : moment_ns);
}

/*
 * More operations had completed than the queue holds, and the kernel had no memory for the rest:
 * the results of those operations are lost. The keeper starts another process.
 */
_Noreturn static void uring_lose_completions(void)
{
	log_line(LOG_ERROR, "io_uring has lost completions because the kernel had no memory: this "
			    "process cannot go on");
	abort();
}

/* One system call: it submits entries and collects what became ready for earlier ones. */
static void uring_wait(struct io *io, uint64_t deadline_ns)
{
	struct uring *u = uring_of(io);
	bool is_more = !list_empty(&u->ended) || io_uring_cq_ready(&u->ring) > 0;
	io->rested_ns = clock_monotonic_ns();
	int r;
	if (is_more || deadline_ns <= io->rested_ns) {
		r = io_uring_submit_and_get_events(&u->ring);
	} else {
		io->counts.waits++;
		r = sleep_until(u, deadline_ns, io->rested_ns);
	}
	u->turn = (struct turn){ 0 };
	u->sends = 0;
	/*
	 * Entries that the kernel did not take, for lack of memory or because of a signal, are
	 * submitted in the next turn.
	 */
	if (r == -EBADR)
		uring_lose_completions();
	must(r >= 0 || r == -ETIME || r == -EINTR || r == -EAGAIN || r == -EBUSY || r == -ENOMEM);
	io->counts.turns++;
	waker_rearm(&u->waker);
	backend_read_clocks(io);
}

/* --- opening and closing --- */

static int open_socks(struct uring *u)
{
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return -errno;
	uint32_t max =
		files.rlim_cur < SOCKETS_OF_WORKER ? (uint32_t)files.rlim_cur : SOCKETS_OF_WORKER;
	sock_table_open(&u->socks, max);
	if (u->files == URING_DESCRIPTORS)
		return 0;
	u->file_flag = IOSQE_FIXED_FILE;
	return io_uring_register_files_sparse(&u->ring, max);
}

static int open_parts(struct uring *u)
{
	static const unsigned n[BLOCK_CLASSES] = { SMALL_BLOCKS, LARGE_BLOCKS };
	u->messages = calloc(u->ring.sq.ring_entries, sizeof(struct msghdr));
	must(u->messages);
	int err = io_uring_register_ring_fd(&u->ring);
	err = err < 0 ? err : open_socks(u);
	for (int i = 0; !err && i < BLOCK_CLASSES; i++)
		err = block_ring_open(&u->blocks[i], &u->ring, u->io.bufs, i, n[i]);
	if (err)
		return err;
	if (!waker_open(&u->waker))
		return -errno;
	watch_waker(u);
	/* A container may allow creating a ring but not using it. */
	err = io_uring_submit(&u->ring);
	if (err < 0)
		waker_close(&u->waker);
	return err < 0 ? err : 0;
}

static void close_parts(struct uring *u)
{
	for (int i = 0; i < BLOCK_CLASSES; i++)
		block_ring_close(&u->blocks[i], &u->ring);
	io_uring_queue_exit(&u->ring);
	sock_table_close(&u->socks);
	free(u->messages);
	free(u);
}

/* The last closes are submitted here: the end of the ring alone would delay them. */
static void uring_free(struct io *io)
{
	struct uring *u = uring_of(io);
	must(u->socks.taken == 0 && list_empty(&u->ended));
	do {
		uring_wait(io, u->installs > 0 ? UINT64_MAX : 0);
		uring_dispatch(io);
	} while (u->installs > 0);
	waker_close(&u->waker);
	close_parts(u);
}

static const struct io_verbs uring_verbs = {
	.name = "io_uring",
	.adopt = uring_adopt,
	.accept = uring_accept,
	.connect = uring_connect,
	.recv = uring_recv,
	.watch = uring_watch,
	.send = uring_send,
	.shutdown = uring_shutdown,
	.close = uring_close,
	.cancel = uring_cancel,
	.wake = uring_wake,
	.wait = uring_wait,
	.dispatch = uring_dispatch,
	.free = uring_free,
};

/*
 * With DEFER_TASKRUN (6.1) the kernel works for us only inside the one call of a turn. The other
 * features that are used here are older.
 */
static struct uring *open_ring(struct bufs *bufs, struct io_uring_params *params)
{
	struct uring *u = calloc(1, sizeof *u);
	must(u);
	u->io = (struct io){ .verbs = &uring_verbs, .bufs = bufs };
	list_init(&u->ended);
	*params = (struct io_uring_params){
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
		.cq_entries = COMPLETIONS,
	};
	int err = io_uring_queue_init_params(SUBMISSIONS, &u->ring, params);
	if (!err)
		return u;
	free(u);
	errno = -err;
	return NULL;
}

static struct io *complete_ring(struct uring *u, enum uring_files files)
{
	u->files = files;
	int err = open_parts(u);
	if (err) {
		close_parts(u);
		errno = -err;
		return NULL;
	}
	backend_read_clocks(&u->io);
	return &u->io;
}

struct io *uring_open(struct bufs *bufs, enum uring_files files)
{
	struct io_uring_params params;
	struct uring *u = open_ring(bufs, &params);
	return u ? complete_ring(u, files) : NULL;
}

struct io *io_uring_open(struct bufs *bufs)
{
	struct io_uring_params params;
	struct uring *u = open_ring(bufs, &params);
	if (!u)
		return NULL;
	bool slots = params.features & FEATURE_RW_ATTR;
	return complete_ring(u, slots ? URING_SLOTS : URING_DESCRIPTORS);
}
