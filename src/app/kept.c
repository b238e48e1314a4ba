#include "app/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

static int make_secret(void)
{
	int fd = (int)syscall(SYS_memfd_secret, 0);
	if (fd >= 0)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

/* Nobody writes there again: who reads it is another process. */
static bool fill(int fd, const struct kept_files *files)
{
	size_t bytes = kept_files_bytes(files);
	if (ftruncate(fd, (off_t)bytes) < 0)
		return false;
	char *to = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (to == MAP_FAILED)
		return false;
	(void)madvise(to, bytes, MADV_DONTDUMP);
	kept_files_write(files, to);
	munmap(to, bytes);
	return true;
}

/* Secret memory counts against the limit of locked memory: with too little of it, it is the other.
 */
int kept_make(const struct kept_files *files)
{
	int fd = make_secret();
	if (fd >= 0 && fill(fd, files))
		return fd;
	if (fd >= 0)
		close(fd);
	fd = memfd_create("crossfade-kept", MFD_CLOEXEC);
	if (fd < 0 || fill(fd, files))
		return fd;
	int why = errno;
	close(fd);
	errno = why;
	return -1;
}

static void *map(int fd, size_t *bytes)
{
	struct stat st;
	if (fstat(fd, &st) < 0 || st.st_size <= 0)
		return NULL;
	*bytes = (size_t)st.st_size;
	void *memory = mmap(NULL, *bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return NULL;
	(void)madvise(memory, *bytes, MADV_DONTDUMP);
	return memory;
}

bool kept_map(int fd, struct span *bytes)
{
	size_t n = 0;
	const char *memory = fd < 0 ? NULL : map(fd, &n);
	*bytes = (struct span){ memory, n };
	return memory != NULL;
}

#define SECRETMEM_MAGIC 0x5345434d

/* Locked by its nature, and mlock() fails on it. */
static bool is_secret(int fd)
{
	struct statfs fs;
	return fstatfs(fd, &fs) == 0 && (unsigned long)fs.f_type == SECRETMEM_MAGIC;
}

bool kept_lock(int fd, struct span *bytes)
{
	return kept_map(fd, bytes) && (is_secret(fd) || mlock(bytes->at, bytes->n) == 0);
}

void kept_unmap(struct span *bytes)
{
	if (bytes->at)
		munmap((void *)(uintptr_t)bytes->at, bytes->n);
	*bytes = (struct span){ NULL, 0 };
}
