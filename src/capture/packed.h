#ifndef CAPTURE_PACKED_H
#define CAPTURE_PACKED_H

/*
 * A sealed segment in its packed form (docs/capture.md): the segment's head with another magic,
 * blocks of whole frames, each compressed on its own with zstd, and a table of the blocks at the
 * end. It is read by offsets of the unpacked segment, so that readers need not know that it is
 * packed. A damaged block reads as zeros, which are no frames. Where the table is damaged, the
 * blocks are found by their heads.
 */

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/limits.h"
#include "capture/frame.h"

#define PACKED_MAGIC                                                                               \
	{                                                                                          \
		'C', 'F', 'P', 'A', 'C', 'K', 'E', 'D'                                             \
	}
#define PACKED_BLOCK_MAGIC 0x4b4c4246u /* "FBLK" */
#define PACKED_END_MAGIC 0x444e4546u   /* "FEND" */

/*
 * Stands before each block, whose bytes are padded to 8. The table at the end repeats all of them.
 */
struct packed_block {
	uint32_t magic;
	uint32_t crc; /* CRC-32C of the segment's id and of this struct with this field 0 */
	uint32_t n;   /* bytes, without padding */
	uint32_t raw_n;
	uint32_t payload_crc; /* of the compressed bytes */
	uint32_t zero;
	uint64_t at;			     /* offset of this struct in the file */
	uint64_t raw_at;		     /* offset of its frames in the unpacked segment */
	uint64_t sequence, mono_ns, wall_ns; /* of the block's first frame */
};
static_assert(sizeof(struct packed_block) == 64, "part of the format");

/* The last bytes of the file. */
struct packed_end {
	uint32_t magic;
	uint32_t crc; /* CRC-32C of the segment's id and of this struct with this field 0 */
	uint32_t block_n;
	uint32_t table_crc;
	uint64_t table_at;
	uint64_t raw_bytes; /* of the unpacked segment */
};
static_assert(sizeof(struct packed_end) == 32, "part of the format");

/* The most bytes of frames in a block: it ends with the frame that reaches PACKED_BLOCK_BYTES. */
#define PACKED_RAW_MAX (PACKED_BLOCK_BYTES + FRAME_PAYLOAD_BYTES + sizeof(struct frame))

uint32_t packed_block_crc(const struct packed_block *b, uint64_t segment_id);
uint32_t packed_end_crc(const struct packed_end *e, uint64_t segment_id);

struct packed;

/* Turns the head of a packed file into the segment's own head. False: it is none. */
bool packed_head(struct segment_head *h);

/*
 * Reads the table, or finds the blocks by their heads. NULL with errno. The descriptor is borrowed.
 */
struct packed *packed_open(int fd, uint64_t segment_id);
void packed_close(struct packed *p);

/* As pread() of the unpacked segment. -1 with errno. */
ssize_t packed_read(struct packed *p, void *to, size_t n, uint64_t at);

/* Bytes of the unpacked segment, as far as known. */
uint64_t packed_raw_bytes(const struct packed *p);
/* Bytes of the file that were read so far. */
uint64_t packed_read_bytes(const struct packed *p);
/* Offset in the file of the block that has `raw_at`; 0: no known block has it. */
uint64_t packed_place(const struct packed *p, uint64_t raw_at);
/* The blocks in their order. */
const struct packed_block *packed_blocks(const struct packed *p, size_t *n);
/* Whether the table at the end is damaged. */
bool packed_lost_table(const struct packed *p);

#endif
