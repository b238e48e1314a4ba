#ifndef TESTS_UNIT_CONTROL_HTTP_KIT_H
#define TESTS_UNIT_CONTROL_HTTP_KIT_H

/* A blocking HTTP client of the plainest kind, and sockets for servers under test. */

#include "unit/control/kit.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "control/service.h"

/* A listening socket on a free port of this machine, and its address. */
static inline int http_listen(struct addr *at)
{
	socklen_t n = sizeof at->v4;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(addr_parse(SPAN("127.0.0.1"), 0, at));
	assert_int_equal(bind(fd, &at->any, addr_bytes(at)), 0);
	assert_int_equal(listen(fd, 128), 0);
	assert_int_equal(getsockname(fd, &at->any, &n), 0);
	return fd;
}

static inline int http_connected(int fd, const void *at, socklen_t n)
{
	struct timeval most = { .tv_sec = 20 };
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
	assert_int_equal(connect(fd, at, n), 0);
	return fd;
}

static inline int http_connect(const struct addr *to)
{
	return http_connected(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), to, addr_bytes(to));
}

static inline int http_connect_local(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
	return http_connected(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), &to, sizeof to);
}

static inline void http_say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* The bytes of the first whole message in `text`, by its Content-Length; 0: it is not whole. */
static inline size_t http_whole(const char *text, size_t n, const char **body)
{
	const char *end = strstr(text, "\r\n\r\n"),
		   *field = strcasestr(text, "\r\ncontent-length:");
	if (!end)
		return 0;
	size_t length = field && field < end ? strtoul(field + 17, NULL, 10) : 0;
	*body = end + 4;
	return n >= (size_t)(*body - text) + length ? (size_t)(*body - text) + length : 0;
}

/* One answer: "200 {...}"; those of 1xx before it are passed over. False: the connection ended. */
static inline bool http_hear(int fd, char response[65536])
{
	char text[65536] = "";
	const char *body = NULL;
	size_t n = 0, whole;
	for (;;) {
		whole = http_whole(text, n, &body);
		if (whole && text[9] != '1')
			break;
		n -= whole;
		memmove(text, text + whole, n + 1);
		if (whole)
			continue;
		ssize_t got = recv(fd, text + n, sizeof text - 1 - n, 0);
		if (got <= 0)
			return false;
		n += (size_t)got;
		text[n] = 0;
	}
	snprintf(response, 65536, "%.3s %.*s", text + 9, (int)(whole - (size_t)(body - text)),
		 body);
	return true;
}

static inline void http_ask(int fd, const char *request, char response[65536])
{
	http_say(fd, request);
	assert_true(http_hear(fd, response));
}

/* A service on a thread of its own. */
struct http_server {
	struct loop loop;
	struct service service;
	struct addr at;
	pthread_t thread;
	atomic_bool stopping;
};

static inline void *http_server_run(void *arg)
{
	struct http_server *s = arg;
	bool stopped = false;
	while (!stopped || !service_is_stopped(&s->service)) {
		loop_turn(&s->loop);
		stopped = atomic_load(&s->stopping);
		if (stopped)
			service_stop(&s->service);
	}
	return NULL;
}

static inline void http_server_open(struct http_server *s, const struct service_user *user,
				    void *owner, size_t body_bytes_max)
{
	*s = (struct http_server){ 0 };
	assert_true(loop_open_own(&s->loop));
	service_open(&s->service, &s->loop, user, owner, body_bytes_max);
	service_listen(&s->service, http_listen(&s->at), false, NULL);
	assert_int_equal(pthread_create(&s->thread, NULL, http_server_run, s), 0);
}

static inline void http_server_close(struct http_server *s)
{
	atomic_store(&s->stopping, true);
	io_wake(s->loop.io);
	pthread_join(s->thread, NULL);
	service_close(&s->service);
	loop_close(&s->loop);
}

#endif
