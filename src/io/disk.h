#ifndef IO_DISK_H
#define IO_DISK_H

/*
 * The files of one directory as completions, for a thread that does nothing else: the kernel's, or
 * the simulator's with stalls, torn writes and failed syncs. As with io.h, done() never runs inside
 * the call that started an operation. Each operation ends with exactly one done(), and the memory
 * that it reads must not change until then. One operation at a time.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/bug.h"

struct disk;
struct disk_file;

enum disk_verb { DISK_NONE, DISK_CREATE, DISK_WRITE, DISK_SYNC, DISK_CUT };

struct disk_op {
	void (*done)(struct disk_op *op);
	int result;		     /* 0 or -errno */
	uint8_t verb;		     /* DISK_NONE while the operation is idle */
	struct disk_file *file;	     /* create: the new file, then the owner's; NULL: failed */
	const char *name;	     /* create: borrowed until done() */
	const struct iovec *vectors; /* write: borrowed until done() */
	unsigned vector_n;
	uint64_t at; /* write: the offset; cut: the new size; create: bytes of room */
};

struct disk_verbs {
	void (*start)(struct disk *d, struct disk_op *op);
	void (*close)(struct disk *d, struct disk_file *f);
	void (*free)(struct disk *d);
};

struct disk {
	const struct disk_verbs *verbs;
	struct disk_op *op; /* the operation under way */
};

/*
 * Prefix of files that are made ahead of time. Such a file without a lock is left over from a
 * process that has ended.
 */
#define DISK_SPARE "spare-"

/*
 * Opens the kernel's disk on an existing directory. NULL with errno. disk_run() performs the
 * started operation, with blocking calls; false: there was none.
 */
struct disk *disk_open(const char *directory);
bool disk_run(struct disk *d);
/* A disk without a directory: every operation fails with that errno. */
struct disk *disk_refusing(int error);

static inline void disk_free(struct disk *d)
{
	must(!d->op);
	d->verbs->free(d);
}

static inline void disk_start(struct disk *d, struct disk_op *op, enum disk_verb verb)
{
	must(!d->op && op->verb == DISK_NONE);
	op->verb = (uint8_t)verb;
	d->op = op;
	d->verbs->start(d, op);
}

/* For backends: ends the operation. */
static inline void disk_done(struct disk *d, int result)
{
	struct disk_op *op = d->op;
	d->op = NULL;
	op->verb = DISK_NONE;
	op->result = result;
	op->done(op);
}

/*
 * Makes a file that does not exist yet, with mode 0600. It is locked (flock) while it is open, and
 * has room for `bytes`, which read as zeros. The file and its name survive a power cut. Errors:
 * -EEXIST, -ENOSPC, ...
 */
static inline void disk_create(struct disk *d, struct disk_op *op, const char *name, uint64_t bytes)
{
	op->name = name;
	op->at = bytes;
	op->file = NULL;
	disk_start(d, op, DISK_CREATE);
}

/* Writes all bytes, or fails; after an error any part may have been written. */
static inline void disk_write(struct disk *d, struct disk_op *op, struct disk_file *f,
			      const struct iovec *vectors, unsigned n, uint64_t at)
{
	op->file = f;
	op->vectors = vectors;
	op->vector_n = n;
	op->at = at;
	disk_start(d, op, DISK_WRITE);
}

/*
 * Makes the written bytes survive a power cut. After an error it is unknown which part of them
 * does.
 */
static inline void disk_sync(struct disk *d, struct disk_op *op, struct disk_file *f)
{
	op->file = f;
	disk_start(d, op, DISK_SYNC);
}

/* Cuts the file to its first `size` bytes, and makes that survive a power cut. */
static inline void disk_cut(struct disk *d, struct disk_op *op, struct disk_file *f, uint64_t size)
{
	op->file = f;
	op->at = size;
	disk_start(d, op, DISK_CUT);
}

static inline void disk_close(struct disk *d, struct disk_file *f /* moved in */)
{
	d->verbs->close(d, f);
}

#endif
