#ifndef CAPTURE_READER_H
#define CAPTURE_READER_H

/*
 * Reads all that a capture directory has, in order. The frames of each series come as they were
 * written. Series that were written at the same time, by a draining process and its successor, are
 * merged by the monotonic time. The reader needs the files alone, beside a running balancer or
 * without one.
 */

#include <stdbool.h>
#include <stdint.h>

#include "capture/frame.h"
#include "capture/position.h"
#include "capture/series.h"

struct reader;

enum reader_verdict {
	READER_FRAME,
	READER_HOLE, /* bytes that are no frames, and good frames or further segments follow */
	READER_END,  /* the end of what is there now */
	READER_ERROR,
};

/* What part of a file a hole is. */
enum reader_lost {
	LOST_FRAMES,
	LOST_TABLE, /* the table of a packed segment: no frame is missing for that */
	/* a segment's head: nothing in it can be read, and more may be missing than is reported */
	LOST_HEAD,
};

struct reading {
	const struct segment_head *segment; /* valid until the next call, like `payload` */
	struct frame frame;
	uint64_t at; /* where the frame begins in `segment` */
	struct span payload;
	/* READER_HOLE: where the hole begins in `segment`, and its length. */
	uint64_t hole_at, hole_bytes;
	uint64_t place; /* in a packed segment: where the file has the hole's block; else 0 */
	uint64_t missing_first, missing_last; /* the sequences that are missing */
	bool packed;			      /* `segment` is, in a file of: */
	uint64_t file_bytes;
	enum reader_lost lost;
};

/* NULL with errno: the directory cannot be read. */
struct reader *reader_open(const char *directory);
void reader_close(struct reader *r);

/*
 * Reads the next frame or hole. After READER_END it may be called again: what has come since, in
 * new segments too, is read then. READER_ERROR: errno, and the file's name from reader_file().
 */
enum reader_verdict reader_next(struct reader *r, struct reading *to);

/*
 * Called before the first reader_next(), and not with reader_follow(): leaves out what came before
 * that wall time, as far as that is known without reading it. Some older frames may come
 * nevertheless.
 */
void reader_seek_time(struct reader *r, uint64_t wall_ns);
/* The same: leaves out what is before that sequence of that series, and all earlier series. */
void reader_seek_sequence(struct reader *r, uint64_t generation, uint64_t sequence);
/* The generation of the newest series; 0: there is none. */
uint64_t reader_newest(const struct reader *r);
/* How many bytes were read. */
uint64_t reader_read_bytes(const struct reader *r);

/*
 * Called before the first reader_next(): reads only what `p`, which is borrowed, has not passed,
 * and only what is durable, so that the writer cannot take it back.
 */
void reader_follow(struct reader *r, const struct position *p);
/* How far the reader has come, without connections: the caller adds those, and then sorts. */
void reader_position(const struct reader *r, struct position *to);
/* How many frames of living writers are durable and not read. */
uint64_t reader_behind(const struct reader *r);
/* Tells the writer of that series, if it lives, that the follower has all up to that sequence. */
void reader_acknowledge(const struct reader *r, uint64_t generation, uint64_t sequence);
/* Whether all of the series was read and its writer is gone. Valid after READER_END. */
bool reader_is_over(const struct reader *r, uint64_t generation);

/* How many holes were reported. */
uint64_t reader_holes(const struct reader *r);
/* How many frames were skipped because only a newer version knows their type. */
uint64_t reader_unknown(const struct reader *r);

/* The file that was read last. */
const char *reader_file(const struct reader *r);
/* Whether a process writes to any of the series, as far as they were read. */
bool reader_is_live(const struct reader *r);

#endif
