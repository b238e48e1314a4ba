#ifndef CAPTURE_PACKED_H
#define CAPTURE_PACKED_H

/*
 * A sealed segment in its packed form (docs/capture.md): the segment's head with a magic of its
 * own, blocks of whole frames that are compressed each for itself with zstd, and a table of the
 * blocks at the end. It is read by offsets of what was packed, so that whoever reads frames need
 * not know. A block that is damaged reads as zeros, which are no frames; where the table is damaged
 * the blocks are found by their heads.
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

/* Before each block, whose bytes are padded to 8; the table at the end has all of them again. */
struct packed_block {
	uint32_t magic;
	uint32_t crc; /* CRC-32C of the segment's id and of this with this field 0 */
	uint32_t n;   /* bytes, without padding */
	uint32_t raw_n;
	uint32_t payload_crc; /* of the bytes as they stand here */
	uint32_t zero;
	uint64_t at;			     /* of this head, in the file */
	uint64_t raw_at;		     /* of its frames, in the segment */
	uint64_t sequence, mono_ns, wall_ns; /* of its first frame */
};
static_assert(sizeof(struct packed_block) == 64, "part of the format");

/* The last bytes of the file. */
struct packed_end {
	uint32_t magic;
	uint32_t crc; /* CRC-32C of the segment's id and of this with this field 0 */
	uint32_t block_n;
	uint32_t table_crc;
	uint64_t table_at;
	uint64_t raw_bytes; /* of the segment */
};
static_assert(sizeof(struct packed_end) == 32, "part of the format");

/* The most that a block holds: it is over with the frame that reaches PACKED_BLOCK_BYTES. */
#define PACKED_RAW_MAX (PACKED_BLOCK_BYTES + FRAME_PAYLOAD_BYTES + sizeof(struct frame))

uint32_t packed_block_crc(const struct packed_block *b, uint64_t segment_id);
uint32_t packed_end_crc(const struct packed_end *e, uint64_t segment_id);

struct packed;

/* A head with the packed form's magic becomes the segment's own. False: it is none. */
bool packed_head(struct segment_head *h);

/* Reads the table, or finds the blocks. NULL with errno. The descriptor is borrowed. */
struct packed *packed_open(int fd, uint64_t segment_id);
void packed_close(struct packed *p);

/* As pread() of what was packed would. -1 with errno. */
ssize_t packed_read(struct packed *p, void *to, size_t n, uint64_t at);

/* Of the segment, as far as it is known. */
uint64_t packed_raw_bytes(const struct packed *p);
/* Bytes of the file that were read so far. */
uint64_t packed_read_bytes(const struct packed *p);
/* Where in the file the block stands that has `raw_at`; 0: in none that could be found. */
uint64_t packed_place(const struct packed *p, uint64_t raw_at);
/* The blocks in their order. */
const struct packed_block *packed_blocks(const struct packed *p, size_t *n);
/* The table at the end is damaged. */
bool packed_lost_table(const struct packed *p);

#endif
