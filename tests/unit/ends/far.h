#ifndef TESTS_UNIT_ENDS_FAR_H
#define TESTS_UNIT_ENDS_FAR_H

/*
 * Whoever is at the far end of our connections, on the simulator: clients and nodes whose sockets a
 * test drives word by word, and the clock, which stands still until a test lets time pass.
 */

#include "unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/sim.h"

/* Turns that change nothing, until all has come to rest: timers and flushes take effect a turn
 * later. */
#define QUIET_TURNS 4

struct far_side {
	struct sim *sim;
	struct bufs bufs;
	struct io *io;
	const struct io *ours;	/* time stops at the deadlines of its waits */
	void (*turn)(void *us); /* one turn of what is tested */
	void *us;
};

/* One connection. */
struct far {
	struct far_side *side;
	struct sock *sock; /* NULL: not connected, or hung up */
	struct io_op connect, send, receive;
	struct iovec saying; /* its bytes are owned, until they are sent */
	char *got;	     /* owned; all that came, terminated */
	size_t got_n;
	int32_t last; /* what came of the last connect or receive: bytes, 0 at FIN, or -errno */
	bool hears;
};

/* A node that listens. */
struct far_host {
	struct far_side *side;
	struct addr at;
	struct sock *listening; /* NULL: connects are refused */
	struct io_op accept;
	struct far **conns; /* owned; in the order in which they came */
	unsigned conn_n;
	bool deaf; /* new connections are not read */
};

/* --- time --- */

static inline void far_side_open(struct far_side *s, void (*turn)(void *us), void *us)
{
	static const struct sim_faults none;
	*s = (struct far_side){ .turn = turn, .us = us };
	bufs_open(&s->bufs);
	s->sim = sim_open(1, &none);
	s->io = sim_io_open(s->sim, &s->bufs);
}

/* Our io must have been freed. */
static inline void far_side_close(struct far_side *s)
{
	io_free(s->io);
	sim_close(s->sim);
	bufs_close(&s->bufs);
}

static inline void far_turn(struct far_side *s)
{
	s->turn(s->us);
	io_wait(s->io, UINT64_MAX);
	io_dispatch(s->io);
}

/* Turns both sides until nothing happens any more. */
static inline void far_settle(struct far_side *s)
{
	for (int quiet = 0; quiet < QUIET_TURNS; quiet++) {
		uint64_t before = sim_trace(s->sim);
		far_turn(s);
		if (sim_trace(s->sim) != before)
			quiet = -1;
	}
}

static inline void far_pass_ms(struct far_side *s, uint64_t ms)
{
	uint64_t until_ns = sim_now_ns(s->sim) + ms * 1000000;
	far_settle(s);
	while (sim_now_ns(s->sim) < until_ns) {
		uint64_t next_ns = sim_waits_until_ns(s->ours);
		sim_advance(s->sim, next_ns < until_ns ? next_ns : until_ns);
		far_settle(s);
	}
}

/* --- a connection --- */

static inline void far_received(struct io_op *op)
{
	struct far *f = list_entry(op, struct far, receive);
	f->last = op->result;
	if (op->result <= 0)
		return;
	size_t n = (size_t)op->result;
	f->got = realloc(f->got, f->got_n + n + 1);
	memcpy(f->got + f->got_n, op->block->data, n);
	f->got_n += n;
	f->got[f->got_n] = 0;
	block_drop(op->block);
	if (f->hears)
		io_recv(f->side->io, op, f->sock, BLOCK_LARGE);
}

static inline void far_sent(struct io_op *op)
{
	struct far *f = list_entry(op, struct far, send);
	free(f->saying.iov_base);
}

static inline void far_hear(struct far *f)
{
	f->hears = true;
	io_recv(f->side->io, &f->receive, f->sock, BLOCK_LARGE);
}

static inline void far_connected(struct io_op *op)
{
	struct far *f = list_entry(op, struct far, connect);
	f->last = op->result;
	if (op->result < 0)
		return;
	f->sock = op->sock;
	far_hear(f);
}

static inline struct far *far_new(struct far_side *s)
{
	struct far *f = calloc(1, sizeof *f);
	f->side = s;
	f->got = calloc(1, 1);
	io_op_init(&f->connect, far_connected);
	io_op_init(&f->send, far_sent);
	io_op_init(&f->receive, far_received);
	return f;
}

/* A client's: it is connected, or `last` says why not, when all is settled. */
static inline struct far *far_connect(struct far_side *s, const struct addr *to)
{
	struct far *f = far_new(s);
	io_connect(s->io, &f->connect, to);
	far_settle(s);
	return f;
}

/* Nothing is settled: it is on its way when our next turn begins. */
static inline void far_begin_say(struct far *f, const void *bytes, size_t n)
{
	assert_false(io_op_busy(&f->send));
	f->saying = (struct iovec){ malloc(n), n };
	memcpy(f->saying.iov_base, bytes, n);
	io_send(f->side->io, &f->send, f->sock, &f->saying, 1);
	io_wait(f->side->io, UINT64_MAX);
	io_dispatch(f->side->io);
}

/* What the window does not take now goes later: far_is_sending() until then. */
static inline void far_say_bytes(struct far *f, const void *bytes, size_t n)
{
	far_begin_say(f, bytes, n);
	far_settle(f->side);
}

static inline void far_say(struct far *f, const char *text)
{
	far_say_bytes(f, text, strlen(text));
}

static inline bool far_is_sending(const struct far *f)
{
	return io_op_busy(&f->send);
}

static inline void far_finish(struct far *f)
{
	io_shutdown(f->side->io, f->sock);
	far_settle(f->side);
}

static inline void far_hang_up(struct far *f, bool reset)
{
	if (!f->sock)
		return;
	f->hears = false;
	io_cancel(f->side->io, &f->receive);
	io_cancel(f->side->io, &f->send);
	while (io_op_busy(&f->receive) || io_op_busy(&f->send))
		far_turn(f->side);
	io_close(f->side->io, f->sock, reset);
	f->sock = NULL;
	far_settle(f->side);
}

static inline void far_free(struct far *f)
{
	far_hang_up(f, false);
	free(f->got);
	free(f);
}

/* How often `text` has come. */
static inline unsigned far_heard(const struct far *f, const char *text)
{
	unsigned n = 0;
	for (const char *at = f->got; (at = strstr(at, text)); at++)
		n++;
	return n;
}

/* --- a node --- */

static inline void far_accepted(struct io_op *op)
{
	struct far_host *h = list_entry(op, struct far_host, accept);
	if (op->result < 0)
		return;
	struct far *f = far_new(h->side);
	f->sock = op->sock;
	h->conns = realloc(h->conns, (h->conn_n + 1) * sizeof(struct far *));
	h->conns[h->conn_n++] = f;
	if (!h->deaf)
		far_hear(f);
	io_accept(h->side->io, op, h->listening);
}

static inline void far_host_listen(struct far_host *h)
{
	h->listening = sim_listen(h->side->io, &h->at);
	io_op_init(&h->accept, far_accepted);
	io_accept(h->side->io, &h->accept, h->listening);
}

static inline void far_host_open(struct far_host *h, struct far_side *s, const struct addr *at)
{
	*h = (struct far_host){ .side = s, .at = *at };
	far_host_listen(h);
}

/* Connects are refused from now on; its connections stay. */
static inline void far_host_refuse(struct far_host *h)
{
	if (!h->listening)
		return;
	io_cancel(h->side->io, &h->accept);
	while (io_op_busy(&h->accept))
		far_turn(h->side);
	io_close(h->side->io, h->listening, false);
	h->listening = NULL;
}

static inline void far_host_close(struct far_host *h)
{
	far_host_refuse(h);
	for (unsigned i = 0; i < h->conn_n; i++)
		far_free(h->conns[i]);
	free(h->conns);
	h->conns = NULL;
	h->conn_n = 0;
}

#endif
