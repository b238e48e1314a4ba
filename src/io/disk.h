#ifndef IO_DISK_H
#define IO_DISK_H

/*
 * Files of one directory as completions, for a thread that does nothing else: the kernel's, or the
 * simulator's with stalls, torn writes and failed syncs. As with io.h, done() never runs inside the
 * call that started an operation, each operation ends with exactly one, and what it reads is left
 * alone until then. One operation at a time.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/bug.h"

struct disk;
struct disk_file;

enum disk_verb { DISK_NONE, DISK_CREATE, DISK_WRITE, DISK_SYNC, DISK_CUT, DISK_REMOVE };

struct disk_op {
	void (*done)(struct disk_op *op);
	int result;		/* 0 or -errno */
	uint8_t verb;		/* DISK_NONE while it is idle */
	struct disk_file *file; /* create: the new one, the op's owner's from done() on, or NULL */
	const char *name;	/* create, remove: borrowed until done() */
	const struct iovec *vectors; /* write: borrowed until done() */
	unsigned vector_n;
	uint64_t at; /* write: the offset; cut: the size that is left; create: bytes of room */
};

struct disk_verbs {
	void (*start)(struct disk *d, struct disk_op *op);
	void (*close)(struct disk *d, struct disk_file *f);
	void (*free)(struct disk *d);
};

struct disk {
	const struct disk_verbs *verbs;
	struct disk_op *op; /* the one under way */
};

/* How files begin that are made ahead of time: without a lock they are leftovers. */
#define DISK_SPARE "spare-"

/*
 * The kernel's: of a directory, which exists. NULL with errno. disk_run() does what was started,
 * with blocking calls; false: there was nothing.
 */
struct disk *disk_open(const char *directory);
bool disk_run(struct disk *d);
/* One of no directory: whatever is asked of it fails with that errno. */
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

/* For backends: the operation is over. */
static inline void disk_done(struct disk *d, int result)
{
	struct disk_op *op = d->op;
	d->op = NULL;
	op->verb = DISK_NONE;
	op->result = result;
	op->done(op);
}

/*
 * Makes a file that is not there yet, mode 0600, locked (flock) for as long as it is open, with
 * room for `bytes`, which read as zeros; it and its name outlast a power cut. -EEXIST, -ENOSPC, ...
 */
static inline void disk_create(struct disk *d, struct disk_op *op, const char *name, uint64_t bytes)
{
	op->name = name;
	op->at = bytes;
	op->file = NULL;
	disk_start(d, op, DISK_CREATE);
}

/* All of it, or an error: then any part of it may be there. */
static inline void disk_write(struct disk *d, struct disk_op *op, struct disk_file *f,
			      const struct iovec *vectors, unsigned n, uint64_t at)
{
	op->file = f;
	op->vectors = vectors;
	op->vector_n = n;
	op->at = at;
	disk_start(d, op, DISK_WRITE);
}

/* What was written outlasts a power cut. After an error nobody knows which part of it does. */
static inline void disk_sync(struct disk *d, struct disk_op *op, struct disk_file *f)
{
	op->file = f;
	disk_start(d, op, DISK_SYNC);
}

/* What is behind the first `size` bytes goes, and that outlasts a power cut. */
static inline void disk_cut(struct disk *d, struct disk_op *op, struct disk_file *f, uint64_t size)
{
	op->file = f;
	op->at = size;
	disk_start(d, op, DISK_CUT);
}

static inline void disk_remove(struct disk *d, struct disk_op *op, const char *name)
{
	op->name = name;
	disk_start(d, op, DISK_REMOVE);
}

static inline void disk_close(struct disk *d, struct disk_file *f /* moved in */)
{
	d->verbs->close(d, f);
}

#endif
