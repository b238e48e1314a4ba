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
#include "io/own_file.h"

/*
 * What is written is gathered in a buffer of whole blocks and goes to the device from there, past
 * the cache of files: a copy into a buffer that stays warm costs a fraction of what fetching pages
 * for it does. A block that is not full stays, and is written again with what follows; what was
 * durable in it is written as it is, so that a torn write tears nothing that was there.
 *
 * A file in whose blocks nothing has ever been written costs a sync twice as much, because the
 * file system's journal must be written too. Therefore the next file is filled with zeros ahead of
 * time, by a thread, while the present one is in use.
 */

struct disk_file {
	int fd;
};

struct kernel_disk {
	struct disk disk;
	char *path;    /* owned */
	int directory; /* -1: */
	int refuses;   /* all with this errno; 0: it is the kernel's */
	/* Of the file that is written: */
	char *block;	   /* owned: DISK_GATHER_BYTES, aligned */
	uint64_t block_at; /* where in the file it begins, */
	size_t block_n;	   /* and what of it is filled */
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

static int put(int fd, const char *from, size_t n, uint64_t at)
{
	while (n) {
		ssize_t written = pwrite(fd, from, n, (off_t)at);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return written ? -errno : -EIO;
		from += written;
		at += (uint64_t)written;
		n -= (size_t)written;
	}
	return 0;
}

/* --- files ahead of time --- */

static int fill(int fd, uint64_t bytes)
{
	char *zeros = aligned_alloc(DISK_BLOCK_BYTES, DISK_GATHER_BYTES);
	int error = 0;
	must(zeros);
	memset(zeros, 0, DISK_GATHER_BYTES);
	for (uint64_t at = 0; at < bytes && !error; at += DISK_GATHER_BYTES)
		error = put(fd, zeros, DISK_GATHER_BYTES, at);
	free(zeros);
	return error;
}

/* Where a file system knows no way past its cache, zeros would cost as much as what comes later. */
static int take_blocks(int fd, uint64_t bytes, bool ahead)
{
	int error = fallocate(fd, 0, 0, (off_t)bytes) ? -errno : 0;
	bool direct = !fcntl(fd, F_SETFL, O_DIRECT);
	if (!error && direct && ahead)
		error = fill(fd, bytes);
	return error ? error : fsync(fd) ? -errno : 0;
}

/* A descriptor of a locked file with that room, or -errno. */
static int make_file(int directory, const char *name, uint64_t bytes, bool ahead)
{
	int fd = own_file_open(directory, name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0)
		return -errno;
	int error = flock(fd, LOCK_EX | LOCK_NB) ? -errno : take_blocks(fd, bytes, ahead);
	if (!error)
		return fd;
	close(fd);
	unlinkat(directory, name, 0);
	return error;
}

static void *make_spare(void *argument)
{
	struct kernel_disk *k = argument;
	k->spare.fd = make_file(k->directory, k->spare.name, k->spare.bytes, true);
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
	return make_file(k->directory, k->spare.name, bytes, false);
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
	return error ? error : make_file(k->directory, k->spare.name, bytes, false);
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
	k->block_at = k->block_n = 0;
	begin_spare(k, op->at);
	return 0;
}

/* Whole blocks are done with; what is behind them stays. */
static int put_blocks(struct kernel_disk *k, int fd)
{
	size_t whole = k->block_n & ~(size_t)(DISK_BLOCK_BYTES - 1), rest = k->block_n - whole;
	size_t padded = rest ? whole + DISK_BLOCK_BYTES : whole;
	memset(k->block + k->block_n, 0, padded - k->block_n);
	int error = put(fd, k->block, padded, k->block_at);
	memmove(k->block, k->block + whole, rest);
	k->block_at += whole;
	k->block_n = rest;
	return error;
}

static int write_all(struct kernel_disk *k, const struct disk_op *op)
{
	int error = 0;
	must(op->at == k->block_at + k->block_n);
	for (unsigned i = 0; i < op->vector_n; i++) {
		const char *from = op->vectors[i].iov_base;
		size_t left = op->vectors[i].iov_len;
		while (left && !error) {
			size_t room = DISK_GATHER_BYTES - k->block_n, n = left < room ? left : room;
			memcpy(k->block + k->block_n, from, n);
			k->block_n += n;
			from += n;
			left -= n;
			if (k->block_n == DISK_GATHER_BYTES)
				error = put_blocks(k, op->file->fd);
		}
	}
	return error || !k->block_n ? error : put_blocks(k, op->file->fd);
}

/*
 * A file whose name is gone would be durable for nobody. Nothing but its names is asked for: since
 * Linux 6.13 who asks for the times of a file makes its next sync write the inode too.
 */
static int sync_file(struct disk_file *f)
{
	struct statx file;
	if (fdatasync(f->fd) || statx(f->fd, "", AT_EMPTY_PATH, STATX_NLINK, &file))
		return -errno;
	if (!file.stx_nlink)
		return -ENOENT;
	return 0;
}

static int cut(const struct disk_op *op)
{
	return ftruncate(op->file->fd, (off_t)op->at) || fsync(op->file->fd) ? -errno : 0;
}

static int perform(struct kernel_disk *k, struct disk_op *op)
{
	if (k->refuses)
		return -k->refuses;
	switch ((enum disk_verb)op->verb) {
	case DISK_CREATE:
		return create(k, op);
	case DISK_WRITE:
		return write_all(k, op);
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
	if (k->directory >= 0)
		close(k->directory);
	free(k->block);
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
	k->block = aligned_alloc(DISK_BLOCK_BYTES, DISK_GATHER_BYTES);
	must(k->path && k->block);
	snprintf(k->spare.name, sizeof k->spare.name, DISK_SPARE "%d", (int)getpid());
	return &k->disk;
}

struct disk *disk_refusing(int error)
{
	struct kernel_disk *k = calloc(1, sizeof *k);
	must(k && error > 0);
	k->disk.verbs = &verbs;
	k->directory = -1;
	k->refuses = error;
	return &k->disk;
}
