#ifndef IO_SIM_SOCK_H
#define IO_SIM_SOCK_H

/*
 * The sockets of the simulator, and what happens on them: a verb starts an operation, a wait
 * attempts it until its result stands, a dispatch finishes it. What users promise to a backend is
 * checked here. Private to the simulator.
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "io/io.h"
#include "io/sim_link.h"
#include "io/sim_world.h"

#define UNDER_WAY (-EINPROGRESS) /* op->result until it ends */

/*
 * An operation is on one of these lists, or waits on its socket alone:
 *   due     to be attempted in the next wait: just started, or its socket was stirred
 *   ended   its result stands, and the next dispatch runs its done()
 */
struct sim_io {
	struct io io;
	struct sim *sim; /* borrowed */
	struct list in_sim, socks, due, ended;
	uint64_t until_ns; /* of the last wait */
	unsigned name;	   /* in the trace, and in addresses */
	uint16_t ports;	   /* given to connects so far */
	bool woken, stalled, crashed, lacks;
};

struct sim_sock {
	struct sock sock;
	struct sim_io *io;
	struct list in_io;
	struct sim_link *link; /* one end owned; NULL: listening */
	unsigned side;
	int connected;		   /* 0, UNDER_WAY or -ECONNREFUSED */
	struct io_op *recv, *send; /* under way; `recv` may be a watch, `send` a connect */
	size_t sent;		   /* bytes of the send that are gone */
	uint64_t sum;		   /* of what it reads, when it started */
	bool starved;		   /* the last attempt to receive was: not twice in a row */
	/* listening */
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

/* It ends, or becomes due again, or waits for its socket to be stirred. */
void sim_sock_attempt(struct sim_io *io, struct io_op *op);
/* Before its done(). */
void sim_sock_finish(struct sim_io *io, struct io_op *op);
/* Ends its connection, or resets those that wait to be accepted. What is under way is forgotten. */
void sim_sock_destroy(struct sim_sock *s, bool reset);

#endif
