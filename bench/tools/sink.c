/* sink.c - what nginx's `mirror` sends is appended to a file, as it comes.
 *
 *   sink PORT FILE
 *
 * One thread, level-triggered epoll, keepalive. What was received goes to the file in
 * one write() and stays in the page cache: nothing is synced, and nobody waits for
 * it. A request ends where its Content-Length says; the response is 204. It ends with
 * its parent.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD 8192
struct conn { int fd; size_t left; size_t n; char head[HEAD + 1]; };
static const char response[] = "HTTP/1.1 204 No Content\r\n\r\n";
static char buf[256 * 1024];

/* Where requests end in these bytes; false: not what we were promised. */
static int take(struct conn *c, const char *at, size_t n)
{
	while (n) {
		if (c->left) { size_t k = n < c->left ? n : c->left; c->left -= k; at += k; n -= k; }
		else {
			size_t before = c->n, k = n < HEAD - c->n ? n : HEAD - c->n;
			memcpy(c->head + c->n, at, k); c->n += k; c->head[c->n] = 0;
			char *end = memmem(c->head, c->n, "\r\n\r\n", 4);
			if (!end) { if (c->n == HEAD) return 0; return 1; }
			size_t used = (size_t)(end + 4 - c->head) - before;
			char *l = strcasestr(c->head, "\r\nContent-Length:");
			c->left = l && l < end ? strtoull(l + 17, NULL, 10) : 0;
			c->n = 0; at += used; n -= used;
		}
		if (!c->left && !c->n && write(c->fd, response, sizeof response - 1) < 0) return 0;
	}
	return 1;
}

int main(int argc, char **argv)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM); signal(SIGPIPE, SIG_IGN);
	if (argc != 3) { fprintf(stderr, "usage: sink PORT FILE\n"); return 2; }
	int out = open(argv[2], O_WRONLY | O_CREAT | O_APPEND, 0600), one = 1;
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), e = epoll_create1(0);
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one); setsockopt(l, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (out < 0 || l < 0 || bind(l, (void *)&a, sizeof a) || listen(l, 4096)) { perror("sink"); return 1; }
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL }, evs[64];
	epoll_ctl(e, EPOLL_CTL_ADD, l, &ev);
	for (;;) {
		int n = epoll_wait(e, evs, 64, -1);
		for (int i = 0; i < n; i++) {
			struct conn *c = evs[i].data.ptr;
			if (!c) {
				if (!(c = calloc(1, sizeof *c))) return 1;
				if ((c->fd = accept4(l, NULL, NULL, SOCK_CLOEXEC)) < 0) { free(c); continue; }
				ev = (struct epoll_event){ .events = EPOLLIN, .data.ptr = c }; epoll_ctl(e, EPOLL_CTL_ADD, c->fd, &ev);
				continue;
			}
			ssize_t k = recv(c->fd, buf, sizeof buf, 0);
			if (k > 0 && write(out, buf, (size_t)k) != k) { perror("sink: write"); return 1; }
			if (k <= 0 || !take(c, buf, (size_t)k)) { close(c->fd); free(c); }
		}
	}
}
