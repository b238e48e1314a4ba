#ifndef CAPTURE_SEGMENT_H
#define CAPTURE_SEGMENT_H

/*
 * One segment file, read frame by frame, while it is written or later, packed or not. It is read
 * with pread(): if it were mapped, and cut back by its writer, that would kill the reader.
 */

#include <stdbool.h>
#include <stdint.h>

#include "capture/frame.h"

struct packed;

struct segment {
	int fd;		       /* owned */
	struct packed *packed; /* owned; NULL: the file is not packed */
	uint64_t read_bytes;   /* of the head, and of a file that is not packed */
	struct segment_head head;
	uint64_t at;		/* offset of the next frame */
	uint64_t last_sequence; /* of the frame read last; at first, the head's less one */
	bool sealed;		/* the seal was read: nothing follows here */
	bool last;		/* nor in another segment of the series */
	uint8_t *bytes;		/* owned: a part of the file */
	size_t n, room;		/* from offset `at` - `used` on */
	size_t used;
};

enum segment_verdict {
	SEGMENT_FRAME,
	SEGMENT_END,   /* no frame is here: not yet, or no more, or it is damaged */
	SEGMENT_ERROR, /* errno */
};

/*
 * The text for an error: strerror(), but for EPROTONOSUPPORT, which means a segment of a newer
 * major version.
 */
const char *segment_error(int error);

/* SEGMENT_END: the file has no good head. Only after SEGMENT_FRAME is the segment open. */
enum segment_verdict segment_open(struct segment *s, int directory, const char *name);
void segment_close(struct segment *s);
/* Reads its head alone. */
enum segment_verdict segment_look(int directory, const char *name, struct segment_head *h);

/*
 * Reads the next frame; its payload stays until the next call. After SEGMENT_END it may be called
 * again: a live segment may have more by now.
 */
enum segment_verdict segment_next(struct segment *s, struct frame *f, struct span *payload);
/* Drops what was read ahead: the file may have other bytes now. */
void segment_forget(struct segment *s);

/* Goes to the frame of that sequence, which begins at `at`. */
void segment_jump(struct segment *s, uint64_t at, uint64_t sequence);
/* Goes to the first good frame that begins in [from, end). False: there is none. */
bool segment_find(struct segment *s, uint64_t from, uint64_t end, struct frame *f);

/*
 * After SEGMENT_END in a segment that nobody writes: goes to the next good frame, behind a hole of
 * *hole_bytes, of which *written_bytes are not zero. SEGMENT_END: there is none.
 */
enum segment_verdict segment_skip(struct segment *s, uint64_t *hole_bytes, uint64_t *written_bytes);

bool segment_is_packed(const struct segment *s);
/* Whether it is packed and its table is damaged: then its blocks were found one by one. */
bool segment_lost_table(const struct segment *s);
/* Bytes of the segment; of a packed one, unpacked. 0 with errno. */
uint64_t segment_bytes(const struct segment *s);
/* Offset in a packed file of the block that has `at`; 0: it is not packed, or that is unknown. */
uint64_t segment_place(const struct segment *s, uint64_t at);
/* Bytes of the file as it is. 0 with errno. */
uint64_t segment_file_bytes(const struct segment *s);
/* How many bytes were read from the disk. */
uint64_t segment_read_bytes(const struct segment *s);

/*
 * Whether the file ends with a seal, as it does once its writer has finished it. *sequence is the
 * seal's.
 */
bool segment_is_sealed(struct segment *s, uint64_t *sequence);
/* The same; `seal` is the seal's head. */
bool segment_last(struct segment *s, struct frame *seal);

/*
 * Whether a process has the file open for writing; the same by name, of a file whose head may not
 * be there yet.
 */
bool segment_is_live(const struct segment *s);
bool segment_is_written(int directory, const char *name);
/* Whether all behind the place of the head is zero. False also with errno. */
bool segment_is_room(int fd);

#endif
