/* What only the backends over a real kernel can show: threads, time, descriptors. */

#include "unit/io/world.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/un.h>

#include "base/clock.h"

/* --- wakes --- */

struct bell { /* rung from another thread */
	struct io *io;
	atomic_uint rung, heard;
};

enum { RINGS = 20000 };

/* Every other time it waits until it is heard, so that the waiting thread is asleep again. */
static void *ring(void *arg)
{
	struct bell *b = arg;
	for (unsigned i = 1; i <= RINGS; i++) {
		atomic_store(&b->rung, i);
		io_wake(b->io);
		while (i % 2 == 0 && atomic_load(&b->heard) < i)
			sched_yield();
	}
	return NULL;
}

static void no_wake_from_another_thread_is_lost(void **state)
{
	struct world *w = *state;
	struct bell b = { .io = w->io };
	pthread_t ringer;
	assert_int_equal(pthread_create(&ringer, NULL, ring, &b), 0);
	while (atomic_load(&b.heard) < RINGS) {
		uint64_t deadline_ns = w->io->now_ns + WAIT_NS;
		io_wait(w->io, deadline_ns);
		assert_true(w->io->now_ns < deadline_ns);
		atomic_store(&b.heard, atomic_load(&b.rung));
		io_dispatch(w->io);
	}
	pthread_join(ringer, NULL);
}

static void a_wake_before_the_wait_ends_it(void **state)
{
	struct world *w = *state;
	for (int i = 0; i < 3; i++) {
		uint64_t deadline_ns = w->io->now_ns + WAIT_NS;
		io_wake(w->io);
		io_wake(w->io);
		io_wait(w->io, deadline_ns);
		assert_true(w->io->now_ns < deadline_ns);
		io_dispatch(w->io);
	}
}

/* --- time --- */

/* A signal may end one early: the kernel sends one as it tears down the ring of an earlier test. */
static void a_wait_lasts_until_its_deadline(void **state)
{
	struct world *w = *state;
	settle(w);
	for (uint64_t ns = 100000; ns <= 10000000; ns *= 10) {
		uint64_t deadline_ns = clock_monotonic_ns() + ns;
		int turns = 0;
		do {
			io_wait(w->io, deadline_ns);
			io_dispatch(w->io);
			turns++;
		} while (w->io->now_ns < deadline_ns);
		assert_true(turns <= 3);
	}
	uint64_t waits = w->io->counts.waits;
	io_wait(w->io, w->io->now_ns - 1);
	io_wait(w->io, 0);
	assert_true(strcmp(w->io->verbs->name, "io_uring") || w->io->counts.waits == waits);
	uint64_t wall_ns = clock_wall_ns();
	assert_true(wall_ns >= w->io->wall_ns && wall_ns - w->io->wall_ns < WAIT_NS);
}

/* --- adopted descriptors --- */

/* A name that is no file. */
static struct sockaddr_un unix_address(const char *suffix)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	snprintf(at.sun_path + 1, sizeof at.sun_path - 1, "crossfade-io-test-%d%s", getpid(),
		 suffix);
	return at;
}

static int unix_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	return fd;
}

/* A client's own name, longer than any internet address, makes no difference. */
static void a_peer_on_a_unix_socket_is_none(void **state)
{
	struct world *w = *state;
	struct sockaddr_un at = unix_address(""), client_at = unix_address("-client");
	int fd = unix_socket(), client = unix_socket(), named = unix_socket();
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(fd, 8), 0);
	struct sock *listener = io_adopt(w->io, fd);
	assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(bind(named, (struct sockaddr *)&client_at, sizeof client_at), 0);
	assert_int_equal(connect(named, (struct sockaddr *)&at, sizeof at), 0);
	for (int i = 0; i < 2; i++) {
		struct call c;
		char text[ADDR_TEXT_BYTES];
		call_init(&c);
		io_accept(w->io, &c.op, listener);
		until(w, c.ended);
		assert_int_equal(c.result, 0);
		addr_text(&c.op.sock->peer, text);
		assert_string_equal(text, "-");
		assert_int_equal(write(i ? named : client, "x", 1), 1);
		expect_text(w, c.op.sock, "x");
		io_close(w->io, c.op.sock, false);
	}
	io_close(w->io, listener, false);
	close(client);
	close(named);
}

static void an_adopted_connection_knows_its_peer(void **state)
{
	struct world *w = *state;
	struct addr at;
	int listener = listen_on_loopback(&at, 8);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(client, &at.any, addr_bytes(&at)), 0);
	struct sock *s = io_adopt(w->io, client);
	assert_true(addr_is(&s->peer, &at));
	int server = accept(listener, NULL, NULL);
	assert_int_equal(write(server, "hello", 5), 5);
	expect_text(w, s, "hello");
	io_close(w->io, s, false);
	close(server);
	close(listener);
}

/* As the keeper does: the socket lives on, and what happens on it is no concern of this io. */
static void a_listener_that_others_hold_is_closed_here_alone(void **state)
{
	struct world *w = *state;
	struct addr at;
	int ours = listen_on_loopback(&at, 8);
	int theirs = fcntl(ours, F_DUPFD_CLOEXEC, 0);
	struct sock *listener = io_adopt(w->io, ours);
	struct call c;
	call_init(&c);
	io_accept(w->io, &c.op, listener);
	settle(w);
	io_cancel(w->io, &c.op);
	until(w, c.ended);
	io_close(w->io, listener, false);
	settle(w);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(client, &at.any, addr_bytes(&at)), 0);
	settle(w);
	int server = accept(theirs, NULL, NULL);
	assert_true(server >= 0);
	close(server);
	close(client);
	close(theirs);
}

/* --- trouble --- */

/* A full queue of a listener drops what knocks. */
static void a_connect_that_nobody_answers_waits_until_it_is_canceled(void **state)
{
	struct world *w = *state;
	struct addr at;
	int listener = listen_on_loopback(&at, 0);
	int fill = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fill, &at.any, addr_bytes(&at)), 0);
	struct call c;
	call_init(&c);
	io_connect(w->io, &c.op, &at);
	settle(w);
	assert_int_equal(c.ended, 0);
	io_cancel(w->io, &c.op);
	until(w, c.ended);
	assert_int_equal(c.result, -ECANCELED);
	assert_null(c.op.sock);
	close(fill);
	close(listener);
}

static void a_network_that_cannot_be_reached_is_an_error(void **state)
{
	struct world *w = *state;
	struct addr at;
	struct call c;
	assert_true(addr_parse(span_of("255.255.255.255"), 80, &at));
	call_init(&c);
	io_connect(w->io, &c.op, &at);
	assert_int_equal(c.ended, 0);
	until(w, c.ended);
	assert_true(c.result < 0 && c.result != -ECANCELED);
	assert_null(c.op.sock);
}

/* True when both came about; on the way there an accept may have been canceled. */
static bool try_pair(struct world *w, struct pair *p, int *error)
{
	struct call accepted, connected;
	call_init(&accepted);
	call_init(&connected);
	io_connect(w->io, &connected.op, &p->at);
	io_accept(w->io, &accepted.op, p->listener);
	until(w, connected.ended);
	if (connected.result < 0)
		io_cancel(w->io, &accepted.op);
	until(w, accepted.ended);
	*error = connected.result < 0 ? connected.result : accepted.result;
	p->client = connected.op.sock;
	p->server = accepted.op.sock;
	if (p->client && p->server)
		return true;
	if (p->client)
		io_close(w->io, p->client, true);
	if (p->server)
		io_close(w->io, p->server, true);
	return false;
}

static void allow_descriptors(rlim_t n)
{
	struct rlimit files;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = n < files.rlim_max ? n : files.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
}

static int open_narrow_world(void **state)
{
	allow_descriptors((rlim_t)count_descriptors() + 32);
	return open_world(state);
}

static int close_narrow_world(void **state)
{
	allow_descriptors(RLIM_INFINITY);
	return close_world(state);
}

static void no_more_sockets_than_allowed_and_then_again(void **state)
{
	enum { N = 64 };
	struct world *w = *state;
	struct pair pairs[N], last = { 0 };
	int n = 0, error = 0;
	last.listener = open_listener(w, &last.at);
	while (n < N && try_pair(w, &last, &error))
		pairs[n++] = last;
	assert_true(n > 0 && n < N);
	assert_int_equal(error, -EMFILE);
	for (int i = 0; i < n; i++) {
		io_close(w->io, pairs[i].client, false);
		io_close(w->io, pairs[i].server, false);
	}
	settle(w);
	connect_pair(w, &last);
	close_pair(w, &last);
}

int main(void)
{
	static const struct backend backends[] = {
		{ "io_uring with slots", open_uring_slots },
		{ "io_uring with descriptors", open_uring_descriptors },
		{ "epoll", open_epoll },
	};
	const struct CMUnitTest claims[] = {
		claim(no_wake_from_another_thread_is_lost),
		claim(a_wake_before_the_wait_ends_it),
		claim(a_wait_lasts_until_its_deadline),
		claim(a_peer_on_a_unix_socket_is_none),
		claim(an_adopted_connection_knows_its_peer),
		claim(a_listener_that_others_hold_is_closed_here_alone),
		claim(a_connect_that_nobody_answers_waits_until_it_is_canceled),
		claim(a_network_that_cannot_be_reached_is_an_error),
		cmocka_unit_test_setup_teardown(no_more_sockets_than_allowed_and_then_again,
						open_narrow_world, close_narrow_world),
	};
	int failed = 0;
	for (size_t i = 0; i < sizeof backends / sizeof *backends; i++)
		failed += run_on(&backends[i], claims, sizeof claims / sizeof *claims);
	return failed;
}
