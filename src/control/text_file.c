#include "control/text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Neither a directory nor a pipe is waited for. */
static bool is_readable(int fd, off_t *bytes)
{
	struct stat s;
	if (fstat(fd, &s) < 0)
		return false;
	if (S_ISDIR(s.st_mode))
		errno = EISDIR;
	else if (!S_ISREG(s.st_mode))
		errno = EINVAL;
	else if (s.st_size > TEXT_FILE_BYTES)
		errno = EFBIG;
	else
		return *bytes = s.st_size, true;
	return false;
}

static bool read_all(int fd, char *to, size_t bytes, size_t *have)
{
	ssize_t n = 1;
	for (*have = 0; n > 0 && *have < bytes; *have += (size_t)n) {
		n = read(fd, to + *have, bytes - *have);
		if (n < 0)
			return false;
	}
	return true;
}

bool text_file_read(const char *path, struct arena *arena, struct span *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	off_t bytes = 0;
	bool good = is_readable(fd, &bytes);
	if (good) {
		char *to = arena_take(arena, (size_t)bytes + 1);
		size_t have;
		good = read_all(fd, to, (size_t)bytes, &have);
		to[have] = 0;
		*text = (struct span){ to, have };
	}
	int why = errno;
	close(fd);
	errno = why;
	return good;
}

const char *text_file_trouble(const char *path, char to[TEXT_FILE_TROUBLE_BYTES])
{
	struct stat s;
	int why = errno;
	snprintf(to, TEXT_FILE_TROUBLE_BYTES, "%s", strerror(why));
	if (why == EACCES && !stat(path, &s))
		snprintf(to, TEXT_FILE_TROUBLE_BYTES,
			 "%s (it is user %u's, group %u, mode %04o; we are user %u)", strerror(why),
			 (unsigned)s.st_uid, (unsigned)s.st_gid, s.st_mode & 07777,
			 (unsigned)geteuid());
	return to;
}
