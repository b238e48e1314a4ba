#include "control/resolve.h"

#include <ares.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/limits.h"

#define TRIES 2

/* The result of a look-up, until it is taken. */
struct finding {
	enum resolved what;
	struct addr addresses[RESOLVE_ADDRESSES];
	size_t n;
	const char *why;
};

struct lookup {
	struct resolver *resolver;
	size_t number;
	bool asking;
	uint64_t due_ms, pause_ms;
	struct finding finding; /* guarded by the resolver's lock */
};

struct resolver {
	struct resolver_config config;
	pthread_t thread;
	pthread_mutex_t lock;
	ares_channel channel;
	bool channel_open;
	int stop; /* an eventfd */
	struct lookup *lookups;
	size_t asking_n;
};

static uint64_t resolver_now_ms(void)
{
	return clock_monotonic_ns() / 1000000;
}

/* --- responses --- */

static uint64_t clamp_ms(uint64_t least, uint64_t n, uint64_t most)
{
	return n < least ? least : n > most ? most : n;
}

static bool take_address(const struct ares_addrinfo_node *n, struct addr *a)
{
	memset(a, 0, sizeof *a);
	if (n->ai_family == AF_INET && n->ai_addrlen >= sizeof a->v4)
		memcpy(&a->v4, n->ai_addr, sizeof a->v4);
	else if (n->ai_family == AF_INET6 && n->ai_addrlen >= sizeof a->v6)
		memcpy(&a->v6, n->ai_addr, sizeof a->v6);
	else
		return false;
	return true;
}

static struct finding resolver_read_response(const struct ares_addrinfo *info, uint64_t *ttl_ms)
{
	struct finding f = { .what = RESOLVED };
	*ttl_ms = RESOLVE_MOST_MS;
	for (const struct ares_addrinfo_node *n = info->nodes; n && f.n < RESOLVE_ADDRESSES;
	     n = n->ai_next) {
		if (!take_address(n, &f.addresses[f.n]))
			continue;
		f.n++;
		*ttl_ms = clamp_ms(RESOLVE_LEAST_MS,
				   (uint64_t)(n->ai_ttl < 0 ? 0 : n->ai_ttl) * 1000, *ttl_ms);
	}
	if (!f.n)
		f = (struct finding){ .what = RESOLVE_FAILED, .why = "it has no address" };
	return f;
}

bool resolve_localhost(const char *name, struct addr to[2])
{
	static const char localhost[] = ".localhost";
	size_t n = strlen(name), most = sizeof localhost - 1;
	must(addr_parse(SPAN("127.0.0.1"), 0, &to[0]));
	must(addr_parse(SPAN("::1"), 0, &to[1]));
	return !strcasecmp(name, localhost + 1) ||
	       (n > most && !strcasecmp(name + n - most, localhost));
}

/*
 * Stores the result, and reports it. After an address the name is looked up again in `wait_ms`;
 * after a failure, in `pause_ms`, which grows.
 */
static void lookup_tell(struct lookup *l, struct finding f, uint64_t wait_ms)
{
	struct resolver *r = l->resolver;
	if (f.what == RESOLVED) {
		l->pause_ms = RESOLVE_LEAST_MS;
	} else {
		wait_ms = l->pause_ms;
		l->pause_ms = clamp_ms(RESOLVE_LEAST_MS, l->pause_ms * 2, RESOLVE_MOST_MS);
	}
	l->due_ms = resolver_now_ms() + wait_ms;
	pthread_mutex_lock(&r->lock);
	l->finding = f;
	pthread_mutex_unlock(&r->lock);
	r->config.news(r->config.observer);
}

static void lookup_done(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct lookup *l = arg;
	struct finding f = { .what = RESOLVE_FAILED, .why = ares_strerror(status) };
	(void)timeouts;
	l->asking = false;
	l->resolver->asking_n--;
	if (status == ARES_EDESTRUCTION || status == ARES_ECANCELLED)
		return;
	uint64_t wait_ms = 0;
	if (status == ARES_SUCCESS)
		f = resolver_read_response(info, &wait_ms);
	if (info)
		ares_freeaddrinfo(info);
	lookup_tell(l, f, wait_ms);
}

/* --- queries --- */

/*
 * Called when no query is under way: a new channel reads the present /etc/resolv.conf. Returns the
 * status of c-ares.
 */
static int resolver_renew_channel(struct resolver *r)
{
	struct ares_options options = { .timeout = RESOLVE_SERVER_MS, .tries = TRIES };
	if (r->channel_open)
		ares_destroy(r->channel);
	int status = ares_init_options(&r->channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
	r->channel_open = status == ARES_SUCCESS;
	if (r->channel_open && r->config.servers)
		must(ares_set_servers_ports_csv(r->channel, r->config.servers) == ARES_SUCCESS);
	return status;
}

static void lookup_begin(struct resolver *r, struct lookup *l)
{
	struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC,
					     .ai_socktype = SOCK_STREAM,
					     .ai_flags = ARES_AI_NOSORT };
	struct finding loopback = { .what = RESOLVED, .n = 2 };
	if (resolve_localhost(r->config.names[l->number], loopback.addresses)) {
		lookup_tell(l, loopback, RESOLVE_MOST_MS);
		return;
	}
	int status = r->asking_n == 0 ? resolver_renew_channel(r) : ARES_SUCCESS;
	if (status != ARES_SUCCESS) {
		struct finding f = { .what = RESOLVE_FAILED, .why = ares_strerror(status) };
		lookup_tell(l, f, 0);
		return;
	}
	l->asking = true;
	r->asking_n++;
	ares_getaddrinfo(r->channel, r->config.names[l->number], NULL, &hints, lookup_done, l);
}

static void resolver_begin_due(struct resolver *r)
{
	for (size_t i = 0; i < r->config.n; i++)
		if (!r->lookups[i].asking && resolver_now_ms() >= r->lookups[i].due_ms)
			lookup_begin(r, &r->lookups[i]);
}

static int resolver_wait_ms(const struct resolver *r)
{
	uint64_t now = resolver_now_ms(), due = now + RESOLVE_MOST_MS;
	for (size_t i = 0; i < r->config.n; i++)
		if (!r->lookups[i].asking && r->lookups[i].due_ms < due)
			due = r->lookups[i].due_ms;
	struct timeval most = { .tv_sec = (time_t)((due > now ? due - now : 0) / 1000),
				.tv_usec =
					(suseconds_t)((due > now ? due - now : 0) % 1000 * 1000) };
	struct timeval own, *least = &most;
	if (r->asking_n)
		least = ares_timeout(r->channel, &most, &own);
	return (int)(least->tv_sec * 1000 + (least->tv_usec + 999) / 1000);
}

/* --- the thread --- */

static nfds_t resolver_poll_list(struct resolver *r, struct pollfd fds[ARES_GETSOCK_MAXNUM + 1])
{
	ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
	nfds_t n = 0;
	fds[n++] = (struct pollfd){ .fd = r->stop, .events = POLLIN };
	if (!r->asking_n)
		return n;
	/*
	 * The macros of c-ares shift a one into the sign of an int: bit i is readable, bit 16 + i
	 * writable.
	 */
	unsigned which = (unsigned)ares_getsock(r->channel, sockets, ARES_GETSOCK_MAXNUM);
	for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
		short events = (short)((which >> i & 1 ? POLLIN : 0) |
				       (which >> (16 + i) & 1 ? POLLOUT : 0));
		if (events)
			fds[n++] = (struct pollfd){ .fd = sockets[i], .events = events };
	}
	return n;
}

static void resolver_process(struct resolver *r, const struct pollfd *fds, nfds_t n)
{
	for (nfds_t i = 1; i < n; i++)
		ares_process_fd(r->channel,
				fds[i].revents & (POLLIN | POLLERR | POLLHUP) ? fds[i].fd
									      : ARES_SOCKET_BAD,
				fds[i].revents & POLLOUT ? fds[i].fd : ARES_SOCKET_BAD);
	if (r->asking_n)
		ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void *resolver_run(void *arg)
{
	struct resolver *r = arg;
	struct pollfd fds[ARES_GETSOCK_MAXNUM + 1];
	pthread_setname_np(pthread_self(), "resolver");
	for (;;) {
		resolver_begin_due(r);
		nfds_t n = resolver_poll_list(r, fds);
		/*
		 * poll() was interrupted, or the kernel had no memory: then no descriptor is ready.
		 */
		if (poll(fds, n, resolver_wait_ms(r)) < 0)
			for (nfds_t i = 0; i < n; i++)
				fds[i].revents = 0;
		if (fds[0].revents)
			return NULL;
		resolver_process(r, fds, n);
	}
}

/* --- opening and closing --- */

static void resolver_free(struct resolver *r)
{
	if (r->channel_open)
		ares_destroy(r->channel);
	if (r->stop >= 0)
		close(r->stop);
	pthread_mutex_destroy(&r->lock);
	free(r->lookups);
	free(r);
	ares_library_cleanup();
}

struct resolver *resolver_open(const struct resolver_config *c)
{
	struct resolver *r = calloc(1, sizeof *r);
	must(r && ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS);
	r->config = *c;
	pthread_mutex_init(&r->lock, NULL);
	r->lookups = calloc(c->n + 1, sizeof *r->lookups);
	must(r->lookups);
	for (size_t i = 0; i < c->n; i++) {
		r->lookups[i].resolver = r;
		r->lookups[i].number = i;
		r->lookups[i].pause_ms = RESOLVE_LEAST_MS;
	}
	r->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int error = r->stop < 0 ? errno : pthread_create(&r->thread, NULL, resolver_run, r);
	if (!error)
		return r;
	resolver_free(r);
	errno = error;
	return NULL;
}

void resolver_close(struct resolver *r)
{
	must(eventfd_write(r->stop, 1) == 0);
	pthread_join(r->thread, NULL);
	resolver_free(r);
}

enum resolved resolver_take(struct resolver *r, size_t i, struct addr addresses[RESOLVE_ADDRESSES],
			    size_t *address_n, const char **why)
{
	must(i < r->config.n);
	struct finding *f = &r->lookups[i].finding;
	pthread_mutex_lock(&r->lock);
	enum resolved what = f->what;
	memcpy(addresses, f->addresses, f->n * sizeof *addresses);
	*address_n = f->n;
	*why = f->why;
	f->what = RESOLVED_NOTHING_NEW;
	pthread_mutex_unlock(&r->lock);
	return what;
}
