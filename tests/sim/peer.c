#include "sim/peer.h"

#include "base/bug.h"

static void peer_go_on(struct peer *p);

/* --- receiving --- */

static void peer_nap_is_over(struct timer *t)
{
	peer_go_on(list_entry(t, struct peer, nap));
}

static uint64_t peer_now_ms(const struct peer *p)
{
	return io_now_ms(p->means.io);
}

static void peer_nap_if_due(struct peer *p)
{
	if (!p->pace.naps || !p->pace.nap_after || p->heard_n < p->nap_at)
		return;
	p->pace.naps--;
	p->nap_at = p->heard_n + p->pace.nap_after;
	timer_set(p->means.wheel, &p->nap, peer_now_ms(p) + p->pace.nap_ms);
}

static void peer_break(struct peer *p)
{
	p->closing = p->reset = p->mute = true;
	p->user->broken(p);
}

static void peer_hear(struct peer *p, struct io_op *op)
{
	size_t n = (size_t)op->result;
	p->heard_n += n;
	peer_nap_if_due(p);
	p->user->heard(p, op->block->data, n);
}

static void peer_received(struct io_op *op)
{
	struct peer *p = list_entry(op, struct peer, recv);
	p->calling = true;
	p->at_end |= op->result == 0;
	if (p->closing)
		;
	else if (op->result > 0)
		peer_hear(p, op);
	else if (op->result == 0)
		p->user->finished(p);
	else
		peer_break(p);
	if (op->result > 0)
		block_drop(op->block);
	p->calling = false;
	peer_go_on(p);
}

static void peer_receive(struct peer *p)
{
	if (p->at_end || io_op_busy(&p->recv) || timer_is_set(&p->nap))
		return;
	io_recv(p->means.io, &p->recv, p->sock,
		dice_chance(p->means.dice, 500) ? BLOCK_LARGE : BLOCK_SMALL);
}

bool peer_is_awake(const struct peer *p)
{
	return !timer_is_set(&p->nap) && peer_now_ms(p) > p->nap.due_ms + 1 &&
	       !timer_is_set(&p->rest) && peer_now_ms(p) > p->rest.due_ms + 1;
}

/* --- sending --- */

static void peer_rest_is_over(struct timer *t)
{
	peer_go_on(list_entry(t, struct peer, rest));
}

static void peer_refill(struct peer *p)
{
	if (p->piece_at < p->going.n)
		return;
	text_drop(&p->going);
	p->going = p->out;
	p->out = (struct text){ 0 };
	p->piece_at = 0;
}

/*
 * A failed send does not end the peer: bytes that came before are still received, and the receive
 * operation reports the end.
 */
static void peer_mute(struct peer *p)
{
	p->mute = true;
	text_drop(&p->out);
	text_drop(&p->going);
	p->piece_at = 0;
	if (p->at_end)
		peer_break(p);
}

static void peer_transmitted(struct io_op *op)
{
	struct peer *p = list_entry(op, struct peer, send);
	p->calling = true;
	if (p->closing) {
		;
	} else if (op->result < 0) {
		peer_mute(p);
	} else {
		p->sent_n += (size_t)op->result;
		p->piece_at += (size_t)op->result;
		peer_refill(p);
		if (!p->going.n && p->user->sent)
			p->user->sent(p);
		else if (p->pace.rest_ms_max && dice_chance(p->means.dice, 300))
			timer_set(p->means.wheel, &p->rest,
				  peer_now_ms(p) +
					  dice_between(p->means.dice, 1, p->pace.rest_ms_max));
	}
	p->calling = false;
	peer_go_on(p);
}

static void peer_transmit(struct peer *p)
{
	if (io_op_busy(&p->send) || timer_is_set(&p->rest) || p->mute)
		return;
	peer_refill(p);
	size_t n = p->going.n - p->piece_at;
	if (n) {
		if (p->pace.piece_max && n > p->pace.piece_max)
			n = dice_between(p->means.dice, 1, p->pace.piece_max);
		p->piece = (struct iovec){ p->going.at + p->piece_at, n };
		io_send(p->means.io, &p->send, p->sock, &p->piece, 1);
	} else if (p->finishing && !p->finished) {
		p->finished = true;
		io_shutdown(p->means.io, p->sock);
	}
}

/* --- open and close --- */

static void peer_settle(struct peer *p)
{
	io_cancel(p->means.io, &p->connect);
	io_cancel(p->means.io, &p->recv);
	io_cancel(p->means.io, &p->send);
	timer_clear(&p->nap);
	timer_clear(&p->rest);
	if (p->calling || io_op_busy(&p->connect) || io_op_busy(&p->recv) || io_op_busy(&p->send))
		return;
	if (p->sock)
		io_close(p->means.io, p->sock, p->reset);
	p->sock = NULL;
	text_drop(&p->out);
	text_drop(&p->going);
	p->user->gone(p);
}

static void peer_go_on(struct peer *p)
{
	if (p->closing) {
		peer_settle(p);
	} else if (p->sock) {
		peer_receive(p);
		peer_transmit(p);
	}
}

static void peer_connected(struct io_op *op)
{
	struct peer *p = list_entry(op, struct peer, connect);
	p->calling = true;
	if (op->result >= 0)
		p->sock = op->sock;
	else if (!p->closing)
		peer_break(p);
	p->calling = false;
	peer_go_on(p);
}

static void open_peer(struct peer *p, const struct peer_means *means, const struct peer_user *user)
{
	p->means = *means;
	p->user = user;
	p->nap_at = p->pace.nap_after;
	io_op_init(&p->connect, peer_connected);
	io_op_init(&p->recv, peer_received);
	io_op_init(&p->send, peer_transmitted);
	timer_init(&p->nap, peer_nap_is_over);
	timer_init(&p->rest, peer_rest_is_over);
}

void peer_connect(struct peer *p, const struct peer_means *means, const struct peer_user *user,
		  const struct addr *to)
{
	open_peer(p, means, user);
	io_connect(means->io, &p->connect, to);
}

void peer_accept(struct peer *p, const struct peer_means *means, const struct peer_user *user,
		 struct sock *sock)
{
	open_peer(p, means, user);
	p->sock = sock;
	peer_go_on(p);
}

void peer_say(struct peer *p)
{
	must(!p->finishing);
	if (p->mute || p->closing)
		text_drop(&p->out);
	else if (p->sock && !p->calling)
		peer_transmit(p);
}

void peer_finish(struct peer *p)
{
	p->finishing = true;
	if (p->sock && !p->calling && !p->closing)
		peer_transmit(p);
}

void peer_close(struct peer *p, bool reset)
{
	if (p->closing)
		return;
	p->closing = true;
	p->reset = reset;
	if (!p->calling)
		peer_settle(p);
}

void peer_forget(struct peer *p)
{
	timer_clear(&p->nap);
	timer_clear(&p->rest);
	text_drop(&p->out);
	text_drop(&p->going);
}
