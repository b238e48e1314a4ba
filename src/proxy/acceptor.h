#ifndef PROXY_ACCEPTOR_H
#define PROXY_ACCEPTOR_H

/*
 * A listening socket and the accept operations in flight on it. The acceptor restarts each accept
 * by itself. When the process is out of descriptors it pauses for ACCEPT_PAUSE_MS first.
 */

#include "base/limits.h"
#include "base/wheel.h"
#include "io/io.h"

struct acceptor;

struct acceptor_user {
	void (*accepted)(struct acceptor *a, struct sock *sock /* moved in */);
	/*
	 * An accept failed for lack of our resources; the acceptor tries again after
	 * ACCEPT_PAUSE_MS.
	 */
	void (*stuck)(struct acceptor *a, int error);
	/* After acceptor_close(): the socket is closed, and `a` is freed after this call. */
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
 * Accepts the connections that wait in the socket's queue, then closes the socket and calls
 * closed(). That may be inside this call.
 */
void acceptor_close(struct acceptor *a);

#endif
