#ifndef IO_IO_H
#define IO_IO_H

/*
 * The kernel as completions. The owner of an operation embeds a `struct io_op`, starts it with one
 * of the verbs, and gets `done()` when it has completed. Three promises hold on every backend
 * (io_uring, epoll, the simulator):
 *
 *   1. done() never runs inside the call that started the operation, only inside io_dispatch();
 *   2. every started operation ends with exactly one done(), a canceled one too;
 *   3. in return, the owner must not change an operation's memory, nor the bytes that a send
 *      reads, before done().
 *
 * One `struct io` belongs to one thread. Only io_wake() may be called from others.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "base/bug.h"
#include "base/limits.h"
#include "base/list.h"
#include "io/addr.h"

struct io;
struct io_op;

/*
 * What TCP does about a peer that no longer responds. If `silent_ms` is 0 the kernel sets no such
 * limit.
 */
struct io_keepalive {
	uint32_t idle_s;    /* after so long without traffic TCP probes the peer; 0: never */
	uint32_t silent_ms; /* unacknowledged or untaken bytes end it after so long */
};

/*
 * Sets keepalive on a TCP socket: a connection, or a listening socket, whose accepted sockets
 * inherit it.
 */
void io_keep_alive(int fd, const struct io_keepalive *k);

/*
 * A connection or a listening socket. Owned by the caller that got it from accept, connect or
 * adopt.
 */
struct sock {
	struct addr peer; /* of an accepted or connected socket */
};

enum io_verb { IO_NONE, IO_ACCEPT, IO_CONNECT, IO_RECV, IO_WATCH, IO_SEND };

struct io_op {
	void (*done)(struct io_op *op);
	/* The result: 0, a number of bytes, or -errno. -ECANCELED after io_cancel() took effect. */
	int32_t result;
	uint8_t verb;	   /* IO_NONE while the operation is idle */
	uint8_t class;	   /* recv: the requested enum block_class */
	bool cancel;	   /* cancel was requested; backend's own */
	bool moved;	   /* send: some bytes were sent; set by the backend */
	struct sock *sock; /* accept, connect: the new socket, the op owner's from done() on */
	union {
		struct block *block; /* recv: the bytes at block->data; moved out by done() */
		const struct iovec *vectors; /* send: borrowed until done() */
		const struct addr *address;  /* connect: borrowed during the call */
	};
	uint32_t vector_n;  /* send */
	uint32_t backend_n; /* backend's own: bytes sent so far, ring entry, ... */
	struct list link;   /* backend's own: a link in its queues */
};

static inline void io_op_init(struct io_op *op, void (*done)(struct io_op *op))
{
	*op = (struct io_op){ .done = done };
	list_init(&op->link);
}

static inline bool io_op_busy(const struct io_op *op)
{
	return op->verb != IO_NONE;
}

struct io_counts { /* for status and tests; written only by the io's own thread */
	uint64_t turns, waits, accepts, connects, recvs, sends, recv_bytes, send_bytes;
	uint64_t starved; /* receives that found the ring empty and waited for the next turn */
};

struct io_verbs {
	const char *name; /* "io_uring", "epoll", "simulator" */
	struct sock *(*adopt)(struct io *io, int fd);
	void (*accept)(struct io *io, struct io_op *op);
	void (*connect)(struct io *io, struct io_op *op);
	void (*recv)(struct io *io, struct io_op *op);
	void (*watch)(struct io *io, struct io_op *op);
	void (*send)(struct io *io, struct io_op *op);
	void (*shutdown)(struct io *io, struct sock *s);
	void (*close)(struct io *io, struct sock *s, bool reset);
	void (*cancel)(struct io *io, struct io_op *op);
	void (*wake)(struct io *io);
	void (*wait)(struct io *io, uint64_t deadline_ns);
	void (*dispatch)(struct io *io);
	void (*free)(struct io *io);
};

struct io {
	const struct io_verbs *verbs;
	struct bufs *bufs;	       /* borrowed: receives take their blocks from it */
	struct io_keepalive keepalive; /* for its connects; the opener may set it */
	uint64_t now_ns;	       /* monotonic; read once a turn, after the wait */
	uint64_t rested_ns; /* when that wait began, which is the end of the turn before */
	uint64_t wall_ns;   /* since 1970; read at the same time as now_ns */
	struct io_counts counts;
};

/*
 * Opens a backend on `bufs`, which must outlive it. NULL with errno when the kernel or a container
 * forbids it (io_uring: ENOSYS, EPERM). io_uring must be opened on the thread that will use it.
 */
struct io *io_uring_open(struct bufs *bufs);
struct io *io_epoll_open(struct bufs *bufs);

/* All sockets must be closed and all operations ended. */
static inline void io_free(struct io *io)
{
	io->verbs->free(io);
}

/*
 * Takes over a descriptor: a listening socket (the keeper's: closing it here closes only this
 * descriptor, and the socket lives on), or a connected one. Makes the descriptor non-blocking. NULL
 * with errno when the backend or the kernel has no room for it; the caller then keeps the
 * descriptor.
 */
static inline struct sock *io_adopt(struct io *io, int fd /* moved in */)
{
	return io->verbs->adopt(io, fd);
}

/*
 * Accepts one connection on `listening`. op->sock is the new socket, with `peer` filled in; it
 * inherits the options of the listening socket (TCP_NODELAY). Several accepts may be under way on
 * one listening socket. Errors: -EMFILE, -ENFILE, -ECONNABORTED, -ECANCELED.
 */
static inline void io_accept(struct io *io, struct io_op *op, struct sock *listening)
{
	must(!io_op_busy(op));
	op->verb = IO_ACCEPT;
	op->sock = listening;
	io->verbs->accept(io, op);
}

/* Connects over TCP with TCP_NODELAY; op->sock is NULL when result < 0. */
static inline void io_connect(struct io *io, struct io_op *op, const struct addr *to)
{
	must(!io_op_busy(op));
	op->verb = IO_CONNECT;
	op->sock = NULL;
	op->address = to;
	io->verbs->connect(io, op);
}

/*
 * Receives at least one byte into a block of the requested class. The block is taken only when
 * bytes have come: an idle connection with a receive under way holds no memory. done(): result > 0:
 * op->block, one reference, is moved to the owner, bytes at block->data[0 .. result). result 0: the
 * peer has finished (FIN). result < 0: op->block is NULL. One receive at a time on a socket. When
 * the backend's ring has no free block, the receive waits for one, without an error.
 */
static inline void io_recv(struct io *io, struct io_op *op, struct sock *s, enum block_class class)
{
	must(!io_op_busy(op));
	op->verb = IO_RECV;
	op->sock = s;
	op->class = class;
	op->block = NULL;
	io->verbs->recv(io, op);
}

/*
 * Replaces a receive when no bytes are wanted: it completes when the peer ends the connection, and
 * consumes nothing. result >= 0: the peer has finished (FIN) after so many unread bytes; the next
 * receives get those bytes and then the end. -ECONNRESET: the connection broke.
 */
static inline void io_watch(struct io *io, struct io_op *op, struct sock *s)
{
	must(!io_op_busy(op));
	op->verb = IO_WATCH;
	op->sock = s;
	op->block = NULL;
	io->verbs->watch(io, op);
}

/*
 * Sends all bytes of the vectors, in one system call if the kernel takes them. The result is their
 * sum, or -errno (-EPIPE, -ECONNRESET, -ECANCELED). On an error op->moved says whether any bytes
 * were sent. One send at a time on a socket. At most IO_VECTORS_MAX vectors.
 */
static inline void io_send(struct io *io, struct io_op *op, struct sock *s,
			   const struct iovec *vectors, unsigned n)
{
	must(!io_op_busy(op) && n > 0 && n <= IO_VECTORS_MAX);
	op->verb = IO_SEND;
	op->sock = s;
	op->vectors = vectors;
	op->vector_n = n;
	op->moved = false;
	op->backend_n = 0;
	io->verbs->send(io, op);
}

/* Sends FIN after the sent bytes. No send may be under way. There is no completion. */
static inline void io_shutdown(struct io *io, struct sock *s)
{
	io->verbs->shutdown(io, s);
}

/*
 * Closes and frees the socket; no operation may be under way on it. There is no completion.
 * `reset`: with RST instead of FIN, so that the peer does not take incomplete data for complete.
 */
static inline void io_close(struct io *io, struct sock *s /* moved in */, bool reset)
{
	io->verbs->close(io, s, reset);
}

/*
 * Requests the early end of an operation. It still ends by done(), later, with -ECANCELED or, if it
 * completed first, with its result. Does nothing on an idle operation or when called twice.
 */
static inline void io_cancel(struct io *io, struct io_op *op)
{
	if (!io_op_busy(op) || op->cancel)
		return;
	op->cancel = true;
	io->verbs->cancel(io, op);
}

/* From any thread: makes the current or the next wait return. */
static inline void io_wake(struct io *io)
{
	io->verbs->wake(io);
}

/*
 * One turn. io_wait() submits the started operations and sleeps until an operation has completed,
 * another thread calls io_wake(), or now_ns reaches the deadline (UINT64_MAX: no deadline; a past
 * deadline: no sleep). A signal may end the sleep early. io_wait() runs no done(). io_dispatch()
 * then runs done() of all completed operations.
 */
static inline void io_wait(struct io *io, uint64_t deadline_ns)
{
	io->verbs->wait(io, deadline_ns);
}

static inline void io_dispatch(struct io *io)
{
	io->verbs->dispatch(io);
}

static inline uint64_t io_now_ms(const struct io *io)
{
	return io->now_ns / 1000000;
}

/* For backends: ends an operation. Inside done() it is idle, and may be started again. */
static inline void io_op_end(struct io_op *op, int32_t result)
{
	op->result = result;
	op->verb = IO_NONE;
	op->cancel = false;
	op->done(op);
}

#endif
