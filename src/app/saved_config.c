#include "app/saved_config.h"

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

/* The memory is written only here; another process reads it. */
static bool saved_config_fill(int fd, const struct saved_files *files)
{
	size_t bytes = saved_files_bytes(files);
	if (ftruncate(fd, (off_t)bytes) < 0)
		return false;
	char *to = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (to == MAP_FAILED)
		return false;
	(void)madvise(to, bytes, MADV_DONTDUMP);
	saved_files_write(files, to);
	munmap(to, bytes);
	return true;
}

/* Secret memory counts against the limit of locked memory. If that is too low, a memfd is used. */
int saved_config_make(const struct saved_files *files)
{
	int fd = make_secret();
	if (fd >= 0 && saved_config_fill(fd, files))
		return fd;
	if (fd >= 0)
		close(fd);
	fd = memfd_create("crossfade-kept", MFD_CLOEXEC);
	if (fd < 0 || saved_config_fill(fd, files))
		return fd;
	int why = errno;
	close(fd);
	errno = why;
	return -1;
}

static void *memory_map(int fd, size_t *bytes)
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

bool saved_config_map(int fd, struct span *bytes)
{
	size_t n = 0;
	const char *memory = fd < 0 ? NULL : memory_map(fd, &n);
	*bytes = (struct span){ memory, n };
	return memory != NULL;
}

#define SECRETMEM_MAGIC 0x5345434d

/* Secret memory is always locked, and mlock() fails on it. */
static bool memory_is_secret(int fd)
{
	struct statfs fs;
	return fstatfs(fd, &fs) == 0 && (unsigned long)fs.f_type == SECRETMEM_MAGIC;
}

bool saved_config_lock(int fd, struct span *bytes)
{
	return saved_config_map(fd, bytes) &&
	       (memory_is_secret(fd) || mlock(bytes->at, bytes->n) == 0);
}

void saved_config_unmap(struct span *bytes)
{
	if (bytes->at)
		munmap((void *)(uintptr_t)bytes->at, bytes->n);
	*bytes = (struct span){ NULL, 0 };
}
