/*
 * Calls of a program that fail at random: gcc -shared -fPIC -o failing.so failing.c -ldl, and
 *
 *     LD_PRELOAD=failing.so FAILING=SEED:RATE FAILING_WHILE=FILE crossfade run ...
 *
 * While FILE is there one in RATE of the program's own calls fails, as it does where descriptors,
 * memory, threads or room on the disk are short, or the disk is ill. Calls of libraries do not.
 * Each that fails is a line in FILE: its name, and its errno. Each process throws dice of its own.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
	pthread_once_t once;
	uintptr_t from, to; /* the program's own code */
	unsigned rate;
	const char *flag;
	_Atomic uint64_t dice;
} failing = { .once = PTHREAD_ONCE_INIT };

static int first_object(struct dl_phdr_info *info, size_t size, void *unused)
{
	(void)size;
	(void)unused;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
			continue;
		failing.from = info->dlpi_addr + p->p_vaddr;
		failing.to = failing.from + p->p_memsz;
	}
	return 1;
}

static void begin(void)
{
	const char *how = getenv("FAILING");
	unsigned long long seed = 0;
	failing.flag = getenv("FAILING_WHILE");
	if (!how || !failing.flag || sscanf(how, "%llu:%u", &seed, &failing.rate) != 2)
		failing.rate = 0;
	failing.dice = (seed << 32 | (uint32_t)getpid()) * 0x9e3779b97f4a7c15u;
	dl_iterate_phdr(first_object, NULL);
}

static uint64_t throw(void)
{
	uint64_t z = atomic_fetch_add(&failing.dice, 0x9e3779b97f4a7c15u);
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static void note(const char *name, int error)
{
	char line[64];
	int fd = (int)syscall(SYS_openat, AT_FDCWD, failing.flag, O_WRONLY | O_APPEND, 0);
	int n = snprintf(line, sizeof line, "%s %d\n", name, error);
	if (fd < 0)
		return;
	syscall(SYS_write, fd, line, n);
	syscall(SYS_close, fd);
}

/* 0: it is to go on as ever; else the error that it fails with. */
static int fails(const char *name, const void *caller, const int *errors, unsigned error_n)
{
	int before = errno, error = 0;
	pthread_once(&failing.once, begin);
	uintptr_t at = (uintptr_t)caller;
	if (failing.rate && at >= failing.from && at < failing.to &&
	    syscall(SYS_access, failing.flag, F_OK) == 0) {
		uint64_t dice = throw();
		if (dice % failing.rate == 0)
			error = errors[dice / failing.rate % error_n];
	}
	if (error)
		note(name, error);
	errno = before;
	return error;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL_OR(name, failed, ...)                                                                 \
	do {                                                                                       \
		static const int errors[] = { __VA_ARGS__ };                                       \
		int error = fails(#name, __builtin_return_address(0), errors,                      \
				  sizeof errors / sizeof *errors);                                 \
		if (error) {                                                                       \
			errno = error;                                                             \
			return failed;                                                             \
		}                                                                                  \
	} while (0)

static mode_t mode_of(int flags, va_list more)
{
	return flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
	FAIL_OR(open, -1, EMFILE, ENFILE, ENOMEM, EACCES);
	va_list more;
	va_start(more, flags);
	mode_t mode = mode_of(flags, more);
	va_end(more);
	return REAL(open)(path, flags, mode);
}

int openat(int at, const char *path, int flags, ...)
{
	FAIL_OR(openat, -1, EMFILE, ENFILE, ENOMEM, EACCES);
	va_list more;
	va_start(more, flags);
	mode_t mode = mode_of(flags, more);
	va_end(more);
	return REAL(openat)(at, path, flags, mode);
}

/* What is said of failures can be read. */
static int is_log(const struct stat *s)
{
	const char *path = getenv("FAILING_LOG");
	struct stat log;
	return path && !stat(path, &log) && log.st_dev == s->st_dev && log.st_ino == s->st_ino;
}

/* A pipe, a socket and an eventfd have no disk. */
static int is_file(int fd)
{
	struct stat s;
	return !fstat(fd, &s) && S_ISREG(s.st_mode) && !is_log(&s);
}

ssize_t read(int fd, void *to, size_t n)
{
	if (is_file(fd))
		FAIL_OR(read, -1, EIO);
	return REAL(read)(fd, to, n);
}

ssize_t pread(int fd, void *to, size_t n, off_t at)
{
	FAIL_OR(pread, -1, EIO);
	return REAL(pread)(fd, to, n, at);
}

ssize_t write(int fd, const void *from, size_t n)
{
	if (is_file(fd))
		FAIL_OR(write, -1, ENOSPC, EIO);
	return REAL(write)(fd, from, n);
}

ssize_t pwrite(int fd, const void *from, size_t n, off_t at)
{
	FAIL_OR(pwrite, -1, ENOSPC, EIO);
	return REAL(pwrite)(fd, from, n, at);
}

int fsync(int fd)
{
	FAIL_OR(fsync, -1, EIO, ENOSPC);
	return REAL(fsync)(fd);
}

int fdatasync(int fd)
{
	FAIL_OR(fdatasync, -1, EIO, ENOSPC);
	return REAL(fdatasync)(fd);
}

int ftruncate(int fd, off_t size)
{
	FAIL_OR(ftruncate, -1, EIO, ENOSPC);
	return REAL(ftruncate)(fd, size);
}

void *mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset)
{
	/* What is nobody's file is memory, and without that a process ends. */
	if (fd >= 0)
		FAIL_OR(mmap, MAP_FAILED, ENOMEM);
	return REAL(mmap)(at, n, protection, flags, fd, offset);
}

int socket(int domain, int type, int protocol)
{
	FAIL_OR(socket, -1, EMFILE, ENFILE, ENOBUFS, ENOMEM);
	return REAL(socket)(domain, type, protocol);
}

int accept4(int fd, struct sockaddr *at, socklen_t *n, int flags)
{
	FAIL_OR(accept4, -1, EMFILE, ENFILE, ENOBUFS, ECONNABORTED);
	return REAL(accept4)(fd, at, n, flags);
}

int epoll_ctl(int epoll, int what, int fd, struct epoll_event *event)
{
	if (what == EPOLL_CTL_ADD)
		FAIL_OR(epoll_ctl, -1, ENOMEM, ENOSPC);
	return REAL(epoll_ctl)(epoll, what, fd, event);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
		   void *argument)
{
	static const int errors[] = { EAGAIN };
	int error = fails("pthread_create", __builtin_return_address(0), errors, 1);
	return error ? error : REAL(pthread_create)(thread, attributes, run, argument);
}
