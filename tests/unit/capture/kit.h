#ifndef TESTS_CAPTURE_KIT_H
#define TESTS_CAPTURE_KIT_H

/* A disk that does what the test says, and a worker's feed without a worker. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "capture/feed.h"
#include "capture/journal.h"

#define KIT_FILES 32
#define KIT_FILE_BYTES (4u * 1024 * 1024)

struct kit_file {
	char name[64];
	uint8_t *bytes;	 /* as written; */
	uint8_t *synced; /* as they outlast a crash */
	uint64_t size;
	bool open;
};

struct kit_disk {
	struct disk disk;
	struct kit_file files[KIT_FILES];
	unsigned file_n;
	enum disk_verb fail; /* the next of that kind fails, with: */
	int error;
	bool always;   /* and all after it */
	unsigned torn; /* of a write that fails, so many bytes are written */
	unsigned syncs;
};

static inline struct kit_disk *kit_of(struct disk *d)
{
	return (struct kit_disk *)d;
}

static inline void kit_start(struct disk *d, struct disk_op *op)
{
	(void)d;
	(void)op;
}

static inline void kit_close_file(struct disk *d, struct disk_file *f)
{
	(void)d;
	((struct kit_file *)f)->open = false;
}

static inline void kit_free(struct disk *d)
{
	struct kit_disk *k = kit_of(d);
	for (unsigned i = 0; i < k->file_n; i++) {
		free(k->files[i].bytes);
		free(k->files[i].synced);
	}
}

static inline void kit_disk_open(struct kit_disk *k)
{
	static const struct disk_verbs verbs = { kit_start, kit_close_file, kit_free };
	*k = (struct kit_disk){ .disk.verbs = &verbs };
}

static inline int kit_create(struct kit_disk *k, struct disk_op *op)
{
	assert_true(k->file_n < KIT_FILES);
	struct kit_file *f = &k->files[k->file_n++];
	*f = (struct kit_file){ .bytes = calloc(1, KIT_FILE_BYTES),
				.synced = calloc(1, KIT_FILE_BYTES),
				.size = op->at,
				.open = true };
	snprintf(f->name, sizeof f->name, "%s", op->name);
	op->file = (struct disk_file *)f;
	return 0;
}

static inline int kit_write(struct disk_op *op, size_t most)
{
	struct kit_file *f = (struct kit_file *)op->file;
	uint64_t at = op->at;
	assert_true(f->open);
	for (unsigned i = 0; i < op->vector_n; i++) {
		size_t n = op->vectors[i].iov_len < most ? op->vectors[i].iov_len : most;
		assert_true(at + n <= KIT_FILE_BYTES);
		memcpy(f->bytes + at, op->vectors[i].iov_base, n);
		at += n;
		most -= n;
	}
	return 0;
}

static inline int kit_perform(struct kit_disk *k, struct disk_op *op)
{
	struct kit_file *f = (struct kit_file *)op->file;
	if (k->fail == (enum disk_verb)op->verb && k->error) {
		int error = k->error;
		if (!k->always)
			k->error = 0;
		if (op->verb == DISK_WRITE)
			kit_write(op, k->torn);
		return error;
	}
	switch ((enum disk_verb)op->verb) {
	case DISK_CREATE:
		return kit_create(k, op);
	case DISK_WRITE:
		return kit_write(op, SIZE_MAX);
	case DISK_SYNC:
		k->syncs++;
		memcpy(f->synced, f->bytes, KIT_FILE_BYTES);
		return 0;
	case DISK_CUT:
		memset(f->bytes + op->at, 0, KIT_FILE_BYTES - op->at);
		memcpy(f->synced, f->bytes, KIT_FILE_BYTES);
		f->size = op->at;
		return 0;
	case DISK_NONE:
		return 0;
	}
	return 0;
}

/* One operation of the disk, if there is one. */
static inline bool kit_run(struct kit_disk *k)
{
	if (!k->disk.op)
		return false;
	disk_done(&k->disk, kit_perform(k, k->disk.op));
	return true;
}

#endif
