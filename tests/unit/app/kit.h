#ifndef TESTS_UNIT_APP_KIT_H
#define TESTS_UNIT_APP_KIT_H

/* What tests of the keeper's files share: addresses where nobody listens, and what descriptors are.
 */

#include "unit/cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/addr.h"

/* On loopback, with a port that the kernel has just given and taken back. */
static inline struct addr kit_free_address(void)
{
	struct addr a = { .v4 = { .sin_family = AF_INET } };
	socklen_t n = sizeof a.v4;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	a.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, &a.any, n), 0);
	assert_int_equal(getsockname(fd, &a.any, &n), 0);
	close(fd);
	return a;
}

static inline bool kit_is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* Both stand for one file, socket or pipe. */
static inline bool kit_is_same(int one, int other)
{
	struct stat a, b;
	return fstat(one, &a) == 0 && fstat(other, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

static inline int kit_connect(const struct addr *a)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int error = connect(fd, &a->any, sizeof a->v4) < 0 ? errno : 0;
	close(fd);
	return error;
}

static inline void kit_directory(char path[64])
{
	snprintf(path, 64, "/tmp/crossfade-test-XXXXXX");
	assert_non_null(mkdtemp(path));
}

#endif
