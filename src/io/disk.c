#include "io/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"

/*
 * A file in whose blocks nothing has ever been written costs a sync twice as much, because the
 * file system's journal must be written too. Therefore new files are filled with zeros ahead of
 * time, by a thread that makes the next one while the present one is in use.
 */

struct disk_file {
	int fd;
	uint64_t written, dropped; /* offsets */
};

struct kernel_disk {
	struct disk disk;
	char *path; /* owned */
	int directory;
	struct spare {
		pthread_t thread;
		bool begun;
		char name[32]; /* another process may have one of its own */
		uint64_t bytes;
		int fd; /* of the file, when the thread has ended; or -errno */
	} spare;
};

static struct kernel_disk *kernel(struct disk *d)
{
	return (struct kernel_disk *)d;
}

/* --- files ahead of time --- */

static int fill(int fd, uint64_t bytes)
{
	return fallocate(fd, 0, 0, (off_t)bytes) || fsync(fd) ? -errno : 0;
}

/* A descriptor of a locked file with that room, or -errno. */
static int make_file(int directory, const char *name, uint64_t bytes)
{
	int fd = openat(directory, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	int error = flock(fd, LOCK_EX | LOCK_NB) ? -errno : fill(fd, bytes);
	if (!error)
		return fd;
	close(fd);
	unlinkat(directory, name, 0);
	return error;
}

static void *make_spare(void *argument)
{
	struct kernel_disk *k = argument;
	k->spare.fd = make_file(k->directory, k->spare.name, k->spare.bytes);
	return NULL;
}

static void begin_spare(struct kernel_disk *k, uint64_t bytes)
{
	if (k->spare.begun)
		return;
	k->spare.bytes = bytes;
	k->spare.begun = !pthread_create(&k->spare.thread, NULL, make_spare, k);
}

/* Waits for the one that is being made; a descriptor, or -errno. */
static int end_spare(struct kernel_disk *k)
{
	if (!k->spare.begun)
		return -ENOENT;
	pthread_join(k->spare.thread, NULL);
	k->spare.begun = false;
	return k->spare.fd;
}

static void forget_spare(struct kernel_disk *k)
{
	int fd = end_spare(k);
	if (fd >= 0)
		close(fd);
	unlinkat(k->directory, k->spare.name, 0);
}

/* The one that was made ahead of time, or a new one; or -errno. */
static int take_spare(struct kernel_disk *k, uint64_t bytes)
{
	int fd = end_spare(k);
	if (fd >= 0 && k->spare.bytes == bytes)
		return fd;
	if (fd >= 0)
		close(fd);
	return make_file(k->directory, k->spare.name, bytes);
}

/* --- the verbs --- */

/* The directory may have been taken away, and made again. */
static int reopen_directory(struct kernel_disk *k)
{
	int fd = open(k->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(k->directory);
	k->directory = fd;
	return 0;
}

static int take_room(struct kernel_disk *k, uint64_t bytes)
{
	int fd = take_spare(k, bytes);
	if (fd != -ENOENT)
		return fd;
	int error = reopen_directory(k);
	return error ? error : make_file(k->directory, k->spare.name, bytes);
}

/* Its name comes last: nobody ever sees it unlocked, or without its room. */
static int create(struct kernel_disk *k, struct disk_op *op)
{
	int fd = take_room(k, op->at);
	if (fd < 0)
		return fd;
	if (renameat2(k->directory, k->spare.name, k->directory, op->name, RENAME_NOREPLACE) ||
	    fsync(k->directory)) {
		int error = -errno;
		close(fd);
		return error;
	}
	op->file = malloc(sizeof *op->file);
	must(op->file);
	op->file->fd = fd;
	op->file->written = op->file->dropped = 0;
	begin_spare(k, op->at);
	return 0;
}

/* The kernel may take a part: the rest is written behind it. */
static int write_all(const struct disk_op *op)
{
	struct iovec vectors[LOG_VECTORS];
	unsigned first = 0, n = op->vector_n;
	uint64_t at = op->at;
	must(n <= LOG_VECTORS);
	for (unsigned i = 0; i < n; i++)
		vectors[i] = op->vectors[i];
	op->file->written = at;
	while (first < n) {
		ssize_t written =
			pwritev(op->file->fd, vectors + first, (int)(n - first), (off_t)at);
		if (written < 0 && errno != EINTR)
			return -errno;
		if (written < 0)
			continue;
		at += (uint64_t)written;
		op->file->written = at;
		for (; first < n && (size_t)written >= vectors[first].iov_len; first++)
			written -= (ssize_t)vectors[first].iov_len;
		if (first < n) {
			vectors[first].iov_base = (char *)vectors[first].iov_base + written;
			vectors[first].iov_len -= (size_t)written;
		}
	}
	return 0;
}

/* A file whose name is gone would be durable for nobody. */
static int sync_file(struct disk_file *f)
{
	struct stat file;
	if (fdatasync(f->fd) || fstat(f->fd, &file))
		return -errno;
	if (!file.st_nlink)
		return -ENOENT;
	if (f->written - f->dropped >= 2 * DISK_CACHED_BYTES) {
		posix_fadvise(f->fd, (off_t)f->dropped, DISK_CACHED_BYTES, POSIX_FADV_DONTNEED);
		f->dropped += DISK_CACHED_BYTES;
	}
	return 0;
}

static int cut(const struct disk_op *op)
{
	return ftruncate(op->file->fd, (off_t)op->at) || fsync(op->file->fd) ? -errno : 0;
}

static int perform(struct kernel_disk *k, struct disk_op *op)
{
	switch ((enum disk_verb)op->verb) {
	case DISK_CREATE:
		return create(k, op);
	case DISK_WRITE:
		return write_all(op);
	case DISK_SYNC:
		return sync_file(op->file);
	case DISK_CUT:
		return cut(op);
	case DISK_REMOVE:
		return unlinkat(k->directory, op->name, 0) ? -errno : 0;
	case DISK_NONE:
		break;
	}
	must(!"an operation has a verb");
	return -EINVAL;
}

bool disk_run(struct disk *d)
{
	if (!d->op)
		return false;
	disk_done(d, perform(kernel(d), d->op));
	return true;
}

static void start(struct disk *d, struct disk_op *op)
{
	(void)d;
	(void)op;
}

static void close_file(struct disk *d, struct disk_file *f)
{
	(void)d;
	close(f->fd);
	free(f);
}

/* --- a life --- */

static void free_disk(struct disk *d)
{
	struct kernel_disk *k = kernel(d);
	forget_spare(k);
	close(k->directory);
	free(k->path);
	free(k);
}

static const struct disk_verbs verbs = { start, close_file, free_disk };

struct disk *disk_open(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	struct kernel_disk *k = calloc(1, sizeof *k);
	must(k);
	k->disk.verbs = &verbs;
	k->directory = fd;
	k->path = strdup(directory);
	must(k->path);
	snprintf(k->spare.name, sizeof k->spare.name, DISK_SPARE "%d", (int)getpid());
	return &k->disk;
}
