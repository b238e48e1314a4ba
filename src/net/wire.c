#include "net/wire.h"

#include <errno.h>
#include <stdio.h>

#include "base/bug.h"
#include "base/checks.h"
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

bool wires_have_pending(const struct wires *s)
{
	return !list_empty(&s->queued) || !list_empty(&s->starved) || wires_feed(s);
}

/* --- the end of a wire --- */

/*
 * When no operation is under way, closes the socket; gone() then gives the memory back to the user.
 */
static void wire_settle(struct wire *w)
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

/* The wire closes: it waits for nothing any more. */
static void wire_leave_lists(struct wire *w)
{
	account_stop_waiting(w->account);
	list_remove(&w->link);
}

static void wire_shut(struct wire *w, bool reset)
{
	if (w->state == WIRE_CLOSED)
		return;
	w->state = WIRE_CLOSED;
	w->reset = reset;
	wire_leave_lists(w);
	chain_drop(&w->out);
	io_cancel(w->wires->io, &w->receive);
	if (w->send)
		io_cancel(w->wires->io, &w->send->op);
	wire_settle(w);
	checks(wire_check(w));
}

/* Called before the socket goes, because the report names the socket's peer. */
static enum err wire_report_handshake(struct wire *w, enum err why)
{
	bool left = why == ERR_PEER_RESET || why == ERR_PEER_CLOSED;
	why = left && !w->reads_to_end ? ERR_TLS_LEFT : why;
	if (w->user->handshake_failed)
		w->user->handshake_failed(w, why, wires_said(w->wires, why));
	return why;
}

/* The wire cannot be used any more. An alert that tells the peer may still be sent. */
static void wire_break_off(struct wire *w, enum err why)
{
	bool usable = wire_usable(w);
	if (w->state == WIRE_HANDSHAKE)
		why = wire_report_handshake(w, why);
	if (w->tls && tls_encrypted_out(w->tls)->bytes && usable) {
		chain_drop(&w->out);
		w->state = WIRE_CLOSING;
		w->notified = true;
		wire_leave_lists(w);
		wire_touch(w);
	} else {
		wire_shut(w, true);
	}
	if (usable)
		w->user->broken(w, why);
}

/*
 * EPERM is also the error when the machine's connection tracking table is full. If an address has
 * no route, or the machine does not support its family, another address of the node may work: such
 * errors count against the node.
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

/* The error of an established connection: it is lost, whatever the network reports. */
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

/*
 * The size of the block that holds the beginning of a line: the user must receive the whole line.
 */
static size_t beginning_bytes(const struct wire *w)
{
	const struct slice *s = w->in.first;
	return s && s == w->in.last && s->block->account == w->account ? s->block->size : 0;
}

/* When memory is short, wires that hold memory receive in small blocks. */
static enum block_class class_to_receive(const struct wire *w)
{
	bool is_short = !budget_has_room(w->account->budget) && w->account->used;
	return is_short ? BLOCK_SMALL : (enum block_class)w->recv_class;
}

static void wire_starve(struct wire *w)
{
	struct budget *b = w->account->budget;
	account_wait(w->account);
	if (list_empty(&b->link))
		list_add_tail(&w->wires->pressed, &b->link);
	list_add_tail(&w->wires->starved, &w->link);
}

/* A watch under way is canceled first; the receive starts when the watch has ended. */
static void wire_start_receive(struct wire *w, enum block_class class)
{
	if (io_op_busy(&w->receive))
		io_cancel(w->wires->io, &w->receive);
	else
		io_recv(w->wires->io, &w->receive, w->sock, class);
}

/*
 * For when memory may be short. A wire that already waits for memory is started by budget_feed().
 */
static void wire_arm_carefully(struct wire *w)
{
	struct account *a = w->account;
	a->spared = beginning_bytes(w);
	if (a->waits)
		return;
	if (account_may_receive(a) || w->state < WIRE_OPEN)
		wire_start_receive(w, class_to_receive(w));
	else
		wire_starve(w);
}

/* A wire that is in a list waits for its turn there. */
static void wire_arm(struct wire *w)
{
	bool handshaking = w->state == WIRE_PROXY_HEADER || w->state == WIRE_GREETING ||
			   w->state == WIRE_HANDSHAKE;
	if (!(w->wants || handshaking) || w->at_end || w->receive.verb == IO_RECV || !w->sock ||
	    !wire_usable(w) || !list_empty(&w->link))
		return;
	if (w->account->used)
		wire_arm_carefully(w);
	else
		wire_start_receive(w, (enum block_class)w->recv_class);
}

void wire_receive(struct wire *w)
{
	must(wire_usable(w));
	w->wants = true;
	wire_arm(w);
}

void wire_detach_received(struct wire *w)
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
		wire_arm(w);
}

static void wire_pass_bytes(struct wire *w)
{
	w->wants = false;
	w->user->bytes(w);
}

static void wire_peer_finished(struct wire *w, bool cut)
{
	w->at_end = true;
	w->cut = cut;
	w->wants = false;
	if (w->state == WIRE_OPEN)
		w->user->finished(w);
	else
		wire_break_off(w, ERR_PEER_CLOSED);
}

static void handshakes_add(_Atomic uint64_t *n)
{
	atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

static void count_handshake(struct wire *w, enum tls_progress p)
{
	struct handshake_counts *counts = w->handshakes;
	if (!counts)
		return;
	handshakes_add(p == TLS_BAD ? &counts->failed : &counts->done);
	if (p != TLS_BAD && tls_is_resumed(w->tls))
		handshakes_add(&counts->resumed);
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

/* A peer that has sent no byte may speak plain HTTP: it waits for us to send first. */
enum err wire_is_late(struct wire *w)
{
	if (w->state == WIRE_CONNECTING)
		return ERR_CONNECT_TIMEOUT;
	wires_say(w->wires, ERR_HANDSHAKE_TIMEOUT,
		  w->tls && !tls_has_heard(w->tls) ? "it has not sent a byte" : "", "");
	return ERR_HANDSHAKE_TIMEOUT;
}

/*
 * False while the session is not up: the handshake waits for its turn or for the peer, or it
 * failed.
 */
static bool wire_handshake(struct wire *w)
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
	if (tls_encrypted_out(w->tls)->bytes)
		wire_touch(w);
	if (p == TLS_MORE)
		return false;
	if (p == TLS_BAD) {
		count_handshake(w, p);
		wires_say(s, tls_why(w->tls), tls_said(w->tls), "");
		wire_break_off(w, tls_why(w->tls));
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

static void wire_decrypt(struct wire *w)
{
	size_t before = w->in.bytes;
	enum tls_progress p = tls_decrypt(w->tls, &w->in, w->account);
	if (tls_encrypted_out(w->tls)->bytes)
		wire_touch(w);
	if (p == TLS_BAD) {
		wires_say(w->wires, tls_why(w->tls), tls_said(w->tls), "");
		wire_break_off(w, tls_why(w->tls));
		return;
	}
	w->at_end = p == TLS_END;
	if (w->in.bytes > before)
		wire_pass_bytes(w);
	if (w->at_end && w->state == WIRE_OPEN)
		wire_peer_finished(w, false);
}

static void wire_encrypted_arrived(struct wire *w)
{
	if (w->state != WIRE_OPEN && !wire_handshake(w)) {
		if (wire_usable(w) && list_empty(&w->link))
			wire_arm(w);
		return;
	}
	if (tls_encrypted_in(w->tls)->bytes)
		wire_decrypt(w);
	if (wire_usable(w))
		wire_arm(w);
}

/* --- before all that: the PROXY header --- */

static void proxy_header_is_over(struct wire *w, const struct proxy_header *p, struct chain *in)
{
	if (!p->err && p->kind == PROXY_HEADER_ADDRESS)
		w->sock->peer = p->source;
	enum err why = w->user->has_proxy_header(w, p);
	if (p->err || why) {
		wire_break_off(w, p->err ? p->err : why);
		return;
	}
	chain_skip(in, p->bytes);
	w->state = w->tls ? WIRE_GREETING : WIRE_OPEN;
	if (!in->bytes)
		wire_arm(w);
	else if (w->tls)
		wire_encrypted_arrived(w);
	else
		wire_pass_bytes(w);
}

static void read_proxy_header(struct wire *w, struct chain *in)
{
	char first[PROXY_HEADER_LOOK_BYTES];
	size_t n = in->bytes < sizeof first ? in->bytes : sizeof first;
	struct proxy_header p;
	chain_peek(in, first, n);
	enum proxy_header_progress progress = proxy_header_read((struct span){ first, n }, &p);
	if (progress == PROXY_HEADER_MORE || (progress == PROXY_HEADER_DONE && in->bytes < p.bytes))
		wire_arm(w);
	else
		proxy_header_is_over(w, &p, in);
}

/*
 * The header's bytes are copied together: one that comes byte by byte must not hold a block for
 * each byte.
 */
static void proxy_header_arrived(struct wire *w, struct chain *in, struct io_op *op)
{
	struct chain part = { 0 };
	chain_add(&part, op->block, op->block->data, (size_t)op->result);
	chain_move(in, &part);
	read_proxy_header(w, in);
}

/* During a transfer the next receive uses a large block, until a receive brings few bytes. */
static void adapt_recv_class(struct wire *w, const struct io_op *op)
{
	if (w->recv_class == BLOCK_SMALL && (uint32_t)op->result == op->block->size)
		w->recv_class = BLOCK_LARGE;
	else if (w->recv_class == BLOCK_LARGE && op->result < BLOCK_SMALL_BYTES)
		w->recv_class = BLOCK_SMALL;
}

static void wire_received(struct io_op *op)
{
	struct wire *w = list_entry(op, struct wire, receive);
	if (!wire_usable(w)) {
		if (op->result > 0)
			block_drop(op->block);
		if (w->state == WIRE_CLOSED)
			wire_settle(w);
		return;
	}
	if (op->result < 0) {
		wire_break_off(w, err_of_transfer(op->result));
		return;
	}
	if (op->result == 0 && w->send_refused) {
		wire_break_off(w, ERR_PEER_RESET);
		return;
	}
	if (op->result == 0) {
		wire_peer_finished(w, w->tls != NULL);
		return;
	}
	adapt_recv_class(w, op);
	block_charge(op->block, w->account);
	struct chain *in = w->tls ? tls_encrypted_in(w->tls) : &w->in;
	if (w->state == WIRE_PROXY_HEADER) {
		proxy_header_arrived(w, in, op);
		return;
	}
	chain_add(in, op->block, op->block->data, (size_t)op->result);
	if (w->tls)
		wire_encrypted_arrived(w);
	else
		wire_pass_bytes(w);
}

/* --- while nothing is received --- */

static bool is_due_to_receive(const struct wire *w)
{
	return w->wants && !w->account->waits && list_empty(&w->link);
}

/*
 * Result 0: nothing is left before the FIN; a receive reports that and takes no memory. An error of
 * the watch itself, such as ENOMEM, says nothing about the peer.
 */
static void wire_watched(struct io_op *op)
{
	struct wire *w = list_entry(op, struct wire, receive);
	op->done = wire_received;
	if (!wire_usable(w)) {
		if (w->state == WIRE_CLOSED)
			wire_settle(w);
		return;
	}
	if (is_due_to_receive(w) || op->result == 0)
		io_recv(w->wires->io, op, w->sock, class_to_receive(w));
	else if (op->result > 0 && w->user->finishing)
		w->user->finishing(w, (size_t)op->result);
	else if (op->result < 0 && err_of_transfer(op->result) == ERR_PEER_RESET)
		wire_break_off(w, ERR_PEER_RESET);
}

void wire_watch(struct wire *w)
{
	if (w->state != WIRE_OPEN || w->at_end || io_op_busy(&w->receive))
		return;
	w->receive.done = wire_watched;
	io_watch(w->wires->io, &w->receive, w->sock);
}

/* --- sending --- */

void wire_touch(struct wire *w)
{
	if (list_empty(&w->dirty_link) && w->state != WIRE_CLOSED)
		list_add_tail(&w->wires->dirty, &w->dirty_link);
}

static bool wire_encrypt(struct wire *w, size_t *clear_bytes)
{
	size_t before = w->out.bytes;
	if (w->state == WIRE_OPEN || w->state == WIRE_CLOSING)
		if (!tls_encrypt(w->tls, &w->out, WIRE_FLUSH_BYTES))
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
static unsigned send_load(struct wire_send *send, struct chain *from)
{
	unsigned n = 0;
	while (from->first && n < IO_VECTORS_MAX && send->bytes.bytes < WIRE_FLUSH_BYTES) {
		send->vectors[n++] = (struct iovec){ from->first->at, from->first->n };
		chain_move_some(&send->bytes, from, from->first->n);
	}
	return n;
}

static void wire_transmitted(struct io_op *op);

static void wire_start_send(struct wire *w, struct chain *from, size_t clear_bytes)
{
	struct wire_send *send = slab_take(&w->wires->sends);
	io_op_init(&send->op, wire_transmitted);
	send->wire = w;
	send->bytes = (struct chain){ 0 };
	unsigned n = send_load(send, from);
	w->send = send;
	send->clear_bytes = w->tls ? clear_bytes : send->bytes.bytes;
	if (!w->tls)
		w->sent_bytes += send->bytes.bytes;
	io_send(w->wires->io, &send->op, w->sock, send->vectors, n);
}

static void wire_output_sent(struct wire *w)
{
	if (w->state == WIRE_CLOSING)
		wire_shut(w, false);
	else if (w->finishing && !w->finished) {
		w->finished = true;
		io_shutdown(w->wires->io, w->sock);
	}
}

/* A wire has its account until wire_settle(); a closed wire has nothing to send. */
void wire_check(const struct wire *w)
{
	chain_check(&w->in);
	chain_check(&w->out);
	must(w->account || (w->state == WIRE_CLOSED && !w->sock && !w->tls && !w->send));
	must(w->state != WIRE_CONNECTING || (!w->sock && !w->send));
	must(w->sock || w->state == WIRE_CONNECTING || w->state == WIRE_CLOSED);
	must(w->state != WIRE_CLOSED || chain_empty(&w->out));
	must(!w->send || w->send->wire == w);
	must(!w->finished || w->finishing);
	must(!w->notified || w->tls || w->state == WIRE_CLOSED);
	must(!w->send_refused || w->reads_to_end);
	must((w->state != WIRE_GREETING && w->state != WIRE_HANDSHAKE) || w->tls);
}

static void wire_flush(struct wire *w)
{
	checks(wire_check(w));
	if (w->send || !w->sock || w->state == WIRE_CLOSED)
		return;
	if (w->send_refused) {
		chain_drop(&w->out);
		if (w->state == WIRE_CLOSING)
			wire_shut(w, true);
		return;
	}
	struct chain *from = &w->out;
	size_t clear_bytes = 0;
	if (w->tls) {
		if (!wire_encrypt(w, &clear_bytes)) {
			wire_break_off(w, tls_why(w->tls));
			return;
		}
		from = tls_encrypted_out(w->tls);
	}
	if (chain_empty(from))
		wire_output_sent(w);
	else
		wire_start_send(w, from, clear_bytes);
}

/*
 * A server may respond before it has read the whole request and then reset the connection, for
 * example when a body is too large for it. The response came before the reset, and is read to its
 * end.
 */
static void wire_send_failed(struct wire *w, enum err why)
{
	if (w->tls)
		chain_drop(tls_encrypted_out(w->tls));
	if (!w->reads_to_end || w->state != WIRE_OPEN || why != ERR_PEER_RESET) {
		wire_break_off(w, why);
		return;
	}
	w->send_refused = true;
	chain_drop(&w->out);
}

static void wire_transmitted(struct io_op *op)
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
		wire_settle(w);
		return;
	}
	if (result < 0) {
		wire_send_failed(w, err_of_transfer(result));
		return;
	}
	wire_touch(w);
	checks(wire_check(w));
	if (wire_usable(w))
		w->user->drained(w);
}

/* --- open and close --- */

static void wire_open(struct wire *w, struct wires *s, const struct wire_user *user,
		      struct budget *budget)
{
	*w = (struct wire){ .wires = s, .user = user, .recv_class = BLOCK_SMALL };
	w->account = account_open(&s->bufs->accounts, budget, w);
	list_init(&w->link);
	list_init(&w->dirty_link);
}

void wire_accept(struct wire *w, struct wires *s, const struct wire_user *user, struct sock *sock,
		 struct tls_context *tls, struct budget *budget)
{
	wire_open(w, s, user, budget);
	io_op_init(&w->receive, wire_received);
	w->sock = sock;
	w->state = tls ? WIRE_GREETING : WIRE_OPEN;
	if (tls)
		w->tls = tls_open(tls, s->bufs, NULL);
}

void wire_expect_proxy_header(struct wire *w)
{
	must(w->user->has_proxy_header && (w->state == WIRE_OPEN || w->state == WIRE_GREETING));
	w->state = WIRE_PROXY_HEADER;
	wire_arm(w);
}

void wire_dial(struct wire *w, struct wires *s, const struct wire_user *user,
	       struct tls_context *tls, const char *name, struct budget *budget)
{
	wire_open(w, s, user, budget);
	w->state = WIRE_CONNECTING;
	w->reads_to_end = true;
	if (tls)
		w->tls = tls_open(tls, s->bufs, name);
	io_op_init(&w->receive, wire_received);
}

void wire_connected(struct wire *w, struct sock *sock)
{
	must(w->state == WIRE_CONNECTING && !w->sock);
	w->sock = sock;
	wire_touch(w);
	if (w->tls) {
		w->state = WIRE_HANDSHAKE;
		wire_encrypted_arrived(w);
		return;
	}
	w->state = WIRE_OPEN;
	if (w->user->ready)
		w->user->ready(w);
	if (wire_usable(w))
		wire_arm(w);
}

void wire_unconnected(struct wire *w, enum err why)
{
	must(w->state == WIRE_CONNECTING && !w->sock);
	wire_break_off(w, why);
}

void wire_finish(struct wire *w)
{
	must(wire_usable(w));
	w->finishing = true;
	wire_touch(w);
	checks(wire_check(w));
}

void wire_close(struct wire *w)
{
	if (!wire_usable(w))
		return;
	if (!w->sock) {
		wire_shut(w, true);
		return;
	}
	w->state = WIRE_CLOSING;
	io_cancel(w->wires->io, &w->receive);
	wire_leave_lists(w);
	wire_touch(w);
}

void wire_abort(struct wire *w)
{
	wire_shut(w, true);
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
		wire_encrypted_arrived(w);
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

/*
 * Starts as many receives as there may be room for: how much each takes is known only when it has
 * come.
 */
static void wires_feed_budget(struct budget *b)
{
	size_t room = budget_has_room(b) ? b->max - b->used : 0;
	struct account *a;
	for (size_t n = 1 + room / BLOCK_LARGE_BYTES; n > 0 && (a = budget_feed(b)); n--) {
		struct wire *w = a->owner;
		list_remove(&w->link);
		wire_arm(w);
	}
}

static void feed_pressed(struct wires *s)
{
	list_each_safe(l, &s->pressed)
		wires_feed_budget(budget_of(l));
}

void wires_flush(struct wires *s)
{
	start_queued_handshakes(s);
	for (struct list *l; (l = list_take_first(&s->dirty));)
		wire_flush(list_entry(l, struct wire, dirty_link));
	if (!list_empty(&s->pressed))
		feed_pressed(s);
	for (struct list *l; (l = list_take_first(&s->ending));) {
		struct wire *w = list_entry(l, struct wire, link);
		w->user->gone(w);
	}
}
