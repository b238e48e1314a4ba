#include "proxy/acceptor.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/limits.h"

static void acceptor_end_if_idle(struct acceptor *a)
{
	for (int i = 0; i < ACCEPTS_ARMED; i++)
		if (io_op_busy(&a->ops[i].op))
			return;
	timer_clear(&a->pause);
	io_close(a->io, a->sock, false);
	a->user->closed(a);
	must(list_empty(&a->link));
	free(a);
}

static void acceptor_arm(struct acceptor *a)
{
	for (int i = 0; i < ACCEPTS_ARMED; i++)
		if (!io_op_busy(&a->ops[i].op))
			io_accept(a->io, &a->ops[i].op, a->sock);
}

static void acceptor_pause_is_over(struct timer *t)
{
	acceptor_arm(list_entry(t, struct acceptor, pause));
}

/* Closing the socket resets the connections in its queue: they are accepted first. */
static void accept_if_waiting(struct acceptor *a, struct io_op *op)
{
	io_accept(a->io, op, a->sock);
	io_cancel(a->io, op);
}

/* The error is of one connection: Linux reports its pending network errors through accept() too. */
static bool is_of_the_connection(int32_t result)
{
	switch (-result) {
	case ECONNABORTED:
	case EPROTO:
	case ENOPROTOOPT:
	case EOPNOTSUPP:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case ENONET:
		return true;
	default:
		return false;
	}
}

static void acceptor_pause(struct acceptor *a, int32_t result)
{
	if (!timer_is_set(&a->pause))
		a->user->stuck(a, -result);
	timer_set(a->wheel, &a->pause, io_now_ms(a->io) + ACCEPT_PAUSE_MS);
}

static void accept_op_done(struct io_op *op)
{
	struct acceptor *a = list_entry(op, struct accept_op, op)->acceptor;
	if (op->result >= 0)
		a->user->accepted(a, op->sock);
	if (a->closing && op->result >= 0)
		accept_if_waiting(a, op);
	else if (a->closing)
		acceptor_end_if_idle(a);
	else if (op->result >= 0 || is_of_the_connection(op->result))
		io_accept(a->io, op, a->sock);
	else
		acceptor_pause(a, op->result);
}

struct acceptor *acceptor_open(struct io *io, struct wheel *wheel, const struct acceptor_user *user,
			       void *owner, struct sock *listening)
{
	struct acceptor *a = calloc(1, sizeof *a);
	must(a);
	a->io = io;
	a->wheel = wheel;
	a->user = user;
	a->owner = owner;
	a->sock = listening;
	timer_init(&a->pause, acceptor_pause_is_over);
	list_init(&a->link);
	for (int i = 0; i < ACCEPTS_ARMED; i++) {
		a->ops[i].acceptor = a;
		io_op_init(&a->ops[i].op, accept_op_done);
	}
	acceptor_arm(a);
	return a;
}

void acceptor_close(struct acceptor *a)
{
	if (a->closing)
		return;
	a->closing = true;
	timer_clear(&a->pause);
	for (int i = 0; i < ACCEPTS_ARMED; i++)
		io_cancel(a->io, &a->ops[i].op);
	acceptor_end_if_idle(a);
}
