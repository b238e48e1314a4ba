#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "io/backend.h"
#include "io/waker.h"

/* The most events of one wait. The next wait gets the rest, and does not sleep. */
#define EVENTS 256

/*
 * A socket is registered once, edge-triggered, for all events. `readable` and `writable` remember
 * what the kernel has reported until an attempt finds that it is no longer so. Accepts, connects
 * and receives are attempted in dispatch. A send is attempted at once, and its result is reported
 * in dispatch.
 */
struct epoll_sock {
	struct sock sock;
	int fd;
	struct io_op *recv, *send; /* under way; `recv` may be a watch, `send` a connect */
	struct list accepts;	   /* accepts that wait on a listening socket */
	bool readable, writable;
	bool ended;  /* FIN or an error was reported: no later edge will report it again */
	bool broken; /* the reported end was an error */
	bool shared; /* adopted: other processes may have the same socket open */
};

struct epoll {
	struct io io;
	int fd;
	struct slab socks;
	struct list ready; /* operations to attempt or to end in the next dispatch */
	struct waker waker;
	struct turn turn;
	bool whole_ms; /* epoll_pwait2() is not available */
};

static struct epoll *epoll_of(struct io *io)
{
	return (struct epoll *)io;
}

static struct epoll_sock *epoll_of_sock(struct sock *s)
{
	return (struct epoll_sock *)s;
}

/* --- sockets --- */

static struct epoll_sock *epoll_open_sock(struct epoll *e, int fd /* moved in */)
{
	struct epoll_sock *s = slab_take(&e->socks);
	*s = (struct epoll_sock){ .fd = fd };
	list_init(&s->accepts);
	return s;
}

static int watch_sock(struct epoll *e, struct epoll_sock *s)
{
	struct epoll_event all = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
				   .data.ptr = s };
	return epoll_ctl(e->fd, EPOLL_CTL_ADD, s->fd, &all) < 0 ? -errno : 0;
}

/*
 * The kernel removes a socket from the epoll set with its last descriptor, but another process may
 * hold one.
 */
static void epoll_close_sock(struct epoll *e, struct epoll_sock *s)
{
	if (s->shared)
		epoll_ctl(e->fd, EPOLL_CTL_DEL, s->fd, NULL);
	close(s->fd);
	slab_give(&e->socks, s);
}

static struct sock *epoll_adopt(struct io *io, int fd)
{
	struct epoll *e = epoll_of(io);
	struct epoll_sock *s = epoll_open_sock(e, fd);
	s->shared = true;
	backend_set_nonblocking(fd);
	backend_peer(fd, &s->sock.peer);
	int err = watch_sock(e, s);
	if (!err)
		return &s->sock;
	slab_give(&e->socks, s);
	errno = -err;
	return NULL;
}

static void epoll_shutdown(struct io *io, struct sock *sock)
{
	(void)io;
	shutdown(epoll_of_sock(sock)->fd, SHUT_WR);
}

static void epoll_close(struct io *io, struct sock *sock, bool reset)
{
	struct epoll_sock *s = epoll_of_sock(sock);
	must(!s->recv && !s->send && list_empty(&s->accepts));
	struct linger none = { .l_onoff = 1, .l_linger = 0 };
	if (reset)
		setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
	epoll_close_sock(epoll_of(io), s);
}

/* --- starting --- */

static void make_ready(struct epoll *e, struct io_op *op)
{
	list_remove(&op->link);
	list_add_tail(&e->ready, &op->link);
}

static void epoll_accept(struct io *io, struct io_op *op)
{
	struct epoll_sock *s = epoll_of_sock(op->sock);
	if (s->readable)
		make_ready(epoll_of(io), op);
	else
		list_add_tail(&s->accepts, &op->link);
}

static void epoll_recv(struct io *io, struct io_op *op)
{
	struct epoll_sock *s = epoll_of_sock(op->sock);
	must(!s->recv);
	s->recv = op;
	if (s->readable)
		make_ready(epoll_of(io), op);
}

static void epoll_watch(struct io *io, struct io_op *op)
{
	struct epoll_sock *s = epoll_of_sock(op->sock);
	must(!s->recv);
	s->recv = op;
	if (s->ended)
		make_ready(epoll_of(io), op);
}

static ssize_t send_piece(const struct epoll_sock *s, const struct io_op *op)
{
	if (backend_send_is_single(op)) {
		struct iovec rest = backend_send_rest(op);
		return send(s->fd, rest.iov_base, rest.iov_len, MSG_NOSIGNAL);
	}
	struct msghdr message = backend_send_message(op);
	return sendmsg(s->fd, &message, MSG_NOSIGNAL);
}

/* True when the send has ended; op->result has its result. */
static bool epoll_send_rest(struct epoll *e, struct epoll_sock *s, struct io_op *op)
{
	while (s->writable) {
		ssize_t n = send_piece(s, op);
		if (n >= 0) {
			e->io.counts.send_bytes += (size_t)n;
			if (backend_send_advance(op, (size_t)n))
				return true;
		} else if (errno == EAGAIN) {
			s->writable = false;
		} else if (errno != EINTR) {
			op->result = -errno;
			return true;
		}
	}
	return false;
}

static void epoll_send(struct io *io, struct io_op *op)
{
	struct epoll *e = epoll_of(io);
	struct epoll_sock *s = epoll_of_sock(op->sock);
	must(!s->send);
	backend_send_begin(op);
	s->send = op;
	if (epoll_send_rest(e, s, op))
		make_ready(e, op);
}

/* The socket is watched only after connect(): before that, epoll reports it as hung up. */
static int begin_connect(struct epoll *e, struct epoll_sock *s)
{
	if (connect(s->fd, &s->sock.peer.any, addr_bytes(&s->sock.peer)) < 0 &&
	    errno != EINPROGRESS)
		return -errno;
	return watch_sock(e, s);
}

/* An immediate failure is reported in dispatch as well, like every end. */
static void epoll_connect(struct io *io, struct io_op *op)
{
	struct epoll *e = epoll_of(io);
	int fd = backend_socket(io, op->address, SOCK_NONBLOCK);
	op->result = fd;
	if (fd >= 0) {
		struct epoll_sock *s = epoll_open_sock(e, fd);
		s->sock.peer = *op->address;
		s->send = op;
		op->sock = &s->sock;
		op->result = begin_connect(e, s);
	}
	if (op->result < 0)
		make_ready(e, op);
}

/* --- ending --- */

static void epoll_cancel(struct io *io, struct io_op *op)
{
	make_ready(epoll_of(io), op);
}

/* 0 or -errno. */
static int take_accepted(struct epoll *e, struct io_op *op, int fd, struct addr *peer)
{
	struct epoll_sock *s = epoll_open_sock(e, fd);
	backend_clean_peer(peer);
	s->sock.peer = *peer;
	s->writable = true;
	int err = watch_sock(e, s);
	if (err) {
		epoll_close_sock(e, s);
		return err;
	}
	op->sock = &s->sock;
	e->io.counts.accepts++;
	return 0;
}

static void epoll_attempt_accept(struct epoll *e, struct io_op *op)
{
	struct epoll_sock *s = epoll_of_sock(op->sock);
	struct addr peer = { .any.sa_family = AF_UNSPEC };
	socklen_t bytes = sizeof peer;
	int fd = accept4(s->fd, &peer.any, &bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
	int err = fd < 0 ? -errno : 0;
	if (err == -EAGAIN && !op->cancel) {
		s->readable = false;
		list_add_tail(&s->accepts, &op->link);
		return;
	}
	op->sock = NULL;
	if (err == -EAGAIN)
		err = -ECANCELED;
	e->turn.others = true;
	io_op_end(op, err ? err : take_accepted(e, op, fd, &peer));
}

static int connect_error(const struct epoll_sock *s, const struct io_op *op)
{
	if (op->result < 0)
		return op->result;
	if (op->cancel)
		return -ECANCELED;
	int err = 0;
	socklen_t bytes = sizeof err;
	must(getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err, &bytes) == 0);
	return -err;
}

static void epoll_attempt_connect(struct epoll *e, struct io_op *op)
{
	struct epoll_sock *s = epoll_of_sock(op->sock);
	int err = connect_error(s, op);
	if (s)
		s->send = NULL;
	if (s && err) {
		epoll_close_sock(e, s);
		op->sock = NULL;
	}
	e->turn.others = true;
	e->io.counts.connects += !err;
	io_op_end(op, err);
}

/*
 * A short read has emptied the socket, so later bytes are a new edge. An end that was reported
 * before is not reported again. -EAGAIN: there were no bytes.
 */
static int32_t epoll_receive(struct epoll *e, struct epoll_sock *s, struct io_op *op)
{
	struct block *k = block_take(e->io.bufs, op->class, NULL);
	ssize_t n = recv(s->fd, k->data, k->size, 0);
	int err = n < 0 ? errno : 0;
	if (err == EAGAIN || (n >= 0 && (size_t)n < k->size && !s->ended))
		s->readable = false;
	if (n <= 0) {
		block_drop(k);
		return -err;
	}
	op->block = k;
	e->io.counts.recvs++;
	e->io.counts.recv_bytes += (size_t)n;
	return (int32_t)n;
}

static void epoll_attempt_recv(struct epoll *e, struct io_op *op)
{
	struct epoll_sock *s = epoll_of_sock(op->sock);
	int32_t result = op->cancel ? -ECANCELED : epoll_receive(e, s, op);
	if (result == -EAGAIN)
		return;
	turn_received(&e->turn, op, result > 0 && !s->readable);
	s->recv = NULL;
	io_op_end(op, result);
}

/* The error itself stays for the next receive or send. */
static int32_t end_of_peer(const struct epoll_sock *s)
{
	if (s->broken)
		return -ECONNRESET;
	ssize_t n = recv(s->fd, NULL, UNREAD_BYTES_MAX, UNREAD_FLAGS);
	return n < 0 ? -errno : (int32_t)n;
}

static void epoll_attempt_watch(struct io_op *op)
{
	struct epoll_sock *s = epoll_of_sock(op->sock);
	if (!op->cancel && !s->ended)
		return;
	s->recv = NULL;
	io_op_end(op, op->cancel ? -ECANCELED : end_of_peer(s));
}

static bool send_is_over(const struct io_op *op)
{
	return op->result < 0 || op->vector_n == 0;
}

static void epoll_attempt_send(struct epoll *e, struct io_op *op)
{
	struct epoll_sock *s = epoll_of_sock(op->sock);
	if (!send_is_over(op) && op->cancel)
		op->result = -ECANCELED;
	if (!send_is_over(op) && !epoll_send_rest(e, s, op))
		return;
	s->send = NULL;
	e->io.counts.sends += op->result >= 0;
	io_op_end(op, op->result);
}

static void epoll_attempt(struct epoll *e, struct io_op *op)
{
	switch ((enum io_verb)op->verb) {
	case IO_ACCEPT:
		epoll_attempt_accept(e, op);
		break;
	case IO_CONNECT:
		epoll_attempt_connect(e, op);
		break;
	case IO_RECV:
		epoll_attempt_recv(e, op);
		break;
	case IO_WATCH:
		e->turn.others = true;
		epoll_attempt_watch(op);
		break;
	case IO_SEND:
		epoll_attempt_send(e, op);
		break;
	case IO_NONE:
		must(!"an idle operation was ready");
	}
}

/*
 * Operations that done() makes ready wait for the next turn, so no operation runs twice in one
 * turn.
 */
static void epoll_dispatch(struct io *io)
{
	struct epoll *e = epoll_of(io);
	struct list now;
	list_init(&now);
	list_splice_tail(&now, &e->ready);
	for (struct list *l; (l = list_take_first(&now));)
		epoll_attempt(e, list_entry(l, struct io_op, link));
}

/* --- waiting --- */

static void epoll_note(struct epoll *e, struct epoll_sock *s, uint32_t events)
{
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		s->ended = true;
	if (events & EPOLLERR)
		s->broken = true;
	if (events & EPOLLIN || s->ended) {
		s->readable = true;
		list_splice_tail(&e->ready, &s->accepts);
		if (s->recv)
			make_ready(e, s->recv);
	}
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) {
		s->writable = true;
		if (s->send)
			make_ready(e, s->send);
	}
}

static int wait_ms(struct epoll *e, struct epoll_event *events, const struct timespec *t)
{
	int64_t ms = t ? (int64_t)t->tv_sec * 1000 + (t->tv_nsec + 999999) / 1000000 : -1;
	return epoll_wait(e->fd, events, EVENTS, ms < INT32_MAX ? (int)ms : INT32_MAX);
}

/* epoll_pwait2() is from Linux 5.11; the seccomp filters of some containers do not know it. */
static int wait_ns(struct epoll *e, struct epoll_event *events, const struct timespec *t)
{
	if (e->whole_ms)
		return wait_ms(e, events, t);
	int n = epoll_pwait2(e->fd, events, EVENTS, t, NULL);
	if (n >= 0 || (errno != ENOSYS && errno != EPERM))
		return n;
	e->whole_ms = true;
	return wait_ms(e, events, t);
}

static int wait_until(struct epoll *e, struct epoll_event *events, uint64_t deadline_ns)
{
	struct timespec t = { 0 };
	if (!list_empty(&e->ready))
		return wait_ns(e, events, &t);
	e->io.counts.waits++;
	if (deadline_ns == UINT64_MAX)
		return wait_ns(e, events, NULL);
	uint64_t now_ns = e->io.rested_ns;
	uint64_t left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
	t.tv_sec = (time_t)(left_ns / 1000000000u);
	t.tv_nsec = (long)(left_ns % 1000000000u);
	return wait_ns(e, events, &t);
}

static void epoll_wait_turn(struct io *io, uint64_t deadline_ns)
{
	struct epoll *e = epoll_of(io);
	struct epoll_event events[EVENTS];
	io->rested_ns = clock_monotonic_ns();
	/* Events of that moment are collected at once: the sleep has already consumed a wake. */
	if (turn_is_amid_transfers(&e->turn) && deadline_ns > io->rested_ns) {
		waker_sleep_ns(&e->waker, TRANSFER_WAIT_US * 1000);
		deadline_ns = io->rested_ns;
	}
	e->turn = (struct turn){ 0 };
	int n = wait_until(e, events, deadline_ns);
	must(n >= 0 || errno == EINTR || errno == ENOMEM);
	for (int i = 0; i < n; i++)
		if (events[i].data.ptr)
			epoll_note(e, events[i].data.ptr, events[i].events);
		else /* NULL is the waker */
			e->turn.others = true;
	io->counts.turns++;
	waker_rearm(&e->waker);
	backend_read_clocks(io);
}

static void epoll_wake(struct io *io)
{
	waker_wake(&epoll_of(io)->waker);
}

/* --- opening and closing --- */

static void epoll_free(struct io *io)
{
	struct epoll *e = epoll_of(io);
	must(list_empty(&e->ready));
	slab_close(&e->socks);
	waker_close(&e->waker);
	close(e->fd);
	free(e);
}

static const struct io_verbs epoll_verbs = {
	.name = "epoll",
	.adopt = epoll_adopt,
	.accept = epoll_accept,
	.connect = epoll_connect,
	.recv = epoll_recv,
	.watch = epoll_watch,
	.send = epoll_send,
	.shutdown = epoll_shutdown,
	.close = epoll_close,
	.cancel = epoll_cancel,
	.wake = epoll_wake,
	.wait = epoll_wait_turn,
	.dispatch = epoll_dispatch,
	.free = epoll_free,
};

static bool open_descriptors(struct epoll *e)
{
	e->fd = epoll_create1(EPOLL_CLOEXEC);
	if (e->fd < 0)
		return false;
	if (waker_open(&e->waker)) {
		struct epoll_event woken = { .events = EPOLLIN | EPOLLET };
		if (epoll_ctl(e->fd, EPOLL_CTL_ADD, e->waker.fd, &woken) == 0)
			return true;
		waker_close(&e->waker);
	}
	close(e->fd);
	return false;
}

struct io *io_epoll_open(struct bufs *bufs)
{
	struct epoll *e = calloc(1, sizeof *e);
	must(e);
	e->io = (struct io){ .verbs = &epoll_verbs, .bufs = bufs };
	list_init(&e->ready);
	if (!open_descriptors(e)) {
		free(e);
		return NULL;
	}
	slab_open(&e->socks, sizeof(struct epoll_sock), 64);
	backend_read_clocks(&e->io);
	return &e->io;
}
