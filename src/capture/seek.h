#ifndef CAPTURE_SEEK_H
#define CAPTURE_SEEK_H

/*
 * Finds where in a series to begin when not all of it is wanted. The segment is found by the heads;
 * the place in it by halving, or by the blocks' heads if it is packed. No index has to be written,
 * kept or mended: from any place of a segment its next frame can be found, for no other bytes have
 * the segment's id in their checksum.
 */

#include <stddef.h>
#include <stdint.h>

#include "capture/segment.h"

/*
 * For a segment that was just opened: goes to a frame that is at most about SEEK_NEAR_BYTES before
 * the one of that sequence, and not behind it.
 */
void seek_sequence(struct segment *s, uint64_t sequence);

/*
 * A sequence of the series; all before it came before that wall time. UINT64_MAX: all of the series
 * did, and it is over. Where the clock was set it is an earlier one. What was read is added to
 * *read_bytes.
 */
uint64_t seek_time(int directory, uint64_t generation, const uint64_t *indexes, size_t n,
		   uint64_t wall_ns, uint64_t *read_bytes);

#endif
