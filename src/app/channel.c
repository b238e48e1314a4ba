#include "app/channel.h"

#include <errno.h>
#include <stdio.h>
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

/* The kernel sends a message whole or not at all: it fits one buffer of the kernel. */
static bool send_whole(int fd, const struct msghdr *m, bool wait)
{
	ssize_t n;
	do
		n = sendmsg(fd, m, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));
	while (n < 0 && errno == EINTR);
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

static void add_descriptors(struct msghdr *m, union descriptors *room, const int *list,
			    unsigned count)
{
	memset(room, 0, sizeof *room);
	room->head = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
				       .cmsg_type = SCM_RIGHTS,
				       .cmsg_len = CMSG_LEN(sizeof(int) * count) };
	memcpy(CMSG_DATA(&room->head), list, sizeof(int) * count);
	m->msg_control = room;
	m->msg_controllen = CMSG_SPACE(sizeof(int) * count);
}

/* Returns how many descriptors were taken. Those that exceed `count` are closed. */
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

/*
 * `count`: how many descriptors the caller needs at least. *given: how many came. 0, or an errno.
 */
static int receive_response(int from, int descriptors[WORKERS_MAX], unsigned count, unsigned *given)
{
	struct channel_reply response;
	union descriptors control;
	struct iovec bytes = { &response, sizeof response };
	struct msghdr got = { .msg_iov = &bytes,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof control };
	ssize_t n = receive_whole(from, &got);
	if (n < 0)
		return errno;
	if (n != sizeof response)
		return ECONNRESET;
	*given = take_descriptors(&got, descriptors, WORKERS_MAX);
	if (response.error == 0 && *given == response.count && *given >= count)
		return 0;
	while (*given > 0)
		close(descriptors[--*given]);
	/* Fewer descriptors came than were sent: probably this process may not open more files. */
	return response.error ? response.error : EMFILE;
}

int channel_ask(int fd, const struct channel_message *m, int descriptors[WORKERS_MAX],
		unsigned *given)
{
	int reply[2];
	union descriptors control;
	struct iovec bytes = { (void *)(uintptr_t)m, sizeof *m };
	struct msghdr question = { .msg_iov = &bytes, .msg_iovlen = 1 };
	must(m->count > 0 && m->count <= WORKERS_MAX);
	*given = 0;
	if (!channel_open(reply))
		return errno;
	add_descriptors(&question, &control, &reply[1], 1);
	int error = send_whole(fd, &question, true) ? 0 : errno;
	/* This end is closed here, so that the read ends if the keeper dies before it replies. */
	close(reply[1]);
	if (!error)
		error = receive_response(reply[0], descriptors, m->count, given);
	close(reply[0]);
	return error;
}

static bool channel_send_message(int fd, struct channel_message m)
{
	struct iovec bytes = { &m, sizeof m };
	return send_whole(fd, &(struct msghdr){ .msg_iov = &bytes, .msg_iovlen = 1 }, false);
}

bool channel_tell(int fd, enum channel_word word)
{
	return channel_send_message(fd, (struct channel_message){ .word = word });
}

bool channel_say(int fd, enum channel_word word, const char *text)
{
	struct channel_message m = { .word = word };
	snprintf(m.path, sizeof m.path, "%s", text);
	return channel_send_message(fd, m);
}

bool channel_forget(int fd, const struct addr *a)
{
	return channel_send_message(fd,
				    (struct channel_message){ .word = CHANNEL_FORGET, .addr = *a });
}

bool channel_give(int fd, enum channel_word word, int descriptor)
{
	struct channel_message m = { .word = word };
	union descriptors control;
	struct iovec bytes = { &m, sizeof m };
	struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1 };
	add_descriptors(&message, &control, &descriptor, 1);
	return send_whole(fd, &message, false);
}

bool channel_hear(int fd, struct channel_message *m, int *reply)
{
	union descriptors control;
	struct iovec bytes = { m, sizeof *m };
	struct msghdr got = { .msg_iov = &bytes,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof control };
	*reply = -1;
	ssize_t n = receive_whole(fd, &got);
	if (n > 0)
		take_descriptors(&got, reply, 1);
	m->path[sizeof m->path - 1] = 0;
	if (n == sizeof *m)
		return true;
	if (*reply >= 0)
		close(*reply);
	return false;
}

void channel_reply(int reply, int error, const int *descriptors, unsigned count)
{
	struct channel_reply response = { .error = error, .count = count };
	union descriptors control;
	struct iovec bytes = { &response, sizeof response };
	struct msghdr m = { .msg_iov = &bytes, .msg_iovlen = 1 };
	if (count)
		add_descriptors(&m, &control, descriptors, count);
	/* The working process may have died; the keeper learns that from SIGCHLD. */
	(void)send_whole(reply, &m, true);
	close(reply);
}
