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
 * Written bytes are gathered in a buffer of whole blocks, and go from there to the device, past the
 * page cache: copying into a buffer that stays in the CPU cache costs a fraction of getting pages
 * from the page cache. A block that is not full stays in the buffer, and is written again with the
 * next bytes. Its durable bytes are rewritten unchanged, so a torn write cannot damage them.
 *
 * A sync costs twice as much in a file whose blocks were never written, because the file system's
 * journal must be written too. Therefore a thread fills the next file with zeros ahead of time,
 * while the present one is in use.
 */

struct disk_file {
	int fd;
};

struct kernel_disk {
	struct disk disk;
	char *path;    /* owned */
	int directory; /* -1: there is none */
	int refuses;   /* every operation fails with this errno; 0: a disk of the kernel */
	/* of the file that is being written: */
	char *block;	   /* owned: DISK_GATHER_BYTES, aligned */
	uint64_t block_at; /* the offset in the file where the buffer begins */
	size_t block_n;	   /* bytes in the buffer */
	struct spare {
		pthread_t thread;
		bool begun;
		char name[32]; /* contains the pid: another process may have a spare file too */
		uint64_t bytes;
		int fd; /* the file's descriptor, or -errno, when the thread has ended */
	} spare;
};

static struct kernel_disk *kernel_disk_of(struct disk *d)
{
	return (struct kernel_disk *)d;
}

static int write_at(int fd, const char *from, size_t n, uint64_t at)
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

static int fill_with_zeros(int fd, uint64_t bytes)
{
	char *zeros = aligned_alloc(DISK_BLOCK_BYTES, DISK_GATHER_BYTES);
	int error = 0;
	must(zeros);
	memset(zeros, 0, DISK_GATHER_BYTES);
	for (uint64_t at = 0; at < bytes && !error; at += DISK_GATHER_BYTES)
		error = write_at(fd, zeros, DISK_GATHER_BYTES, at);
	free(zeros);
	return error;
}

/* If the file system has no direct I/O, writing zeros would cost as much as the later writes. */
static int take_blocks(int fd, uint64_t bytes, bool ahead)
{
	int error = fallocate(fd, 0, 0, (off_t)bytes) ? -errno : 0;
	bool direct = !fcntl(fd, F_SETFL, O_DIRECT);
	if (!error && direct && ahead)
		error = fill_with_zeros(fd, bytes);
	return error ? error : fsync(fd) ? -errno : 0;
}

/* Returns the descriptor of a locked file with that room, or -errno. */
static int kernel_disk_make_file(int directory, const char *name, uint64_t bytes, bool ahead)
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
	k->spare.fd = kernel_disk_make_file(k->directory, k->spare.name, k->spare.bytes, true);
	return NULL;
}

static void begin_spare(struct kernel_disk *k, uint64_t bytes)
{
	if (k->spare.begun)
		return;
	k->spare.bytes = bytes;
	k->spare.begun = !pthread_create(&k->spare.thread, NULL, make_spare, k);
}

/* Waits for the spare file that is being made. Returns a descriptor, or -errno. */
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

/* Returns the spare file, or a new one; or -errno. */
static int take_spare(struct kernel_disk *k, uint64_t bytes)
{
	int fd = end_spare(k);
	if (fd >= 0 && k->spare.bytes == bytes)
		return fd;
	if (fd >= 0)
		close(fd);
	return kernel_disk_make_file(k->directory, k->spare.name, bytes, false);
}

/* --- the verbs --- */

/* The directory may have been removed and made again. */
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
	return error ? error : kernel_disk_make_file(k->directory, k->spare.name, bytes, false);
}

/* The file gets its name last: it is never seen under that name unlocked or without its room. */
static int kernel_disk_create(struct kernel_disk *k, struct disk_op *op)
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

/* Writes out all blocks. Only the rest that fills no whole block stays in the buffer. */
static int put_blocks(struct kernel_disk *k, int fd)
{
	size_t whole = k->block_n & ~(size_t)(DISK_BLOCK_BYTES - 1), rest = k->block_n - whole;
	size_t padded = rest ? whole + DISK_BLOCK_BYTES : whole;
	memset(k->block + k->block_n, 0, padded - k->block_n);
	int error = write_at(fd, k->block, padded, k->block_at);
	memmove(k->block, k->block + whole, rest);
	k->block_at += whole;
	k->block_n = rest;
	return error;
}

static int kernel_disk_write(struct kernel_disk *k, const struct disk_op *op)
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
 * If the file's name is gone, nobody could find the durable bytes. statx() asks only for the number
 * of names: since Linux 6.13, asking for a file's times makes its next sync write the inode too.
 */
static int kernel_disk_sync(struct disk_file *f)
{
	struct statx file;
	if (fdatasync(f->fd) || statx(f->fd, "", AT_EMPTY_PATH, STATX_NLINK, &file))
		return -errno;
	if (!file.stx_nlink)
		return -ENOENT;
	return 0;
}

static int kernel_disk_cut(const struct disk_op *op)
{
	return ftruncate(op->file->fd, (off_t)op->at) || fsync(op->file->fd) ? -errno : 0;
}

static int kernel_disk_perform(struct kernel_disk *k, struct disk_op *op)
{
	if (k->refuses)
		return -k->refuses;
	switch ((enum disk_verb)op->verb) {
	case DISK_CREATE:
		return kernel_disk_create(k, op);
	case DISK_WRITE:
		return kernel_disk_write(k, op);
	case DISK_SYNC:
		return kernel_disk_sync(op->file);
	case DISK_CUT:
		return kernel_disk_cut(op);
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
	disk_done(d, kernel_disk_perform(kernel_disk_of(d), d->op));
	return true;
}

static void kernel_disk_start(struct disk *d, struct disk_op *op)
{
	(void)d;
	(void)op;
}

static void kernel_disk_close_file(struct disk *d, struct disk_file *f)
{
	(void)d;
	close(f->fd);
	free(f);
}

/* --- open and close --- */

static void kernel_disk_free(struct disk *d)
{
	struct kernel_disk *k = kernel_disk_of(d);
	forget_spare(k);
	if (k->directory >= 0)
		close(k->directory);
	free(k->block);
	free(k->path);
	free(k);
}

static const struct disk_verbs verbs = { kernel_disk_start, kernel_disk_close_file,
					 kernel_disk_free };

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
