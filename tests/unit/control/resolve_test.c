#include "unit/control/kit.h"

#include <ares.h>
#include <arpa/inet.h>
#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "control/resolve.h"

/*
 * A name server of one thread: answers A questions with 10.0.0.`last_byte`, TTL 1, and others with
 * nothing; with `broken`, all with SERVFAIL.
 */
struct server {
	int fd, news;
	pthread_t thread;
	char text[32];
	atomic_uint last_byte, asked;
	atomic_bool broken, stopping;
};

#define HEADER_BYTES 12

static size_t make_response(struct server *s, uint8_t *m, size_t n)
{
	size_t name_n = 0;
	while (HEADER_BYTES + name_n < n && m[HEADER_BYTES + name_n])
		name_n += m[HEADER_BYTES + name_n] + 1u;
	size_t question_end = HEADER_BYTES + name_n + 5;
	bool wants_a = m[question_end - 3] == 1;
	bool broken = atomic_load(&s->broken);
	m[2] = 0x81;
	m[3] = broken ? 0x82 : 0x80;
	m[7] = wants_a && !broken;
	memset(m + 8, 0, 4);
	if (!m[7])
		return question_end;
	const uint8_t record[] = { 0xc0, HEADER_BYTES,
				   0,	 1,
				   0,	 1,
				   0,	 0,
				   0,	 1,
				   0,	 4,
				   10,	 0,
				   0,	 (uint8_t)atomic_load(&s->last_byte) };
	memcpy(m + question_end, record, sizeof record);
	return question_end + sizeof record;
}

static void *serve(void *arg)
{
	struct server *s = arg;
	uint8_t m[1024];
	while (!atomic_load(&s->stopping)) {
		struct sockaddr_in from;
		socklen_t from_n = sizeof from;
		struct pollfd p = { .fd = s->fd, .events = POLLIN };
		if (poll(&p, 1, 20) <= 0)
			continue;
		ssize_t n = recvfrom(s->fd, m, 512, 0, (struct sockaddr *)&from, &from_n);
		if (n < HEADER_BYTES + 5)
			continue;
		atomic_fetch_add(&s->asked, 1);
		size_t response_n = make_response(s, m, (size_t)n);
		sendto(s->fd, m, response_n, 0, (struct sockaddr *)&from, from_n);
	}
	return NULL;
}

static void server_open(struct server *s)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof a;
	*s = (struct server){ .last_byte = 1 };
	s->fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &n), 0);
	snprintf(s->text, sizeof s->text, "127.0.0.1:%u", ntohs(a.sin_port));
	s->news = eventfd(0, 0);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_close(struct server *s)
{
	atomic_store(&s->stopping, true);
	pthread_join(s->thread, NULL);
	close(s->fd);
	close(s->news);
}

static void news(void *observer)
{
	struct server *s = observer;
	assert_int_equal(eventfd_write(s->news, 1), 0);
}

struct found {
	enum resolved what;
	struct addr addresses[RESOLVE_ADDRESSES];
	size_t n;
	const char *why;
};

/* Waits until there is something new about names[0]. */
static struct found await(struct server *s, struct resolver *r)
{
	struct found f = { 0 };
	while (f.what == RESOLVED_NOTHING_NEW) {
		struct pollfd p = { .fd = s->news, .events = POLLIN };
		eventfd_t count;
		assert_int_equal(poll(&p, 1, 20000), 1);
		assert_int_equal(eventfd_read(s->news, &count), 0);
		f.what = resolver_take(r, 0, f.addresses, &f.n, &f.why);
	}
	return f;
}

static void assert_address(const struct found *f, const char *text)
{
	char got[ADDR_TEXT_BYTES];
	assert_int_equal(f->what, RESOLVED);
	assert_int_equal(f->n, 1);
	addr_host_text(&f->addresses[0], got);
	assert_string_equal(got, text);
}

static struct resolver *resolver_of(struct server *s, const char *const *names, size_t n)
{
	struct resolver_config c = {
		.names = names, .n = n, .servers = s->text, .news = news, .observer = s
	};
	struct resolver *r = resolver_open(&c);
	assert_non_null(r);
	return r;
}

static void a_name_is_looked_up_again_as_its_ttl_says(void **state)
{
	(void)state;
	static const char *const names[] = { "es-1.example" };
	struct server s;
	server_open(&s);
	struct resolver *r = resolver_of(&s, names, 1);
	struct found f = await(&s, r);
	assert_address(&f, "10.0.0.1");
	atomic_store(&s.last_byte, 2);
	uint64_t before = clock_monotonic_ns();
	for (f = await(&s, r); f.addresses[0].v4.sin_addr.s_addr == htonl(0x0a000001);
	     f = await(&s, r))
		continue;
	assert_address(&f, "10.0.0.2");
	/* TTL 1: sooner than half of it would be rude. */
	assert_true(clock_monotonic_ns() - before > 500000000u);
	resolver_close(r);
	server_close(&s);
}

static void what_fails_is_said_and_tried_again(void **state)
{
	(void)state;
	static const char *const names[] = { "es-1.example", "es-2.example" };
	struct server s;
	server_open(&s);
	atomic_store(&s.broken, true);
	struct resolver *r = resolver_of(&s, names, 2);
	struct found f = await(&s, r);
	assert_int_equal(f.what, RESOLVE_FAILED);
	assert_non_null(f.why);
	atomic_store(&s.broken, false);
	for (f = await(&s, r); f.what == RESOLVE_FAILED; f = await(&s, r))
		continue;
	assert_address(&f, "10.0.0.1");
	resolver_close(r);
	server_close(&s);
}

/* In place of c-ares' own, which fails for want of memory or of a descriptor. */
static atomic_uint short_n;

int ares_init_options(ares_channel *channel, struct ares_options *options, int mask)
{
	int (*own)(ares_channel *, struct ares_options *, int);
	unsigned left = atomic_load(&short_n);
	if (left) {
		atomic_store(&short_n, left - 1);
		return ARES_ENOMEM;
	}
	*(void **)&own = dlsym(RTLD_NEXT, "ares_init_options");
	assert_non_null(own);
	return own(channel, options, mask);
}

static void a_shortage_of_ours_is_said_and_tried_again(void **state)
{
	(void)state;
	static const char *const names[] = { "es-1.example" };
	struct server s;
	server_open(&s);
	atomic_store(&short_n, 2);
	struct resolver *r = resolver_of(&s, names, 1);
	for (int i = 0; i < 2; i++) {
		struct found f = await(&s, r);
		assert_int_equal(f.what, RESOLVE_FAILED);
		assert_string_equal(f.why, ares_strerror(ARES_ENOMEM));
		assert_int_equal(atomic_load(&s.asked), 0);
	}
	struct found f = await(&s, r);
	assert_address(&f, "10.0.0.1");
	resolver_close(r);
	server_close(&s);
}

static void it_closes_in_the_midst_of_a_look_up(void **state)
{
	(void)state;
	static const char *const names[] = { "es-1.example" };
	struct server s;
	server_open(&s);
	/* Nobody reads from this one. */
	int mute = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof a;
	assert_int_equal(bind(mute, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(getsockname(mute, (struct sockaddr *)&a, &n), 0);
	snprintf(s.text, sizeof s.text, "127.0.0.1:%u", ntohs(a.sin_port));
	struct resolver *r = resolver_of(&s, names, 1);
	struct pollfd p = { .fd = mute, .events = POLLIN };
	assert_int_equal(poll(&p, 1, 10000), 1);
	resolver_close(r);
	close(mute);
	server_close(&s);
}

/* Also where there is no hosts file, as in a bare container. */
static void localhost_is_the_loopback_address_by_itself(void **state)
{
	(void)state;
	static const char *const names[] = { "Localhost" };
	struct server s;
	server_open(&s);
	atomic_store(&s.broken, true);
	struct resolver *r = resolver_of(&s, names, 1);
	struct found f = await(&s, r);
	assert_int_equal(f.what, RESOLVED);
	for (size_t i = 0; i < f.n; i++)
		assert_true(f.addresses[i].any.sa_family == AF_INET
				    ? f.addresses[i].v4.sin_addr.s_addr == htonl(INADDR_LOOPBACK)
				    : IN6_IS_ADDR_LOOPBACK(&f.addresses[i].v6.sin6_addr));
	assert_true(f.n > 0);
	assert_int_equal(atomic_load(&s.asked), 0);
	resolver_close(r);
	server_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_looked_up_again_as_its_ttl_says),
		cmocka_unit_test(what_fails_is_said_and_tried_again),
		cmocka_unit_test(a_shortage_of_ours_is_said_and_tried_again),
		cmocka_unit_test(it_closes_in_the_midst_of_a_look_up),
		cmocka_unit_test(localhost_is_the_loopback_address_by_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
