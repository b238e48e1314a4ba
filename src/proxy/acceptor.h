#ifndef PROXY_ACCEPTOR_H
#define PROXY_ACCEPTOR_H

/*
 * A listening socket and the accepts under way on it. It goes on by itself, out of descriptors too:
 * then it waits a moment.
 */

#include "base/limits.h"
#include "base/wheel.h"
#include "io/io.h"

struct acceptor;

struct acceptor_user {
	void (*accepted)(struct acceptor *a, struct sock *sock /* moved in */);
	/* For a want of ours; it is tried again after a moment. */
	void (*stuck)(struct acceptor *a, int error);
	/* After acceptor_close(): the socket is closed, and `a` is freed behind this call. */
	void (*closed)(struct acceptor *a);
};

struct accept_op {
	struct io_op op;
	struct acceptor *acceptor;
};

struct acceptor {
	struct io *io;	     /* borrowed */
	struct wheel *wheel; /* borrowed */
	const struct acceptor_user *user;
	void *owner; /* the user's own */
	struct sock *sock;
	bool closing;
	struct list link; /* the user's own */
	struct timer pause;
	struct accept_op ops[ACCEPTS_ARMED];
};

struct acceptor *acceptor_open(struct io *io, struct wheel *wheel, const struct acceptor_user *user,
			       void *owner, struct sock *listening /* moved in */);

/*
 * Who waits in the socket's queue is still accepted; then it is closed. That may be inside this
 * call.
 */
void acceptor_close(struct acceptor *a);

#endif
