#ifndef TESTS_UNIT_IO_WORLD_H
#define TESTS_UNIT_IO_WORLD_H

/* One io of any backend, with what tests need around it: a listener, pairs, and turning. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/io.h"
#include "io/sim.h"
#include "io/uring.h"

#define WAIT_NS 10000000000u

struct backend;

struct world {
	const struct backend *backend;
	struct bufs bufs;
	struct io *io;
	struct sim *sim; /* of the simulator, else NULL */
	uint64_t give_up_ns;
	int descriptors; /* open before the io was */
};

struct backend {
	const char *name;
	struct io *(*open)(struct world *w);
};

/* --- turning --- */

/* The simulator's clock first goes on to what comes next. */
static inline void turn(struct world *w)
{
	if (w->sim)
		sim_advance(w->sim, w->give_up_ns);
	io_wait(w->io, w->give_up_ns);
	assert_true(w->io->now_ns < w->give_up_ns);
	io_dispatch(w->io);
}

/* Turns until the condition holds; the test fails if that takes too long. */
#define until(w, condition)                                                                        \
	do {                                                                                       \
		(w)->give_up_ns = (w)->io->now_ns + WAIT_NS;                                       \
		while (!(condition))                                                               \
			turn(w);                                                                   \
	} while (0)

/* Turns that find nothing to do: enough for whatever should not happen to happen. */
static inline void settle(struct world *w)
{
	for (int i = 0; i < 5; i++) {
		uint64_t deadline_ns = w->io->now_ns + 1000000;
		if (w->sim)
			sim_advance(w->sim, deadline_ns);
		io_wait(w->io, deadline_ns);
		io_dispatch(w->io);
	}
}

/* --- an operation that remembers how it ended --- */

struct call {
	struct io_op op;
	unsigned ended;
	int32_t result;
};

static inline void call_done(struct io_op *op)
{
	struct call *c = (struct call *)op;
	c->ended++;
	c->result = op->result;
}

static inline void call_init(struct call *c)
{
	*c = (struct call){ .ended = 0 };
	io_op_init(&c->op, call_done);
}

/* --- listeners and pairs of connected sockets --- */

/* A listening descriptor on a free port of the loopback. */
static inline int listen_on_loopback(struct addr *at, int backlog)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t bytes = sizeof at->v4;
	assert_true(fd >= 0);
	assert_true(addr_parse(span_of("127.0.0.1"), 0, at));
	assert_int_equal(bind(fd, &at->any, bytes), 0);
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, &at->any, &bytes), 0);
	return fd;
}

static inline struct sock *open_listener(struct world *w, struct addr *at)
{
	struct sock *s;
	if (w->sim) {
		assert_true(addr_parse(span_of("10.1.2.3"), 80, at));
		s = sim_listen(w->io, at);
	} else {
		s = io_adopt(w->io, listen_on_loopback(at, 1024));
	}
	assert_non_null(s);
	return s;
}

struct pair {
	struct sock *listener, *client, *server;
	struct addr at;
};

/* A further pair, over p->listener. */
static inline void connect_pair(struct world *w, struct pair *p)
{
	struct call accepted, connected;
	call_init(&accepted);
	call_init(&connected);
	io_accept(w->io, &accepted.op, p->listener);
	io_connect(w->io, &connected.op, &p->at);
	until(w, accepted.ended && connected.ended);
	assert_int_equal(accepted.result, 0);
	assert_int_equal(connected.result, 0);
	p->client = connected.op.sock;
	p->server = accepted.op.sock;
}

static inline struct pair open_pair(struct world *w)
{
	struct pair p = { 0 };
	p.listener = open_listener(w, &p.at);
	connect_pair(w, &p);
	return p;
}

static inline void close_pair(struct world *w, struct pair *p)
{
	io_close(w->io, p->client, false);
	io_close(w->io, p->server, false);
	io_close(w->io, p->listener, false);
}

/* --- whole operations --- */

static inline struct iovec vector(const void *at, size_t n)
{
	return (struct iovec){ (void *)(uintptr_t)at, n };
}

static inline void send_text(struct world *w, struct sock *s, const char *text)
{
	struct call c;
	struct iovec v = vector(text, strlen(text));
	call_init(&c);
	io_send(w->io, &c.op, s, &v, 1);
	until(w, c.ended);
	assert_int_equal(c.result, strlen(text));
}

/* The result of one receive; its bytes in `to`, which has room for a small block. */
static inline int32_t recv_some(struct world *w, struct sock *s, void *to)
{
	struct call c;
	call_init(&c);
	io_recv(w->io, &c.op, s, BLOCK_SMALL);
	until(w, c.ended);
	assert_true((c.result > 0) == (c.op.block != NULL));
	if (c.op.block) {
		memcpy(to, c.op.block->data, (size_t)c.result);
		block_drop(c.op.block);
	}
	return c.result;
}

static inline void expect_text(struct world *w, struct sock *s, const char *text)
{
	char got[16384] = { 0 };
	size_t n = 0;
	assert_true(strlen(text) < sizeof got / 2);
	while (n < strlen(text)) {
		int32_t r = recv_some(w, s, got + n);
		assert_true(r > 0);
		n += (size_t)r;
	}
	assert_string_equal(got, text);
}

static inline void expect_end(struct world *w, struct sock *s, int32_t result)
{
	char got[4096];
	assert_int_equal(recv_some(w, s, got), result);
}

/* --- opening and closing --- */

static inline int count_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;
	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* *state is the backend before, the world after. */
static inline int open_world(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	assert_non_null(w);
	w->backend = *state;
	w->descriptors = count_descriptors();
	w->give_up_ns = UINT64_MAX;
	bufs_open(&w->bufs);
	w->io = w->backend->open(w);
	assert_non_null(w->io);
	*state = w;
	return 0;
}

/* Nothing may be left: no socket, no block, no descriptor. */
static inline int close_world(void **state)
{
	struct world *w = *state;
	io_free(w->io);
	if (w->sim)
		sim_close(w->sim);
	bufs_close(&w->bufs);
	assert_int_equal(count_descriptors(), w->descriptors);
	free(w);
	return 0;
}

static inline struct io *open_uring_slots(struct world *w)
{
	return uring_open(&w->bufs, URING_SLOTS);
}

static inline struct io *open_uring_descriptors(struct world *w)
{
	return uring_open(&w->bufs, URING_DESCRIPTORS);
}

static inline struct io *open_epoll(struct world *w)
{
	return io_epoll_open(&w->bufs);
}

static inline struct io *open_sim(struct world *w)
{
	struct sim_faults none = { 0 };
	w->sim = sim_open(1, &none);
	return sim_io_open(w->sim, &w->bufs);
}

/* Runs the tests on one backend, or says aloud why not. The number that failed. */
static inline int run_on(const struct backend *b, const struct CMUnitTest *tests, size_t n)
{
	struct world probe = { .backend = b };
	bufs_open(&probe.bufs);
	probe.io = b->open(&probe);
	if (!probe.io) {
		fprintf(stderr, "SKIPPED: %s is not allowed here: %s\n", b->name, strerror(errno));
		bufs_close(&probe.bufs);
		return 0;
	}
	io_free(probe.io);
	if (probe.sim)
		sim_close(probe.sim);
	bufs_close(&probe.bufs);
	struct CMUnitTest *of_backend = calloc(n, sizeof *of_backend);
	assert_non_null(of_backend);
	for (size_t i = 0; i < n; i++) {
		of_backend[i] = tests[i];
		of_backend[i].initial_state = (void *)(uintptr_t)b;
	}
	int failed = _cmocka_run_group_tests(b->name, of_backend, n, NULL, NULL);
	free(of_backend);
	return failed;
}

#define claim(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)

#endif
