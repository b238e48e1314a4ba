#ifndef IO_SIM_SOCK_H
#define IO_SIM_SOCK_H

/*
 * The sockets of the simulator. A verb starts an operation, a wait attempts it until it has a
 * result, a dispatch finishes it. Promises of the users to a backend are checked here. Private to
 * the simulator.
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "io/io.h"
#include "io/sim_link.h"
#include "io/sim_world.h"

#define UNDER_WAY (-EINPROGRESS) /* op->result until the operation ends */

/*
 * An operation is on one of these lists, or is linked only to its socket:
 *   due     to be attempted in the next wait: just started, or its socket has changed
 *   ended   it has a result, and the next dispatch runs its done()
 */
struct sim_io {
	struct io io;
	struct sim *sim; /* borrowed */
	struct list in_sim, socks, due, ended;
	uint64_t until_ns; /* of the last wait */
	unsigned name;	   /* in the trace, and in client addresses */
	uint16_t ports;	   /* number of ports given to connects so far */
	bool woken, stalled, crashed, lacks;
};

struct sim_sock {
	struct sock sock;
	struct sim_io *io;
	struct list in_io;
	struct sim_link *link; /* one end owned; NULL: listening */
	unsigned side;
	int connected;		   /* 0, UNDER_WAY or -errno */
	struct io_op *recv, *send; /* under way; `recv` may be a watch, `send` may be a connect */
	size_t sent;		   /* sent bytes of the send */
	uint64_t sum;		   /* checksum of the bytes that the send reads, from its start */
	bool starved;		   /* the last receive was starved; it never is twice in a row */
	/* for a listening socket: */
	struct addr at;
	struct list in_sim, backlog, accepts; /* accepts: those that found the backlog empty */
	unsigned accepting;
};

static inline struct sim_io *sim_io_of(struct io *io)
{
	return (struct sim_io *)io;
}

/* The verbs. */
struct sock *sim_sock_adopt(struct io *io, int fd);
void sim_sock_accept(struct io *io, struct io_op *op);
void sim_sock_connect(struct io *io, struct io_op *op);
void sim_sock_recv(struct io *io, struct io_op *op);
void sim_sock_watch(struct io *io, struct io_op *op);
void sim_sock_send(struct io *io, struct io_op *op);
void sim_sock_shutdown(struct io *io, struct sock *s);
void sim_sock_close(struct io *io, struct sock *s, bool reset);
void sim_sock_cancel(struct io *io, struct io_op *op);

/* Attempts the operation: it ends, becomes due again, or waits for its socket to change. */
void sim_sock_attempt(struct sim_io *io, struct io_op *op);
/* Call it before the operation's done(). */
void sim_sock_finish(struct sim_io *io, struct io_op *op);
/*
 * Ends the socket's connection, or resets the connections in its backlog. Operations under way are
 * dropped without done().
 */
void sim_sock_destroy(struct sim_sock *s, bool reset);

#endif
