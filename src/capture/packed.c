#include "capture/packed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "base/bug.h"
#include "base/crc32c.h"

struct packed {
	int fd; /* borrowed */
	uint64_t id, file_bytes, raw_bytes, read_bytes;
	struct packed_block *blocks; /* owned, ascending */
	size_t n, room;
	bool lost_table;
	ZSTD_DCtx *zstd;		    /* owned */
	const struct packed_block *present; /* the block whose frames are in `raw`, or NULL */
	uint8_t *raw, *bytes;		    /* owned, of the size of the largest block */
};

/* --- the format --- */

uint32_t packed_block_crc(const struct packed_block *b, uint64_t id)
{
	struct packed_block bare = *b;
	bare.crc = 0;
	return crc32c(crc32c(0, &id, sizeof id), &bare, sizeof bare);
}

uint32_t packed_end_crc(const struct packed_end *e, uint64_t id)
{
	struct packed_end bare = *e;
	bare.crc = 0;
	return crc32c(crc32c(0, &id, sizeof id), &bare, sizeof bare);
}

bool packed_head(struct segment_head *h)
{
	static const char packed[] = PACKED_MAGIC, plain[] = SEGMENT_MAGIC;
	if (memcmp(h->magic, packed, sizeof h->magic) != 0 || h->crc != segment_head_crc(h))
		return false;
	memcpy(h->magic, plain, sizeof h->magic);
	h->crc = segment_head_crc(h);
	return true;
}

/* --- the file --- */

/* Returns fewer than `n` if the file is shorter. -1 with errno. */
static ssize_t packed_read_at(struct packed *p, void *to, size_t n, uint64_t at)
{
	size_t got = 0;
	while (got < n) {
		ssize_t more = pread(p->fd, (char *)to + got, n - got, (off_t)(at + got));
		if (more < 0 && errno == EINTR)
			continue;
		if (more < 0)
			return -1;
		if (more == 0)
			break;
		got += (size_t)more;
	}
	p->read_bytes += got;
	return (ssize_t)got;
}

static uint64_t raw_end(const struct packed *p)
{
	return p->n ? p->blocks[p->n - 1].raw_at + p->blocks[p->n - 1].raw_n
		    : sizeof(struct segment_head);
}

/* All numbers are checked: none leads outside of the file or of a buffer. */
static bool is_block(const struct packed *p, const struct packed_block *b, uint64_t at)
{
	return b->magic == PACKED_BLOCK_MAGIC && b->crc == packed_block_crc(b, p->id) &&
	       b->at == at && b->n <= ZSTD_COMPRESSBOUND(PACKED_RAW_MAX) &&
	       b->raw_n <= PACKED_RAW_MAX && b->raw_at >= raw_end(p) &&
	       b->raw_at <= (uint64_t)INT64_MAX - b->raw_n && b->at <= p->file_bytes &&
	       b->n <= p->file_bytes - b->at;
}

static void packed_add_block(struct packed *p, const struct packed_block *b)
{
	if (p->n == p->room) {
		p->room = p->room ? 2 * p->room : 64;
		p->blocks = realloc(p->blocks, p->room * sizeof *p->blocks);
		must(p->blocks);
	}
	p->blocks[p->n++] = *b;
}

/* --- the table --- */

static bool read_end(struct packed *p, struct packed_end *e)
{
	if (p->file_bytes < sizeof(struct segment_head) + sizeof *e)
		return false;
	uint64_t at = p->file_bytes - sizeof *e;
	return packed_read_at(p, e, sizeof *e, at) == (ssize_t)sizeof *e &&
	       e->magic == PACKED_END_MAGIC && e->crc == packed_end_crc(e, p->id) &&
	       e->table_at <= at && e->block_n == (at - e->table_at) / sizeof(struct packed_block);
}

static bool read_table(struct packed *p)
{
	struct packed_end e;
	if (!read_end(p, &e))
		return false;
	size_t bytes = e.block_n * sizeof(struct packed_block);
	p->blocks = calloc(e.block_n + 1, sizeof *p->blocks);
	must(p->blocks);
	p->room = e.block_n;
	bool good = packed_read_at(p, p->blocks, bytes, e.table_at) == (ssize_t)bytes &&
		    crc32c(0, p->blocks, bytes) == e.table_crc;
	while (good && p->n < e.block_n &&
	       (good = is_block(p, &p->blocks[p->n], p->blocks[p->n].at)))
		p->n++;
	p->raw_bytes = e.raw_bytes;
	return good && e.raw_bytes == raw_end(p);
}

/* Goes from block to block, and over bytes that are no block. */
static bool find_blocks(struct packed *p)
{
	struct packed_block b;
	uint64_t at = sizeof(struct segment_head);
	p->n = 0;
	ssize_t got;
	while ((got = packed_read_at(p, &b, sizeof b, at)) == (ssize_t)sizeof b) {
		bool good = is_block(p, &b, at);
		if (good)
			packed_add_block(p, &b);
		at += good ? sizeof b + frame_padded(b.n) : FRAME_ALIGN;
	}
	p->raw_bytes = raw_end(p);
	return got >= 0;
}

/* --- reading --- */

/* The last block that begins at or before `raw_at`; NULL: there is none. */
static const struct packed_block *block_before(const struct packed *p, uint64_t raw_at)
{
	size_t low = 0, high = p->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (p->blocks[middle].raw_at <= raw_at)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &p->blocks[low - 1] : NULL;
}

static bool block_has(const struct packed_block *b, uint64_t raw_at)
{
	return b && raw_at - b->raw_at < b->raw_n;
}

static bool block_unpack(struct packed *p, const struct packed_block *b)
{
	return crc32c(0, p->bytes, b->n) == b->payload_crc &&
	       ZSTD_decompressDCtx(p->zstd, p->raw, b->raw_n, p->bytes, b->n) == b->raw_n;
}

static bool block_load(struct packed *p, const struct packed_block *b)
{
	if (p->present == b)
		return true;
	if (!p->raw) {
		p->raw = malloc(PACKED_RAW_MAX);
		p->bytes = malloc(ZSTD_COMPRESSBOUND(PACKED_RAW_MAX));
		p->zstd = ZSTD_createDCtx();
		must(p->raw && p->bytes && p->zstd);
	}
	ssize_t got = packed_read_at(p, p->bytes, b->n, b->at + sizeof *b);
	if (got < 0)
		return false;
	if (got < (ssize_t)b->n || !block_unpack(p, b))
		memset(p->raw, 0, b->raw_n);
	p->present = b;
	return true;
}

/* Reads what is known of the bytes from `at` on: those of a block, or zeros up to the next one. */
static ssize_t read_part(struct packed *p, uint8_t *to, size_t n, uint64_t at)
{
	const struct packed_block *b = block_before(p, at);
	if (block_has(b, at)) {
		uint64_t left = b->raw_at + b->raw_n - at;
		n = n < left ? n : left;
		if (!block_load(p, b))
			return -1;
		memcpy(to, p->raw + (at - b->raw_at), n);
		return (ssize_t)n;
	}
	size_t next = b ? (size_t)(b - p->blocks) + 1 : 0;
	uint64_t end = next < p->n ? p->blocks[next].raw_at : p->raw_bytes;
	n = end - at < n ? end - at : n;
	memset(to, 0, n);
	return (ssize_t)n;
}

ssize_t packed_read(struct packed *p, void *to, size_t n, uint64_t at)
{
	size_t got = 0;
	while (got < n && at + got < p->raw_bytes) {
		ssize_t more = read_part(p, (uint8_t *)to + got, n - got, at + got);
		if (more < 0)
			return -1;
		got += (size_t)more;
	}
	return (ssize_t)got;
}

/* --- getters --- */

uint64_t packed_raw_bytes(const struct packed *p)
{
	return p->raw_bytes;
}

uint64_t packed_read_bytes(const struct packed *p)
{
	return p->read_bytes;
}

uint64_t packed_place(const struct packed *p, uint64_t raw_at)
{
	const struct packed_block *b = block_before(p, raw_at);
	return block_has(b, raw_at) ? b->at : 0;
}

const struct packed_block *packed_blocks(const struct packed *p, size_t *n)
{
	*n = p->n;
	return p->blocks;
}

bool packed_lost_table(const struct packed *p)
{
	return p->lost_table;
}

/* --- open and close --- */

struct packed *packed_open(int fd, uint64_t segment_id)
{
	struct stat file;
	if (fstat(fd, &file))
		return NULL;
	struct packed *p = calloc(1, sizeof *p);
	must(p);
	p->fd = fd;
	p->id = segment_id;
	p->file_bytes = (uint64_t)file.st_size;
	p->lost_table = !read_table(p);
	if (!p->lost_table || find_blocks(p))
		return p;
	packed_close(p);
	return NULL;
}

void packed_close(struct packed *p)
{
	if (!p)
		return;
	int error = errno;
	ZSTD_freeDCtx(p->zstd);
	free(p->raw);
	free(p->bytes);
	free(p->blocks);
	free(p);
	errno = error;
}
