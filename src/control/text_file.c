#include "control/text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"

/* False with errno for a directory or a pipe: a read of a pipe could wait. */
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

static bool text_file_read_all(int fd, char *to, size_t bytes, size_t *have)
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
		good = text_file_read_all(fd, to, (size_t)bytes, &have);
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
			 "%s (it belongs to user %u, group %u, mode %04o; this process runs as "
			 "user %u)",
			 strerror(why), (unsigned)s.st_uid, (unsigned)s.st_gid, s.st_mode & 07777,
			 (unsigned)geteuid());
	return to;
}
