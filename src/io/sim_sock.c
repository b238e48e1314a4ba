#include "io/sim_sock.h"

#include <stdlib.h>
#include <xxhash.h>

/* As Linux' tcp_syn_retries. */
#define KNOCKS_MAX 6
#define KNOCK_AGAIN_NS UINT64_C(1000000000)

static struct sim_sock *sim_sock_of(struct sock *s)
{
	return (struct sim_sock *)s;
}

static void sim_befall(const struct sim_link *l, enum sim_mishap what)
{
	const struct sim_sock *client = l->ends[0].owner;
	if (client && l->sim->befell)
		l->sim->befell(l->sim->watcher, &client->io->io, &client->sock.peer, what);
}

/* --- operations under way --- */

static void make_due(struct sim_io *io, struct io_op *op)
{
	list_remove(&op->link);
	list_add_tail(&io->due, &op->link);
}

static void op_begin(struct sim_io *io, struct io_op *op)
{
	must(!io->crashed && list_empty(&op->link));
	op->result = UNDER_WAY;
	make_due(io, op);
}

static void op_end(struct sim_io *io, struct io_op *op, int32_t result)
{
	must(op->result == UNDER_WAY && result != UNDER_WAY);
	op->result = result;
	list_remove(&op->link);
	list_add_tail(&io->ended, &op->link);
}

static void sock_stirred(void *owner)
{
	struct sim_sock *s = owner;
	if (s->recv && s->recv->result == UNDER_WAY)
		make_due(s->io, s->recv);
	if (s->send && s->send->result == UNDER_WAY)
		make_due(s->io, s->send);
}

/* When the operation could complete now, a cancel comes too late half of the time. */
static bool cancel_wins(struct sim_io *io, const struct io_op *op)
{
	return op->cancel && sim_random(io->sim, 2) == 0;
}

void sim_sock_cancel(struct io *io, struct io_op *op)
{
	if (op->result == UNDER_WAY)
		make_due(sim_io_of(io), op);
}

/* --- sockets --- */

static struct sim_sock *sim_open_sock(struct sim_io *io, struct sim_link *link, unsigned side)
{
	struct sim_sock *s = calloc(1, sizeof *s);
	must(s);
	s->io = io;
	s->link = link;
	s->side = side;
	list_init(&s->in_sim);
	list_init(&s->backlog);
	list_init(&s->accepts);
	list_add_tail(&io->socks, &s->in_io);
	if (link)
		sim_link_attach(link, side, s, sock_stirred);
	return s;
}

void sim_sock_destroy(struct sim_sock *s, bool reset)
{
	for (struct list *l; (l = list_take_first(&s->backlog));)
		sim_link_close(list_entry(l, struct sim_link, backlog), 1, true);
	if (s->link)
		sim_link_close(s->link, s->side, reset);
	list_remove(&s->in_sim);
	list_remove(&s->in_io);
	free(s);
}

struct sock *sim_listen(struct io *io, const struct addr *at)
{
	struct sim_sock *s = sim_open_sock(sim_io_of(io), NULL, 0);
	s->at = *at;
	list_add_tail(&s->io->sim->listeners, &s->in_sim);
	return &s->sock;
}

int sim_descriptor(struct sim *sim, const struct addr *at)
{
	must(sim->descriptor_n < SIM_DESCRIPTORS);
	sim->descriptors[sim->descriptor_n] = *at;
	return (int)sim->descriptor_n++;
}

struct sock *sim_sock_adopt(struct io *base, int fd)
{
	struct sim_io *io = sim_io_of(base);
	must(fd >= 0 && (unsigned)fd < io->sim->descriptor_n);
	if (io->lacks && sim_chance(io->sim, io->sim->faults.shortage)) {
		io->sim->counts.shortages++;
		errno = sim_random(io->sim, 2) ? EMFILE : ENOMEM;
		return NULL;
	}
	return sim_listen(base, &io->sim->descriptors[fd]);
}

void sim_sock_shutdown(struct io *io, struct sock *sock)
{
	struct sim_sock *s = sim_sock_of(sock);
	must(s->io == sim_io_of(io) && s->link && !s->send);
	sim_link_finish(s->link, s->side);
}

void sim_sock_close(struct io *io, struct sock *sock, bool reset)
{
	struct sim_sock *s = sim_sock_of(sock);
	must(s->io == sim_io_of(io) && !s->recv && !s->send && s->accepting == 0);
	sim_sock_destroy(s, reset);
}

/* --- connect --- */

static void be_connected(void *about, unsigned side)
{
	struct sim_link *l = about;
	struct sim_sock *s = l->ends[side].owner;
	if (s) {
		s->connected = 0;
		sock_stirred(s);
	}
	sim_link_drop(l);
}

static void be_refused(void *about, unsigned side)
{
	struct sim_link *l = about;
	struct sim_sock *s = l->ends[side].owner;
	if (s) {
		s->connected = -ECONNREFUSED;
		sock_stirred(s);
	}
	sim_link_drop(l);
}

/* Several sockets may listen at one address, as with SO_REUSEPORT: chance decides. */
static struct sim_sock *choose_listener(struct sim *sim, const struct addr *at)
{
	struct sim_sock *chosen = NULL;
	uint64_t n = 0;
	list_each(l, &sim->listeners) {
		struct sim_sock *s = list_entry(l, struct sim_sock, in_sim);
		if (addr_is(&s->at, at) && sim_random(sim, ++n) == 0)
			chosen = s;
	}
	return chosen;
}

static void offer_backlog(struct sim_sock *listener)
{
	if (list_empty(&listener->backlog))
		return;
	struct list *waiting = list_take_first(&listener->accepts);
	if (waiting)
		make_due(listener->io, list_entry(waiting, struct io_op, link));
}

/* The listener gets the connection at once; the client learns of it when the response is back. */
static void link_knock(void *about, unsigned side)
{
	struct sim_link *l = about;
	struct sim_sock *client = l->ends[side].owner;
	struct sim_sock *listener = client ? choose_listener(l->sim, &client->sock.peer) : NULL;
	if (client)
		sim_link_plan(l, sim_arrival_ns(l->sim), listener ? be_connected : be_refused,
			      side);
	if (listener) {
		sim_link_response(l);
		list_add_tail(&listener->backlog, &l->backlog);
		offer_backlog(listener);
	}
	sim_link_drop(l);
}

/* 10.0.0.N for the world's Nth io, so that an address shows its io. */
static struct addr client_address(struct sim_io *io)
{
	struct addr a = { .v4 = { .sin_family = AF_INET } };
	a.v4.sin_addr.s_addr = htonl(0x0a000000 + io->name);
	a.v4.sin_port = htons((uint16_t)(1024 + io->ports++ % 64000));
	return a;
}

/* Errors of this machine, not of the peer. */
static int32_t any_shortage(struct sim *sim)
{
	static const int32_t errors[] = { -EMFILE,  -ENFILE, -EADDRNOTAVAIL, -EAGAIN,
					  -ENOBUFS, -ENOMEM, -ENETDOWN,	     -EPERM };
	return errors[sim_random(sim, sizeof errors / sizeof *errors)];
}

static struct sim_spot *spot_of(struct sim *sim, const struct addr *at)
{
	for (unsigned i = 0; i < sim->spot_n; i++)
		if (addr_is(&sim->spots[i].at, at))
			return &sim->spots[i];
	return NULL;
}

void sim_set_spot(struct sim *sim, const struct addr *at, enum sim_spot_kind kind)
{
	struct sim_spot *s = spot_of(sim, at);
	if (!s) {
		must(sim->spot_n < SIM_SPOTS_MAX);
		s = &sim->spots[sim->spot_n++];
	}
	*s = (struct sim_spot){ *at, kind };
}

static void knock_again(void *about, unsigned side);

/* As in Linux, an attempt that a black hole swallows is repeated after 1, 2, 4, ... seconds. */
static void link_knock_at(struct sim_link *l, const struct addr *to)
{
	const struct sim_spot *spot = spot_of(l->sim, to);
	enum sim_spot_kind kind = spot ? spot->kind : SIM_AS_IT_IS;
	if (kind != SIM_SWALLOWS)
		sim_link_plan(l, sim_arrival_ns(l->sim),
			      kind == SIM_REFUSES ? be_refused : link_knock, 0);
	else if (l->knocks < KNOCKS_MAX)
		sim_link_plan(l, l->sim->now_ns + (KNOCK_AGAIN_NS << l->knocks++), knock_again, 0);
}

static void knock_again(void *about, unsigned side)
{
	struct sim_link *l = about;
	const struct sim_sock *s = l->ends[side].owner;
	if (s)
		link_knock_at(l, &s->sock.peer);
	sim_link_drop(l);
}

/* False: a fault has decided the result of this connect. */
static bool sim_connect_by_chance(struct sim_io *io, struct sim_sock *s)
{
	struct sim *sim = io->sim;
	if (io->lacks && sim_chance(sim, sim->faults.shortage)) {
		s->connected = any_shortage(sim);
		sim->counts.shortages++;
		sim_befall(s->link, SIM_LACKED);
	} else if (sim_chance(sim, sim->faults.unreachable)) {
		sim->counts.unanswered++;
		sim_befall(s->link, SIM_UNANSWERED);
	} else if (sim_chance(sim, sim->faults.refuse)) {
		sim_link_plan(s->link, sim_arrival_ns(sim), be_refused, 0);
		sim->counts.refused++;
		sim_befall(s->link, SIM_REFUSED);
	} else {
		return true;
	}
	return false;
}

void sim_sock_connect(struct io *base, struct io_op *op)
{
	struct sim_io *io = sim_io_of(base);
	struct addr from = client_address(io);
	struct sim_link *l = sim_link_open(io->sim, &from);
	struct sim_sock *s = sim_open_sock(io, l, 0);
	s->sock.peer = *op->address;
	s->connected = UNDER_WAY;
	s->send = op;
	op->sock = &s->sock;
	op_begin(io, op);
	if (sim_connect_by_chance(io, s))
		link_knock_at(l, op->address);
}

static void sim_attempt_connect(struct sim_io *io, struct io_op *op)
{
	const struct sim_sock *s = sim_sock_of(op->sock);
	if (s->connected != UNDER_WAY && !cancel_wins(io, op))
		op_end(io, op, s->connected);
	else if (op->cancel)
		op_end(io, op, -ECANCELED);
}

/* Sets *new to the new socket and returns 0, or returns -errno. */
static int32_t take_connection(struct sim_io *io, struct sim_sock *listener, struct sock **new)
{
	static const int32_t kept[] = { -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM };
	static const int32_t lost[] = { -ECONNABORTED, -EPROTO, -EHOSTUNREACH };
	bool error = sim_chance(io->sim, io->sim->faults.accept_error);
	io->sim->counts.accept_errors += error;
	if (error && sim_random(io->sim, 2) == 0)
		return kept[sim_random(io->sim, sizeof kept / sizeof *kept)];
	struct list *first = list_take_first(&listener->backlog);
	struct sim_link *l = list_entry(first, struct sim_link, backlog);
	if (error) {
		sim_befall(l, SIM_BROKEN);
		sim_link_close(l, 1, true);
		return lost[sim_random(io->sim, sizeof lost / sizeof *lost)];
	}
	struct sim_sock *s = sim_open_sock(io, l, 1);
	s->sock.peer = l->from;
	*new = &s->sock;
	return 0;
}

static void sim_attempt_accept(struct sim_io *io, struct io_op *op)
{
	struct sim_sock *listener = sim_sock_of(op->sock);
	bool any = !list_empty(&listener->backlog);
	if (!any && !op->cancel) {
		list_add_tail(&listener->accepts, &op->link);
		return;
	}
	struct sock *new = NULL;
	op_end(io, op, any ? take_connection(io, listener, &new) : -ECANCELED);
	op->sock = new;
	listener->accepting--;
	offer_backlog(listener);
}

void sim_sock_accept(struct io *io, struct io_op *op)
{
	struct sim_sock *s = sim_sock_of(op->sock);
	must(s->io == sim_io_of(io) && !s->link);
	s->accepting++;
	op_begin(s->io, op);
}

/* --- receive --- */

static void sim_may_break(struct sim_sock *s)
{
	if (!sim_chance(s->io->sim, s->io->sim->faults.reset))
		return;
	s->io->sim->counts.resets++;
	sim_befall(s->link, SIM_BROKEN);
	sim_link_break(s->link, s->side);
}

void sim_sock_recv(struct io *io, struct io_op *op)
{
	struct sim_sock *s = sim_sock_of(op->sock);
	must(s->io == sim_io_of(io) && s->link && !s->recv);
	s->recv = op;
	op_begin(s->io, op);
}

/* Often one byte. */
static size_t fewer_bytes(struct sim *sim, size_t n)
{
	return sim_random(sim, 2) ? 1 : 1 + sim_random(sim, n);
}

static int32_t sock_take_bytes(struct sim_io *io, struct sim_sock *s, struct io_op *op)
{
	struct sim *sim = io->sim;
	struct block *k = block_take(io->io.bufs, op->class, NULL);
	size_t n = s->link->ends[s->side].arrived;
	if (n > k->size)
		n = k->size;
	if (sim_chance(sim, sim->faults.short_recv)) {
		n = fewer_bytes(sim, n);
		sim->counts.short_recvs++;
	}
	n = sim_link_recv(s->link, s->side, k->data, n);
	op->block = k;
	io->io.counts.recvs++;
	io->io.counts.recv_bytes += n;
	return (int32_t)n;
}

static void sim_attempt_recv(struct sim_io *io, struct io_op *op)
{
	struct sim_sock *s = sim_sock_of(op->sock);
	struct sim *sim = io->sim;
	const struct sim_end *e = &s->link->ends[s->side];
	if (!e->arrived && !e->reset && !e->ended) {
		if (op->cancel)
			op_end(io, op, -ECANCELED);
		return;
	}
	if (cancel_wins(io, op)) {
		op_end(io, op, -ECANCELED);
		return;
	}
	s->starved = !s->starved && sim_chance(sim, sim->faults.starve);
	if (s->starved) {
		io->io.counts.starved++;
		sim->counts.starved++;
		make_due(io, op);
		return;
	}
	sim_may_break(s);
	if (e->arrived)
		op_end(io, op, sock_take_bytes(io, s, op));
	else
		/* As in Linux, a reset after a FIN does not undo the end of the stream. */
		op_end(io, op, e->ended ? 0 : -ECONNRESET);
}

/* --- watch --- */

void sim_sock_watch(struct io *io, struct io_op *op)
{
	struct sim_sock *s = sim_sock_of(op->sock);
	must(s->io == sim_io_of(io) && s->link && !s->recv);
	s->recv = op;
	op_begin(s->io, op);
}

static void sim_attempt_watch(struct sim_io *io, struct io_op *op)
{
	const struct sim_sock *s = sim_sock_of(op->sock);
	const struct sim_end *e = &s->link->ends[s->side];
	bool over = e->reset || e->ended;
	if (over && !cancel_wins(io, op))
		op_end(io, op, e->reset ? -ECONNRESET : (int32_t)e->arrived);
	else if (op->cancel)
		op_end(io, op, -ECANCELED);
}

/* --- send --- */

static uint64_t sum_of(const struct io_op *op)
{
	uint64_t sum = op->vector_n;
	for (uint32_t i = 0; i < op->vector_n; i++)
		sum = XXH3_64bits_withSeed(op->vectors[i].iov_base, op->vectors[i].iov_len, sum);
	return sum;
}

void sim_sock_send(struct io *io, struct io_op *op)
{
	struct sim_sock *s = sim_sock_of(op->sock);
	must(s->io == sim_io_of(io) && s->link && !s->send);
	s->send = op;
	s->sent = 0;
	s->sum = sum_of(op);
	op_begin(s->io, op);
}

/* Sends at most `limit` more bytes. True when nothing is left to send. */
static bool send_some(struct sim_sock *s, struct io_op *op, size_t limit)
{
	size_t skip = s->sent;
	for (uint32_t i = 0; i < op->vector_n; i++) {
		const struct iovec *v = &op->vectors[i];
		if (skip >= v->iov_len) {
			skip -= v->iov_len;
			continue;
		}
		size_t want = v->iov_len - skip < limit ? v->iov_len - skip : limit;
		size_t n = sim_link_send(s->link, s->side, (char *)v->iov_base + skip, want);
		s->sent += n;
		op->moved |= n > 0;
		limit -= n;
		if (n < v->iov_len - skip)
			return false;
		skip = 0;
	}
	return true;
}

static void sim_attempt_send(struct sim_io *io, struct io_op *op)
{
	struct sim_sock *s = sim_sock_of(op->sock);
	struct sim *sim = io->sim;
	const struct sim_end *e = &s->link->ends[s->side];
	if (cancel_wins(io, op)) {
		op_end(io, op, -ECANCELED);
		return;
	}
	sim_may_break(s);
	if (e->reset || e->finished) {
		op_end(io, op, e->reset && !e->finished ? -ECONNRESET : -EPIPE);
		return;
	}
	size_t room = sim_link_room(s->link, s->side);
	bool little = room > 0 && sim_chance(sim, sim->faults.short_send);
	sim->counts.short_sends += little;
	if (send_some(s, op, little ? fewer_bytes(sim, room) : room))
		op_end(io, op, (int32_t)s->sent);
	else if (op->cancel)
		op_end(io, op, -ECANCELED);
	else if (little)
		make_due(io, op);
	else
		sim->counts.full_windows++;
}

/* --- attempts and ends --- */

void sim_sock_attempt(struct sim_io *io, struct io_op *op)
{
	switch ((enum io_verb)op->verb) {
	case IO_ACCEPT:
		sim_attempt_accept(io, op);
		break;
	case IO_CONNECT:
		sim_attempt_connect(io, op);
		break;
	case IO_RECV:
		sim_attempt_recv(io, op);
		break;
	case IO_WATCH:
		sim_attempt_watch(io, op);
		break;
	case IO_SEND:
		sim_attempt_send(io, op);
		break;
	case IO_NONE:
		must(!"an operation was started and ended by somebody else");
	}
}

static void sim_finish_connect(struct sim_io *io, struct io_op *op)
{
	struct sim_sock *s = sim_sock_of(op->sock);
	s->send = NULL;
	io->io.counts.connects += op->result == 0;
	if (op->result < 0) {
		sim_sock_destroy(s, true);
		op->sock = NULL;
	}
}

/* Checks the user's promise: the bytes that the send reads have not changed until now. */
static void sim_finish_send(struct sim_io *io, struct io_op *op)
{
	struct sim_sock *s = sim_sock_of(op->sock);
	must(s->sum == sum_of(op));
	s->send = NULL;
	io->io.counts.sends += op->result >= 0;
	io->io.counts.send_bytes += s->sent;
	sim_note(io->sim, s->sum);
}

static void sim_finish_recv(struct sim_io *io, struct io_op *op)
{
	sim_sock_of(op->sock)->recv = NULL;
	if (op->result > 0)
		sim_note(io->sim, XXH3_64bits(op->block->data, (size_t)op->result));
}

void sim_sock_finish(struct sim_io *io, struct io_op *op)
{
	switch ((enum io_verb)op->verb) {
	case IO_ACCEPT:
		io->io.counts.accepts += op->result == 0;
		break;
	case IO_CONNECT:
		sim_finish_connect(io, op);
		break;
	case IO_RECV:
		sim_finish_recv(io, op);
		break;
	case IO_WATCH:
		sim_sock_of(op->sock)->recv = NULL;
		break;
	case IO_SEND:
		sim_finish_send(io, op);
		break;
	case IO_NONE:
		must(!"an idle operation ended");
	}
}
