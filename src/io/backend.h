#ifndef IO_BACKEND_H
#define IO_BACKEND_H

/* What the backends for the kernel's sockets share. Private to them. */

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/limits.h"
#include "io/io.h"

/*
 * Opens a stream socket for connecting to `to`, with TCP_NODELAY and the io's keepalive; or returns
 * -errno.
 */
int backend_socket(const struct io *io, const struct addr *to, int flags);

/* Reads the peer of a connected socket. A listening socket and a unix socket have none. */
void backend_peer(int fd, struct addr *peer);

void backend_set_nonblocking(int fd);

/*
 * Cleans the address of an accepted socket as the kernel wrote it: no address unless its family is
 * IPv4 or IPv6.
 */
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
 * What has completed since the last wait, except sends. If only transfers completed, and they took
 * all bytes that had come, the next wait lasts a little longer: then more of their bytes have come,
 * and bytes of other connections too.
 */
struct turn {
	bool dry; /* a large receive took all bytes that were there */
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

/*
 * Returns the number of unread bytes, or -errno when it is not known. No byte is copied or
 * consumed.
 */
#define UNREAD_FLAGS (MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT)
#define UNREAD_BYTES_MAX (1u << 30)

/*
 * The progress of a send: op->vectors begins at the first vector with unsent bytes, op->backend_n
 * bytes of that vector are sent, and op->result counts all sent bytes.
 */
static inline void backend_send_begin(struct io_op *op)
{
	op->result = 0;
}

/* `n` more bytes were sent. True when all are sent. */
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

/* True when the next piece is one run of bytes: the rest of a partly sent vector is sent alone. */
static inline bool backend_send_is_single(const struct io_op *op)
{
	return op->vector_n == 1 || op->backend_n > 0;
}

static inline struct iovec backend_send_rest(const struct io_op *op)
{
	return (struct iovec){ (char *)op->vectors->iov_base + op->backend_n,
			       op->vectors->iov_len - op->backend_n };
}

/* The vectors in the struct that the kernel needs; the kernel only reads them. */
static inline struct msghdr backend_send_message(const struct io_op *op)
{
	return (struct msghdr){ .msg_iov = (struct iovec *)(uintptr_t)op->vectors,
				.msg_iovlen = op->vector_n };
}

#endif
