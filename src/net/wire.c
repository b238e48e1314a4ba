#include "net/wire.h"

#include <errno.h>
#include <stdio.h>

#include "base/bug.h"
#include "base/limits.h"
#include "net/tls.h"

void wires_open(struct wires *s, struct io *io, struct bufs *bufs)
{
	*s = (struct wires){ .io = io, .bufs = bufs, .handshakes_left = HANDSHAKES_PER_TURN };
	list_init(&s->dirty);
	list_init(&s->starved);
	list_init(&s->pressed);
	list_init(&s->queued);
	list_init(&s->ending);
	slab_open(&s->sends, sizeof(struct wire_send), 16);
}

void wires_close(struct wires *s)
{
	must(list_empty(&s->dirty) && list_empty(&s->starved) && list_empty(&s->queued) &&
	     list_empty(&s->ending));
	slab_close(&s->sends);
}

bool wires_trim(struct wires *s)
{
	return slab_trim(&s->sends, SLAB_RUNS_TRIMMED);
}

static struct budget *budget_of(struct list *link)
{
	return list_entry(link, struct budget, link);
}

static bool wires_feed(const struct wires *s)
{
	list_each(l, &s->pressed)
		if (budget_feeds(budget_of(l)))
			return true;
	return false;
}

bool wires_restless(const struct wires *s)
{
	return !list_empty(&s->queued) || !list_empty(&s->starved) || wires_feed(s);
}

/* --- the end of a wire --- */

/* When nothing is under way any more, the socket goes, and the user gets its memory back. */
static void settle(struct wire *w)
{
	if (io_op_busy(&w->receive) || w->send)
		return;
	chain_drop(&w->in);
	if (w->sock)
		io_close(w->wires->io, w->sock, w->reset);
	w->sock = NULL;
	if (w->tls)
		tls_close(w->tls);
	w->tls = NULL;
	account_close(w->account);
	w->account = NULL;
	list_remove(&w->dirty_link);
	list_remove(&w->link);
	list_add_tail(&w->wires->ending, &w->link);
}

/* It closes: it waits for nothing any more. */
static void leave_lists(struct wire *w)
{
	account_wait_not(w->account);
	list_remove(&w->link);
}

static void shut(struct wire *w, bool reset)
{
	if (w->state == WIRE_CLOSED)
		return;
	w->state = WIRE_CLOSED;
	w->reset = reset;
	leave_lists(w);
	chain_drop(&w->out);
	io_cancel(w->wires->io, &w->receive);
	if (w->send)
		io_cancel(w->wires->io, &w->send->op);
	settle(w);
}

/* Before its socket goes, whose peer is told of. */
static enum err unshaken(struct wire *w, enum err why)
{
	bool left = why == ERR_PEER_RESET || why == ERR_PEER_CLOSED;
	why = left && !w->hears_out ? ERR_TLS_LEFT : why;
	if (w->user->unshaken)
		w->user->unshaken(w, why, wires_said(w->wires, why));
	return why;
}

/* Nothing good can come over it any more; an alert that says so may still go out. */
static void break_off(struct wire *w, enum err why)
{
	bool usable = wire_usable(w);
	if (w->state == WIRE_HANDSHAKE)
		why = unshaken(w, why);
	if (w->tls && tls_sealed_out(w->tls)->bytes && usable) {
		chain_drop(&w->out);
		w->state = WIRE_CLOSING;
		w->notified = true;
		leave_lists(w);
		wire_touch(w);
	} else {
		shut(w, true);
	}
	if (usable)
		w->user->broken(w, why);
}

/*
 * EPERM also comes when the machine's table of connections is full. Of an address without a route,
 * or of a family that this machine does not have, another address of the node may do: that is the
 * node's.
 */
enum err wire_err_of_connect(int32_t result)
{
	switch (-result) {
	case ECONNREFUSED:
		return ERR_BACK_REFUSED;
	case ETIMEDOUT:
		return ERR_CONNECT_TIMEOUT;
	case EMFILE:
	case ENFILE:
		return ERR_OUT_OF_HANDLES;
	case EADDRNOTAVAIL:
	case EADDRINUSE:
		return ERR_OUT_OF_PORTS;
	case EAGAIN:
	case EBUSY:
	case ENOBUFS:
	case ENOMEM:
	case ENOSPC:
		return ERR_OUT_OF_MEMORY;
	case ENETDOWN:
		return ERR_NETWORK_DOWN;
	case EACCES:
	case EPERM:
		return ERR_NOT_PERMITTED;
	case ECANCELED:
		return ERR_CANCELED;
	case ECONNRESET:
	case EPIPE:
		return ERR_PEER_RESET;
	default:
		return ERR_BACK_UNREACHABLE;
	}
}

/* Of a connection that there was: it is gone, whatever the network says of that. */
static enum err err_of_transfer(int32_t result)
{
	switch (-result) {
	case EBUSY:
	case ENOBUFS:
	case ENOMEM:
		return ERR_OUT_OF_MEMORY;
	case ECANCELED:
		return ERR_CANCELED;
	default:
		return ERR_PEER_RESET;
	}
}

/* --- receiving --- */

/* The block of a line's beginning: its user must have the whole of it. */
static size_t beginning_bytes(const struct wire *w)
{
	const struct slice *s = w->in.first;
	return s && s == w->in.last && s->block->account == w->account ? s->block->size : 0;
}

/* Where memory is short, what comes is taken in small blocks by those that hold any. */
static enum block_class class_to_receive(const struct wire *w)
{
	bool is_short = !budget_has_room(w->account->budget) && w->account->used;
	return is_short ? BLOCK_SMALL : (enum block_class)w->appetite;
}

static void starve(struct wire *w)
{
	struct budget *b = w->account->budget;
	account_wait(w->account);
	if (list_empty(&b->link))
		list_add_tail(&w->wires->pressed, &b->link);
	list_add_tail(&w->wires->starved, &w->link);
}

/* A watch gives way first: what is asked for is received when it has ended. */
static void start_receive(struct wire *w, enum block_class class)
{
	if (io_op_busy(&w->receive))
		io_cancel(w->wires->io, &w->receive);
	else
		io_recv(w->wires->io, &w->receive, w->sock, class);
}

/* Where memory may be short. Whoever waits for it already is fed when there is some. */
static void arm_carefully(struct wire *w)
{
	struct account *a = w->account;
	a->spared = beginning_bytes(w);
	if (a->waits)
		return;
	if (account_may_receive(a) || w->state < WIRE_OPEN)
		start_receive(w, class_to_receive(w));
	else
		starve(w);
}

/* Whoever is in a list waits for its turn there. */
static void arm(struct wire *w)
{
	bool handshaking =
		w->state == WIRE_PREFACE || w->state == WIRE_GREETING || w->state == WIRE_HANDSHAKE;
	if (!(w->wants || handshaking) || w->at_end || w->receive.verb == IO_RECV || !w->sock ||
	    !wire_usable(w) || !list_empty(&w->link))
		return;
	if (w->account->used)
		arm_carefully(w);
	else
		start_receive(w, (enum block_class)w->appetite);
}

void wire_receive(struct wire *w)
{
	must(wire_usable(w));
	w->wants = true;
	arm(w);
}

void wire_begin_anew(struct wire *w)
{
	struct account *before = w->account;
	bool waits = before->waits;
	must(wire_usable(w));
	if (!before->used)
		return;
	list_remove(&w->link);
	w->account = account_open(&w->wires->bufs->accounts, before->budget, w);
	account_close(before);
	if (waits)
		arm(w);
}

static void hand_over(struct wire *w)
{
	w->wants = false;
	w->user->bytes(w);
}

static void peer_finished(struct wire *w, bool cut)
{
	w->at_end = true;
	w->cut = cut;
	w->wants = false;
	if (w->state == WIRE_OPEN)
		w->user->finished(w);
	else
		break_off(w, ERR_PEER_CLOSED);
}

static void count(_Atomic uint64_t *n)
{
	atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

static void count_handshake(struct wire *w, enum tls_progress p)
{
	struct handshake_counts *counts = w->handshakes;
	if (!counts)
		return;
	count(p == TLS_BAD ? &counts->failed : &counts->done);
	if (p != TLS_BAD && tls_is_resumed(w->tls))
		count(&counts->resumed);
}

void wire_count_handshake(struct wire *w, struct handshake_counts *counts)
{
	w->handshakes = counts;
}

void wires_say(struct wires *s, enum err why, const char *said, const char *advice)
{
	s->said_of = why;
	snprintf(s->said, sizeof s->said, "%s", said);
	snprintf(s->advice, sizeof s->advice, "%s", advice);
}

const char *wires_said(const struct wires *s, enum err why)
{
	return s->said_of == why ? s->said : "";
}

const char *wires_advice(const struct wires *s, enum err why)
{
	return s->said_of == why ? s->advice : "";
}

/* What speaks HTTP waits for the end of a line, and says nothing. */
enum err wire_is_late(struct wire *w)
{
	if (w->state == WIRE_CONNECTING)
		return ERR_CONNECT_TIMEOUT;
	wires_say(w->wires, ERR_HANDSHAKE_TIMEOUT,
		  w->tls && !tls_has_heard(w->tls) ? "it has not sent a byte" : "", "");
	return ERR_HANDSHAKE_TIMEOUT;
}

/* False while the session is not up: it waits for its turn or for the peer, or it broke. */
static bool handshake(struct wire *w)
{
	struct wires *s = w->wires;
	if (w->state == WIRE_GREETING) {
		if (!s->handshakes_left) {
			list_remove(&w->link);
			list_add_tail(&s->queued, &w->link);
			return false;
		}
		s->handshakes_left--;
		w->state = WIRE_HANDSHAKE;
	}
	enum tls_progress p = tls_handshake(w->tls);
	if (tls_sealed_out(w->tls)->bytes)
		wire_touch(w);
	if (p == TLS_MORE)
		return false;
	if (p == TLS_BAD) {
		count_handshake(w, p);
		wires_say(s, tls_why(w->tls), tls_said(w->tls), "");
		break_off(w, tls_why(w->tls));
		return false;
	}
	count_handshake(w, p);
	w->state = WIRE_OPEN;
	if (w->out.bytes)
		wire_touch(w);
	if (w->user->ready)
		w->user->ready(w);
	return w->state == WIRE_OPEN;
}

static void unseal(struct wire *w)
{
	size_t before = w->in.bytes;
	enum tls_progress p = tls_unseal(w->tls, &w->in, w->account);
	if (tls_sealed_out(w->tls)->bytes)
		wire_touch(w);
	if (p == TLS_BAD) {
		wires_say(w->wires, tls_why(w->tls), tls_said(w->tls), "");
		break_off(w, tls_why(w->tls));
		return;
	}
	w->at_end = p == TLS_END;
	if (w->in.bytes > before)
		hand_over(w);
	if (w->at_end && w->state == WIRE_OPEN)
		peer_finished(w, false);
}

static void sealed_arrived(struct wire *w)
{
	if (w->state != WIRE_OPEN && !handshake(w)) {
		if (wire_usable(w) && list_empty(&w->link))
			arm(w);
		return;
	}
	if (tls_sealed_in(w->tls)->bytes)
		unseal(w);
	if (wire_usable(w))
		arm(w);
}

/* --- before all that: the PROXY header --- */

static void preface_is_over(struct wire *w, const struct preface *p, struct chain *in)
{
	if (!p->err && p->kind == PREFACE_ADDRESS)
		w->sock->peer = p->source;
	enum err why = w->user->prefaced(w, p);
	if (p->err || why) {
		break_off(w, p->err ? p->err : why);
		return;
	}
	chain_skip(in, p->bytes);
	w->state = w->tls ? WIRE_GREETING : WIRE_OPEN;
	if (!in->bytes)
		arm(w);
	else if (w->tls)
		sealed_arrived(w);
	else
		hand_over(w);
}

static void read_preface(struct wire *w, struct chain *in)
{
	char first[PREFACE_LOOK_BYTES];
	size_t n = in->bytes < sizeof first ? in->bytes : sizeof first;
	struct preface p;
	chain_peek(in, first, n);
	enum preface_progress progress = preface_read((struct span){ first, n }, &p);
	if (progress == PREFACE_MORE || (progress == PREFACE_DONE && in->bytes < p.bytes))
		arm(w);
	else
		preface_is_over(w, &p, in);
}

/* A header that comes byte by byte must not hold a block for each. */
static void preface_arrived(struct wire *w, struct chain *in, struct io_op *op)
{
	struct chain part = { 0 };
	chain_add(&part, op->block, op->block->data, (size_t)op->result);
	chain_move(in, &part);
	read_preface(w, in);
}

/* In the midst of a transfer the next receive is a large one, until one brings little. */
static void adapt_appetite(struct wire *w, const struct io_op *op)
{
	if (w->appetite == BLOCK_SMALL && (uint32_t)op->result == op->block->size)
		w->appetite = BLOCK_LARGE;
	else if (w->appetite == BLOCK_LARGE && op->result < BLOCK_SMALL_BYTES)
		w->appetite = BLOCK_SMALL;
}

static void received(struct io_op *op)
{
	struct wire *w = list_entry(op, struct wire, receive);
	if (!wire_usable(w)) {
		if (op->result > 0)
			block_drop(op->block);
		if (w->state == WIRE_CLOSED)
			settle(w);
		return;
	}
	if (op->result < 0) {
		break_off(w, err_of_transfer(op->result));
		return;
	}
	if (op->result == 0 && w->unheard) {
		break_off(w, ERR_PEER_RESET);
		return;
	}
	if (op->result == 0) {
		peer_finished(w, w->tls != NULL);
		return;
	}
	adapt_appetite(w, op);
	block_charge(op->block, w->account);
	struct chain *in = w->tls ? tls_sealed_in(w->tls) : &w->in;
	if (w->state == WIRE_PREFACE) {
		preface_arrived(w, in, op);
		return;
	}
	chain_add(in, op->block, op->block->data, (size_t)op->result);
	if (w->tls)
		sealed_arrived(w);
	else
		hand_over(w);
}

/* --- while nothing is received --- */

static bool is_due_to_receive(const struct wire *w)
{
	return w->wants && !w->account->waits && list_empty(&w->link);
}

/*
 * Where nothing is left before the end, a receive finds that, and takes no memory. A watch that the
 * kernel has no memory for tells nothing of its peer.
 */
static void watched(struct io_op *op)
{
	struct wire *w = list_entry(op, struct wire, receive);
	op->done = received;
	if (!wire_usable(w)) {
		if (w->state == WIRE_CLOSED)
			settle(w);
		return;
	}
	if (is_due_to_receive(w) || op->result == 0)
		io_recv(w->wires->io, op, w->sock, class_to_receive(w));
	else if (op->result > 0 && w->user->finishing)
		w->user->finishing(w, (size_t)op->result);
	else if (op->result < 0 && err_of_transfer(op->result) == ERR_PEER_RESET)
		break_off(w, ERR_PEER_RESET);
}

void wire_watch(struct wire *w)
{
	if (w->state != WIRE_OPEN || w->at_end || io_op_busy(&w->receive))
		return;
	w->receive.done = watched;
	io_watch(w->wires->io, &w->receive, w->sock);
}

/* --- sending --- */

void wire_touch(struct wire *w)
{
	if (list_empty(&w->dirty_link) && w->state != WIRE_CLOSED)
		list_add_tail(&w->wires->dirty, &w->dirty_link);
}

static bool seal(struct wire *w, size_t *clear_bytes)
{
	size_t before = w->out.bytes;
	if (w->state == WIRE_OPEN || w->state == WIRE_CLOSING)
		if (!tls_seal(w->tls, &w->out, WIRE_FLUSH_BYTES))
			return false;
	w->sent_bytes += before - w->out.bytes;
	*clear_bytes = before - w->out.bytes;
	if (!w->out.bytes && (w->finishing || w->state == WIRE_CLOSING) && !w->notified) {
		w->notified = true;
		tls_finish(w->tls);
	}
	return true;
}

/* Moves at most WIRE_FLUSH_BYTES in at most IO_VECTORS_MAX slices into the send. */
static unsigned load(struct wire_send *send, struct chain *from)
{
	unsigned n = 0;
	while (from->first && n < IO_VECTORS_MAX && send->bytes.bytes < WIRE_FLUSH_BYTES) {
		send->vectors[n++] = (struct iovec){ from->first->at, from->first->n };
		chain_move_some(&send->bytes, from, from->first->n);
	}
	return n;
}

static void transmitted(struct io_op *op);

static void start_send(struct wire *w, struct chain *from, size_t sealed_bytes)
{
	struct wire_send *send = slab_take(&w->wires->sends);
	io_op_init(&send->op, transmitted);
	send->wire = w;
	send->bytes = (struct chain){ 0 };
	unsigned n = load(send, from);
	w->send = send;
	send->clear_bytes = w->tls ? sealed_bytes : send->bytes.bytes;
	if (!w->tls)
		w->sent_bytes += send->bytes.bytes;
	io_send(w->wires->io, &send->op, w->sock, send->vectors, n);
}

static void all_has_gone(struct wire *w)
{
	if (w->state == WIRE_CLOSING)
		shut(w, false);
	else if (w->finishing && !w->finished) {
		w->finished = true;
		io_shutdown(w->wires->io, w->sock);
	}
}

static void flush(struct wire *w)
{
	if (w->send || !w->sock || w->state == WIRE_CLOSED)
		return;
	if (w->unheard) {
		chain_drop(&w->out);
		if (w->state == WIRE_CLOSING)
			shut(w, true);
		return;
	}
	struct chain *from = &w->out;
	size_t clear_bytes = 0;
	if (w->tls) {
		if (!seal(w, &clear_bytes)) {
			break_off(w, tls_why(w->tls));
			return;
		}
		from = tls_sealed_out(w->tls);
	}
	if (chain_empty(from))
		all_has_gone(w);
	else
		start_send(w, from, clear_bytes);
}

/*
 * A server may answer before it has read a request and then reset the connection, as for a body
 * that is too large for it. Its answer has come before the reset, and is read until there is no
 * more.
 */
static void not_taken(struct wire *w, enum err why)
{
	if (w->tls)
		chain_drop(tls_sealed_out(w->tls));
	if (!w->hears_out || w->state != WIRE_OPEN || why != ERR_PEER_RESET) {
		break_off(w, why);
		return;
	}
	w->unheard = true;
	chain_drop(&w->out);
}

static void transmitted(struct io_op *op)
{
	struct wire_send *send = list_entry(op, struct wire_send, op);
	struct wire *w = send->wire;
	int32_t result = op->result;
	bool moved = op->moved;
	size_t clear_bytes = send->clear_bytes;
	chain_drop(&send->bytes);
	slab_give(&w->wires->sends, send);
	w->send = NULL;
	if (result < 0 && !moved)
		w->sent_bytes -= clear_bytes;
	if (w->state == WIRE_CLOSED) {
		settle(w);
		return;
	}
	if (result < 0) {
		not_taken(w, err_of_transfer(result));
		return;
	}
	wire_touch(w);
	if (wire_usable(w))
		w->user->drained(w);
}

/* --- a life --- */

static void wire_open(struct wire *w, struct wires *s, const struct wire_user *user,
		      struct budget *budget)
{
	*w = (struct wire){ .wires = s, .user = user, .appetite = BLOCK_SMALL };
	w->account = account_open(&s->bufs->accounts, budget, w);
	list_init(&w->link);
	list_init(&w->dirty_link);
}

void wire_accept(struct wire *w, struct wires *s, const struct wire_user *user, struct sock *sock,
		 struct tls_context *tls, struct budget *budget)
{
	wire_open(w, s, user, budget);
	io_op_init(&w->receive, received);
	w->sock = sock;
	w->state = tls ? WIRE_GREETING : WIRE_OPEN;
	if (tls)
		w->tls = tls_open(tls, s->bufs, NULL);
}

void wire_expect_preface(struct wire *w)
{
	must(w->user->prefaced && (w->state == WIRE_OPEN || w->state == WIRE_GREETING));
	w->state = WIRE_PREFACE;
	arm(w);
}

void wire_dial(struct wire *w, struct wires *s, const struct wire_user *user,
	       struct tls_context *tls, const char *name, struct budget *budget)
{
	wire_open(w, s, user, budget);
	w->state = WIRE_CONNECTING;
	w->hears_out = true;
	if (tls)
		w->tls = tls_open(tls, s->bufs, name);
	io_op_init(&w->receive, received);
}

void wire_connected(struct wire *w, struct sock *sock)
{
	must(w->state == WIRE_CONNECTING && !w->sock);
	w->sock = sock;
	wire_touch(w);
	if (w->tls) {
		w->state = WIRE_HANDSHAKE;
		sealed_arrived(w);
		return;
	}
	w->state = WIRE_OPEN;
	if (w->user->ready)
		w->user->ready(w);
	if (wire_usable(w))
		arm(w);
}

void wire_unconnected(struct wire *w, enum err why)
{
	must(w->state == WIRE_CONNECTING && !w->sock);
	break_off(w, why);
}

void wire_finish(struct wire *w)
{
	must(wire_usable(w));
	w->finishing = true;
	wire_touch(w);
}

void wire_close(struct wire *w)
{
	if (!wire_usable(w))
		return;
	if (!w->sock) {
		shut(w, true);
		return;
	}
	w->state = WIRE_CLOSING;
	io_cancel(w->wires->io, &w->receive);
	leave_lists(w);
	wire_touch(w);
}

void wire_abort(struct wire *w)
{
	shut(w, true);
}

struct wire_tls_facts wire_tls(const struct wire *w)
{
	if (!w->tls)
		return (struct wire_tls_facts){ 0 };
	return (struct wire_tls_facts){
		.version = tls_version(w->tls),
		.cipher = tls_cipher(w->tls),
		.server_name = tls_server_name(w->tls),
		.alpn = tls_alpn(w->tls),
		.certificate = tls_certificate_shown(w->tls),
		.resumed = tls_is_resumed(w->tls),
	};
}

/* --- the end of a turn --- */

static void start_queued_handshakes(struct wires *s)
{
	s->handshakes_left = HANDSHAKES_PER_TURN;
	while (s->handshakes_left && !list_empty(&s->queued)) {
		struct wire *w = list_entry(list_take_first(&s->queued), struct wire, link);
		sealed_arrived(w);
	}
}

bool wires_squeeze(struct wires *s)
{
	if (list_empty(&s->starved))
		return false;
	struct list starved;
	list_init(&starved);
	list_splice_tail(&starved, &s->starved);
	for (struct list *l; (l = list_take_first(&starved));) {
		struct wire *w = list_entry(l, struct wire, link);
		if (w->user->starved)
			w->user->starved(w);
	}
	return true;
}

/* As many as there may be room for: what each of them takes shows only when it has come. */
static void feed(struct budget *b)
{
	size_t room = budget_has_room(b) ? b->max - b->used : 0;
	struct account *a;
	for (size_t n = 1 + room / BLOCK_LARGE_BYTES; n > 0 && (a = budget_feed(b)); n--) {
		struct wire *w = a->owner;
		list_remove(&w->link);
		arm(w);
	}
}

static void feed_pressed(struct wires *s)
{
	list_each_safe(l, &s->pressed)
		feed(budget_of(l));
}

void wires_flush(struct wires *s)
{
	start_queued_handshakes(s);
	for (struct list *l; (l = list_take_first(&s->dirty));)
		flush(list_entry(l, struct wire, dirty_link));
	if (!list_empty(&s->pressed))
		feed_pressed(s);
	for (struct list *l; (l = list_take_first(&s->ending));) {
		struct wire *w = list_entry(l, struct wire, link);
		w->user->gone(w);
	}
}
