#ifndef CAPTURE_SEGMENT_H
#define CAPTURE_SEGMENT_H

/*
 * One segment file, read frame by frame, while it is written or afterwards, packed or not. It is
 * read with pread: a file that is cut back under a mapping would end the reader.
 */

#include <stdbool.h>
#include <stdint.h>

#include "capture/frame.h"

struct packed;

struct segment {
	int fd;		       /* owned */
	struct packed *packed; /* owned; NULL: the file is as it was written */
	uint64_t read_bytes;   /* of the head, and of such a file */
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
/* Its head alone. */
enum segment_verdict segment_look(int directory, const char *name, struct segment_head *h);

/*
 * The next frame; its payload stays until the next call. After SEGMENT_END it may be asked again:
 * of a live segment there may be more now.
 */
enum segment_verdict segment_next(struct segment *s, struct frame *f, struct span *payload);
/* What was read ahead may be older than what is in the file now. */
void segment_forget(struct segment *s);

/* The frame of that sequence, which begins at `at`, is the next. */
void segment_jump(struct segment *s, uint64_t at, uint64_t sequence);
/* The first good frame that begins in [from, end) is the next; false: none does. */
bool segment_find(struct segment *s, uint64_t from, uint64_t end, struct frame *f);

/*
 * After SEGMENT_END in a segment that nobody writes: goes to the next good frame behind a hole, of
 * `hole_bytes`, and says how many bytes of those are not zero. SEGMENT_END: there is none.
 */
enum segment_verdict segment_skip(struct segment *s, uint64_t *hole_bytes, uint64_t *written_bytes);

bool segment_is_packed(const struct segment *s);
/* Packed, and its table is damaged; its blocks were found one by one. */
bool segment_lost_table(const struct segment *s);
/* Of the segment; of a packed one, before it was. 0 with errno. */
uint64_t segment_bytes(const struct segment *s);
/* Where in the file the block of a packed one stands that has `at`; 0: it is not packed, or
 * unknown. */
uint64_t segment_place(const struct segment *s, uint64_t at);
/* Of its file as it is. 0 with errno. */
uint64_t segment_file_bytes(const struct segment *s);
/* So many bytes were read from the disk. */
uint64_t segment_read_bytes(const struct segment *s);

/*
 * Whether its file ends with the seal, as one does whose writer came to its end: its last sequence.
 */
bool segment_is_sealed(struct segment *s, uint64_t *sequence);
/* The same; and `seal` is its head. */
bool segment_last(struct segment *s, struct frame *seal);

/* Whether a process has it open for writing; and the same by its name, whose head may not be there
 * yet. */
bool segment_is_live(const struct segment *s);
bool segment_is_written(int directory, const char *name);
/* Nothing stands in it behind the place of its head. False also with errno. */
bool segment_is_room(int fd);

#endif
