#include "proxy/acceptor.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bug.h"

/* After running out of descriptors: time for some to come back. */
#define ACCEPT_PAUSE_MS 100

static void end_if_idle(struct acceptor *a)
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

static void arm(struct acceptor *a)
{
	for (int i = 0; i < ACCEPTS_ARMED; i++)
		if (!io_op_busy(&a->ops[i].op))
			io_accept(a->io, &a->ops[i].op, a->sock);
}

static void pause_is_over(struct timer *t)
{
	arm(list_entry(t, struct acceptor, pause));
}

/* Closing the socket would reset who waits in its queue: they are served first. */
static void accept_if_waiting(struct acceptor *a, struct io_op *op)
{
	io_accept(a->io, op, a->sock);
	io_cancel(a->io, op);
}

/* It was that connection's error: Linux tells of what the network has said of it, too. */
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

static void wait_a_moment(struct acceptor *a, int32_t result)
{
	if (!timer_is_set(&a->pause))
		a->user->stuck(a, -result);
	timer_set(a->wheel, &a->pause, io_now_ms(a->io) + ACCEPT_PAUSE_MS);
}

static void accepted(struct io_op *op)
{
	struct acceptor *a = list_entry(op, struct accept_op, op)->acceptor;
	if (op->result >= 0)
		a->user->accepted(a, op->sock);
	if (a->closing && op->result >= 0)
		accept_if_waiting(a, op);
	else if (a->closing)
		end_if_idle(a);
	else if (op->result >= 0 || is_of_the_connection(op->result))
		io_accept(a->io, op, a->sock);
	else
		wait_a_moment(a, op->result);
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
	timer_init(&a->pause, pause_is_over);
	list_init(&a->link);
	for (int i = 0; i < ACCEPTS_ARMED; i++) {
		a->ops[i].acceptor = a;
		io_op_init(&a->ops[i].op, accepted);
	}
	arm(a);
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
	end_if_idle(a);
}
