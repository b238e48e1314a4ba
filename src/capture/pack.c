#include "capture/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "base/bug.h"
#include "base/crc32c.h"
#include "capture/packed.h"
#include "capture/segment.h"
#include "capture/series.h"

/* The fastest level: higher ones make a log's text hardly smaller. */
#define LEVEL 1
/* Packing must save at least a sixteenth. */
#define WORTH(raw) ((raw) - (raw) / 16)

struct job {
	int directory;
	const char *name;
	const atomic_bool *stop;
	struct segment from;
	char beside[sizeof PACK_UNFINISHED + SERIES_NAME_BYTES];
	int fd;	     /* of the packed file */
	uint64_t at; /* end of the packed file */
	struct packed_block *table;
	size_t table_n, table_room;
	struct packed_block block; /* the block that frames are gathered in */
	uint8_t *raw;
	uint8_t *bytes;
	ZSTD_CCtx *zstd;
};

/* --- writing --- */

static bool pack_append(struct job *j, const void *from, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t more =
			pwrite(j->fd, (const char *)from + done, n - done, (off_t)(j->at + done));
		if (more < 0 && errno != EINTR)
			return false;
		done += more > 0 ? (size_t)more : 0;
	}
	j->at += n;
	return true;
}

static void note_block(struct job *j)
{
	if (j->table_n == j->table_room) {
		j->table_room = j->table_room ? 2 * j->table_room : 64;
		j->table = realloc(j->table, j->table_room * sizeof *j->table);
		must(j->table);
	}
	j->table[j->table_n++] = j->block;
}

static bool write_block(struct job *j)
{
	struct packed_block *b = &j->block;
	if (!b->raw_n)
		return true;
	size_t n = ZSTD_compressCCtx(j->zstd, j->bytes, ZSTD_COMPRESSBOUND(PACKED_RAW_MAX), j->raw,
				     b->raw_n, LEVEL);
	must(!ZSTD_isError(n));
	memset(j->bytes + n, 0, FRAME_ALIGN);
	b->magic = PACKED_BLOCK_MAGIC;
	b->n = (uint32_t)n;
	b->payload_crc = crc32c(0, j->bytes, n);
	b->at = j->at;
	b->crc = packed_block_crc(b, j->from.head.id);
	note_block(j);
	bool good = pack_append(j, b, sizeof *b) && pack_append(j, j->bytes, frame_padded(n));
	*b = (struct packed_block){ .raw_at = b->raw_at + b->raw_n };
	return good;
}

static bool write_end(struct job *j)
{
	size_t bytes = j->table_n * sizeof *j->table;
	struct packed_end e = { .magic = PACKED_END_MAGIC,
				.block_n = (uint32_t)j->table_n,
				.table_crc = crc32c(0, j->table, bytes),
				.table_at = j->at,
				.raw_bytes = j->from.at };
	e.crc = packed_end_crc(&e, j->from.head.id);
	return pack_append(j, j->table, bytes) && pack_append(j, &e, sizeof e);
}

static bool write_head(struct job *j)
{
	static const char magic[] = PACKED_MAGIC;
	struct segment_head h = j->from.head;
	memcpy(h.magic, magic, sizeof h.magic);
	h.crc = segment_head_crc(&h);
	return pack_append(j, &h, sizeof h);
}

/* The frame's head and padding stand around its payload in memory, as they were read. */
static void pack_gather(struct job *j, const struct frame *f, struct span payload)
{
	struct packed_block *b = &j->block;
	if (!b->raw_n) {
		b->sequence = f->sequence;
		b->mono_ns = f->mono_ns;
		b->wall_ns = f->wall_ns;
	}
	must(b->raw_n + frame_bytes(f) <= PACKED_RAW_MAX);
	memcpy(j->raw + b->raw_n, payload.at - sizeof *f, frame_bytes(f));
	b->raw_n += (uint32_t)frame_bytes(f);
}

static enum pack_verdict write_frames(struct job *j)
{
	struct frame f;
	struct span payload;
	enum segment_verdict v;
	j->block = (struct packed_block){ .raw_at = j->from.at };
	while ((v = segment_next(&j->from, &f, &payload)) == SEGMENT_FRAME) {
		pack_gather(j, &f, payload);
		if (j->block.raw_n < PACKED_BLOCK_BYTES)
			continue;
		if (atomic_load_explicit(j->stop, memory_order_relaxed))
			return PACK_LATER;
		if (!write_block(j))
			return PACK_ERROR;
	}
	if (v == SEGMENT_ERROR)
		return PACK_ERROR;
	if (!j->from.sealed || j->from.at != segment_bytes(&j->from))
		return PACK_NOT;
	if (!write_block(j) || !write_end(j))
		return PACK_ERROR;
	return j->at > WORTH(j->from.at) ? PACK_NOT : PACK_DONE;
}

/* --- checking --- */

static bool reads_to_its_end(struct segment *s)
{
	struct frame f;
	struct span payload;
	while (segment_next(s, &f, &payload) == SEGMENT_FRAME)
		;
	return s->sealed;
}

/*
 * The new file replaces the only copy. So it is read back first: every frame up to the seal must be
 * there.
 */
static bool pack_is_good(const struct job *j)
{
	struct segment s;
	if (segment_open(&s, j->directory, j->beside) != SEGMENT_FRAME)
		return false;
	bool good = !segment_lost_table(&s) && reads_to_its_end(&s) && s.at == j->from.at &&
		    s.last_sequence == j->from.last_sequence;
	segment_close(&s);
	return good;
}

/* --- the exchange --- */

/* The packed file gets the segment's times: its age is that of its content. */
static bool keep_time(const struct job *j)
{
	struct stat file;
	if (fstat(j->from.fd, &file))
		return false;
	struct timespec times[2] = { file.st_atim, file.st_mtim };
	return !futimens(j->fd, times);
}

static bool is_there(const struct job *j)
{
	struct stat mine, there;
	if (fstat(j->from.fd, &mine) || fstatat(j->directory, j->name, &there, 0))
		return false;
	errno = ENOENT;
	return mine.st_ino == there.st_ino;
}

/*
 * The two names are exchanged in one step. So a segment that retention has removed meanwhile does
 * not come back. Some file systems cannot do that: there the segment is looked for first.
 */
static bool take_its_place(const struct job *j)
{
	int d = j->directory;
	if (!renameat2(d, j->beside, d, j->name, RENAME_EXCHANGE))
		return true;
	return errno == EINVAL && is_there(j) && !renameat(d, j->beside, d, j->name);
}

static enum pack_verdict pack_exchange(const struct job *j)
{
	if (!keep_time(j) || fsync(j->fd))
		return PACK_ERROR;
	if (!pack_is_good(j)) {
		errno = EIO;
		return PACK_ERROR;
	}
	if (!take_its_place(j))
		return errno == ENOENT ? PACK_LATER : PACK_ERROR;
	posix_fadvise(j->fd, 0, 0, POSIX_FADV_DONTNEED);
	return fsync(j->directory) ? PACK_ERROR : PACK_DONE;
}

/* --- one segment --- */

static enum pack_verdict pack_work(struct job *j)
{
	enum pack_verdict v = write_head(j) ? write_frames(j) : PACK_ERROR;
	return v == PACK_DONE ? pack_exchange(j) : v;
}

/* A file that a killed process has left is not used: recovery removes it. */
static int make_beside(const struct job *j)
{
	int fd = openat(j->directory, j->beside, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static enum pack_verdict pack_work_beside(struct job *j)
{
	snprintf(j->beside, sizeof j->beside, PACK_UNFINISHED "%s", j->name);
	j->fd = make_beside(j);
	if (j->fd < 0)
		return errno == EEXIST || errno == EWOULDBLOCK ? PACK_LATER : PACK_ERROR;
	j->zstd = ZSTD_createCCtx();
	j->raw = malloc(PACKED_RAW_MAX);
	j->bytes = malloc(ZSTD_COMPRESSBOUND(PACKED_RAW_MAX) + FRAME_ALIGN);
	must(j->zstd && j->raw && j->bytes);
	enum pack_verdict v = pack_work(j);
	int error = errno;
	unlinkat(j->directory, j->beside, 0);
	ZSTD_freeCCtx(j->zstd);
	free(j->raw);
	free(j->bytes);
	free(j->table);
	close(j->fd);
	errno = error;
	return v;
}

enum pack_verdict pack(int directory, const char *name, const atomic_bool *stop,
		       struct pack_gain *gain)
{
	struct job j = { .directory = directory, .name = name, .stop = stop };
	uint64_t last;
	switch (segment_open(&j.from, directory, name)) {
	case SEGMENT_ERROR:
		return errno == ENOENT ? PACK_LATER : PACK_ERROR;
	case SEGMENT_END: /* the head may not be written yet */
		return PACK_LATER;
	case SEGMENT_FRAME:
		break;
	}
	enum pack_verdict v = segment_is_packed(&j.from)	  ? PACK_ALREADY
			      : segment_is_live(&j.from)	  ? PACK_LATER
			      : segment_is_sealed(&j.from, &last) ? pack_work_beside(&j)
								  : PACK_NOT;
	*gain = (struct pack_gain){ j.from.at, j.at };
	int error = errno;
	segment_close(&j.from);
	errno = error;
	return v;
}
