#ifndef IO_BACKEND_H
#define IO_BACKEND_H

/* What the backends over the kernel's sockets share. Private to them. */

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/limits.h"
#include "io/io.h"

/* A stream socket for connecting to `to`, with TCP_NODELAY and as the io says; or -errno. */
int backend_socket(const struct io *io, const struct addr *to, int flags);

/* The peer of a connected socket; none for a listening one and on unix sockets. */
void backend_peer(int fd, struct addr *peer);

void backend_set_nonblocking(int fd);

/* An accepted socket's address, as the kernel wrote it: none unless it is an internet address. */
static inline void backend_clean_peer(struct addr *peer)
{
	if (peer->any.sa_family != AF_INET && peer->any.sa_family != AF_INET6)
		*peer = (struct addr){ .any.sa_family = AF_UNSPEC };
}

static inline void backend_read_clocks(struct io *io)
{
	io->now_ns = clock_monotonic_ns();
	io->wall_ns = clock_wall_ns();
}

/*
 * What has ended since the last wait, sends apart. Amid transfers whose bytes come more slowly than
 * they are taken, and where there is nothing else, the next wait is worth a moment more: more of
 * their bytes are there then, and of others.
 */
struct turn {
	bool dry; /* a large receive that took all there was */
	bool others;
};

static inline void turn_received(struct turn *t, const struct io_op *op, bool took_all)
{
	if (op->class == BLOCK_LARGE && took_all)
		t->dry = true;
	else
		t->others = true;
}

static inline bool turn_is_amid_transfers(const struct turn *t)
{
	return t->dry && !t->others;
}

/* How many bytes are there, -errno when there is no telling: none of them is copied or taken. */
#define UNREAD_FLAGS (MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT)
#define UNREAD_BYTES_MAX (1u << 30)

/*
 * How a send goes on: op->vectors begins at the first vector with bytes left, op->backend_n of them
 * are gone already, and op->result counts what is gone in all.
 */
static inline void backend_send_begin(struct io_op *op)
{
	op->result = 0;
}

/* `n` more bytes are gone. True when they were the last. */
static inline bool backend_send_advance(struct io_op *op, size_t n)
{
	op->result += (int32_t)n;
	op->moved |= n > 0;
	n += op->backend_n;
	while (op->vector_n > 0 && n >= op->vectors->iov_len) {
		n -= op->vectors->iov_len;
		op->vectors++;
		op->vector_n--;
	}
	op->backend_n = (uint32_t)n;
	return op->vector_n == 0;
}

/* Whether the next piece is one run of bytes: a vector that is partly gone is finished alone. */
static inline bool backend_send_is_single(const struct io_op *op)
{
	return op->vector_n == 1 || op->backend_n > 0;
}

static inline struct iovec backend_send_rest(const struct io_op *op)
{
	return (struct iovec){ (char *)op->vectors->iov_base + op->backend_n,
			       op->vectors->iov_len - op->backend_n };
}

/* The vectors as the kernel's struct wants them; it only reads them. */
static inline struct msghdr backend_send_message(const struct io_op *op)
{
	return (struct msghdr){ .msg_iov = (struct iovec *)(uintptr_t)op->vectors,
				.msg_iovlen = op->vector_n };
}

#endif
