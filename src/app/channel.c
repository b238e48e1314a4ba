#include "app/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bug.h"

union descriptors {
	struct cmsghdr head;
	char room[CMSG_SPACE(sizeof(int) * WORKERS_MAX)];
};
/* The kernel passes no more than SCM_MAX_FD, 253, in one message. */
static_assert(WORKERS_MAX <= 253, "all sockets of an address come in one message");

bool channel_open(int ends[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0;
}

static bool send_whole(int fd, const struct msghdr *m)
{
	ssize_t n;
	do
		n = sendmsg(fd, m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	/* Messages are small, and one is under way at a time: the buffer has room for the whole. */
	return n >= 0;
}

static ssize_t receive_whole(int fd, struct msghdr *m)
{
	ssize_t n;
	do
		n = recvmsg(fd, m, MSG_CMSG_CLOEXEC | MSG_WAITALL);
	while (n < 0 && errno == EINTR);
	return n;
}

static bool send_message(int fd, const struct channel_message *m)
{
	struct iovec bytes = { (void *)(uintptr_t)m, sizeof *m };
	return send_whole(fd, &(struct msghdr){ .msg_iov = &bytes, .msg_iovlen = 1 });
}

/* How many came; what nobody asked for is closed. */
static unsigned take_descriptors(struct msghdr *m, int *descriptors, unsigned count)
{
	unsigned taken = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (taken < count)
				descriptors[taken++] = fd;
			else
				close(fd);
		}
	}
	return taken;
}

int channel_ask(int fd, const struct channel_message *m, int *descriptors, unsigned count)
{
	struct channel_answer answer;
	union descriptors control;
	struct iovec bytes = { &answer, sizeof answer };
	struct msghdr got = { .msg_iov = &bytes,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof control };
	must(count <= WORKERS_MAX);
	if (!send_message(fd, m))
		return errno;
	ssize_t n = receive_whole(fd, &got);
	if (n < 0)
		return errno;
	if (n != sizeof answer)
		return ECONNRESET;
	unsigned taken = take_descriptors(&got, descriptors, count);
	if (answer.error == 0 && taken == count)
		return 0;
	while (taken > 0)
		close(descriptors[--taken]);
	return answer.error ? answer.error : EMFILE;
}

bool channel_tell(int fd, enum channel_word word)
{
	struct channel_message m = { .word = word };
	return send_message(fd, &m);
}

bool channel_hear(int fd, struct channel_message *m)
{
	struct iovec bytes = { m, sizeof *m };
	ssize_t n = receive_whole(fd, &(struct msghdr){ .msg_iov = &bytes, .msg_iovlen = 1 });
	m->path[sizeof m->path - 1] = 0;
	return n == sizeof *m;
}

void channel_answer(int fd, int error, const int *descriptors, unsigned count)
{
	struct channel_answer answer = { .error = error };
	union descriptors control = { 0 };
	struct iovec bytes = { &answer, sizeof answer };
	struct msghdr m = { .msg_iov = &bytes, .msg_iovlen = 1 };
	if (count) {
		control.head = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
						 .cmsg_type = SCM_RIGHTS,
						 .cmsg_len = CMSG_LEN(sizeof(int) * count) };
		memcpy(CMSG_DATA(&control.head), descriptors, sizeof(int) * count);
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * count);
	}
	/* When it has gone, its end is seen soon enough. */
	(void)send_whole(fd, &m);
}
