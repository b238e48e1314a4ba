#ifndef IO_IO_H
#define IO_IO_H

/*
 * The kernel as completions. Whoever wants something done embeds a `struct io_op`, starts it with
 * one of the verbs, and is told by `done()` when it has happened. Three promises hold on every
 * backend (io_uring, epoll, the simulator):
 *
 *   1. done() never runs inside the call that started the operation, only inside io_dispatch();
 *   2. every started operation ends with exactly one done(), a canceled one too;
 *   3. an operation's memory, and the bytes that a send reads, are left alone until then.
 *
 * One `struct io` belongs to one thread. Only io_wake() may be called from others.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "base/bug.h"
#include "base/list.h"
#include "io/addr.h"

struct io;
struct io_op;

/*
 * What TCP does about a peer of which nothing is heard any more. The kernel keeps no such count
 * where `silent_ms` is 0.
 */
struct io_keepalive {
	uint32_t idle_s;    /* it is asked for a sign of life after so long; 0: never */
	uint32_t silent_ms; /* what it does not acknowledge, or take, for so long ends it */
};

/* Of a TCP socket: a connection, or a listening one, which those that it accepts take after. */
void io_keep_alive(int fd, const struct io_keepalive *k);

/* A connection, or a listening socket. Owned by whoever got it from accept, connect or adopt. */
struct sock {
	struct addr peer; /* of an accepted or connected socket */
};

enum io_verb { IO_NONE, IO_ACCEPT, IO_CONNECT, IO_RECV, IO_WATCH, IO_SEND };

struct io_op {
	void (*done)(struct io_op *op);
	/* What came of it: 0 or bytes, or -errno. -ECANCELED after io_cancel() took effect. */
	int32_t result;
	uint8_t verb;	   /* IO_NONE while it is idle */
	uint8_t class;	   /* recv: enum block_class asked for */
	bool cancel;	   /* asked for, backend's own */
	bool moved;	   /* send: some bytes have gone; by the backend */
	struct sock *sock; /* accept, connect: the new one, the op's owner's from done() on */
	union {
		struct block *block; /* recv: the bytes at block->data; moved out by done() */
		const struct iovec *vectors; /* send: borrowed until done() */
		const struct addr *address;  /* connect: borrowed during the call */
	};
	uint32_t vector_n;  /* send */
	uint32_t backend_n; /* backend's own: bytes sent so far, ring entry, ... */
	struct list link;   /* backend's own: its queues */
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

struct io_counts { /* for status and tests: one writer, the io's own thread */
	uint64_t turns, waits, accepts, connects, recvs, sends, recv_bytes, send_bytes;
	uint64_t starved; /* receives that found the ring empty and waited for a turn */
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
	struct bufs *bufs;	       /* borrowed: receives take their blocks here */
	struct io_keepalive keepalive; /* of what it connects; whoever opened it may set it */
	uint64_t now_ns;	       /* monotonic; read once a turn, after the wait */
	uint64_t rested_ns; /* when that wait began: there the turn before it had ended */
	uint64_t wall_ns;   /* since 1970; likewise */
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
 * Takes a descriptor over: a listening socket (of the keeper: closed here only as a descriptor, the
 * socket lives on), or a connected one. The descriptor is made non-blocking. NULL with errno when
 * the backend has no room for it, or the kernel none: then it is still the caller's.
 */
static inline struct sock *io_adopt(struct io *io, int fd /* moved in */)
{
	return io->verbs->adopt(io, fd);
}

/*
 * Accepts one connection on `listening`; op->sock is the new one, with `peer` filled in, and
 * inherits the listening socket's options (TCP_NODELAY). Several accepts may be under way on one
 * listening socket. Errors: -EMFILE, -ENFILE, -ECONNABORTED, -ECANCELED.
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
 * Receives at least one byte into a block of the asked class, taken only when bytes are there: an
 * idle connection with a receive under way holds no memory. done(): result > 0: op->block, one
 * reference, is moved to the owner, bytes at block->data[0 .. result). result 0: the peer has
 * finished (FIN). result < 0: op->block is NULL. One receive at a time on a socket. When no block
 * is free in the backend's ring it waits, without an error, until there is.
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
 * In the place of a receive, which takes what has come: ends when the peer has, and takes nothing.
 * result >= 0: it has finished (FIN) behind so many bytes that nobody has received; the next
 * receives find them and that end. -ECONNRESET: the connection broke.
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
 * Sends all bytes of the vectors, in one system call where the kernel takes them: result is their
 * sum, or -errno after some or none have gone (-EPIPE, -ECONNRESET, -ECANCELED), which op->moved
 * says. One send at a time on a socket. At most IO_VECTORS_MAX vectors.
 */
#define IO_VECTORS_MAX 64
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

/* Sends FIN behind what was sent. No send may be under way. There is no completion. */
static inline void io_shutdown(struct io *io, struct sock *s)
{
	io->verbs->shutdown(io, s);
}

/*
 * Closes and frees the socket; no operation may be under way on it. There is no completion.
 * `reset`: with RST instead of FIN, so that the peer cannot take what it got for a whole.
 */
static inline void io_close(struct io *io, struct sock *s /* moved in */, bool reset)
{
	io->verbs->close(io, s, reset);
}

/*
 * Asks for the early end of an operation. It still ends by its done(), later, with -ECANCELED or,
 * when it was faster, with its result. No-op on an idle operation and when asked twice.
 */
static inline void io_cancel(struct io *io, struct io_op *op)
{
	if (!io_op_busy(op) || op->cancel)
		return;
	op->cancel = true;
	io->verbs->cancel(io, op);
}

/* From any thread: makes a wait that is under way, or the next one, return. */
static inline void io_wake(struct io *io)
{
	io->verbs->wake(io);
}

/*
 * One turn: io_wait() hands over what was started and sleeps until something has completed, it is
 * woken, or now_ns reaches the deadline (UINT64_MAX: none; a passed one: does not sleep); a signal
 * may end it sooner. It runs no done(). io_dispatch() then runs done() of all that completed.
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

/* For backends: ends an operation. It is idle, and may be started again, inside done(). */
static inline void io_op_end(struct io_op *op, int32_t result)
{
	op->result = result;
	op->verb = IO_NONE;
	op->cancel = false;
	op->done(op);
}

#endif
