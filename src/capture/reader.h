#ifndef CAPTURE_READER_H
#define CAPTURE_READER_H

/*
 * All that a capture directory has, in order: the frames of each series as they were written, and
 * those of series that were written at the same time, by a draining process and its heir, merged by
 * the monotonic time. It reads the files alone, beside a running balancer or without one.
 */

#include <stdbool.h>
#include <stdint.h>

#include "capture/frame.h"
#include "capture/position.h"
#include "capture/series.h"

struct reader;

enum reader_verdict {
	READER_FRAME,
	READER_HOLE, /* bytes that are no frames, with good ones or further segments behind them */
	READER_END,  /* of what is there now */
	READER_ERROR,
};

/* What of a file a hole is. */
enum reader_lost {
	LOST_FRAMES,
	LOST_TABLE, /* of a packed one: no frame is missing for that */
	LOST_HEAD,  /* of any: none of it can be read, and more may be missing than is told */
};

struct reading {
	const struct segment_head *segment; /* stays until the next call, as `payload` */
	struct frame frame;
	struct span payload;
	/* READER_HOLE: in `segment`, where it begins, and the sequences that are missing. */
	uint64_t hole_at, hole_bytes;
	uint64_t place; /* of a packed one: where in the file its block stands, or the table; else 0
			 */
	uint64_t missing_first, missing_last;
	bool packed; /* `segment` is: its file takes */
	uint64_t file_bytes;
	enum reader_lost lost;
	bool between; /* it is at a segment's end, and the series goes on: all of it was durable */
};

/* NULL with errno: the directory cannot be read. */
struct reader *reader_open(const char *directory);
void reader_close(struct reader *r);

/*
 * The next of it. After READER_END it may be asked again: what has come since, in new segments too,
 * is read then. READER_ERROR: errno, and the file's name from reader_file().
 */
enum reader_verdict reader_next(struct reader *r, struct reading *to);

/*
 * Before the first is read, and by one who does not follow: leaves out what came before that wall
 * time, as far as that is known without reading it; some that did may come nevertheless.
 */
void reader_seek_time(struct reader *r, uint64_t wall_ns);
/* Or what is before that sequence of that series, and all earlier series. */
void reader_seek_sequence(struct reader *r, uint64_t generation, uint64_t sequence);
/* The generation of the newest series; 0: there is none. */
uint64_t reader_newest(const struct reader *r);
/* So many bytes were read. */
uint64_t reader_read_bytes(const struct reader *r);

/*
 * Before the first is read: only what `p`, which is borrowed, has not passed, and only what is
 * durable: nothing that is read may be taken back yet.
 */
void reader_follow(struct reader *r, const struct position *p);
/* How far that is now; without connections, which are the caller's to add before it sorts. */
void reader_position(const struct reader *r, struct position *to);
/* How many frames of living writers are durable and were not read. */
uint64_t reader_behind(const struct reader *r);
/* Says to the writer of that series, if it lives, that somebody else has all up to there too. */
void reader_acknowledge(const struct reader *r, uint64_t generation, uint64_t sequence);
/* All of it was read, and its writer is gone. After READER_END only. */
bool reader_is_over(const struct reader *r, uint64_t generation);

/* How many holes were told. */
uint64_t reader_holes(const struct reader *r);

/* The file that was read last. */
const char *reader_file(const struct reader *r);
/* Whether a process writes to any of it, as far as it was read. */
bool reader_is_live(const struct reader *r);

#endif
