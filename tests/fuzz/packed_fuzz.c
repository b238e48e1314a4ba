/*
 * Packed segments whose checksums are right and whose contents are anything: what finds their
 * blocks, and reads them from any place. The input is what stands behind the segment's head.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/crc32c.h"
#include "capture/packed.h"

#define ID 7
#define INPUT_BYTES (64 * 1024)

static void mend_block(uint8_t *at, size_t left)
{
	struct packed_block b;
	if (left < sizeof b)
		return;
	memcpy(&b, at, sizeof b);
	if (b.magic != PACKED_BLOCK_MAGIC)
		return;
	if (b.n <= left - sizeof b)
		b.payload_crc = crc32c(0, at + sizeof b, b.n);
	b.crc = packed_block_crc(&b, ID);
	memcpy(at, &b, sizeof b);
}

static void mend_end(uint8_t *file, size_t n)
{
	struct packed_end e;
	if (n < sizeof(struct segment_head) + sizeof e)
		return;
	size_t at = n - sizeof e;
	memcpy(&e, file + at, sizeof e);
	if (e.table_at <= at)
		e.table_crc = crc32c(0, file + e.table_at, at - e.table_at);
	e.crc = packed_end_crc(&e, ID);
	memcpy(file + at, &e, sizeof e);
}

static void read_it(struct packed *p, uint64_t from)
{
	static uint8_t bytes[4096];
	ssize_t got;
	for (unsigned i = 0; i < 64 && (got = packed_read(p, bytes, sizeof bytes, from)) > 0; i++) {
		must(from + (uint64_t)got <= packed_raw_bytes(p));
		must(packed_place(p, from) < INPUT_BYTES + sizeof(struct segment_head));
		from += (uint64_t)got;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t file[sizeof(struct segment_head) + INPUT_BYTES];
	size_t n = sizeof(struct segment_head) + (size < INPUT_BYTES ? size : INPUT_BYTES), blocks;
	memcpy(file + sizeof(struct segment_head), data, n - sizeof(struct segment_head));
	for (size_t at = sizeof(struct segment_head); at < n; at += FRAME_ALIGN)
		mend_block(file + at, n - at);
	mend_end(file, n);
	int fd = memfd_create("packed", 0);
	must(fd >= 0 && write(fd, file, n) == (ssize_t)n);
	struct packed *p = packed_open(fd, ID);
	must(p);
	read_it(p, sizeof(struct segment_head));
	const struct packed_block *list = packed_blocks(p, &blocks);
	for (size_t i = 0; i < blocks && i < 16; i++)
		read_it(p, list[i].raw_at + list[i].raw_n / 2);
	read_it(p, packed_raw_bytes(p) - packed_raw_bytes(p) / 3);
	packed_close(p);
	close(fd);
	return 0;
}
