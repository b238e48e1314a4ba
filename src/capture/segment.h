#ifndef CAPTURE_SEGMENT_H
#define CAPTURE_SEGMENT_H

/*
 * One segment file, read frame by frame, while it is written or afterwards. It is read with pread:
 * a file that is cut back under a mapping would end the reader.
 */

#include <stdbool.h>
#include <stdint.h>

#include "capture/frame.h"

struct segment {
	int fd; /* owned */
	struct segment_head head;
	uint64_t at;		/* of the next frame */
	uint64_t last_sequence; /* of the frame read last; that of the head less one at first */
	bool sealed;		/* the seal was read: nothing follows here, */
	bool last;		/* nor in another segment of the series */
	uint8_t *bytes;		/* owned: part of the file, */
	size_t n, room;		/* from `at` less `used` on */
	size_t used;
};

enum segment_verdict {
	SEGMENT_FRAME,
	SEGMENT_END,   /* there is no frame here: not yet, or no more, or it is damaged */
	SEGMENT_ERROR, /* errno */
};

/* SEGMENT_END: it has no good head. Owns what it opened for SEGMENT_FRAME only. */
enum segment_verdict segment_open(struct segment *s, int directory, const char *name);
void segment_close(struct segment *s);

/*
 * The next frame; its payload stays until the next call. After SEGMENT_END it may be asked again:
 * of a live segment there may be more now.
 */
enum segment_verdict segment_next(struct segment *s, struct frame *f, struct span *payload);

/*
 * After SEGMENT_END in a segment that nobody writes: goes to the next good frame behind a hole, of
 * `hole_bytes`, and says how many bytes of those are not zero. SEGMENT_END: there is none.
 */
enum segment_verdict segment_skip(struct segment *s, uint64_t *hole_bytes, uint64_t *written_bytes);

/* Whether its file ends with the seal, as one does whose writer came to its end. */
bool segment_is_sealed(const struct segment *s);

/* Whether a process has it open for writing. */
bool segment_is_live(const struct segment *s);

#endif
