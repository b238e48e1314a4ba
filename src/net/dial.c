#include "net/dial.h"

#include "base/bug.h"
#include "net/wire.h"

void dials_open(struct dials *s, struct io *io, struct wheel *wheel)
{
	*s = (struct dials){ .io = io, .wheel = wheel };
	slab_open(&s->tries, sizeof(struct dial_try), 16);
}

void dials_close(struct dials *s)
{
	slab_close(&s->tries);
}

/* --- one try --- */

static void try_over(struct io_op *op);

static void try_begin(struct dial *d, struct dial_try *t)
{
	t->dial = d;
	t->late = false;
	d->tried_n++;
	io_op_init(&t->op, try_over);
	list_init(&t->link);
	list_add_tail(&d->tries, &t->link);
	io_connect(d->all->io, &t->op, &t->to);
}

static void dial_try_free(struct dial_try *t)
{
	struct dial *d = t->dial;
	list_remove(&t->link);
	if (t != &d->first)
		slab_give(&d->all->tries, t);
}

static void try_missed(struct dial_try *t, enum err why)
{
	if (!t->late && t->dial->user->missed)
		t->dial->user->missed(t->dial, &t->to, why);
	t->late = true;
}

/* --- the next try --- */

static bool dial_next(struct dial *d)
{
	struct addr to;
	if (!d->user->next || d->tried_n == DIAL_TRIES_MAX || !d->user->next(d, &to))
		return false;
	struct dial_try *t = slab_take(&d->all->tries);
	t->to = to;
	try_begin(d, t);
	timer_set(d->all->wheel, &d->moment, io_now_ms(d->all->io) + DIAL_MOMENT_MS);
	return true;
}

/* Tries that have not responded are reported as missed only if there is another address to try. */
static void moment_has_passed(struct timer *timer)
{
	struct dial *d = list_entry(timer, struct dial, moment);
	struct list *newest = d->tries.prev;
	if (!d->over && dial_next(d))
		for (struct list *l = newest; l != &d->tries; l = l->prev)
			try_missed(list_entry(l, struct dial_try, link), ERR_CONNECT_TIMEOUT);
}

/* --- the end --- */

static void dial_decide(struct dial *d)
{
	d->over = true;
	timer_clear(&d->moment);
	list_each_safe(l, &d->tries)
		io_cancel(d->all->io, &list_entry(l, struct dial_try, link)->op);
}

void dial_stop(struct dial *d, enum err why)
{
	if (d->over)
		return;
	if (why != ERR_NONE)
		list_each_safe(l, &d->tries)
			try_missed(list_entry(l, struct dial_try, link), why);
	dial_decide(d);
}

/*
 * An error of our own side is held against no address. Another address is tried all the same: with
 * a family that this machine does not support, the error looks as if we had no free ports.
 */
static void try_failed(struct dial_try *t, enum err why)
{
	struct dial *d = t->dial;
	if (err_side(why) == SIDE_NODE)
		try_missed(t, why);
	dial_try_free(t);
	if (dial_next(d) || !list_empty(&d->tries))
		return;
	dial_decide(d);
	d->user->failed(d, why);
}

static void try_over(struct io_op *op)
{
	struct dial_try *t = list_entry(op, struct dial_try, op);
	struct dial *d = t->dial;
	struct sock *sock = op->result < 0 ? NULL : op->sock;
	struct addr to = t->to;
	if (!d->over && !sock) {
		try_failed(t, wire_err_of_connect(op->result));
	} else {
		dial_try_free(t);
		if (sock && d->over)
			io_close(d->all->io, sock, true);
		else if (sock) {
			dial_decide(d);
			d->user->connected(d, sock, &to);
		}
	}
	if (d->over && dial_has_ended(d))
		d->user->ended(d);
}

void dial_begin(struct dial *d, struct dials *s, const struct dial_user *user,
		const struct addr *to)
{
	*d = (struct dial){ .all = s, .user = user, .first.to = *to };
	list_init(&d->tries);
	timer_init(&d->moment, moment_has_passed);
	try_begin(d, &d->first);
	if (user->next)
		timer_set(s->wheel, &d->moment, io_now_ms(s->io) + DIAL_MOMENT_MS);
}
